"""The table of levels."""

from collections.abc import Callable

from purrtrait.sampling import levels
from purrtrait.types import Level

LEVELS: dict[str, Callable[..., Level]] = {
    "whole": levels.Whole,
}
