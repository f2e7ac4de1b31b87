"""The table of objectives."""

from collections.abc import Callable

from purrtrait.objectives import adversarial
from purrtrait.types import Objective

OBJECTIVES: dict[str, Callable[..., Objective]] = {
    "adversarial": adversarial.Adversarial,
}
