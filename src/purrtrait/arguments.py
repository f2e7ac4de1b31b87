"""Reads what stands behind an option of the command line; ValueError says what was expected."""

from __future__ import annotations

import math
import re


def settings(texts: tuple[str, ...]) -> dict[str, str]:
    """The options in texts such as lr=1e-4."""
    found = {}
    for text in texts:
        key, sign, value = text.partition("=")
        if not sign or not key.strip():
            raise ValueError(f"--set {text}: expected KEY=VALUE, such as --set lr=1e-4")
        found[key.strip()] = value.strip()
    return found


def budget(text: str | None) -> tuple[int | None, float]:
    """Images and minutes of a budget such as 80000, 80_000 or 5min."""
    if text is None:
        return None, float("inf")
    if time := re.fullmatch(r"(\d{1,9}(?:\.\d+)?) *min(?:utes?)?", text):
        return None, float(time[1])
    if re.fullmatch(r"[1-9][\d_,]{0,18}", text):
        return int(text.replace(",", "").replace("_", "")), float("inf")
    raise ValueError(f"--budget {text}: expected pictures such as 80000, or minutes such as 5min")


def temperature(value: float, option: str = "--temperature") -> float:
    """A temperature that portraits can have."""
    if not 0 <= value < math.inf:
        raise ValueError(f"{option} {value}: expected a number from 0, such as 0.8")
    return value


def temperatures(text: str | None) -> list[float]:
    """The numbers in a text such as 0.4,0.7,1; none where there is no text."""
    try:
        found = [float(part) for part in text.split(",")] if text is not None else []
    except ValueError:
        raise ValueError(f"--grid {text}: expected numbers such as 0.4,0.7,1,1.3") from None
    return [temperature(number, "--grid") for number in found]
