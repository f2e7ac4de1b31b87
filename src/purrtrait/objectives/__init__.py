"""The tables of objectives, of augmentations and of balances."""

from collections.abc import Callable

from purrtrait.objectives import (
    adversarial,
    augmentation,
    autoencode,
    balanced,
    chained,
    denoise,
    validate,
)
from purrtrait.objectives.augmentation import Augmentation
from purrtrait.objectives.balanced import Balance
from purrtrait.types import Objective

OBJECTIVES: dict[str, type[Objective]] = {
    "adversarial": adversarial.Adversarial,
    "autoencode": autoencode.Autoencode,
    "chained": chained.Chained,
    "denoise": denoise.Denoise,
    "validate": validate.Validate,
}

AUGMENTATIONS: dict[str, Callable[..., Augmentation]] = {
    "none": augmentation.none,
    "differentiable": augmentation.Differentiable,
    "adaptive": augmentation.Adaptive,
}

BALANCES: dict[str, Callable[..., Balance]] = {
    "accuracy": balanced.accuracy,
    "none": balanced.none,
}
