"""The tables of objectives, of augmentations and of balances."""

from collections.abc import Callable

from purrtrait.objectives import (
    adaptive_l2,
    adversarial,
    augmentation,
    autoencode,
    balanced,
    chained,
    denoise,
    margin,
    vae,
    vaegan,
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
    "vae": vae.Vae,
    "vae-gan": vaegan.VaeGan,
    "validate": validate.Validate,
}

AUGMENTATIONS: dict[str, Callable[..., Augmentation]] = {
    "none": augmentation.none,
    "differentiable": augmentation.Differentiable,
    "adaptive": augmentation.Adaptive,
}

BALANCES: dict[str, Callable[..., Balance]] = {
    "accuracy": balanced.accuracy,
    "l2": adaptive_l2.l2,
    "margin": margin.margin,
    "none": balanced.none,
}

BY_LEVEL = frozenset({"accuracy", "margin"})  # balances that look at verdicts by themselves
