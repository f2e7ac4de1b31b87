"""What holds back a player who is too far ahead: wrappers around any objective."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from purrtrait.types import Objective

Balance: TypeAlias = Callable[[Objective], Objective]


def none() -> Balance:
    """Every player moves in each of its turns."""
    return lambda objective: objective
