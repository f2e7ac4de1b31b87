"""The tables of objectives and of augmentations."""

from collections.abc import Callable

from purrtrait.objectives import adversarial, augmentation
from purrtrait.objectives.augmentation import Augmentation
from purrtrait.types import Objective

OBJECTIVES: dict[str, Callable[..., Objective]] = {
    "adversarial": adversarial.Adversarial,
}

AUGMENTATIONS: dict[str, Callable[..., Augmentation]] = {
    "none": augmentation.none,
    "differentiable": augmentation.Differentiable,
    "adaptive": augmentation.Adaptive,
}
