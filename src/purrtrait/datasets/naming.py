"""Looks a name up in a table, and says which ones there are."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import TypeVar

Value = TypeVar("Value")


def named(kind: str, name: str, table: Mapping[str, Value]) -> Value:
    """Return what stands under a name; ValueError with the nearest one and all others."""
    if name not in table:
        near = difflib.get_close_matches(name, table, 1, 0.0)[0]
        raise ValueError(
            f"There is no {kind} {name!r}: did you mean {near!r}? "
            f"Expected one of {', '.join(table)}."
        )
    return table[name]
