"""The tables of objectives, of augmentations and of balances."""

from collections.abc import Callable

from purrtrait.objectives import adversarial, augmentation, balanced
from purrtrait.objectives.augmentation import Augmentation
from purrtrait.objectives.balanced import Balance
from purrtrait.types import Objective

OBJECTIVES: dict[str, Callable[..., Objective]] = {
    "adversarial": adversarial.Adversarial,
}

AUGMENTATIONS: dict[str, Callable[..., Augmentation]] = {
    "none": augmentation.none,
    "differentiable": augmentation.Differentiable,
    "adaptive": augmentation.Adaptive,
}

BALANCES: dict[str, Callable[..., Balance]] = {
    "none": balanced.none,
}
