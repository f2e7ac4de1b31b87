"""Reads what stands behind an option of the command line; ValueError says what was expected."""

from __future__ import annotations

import math
import re
from typing import NamedTuple


class Budget(NamedTuple):
    """What a training may cost, in one of three measures: images, minutes, or TFLOP counted."""

    images: int | None = None
    minutes: float = math.inf
    tflop: float | None = None


def settings(texts: tuple[str, ...]) -> dict[str, str]:
    """The options in texts such as lr=1e-4."""
    found = {}
    for text in texts:
        key, sign, value = text.partition("=")
        if not sign or not key.strip():
            raise ValueError(f"--set {text}: expected KEY=VALUE, such as --set lr=1e-4")
        found[key.strip()] = value.strip()
    return found


def budget(text: str | None) -> Budget:
    """A budget such as 80000, 80_000, 5min, 90s or 70TFLOP."""
    if text is None:
        return Budget()
    if time := re.fullmatch(r"(\d{1,9}(?:\.\d+)?) *(min(?:utes?)?|s|seconds?)", text):
        return Budget(minutes=float(time[1]) / (1 if time[2].startswith("min") else 60))
    if (work := re.fullmatch(r"(\d{1,9}(?:\.\d+)?) *TFLOP", text)) and float(work[1]) > 0:
        return Budget(tflop=float(work[1]))
    if re.fullmatch(r"[1-9][\d_,]{0,18}", text):
        return Budget(images=int(text.replace(",", "").replace("_", "")))
    raise ValueError(
        f"--budget {text}: expected pictures such as 80000, minutes such as 5min, or counted "
        "arithmetic such as 70TFLOP"
    )


def seeds(text: str) -> tuple[int, ...]:
    """The seeds in a text such as 1,2,3."""
    if re.fullmatch(r"\d{1,18}( *, *\d{1,18})*", text, re.ASCII):
        return tuple(int(part) for part in text.split(","))
    raise ValueError(f"--seeds {text}: expected whole numbers such as 1,2,3")


def temperature(value: float, option: str = "--temperature") -> float:
    """A temperature that portraits can have."""
    if not 0 <= value < math.inf:
        raise ValueError(f"{option} {value}: expected a number from 0, such as 0.8")
    return value


def truncation(value: float) -> float:
    """A threshold that latents can have; infinite is none."""
    if not value >= 0:
        raise ValueError(f"--truncation {value}: expected a number from 0, such as 1")
    return value


def temperatures(text: str | None) -> list[float]:
    """The numbers in a text such as 0.4,0.7,1; none where there is no text."""
    try:
        found = [float(part) for part in text.split(",")] if text is not None else []
    except ValueError:
        raise ValueError(f"--grid {text}: expected numbers such as 0.4,0.7,1,1.3") from None
    return [temperature(number, "--grid") for number in found]


def portraits(text: str) -> list[str]:
    """The portraits in a text such as 3,0:17; none where there is no text."""
    found = names(text)
    if text and not found:
        raise ValueError(f"--through {text}: expected seeds, or numbers of them, such as 3,0:17")
    return found


def screens(text: str | None) -> tuple[str, ...] | None:
    """The names of screens in a text such as blank,equal; ``none`` of them, or ``all``."""
    from purrtrait.datasets.alike import COPIES
    from purrtrait.datasets.screen import SCREENS

    if text is None:
        return None
    if text == "all":
        return (*SCREENS, *COPIES)
    return () if text == "none" else tuple(names(text))


def names(text: str) -> list[str]:
    """The names in a text such as 'base,refine-22'; none in an empty one."""
    return [name.strip() for name in text.split(",") if name.strip()]
