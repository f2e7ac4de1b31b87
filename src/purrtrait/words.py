"""Looks names up in tables, and says which known one was perhaps meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import TypeVar

Value = TypeVar("Value")


def lookup(table: Mapping[str, Value], kind: str, name: str) -> Value:
    """The entry of a table, or a ValueError with the nearest name and all known ones."""
    if name in table:
        return table[name]
    raise ValueError(f"unknown {kind} '{name}'.{nearest(name, table)} Known: {', '.join(table)}")


def nearest(name: str, known: Iterable[str]) -> str:
    """' Did you mean ...?' where a known name is near, else nothing."""
    close = difflib.get_close_matches(name, list(known), 1, 0.5)
    return "".join(f" Did you mean '{name}'?" for name in close)
