"""Reads what an arena was asked for, and says how another request differs from it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from operator import index
from pathlib import Path
from typing import Any

from purrtrait.files import reason

SCHEMA = 1
FILE = "arena.json"


def read(path: Path) -> dict[str, Any]:
    """What the folder's arena.json says; nothing where the folder is new or empty."""
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return {}
    try:
        kept: dict[str, Any] = json.loads((path / FILE).read_text(encoding="utf-8"))
        newer = kept["schema"] > SCHEMA
        budgets = {name: index(images) for name, images in kept["images"].items()}
        if budgets.keys() != kept["asked"]["recipes"].keys():
            raise ValueError("its images are of other recipes than it asks for")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path} is there already and is no arena: {FILE} cannot be read ({reason(error)}). "
            "Name a new folder with --out"
        ) from None
    if newer:
        raise ValueError(f"{path} was made by a later version of purrtrait; install that")
    return kept


def said(kept: Mapping[str, Any], name: str) -> Any:
    """What was asked for when the arena was made; None where it is new."""
    return kept["asked"].get(name) if kept else None


def expect_same(path: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """ValueError in words where something else is asked for now."""
    differing = [key for key in now if before.get(key) != now[key]]
    if differing:
        words = "; ".join(_difference(key, before.get(key), now[key]) for key in differing)
        raise ValueError(
            f"{path} holds an arena of another request: {words}. Ask for the same to go on with "
            "it, or name another folder with --out"
        )


def _difference(key: str, before: Any, now: Any) -> str:
    match before, now:
        case dict(), dict() if before.keys() == now.keys():
            changed = [name for name in now if before[name] != now[name]]
            return f"{', '.join(changed)} had other options there"
        case dict() | list(), dict() | list():
            before, now = ", ".join(map(str, before)), ", ".join(map(str, now))
        case _:
            before, now = before or "none", now or "none"
    return f"{key} there {before}, here {now}"
