"""The table of levels."""

from collections.abc import Callable

from purrtrait.sampling import levels
from purrtrait.types import Level

LEVELS: dict[str, Callable[..., Level]] = {
    "detail": levels.Detail,
    "whole": levels.Whole,
}
