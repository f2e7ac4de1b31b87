"""Refiners: a generator of the detail that an enlarged picture lacks, and its critic.

A step of LAPGAN's pyramid (Denton et al. 2015, "Deep generative image models using a Laplacian
pyramid of adversarial networks"): fine = coarse + detail. The networks are those of two ancestors,
cat-generator and face-generator.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal, NamedTuple, TypeAlias

import torch
from annotated_types import Ge, Le
from torch import Tensor, nn

from purrtrait.networks.blocks import activation, coarse, whole
from purrtrait.networks.stack import Stack
from purrtrait.types import Count, Critic, Generator, Images, Latents, Logits, Prior

Black: TypeAlias = Annotated[float, Ge(-1), Le(0)]  # the number of black where white is 1
PlanName: TypeAlias = Literal["by-colour", "wide", "wide-5", "narrow", "narrow-5", "deep"]
CriticPlanName: TypeAlias = Literal["by-picture", "wide-16", "wide-22", "wide-32", "hidden", "deep"]


class Plan(NamedTuple):
    """A refiner's hidden convolutions (maps and side of the kernel), and the side of its last."""

    hidden: tuple[tuple[int, int], ...]
    last: int


WIDE = Plan(((64, 3), (512, 7)), 5)
NARROW = Plan(((64, 3), (128, 7)), 5)

# By the channels of the pictures: cat-generator is wide for grey ones only.
PLANS: dict[PlanName, Callable[[int], Plan]] = {
    "by-colour": lambda channels: WIDE if channels == 1 else NARROW,
    "wide": lambda channels: WIDE,
    "wide-5": lambda channels: Plan(((64, 3), (512, 5)), 5),
    "narrow": lambda channels: NARROW,
    # face-generator describes this one as ending in 128 maps, which are no picture.
    "narrow-5": lambda channels: Plan(((64, 3), (64, 5)), 5),
    "deep": lambda channels: Plan(((64, 3), (64, 3), (128, 5), (256, 5)), 7),
}


class Refiner(Generator):
    """Same-padded convolutions over a noise picture and the enlarged coarse one; linear detail.

    The latent row is the noise picture, row by row. Between the convolutions stand PReLUs.

    Args:
        size: width and height of the pictures
        channels: 1 (grey) or 3 (colour)
        plan: maps and kernels: by-colour (wide for grey, narrow for colour pictures), wide, wide-5,
            narrow, narrow-5 or deep; the number is the side of the middle kernel where it is not 7
        width: maps of the first convolution; all others keep their proportion to it
        black: what stands for black inside, white being 1: -1 as in cat-generator, 0 as in
            face-generator
    """

    prior: Prior = "uniform"

    def __init__(
        self,
        size: int,
        channels: int,
        plan: PlanName = "by-colour",
        width: Count = 64,
        black: Black = -1.0,
    ) -> None:
        super().__init__()
        self.size = size
        self.latent_size = size * size
        self.black = black
        hidden, last = PLANS[plan](channels)
        stack = Stack(1 + channels, size, width / 64)
        for maps, side in hidden:
            stack = stack.convolve(maps, side)
        self.layers = nn.Sequential(
            *stack.layers, nn.Conv2d(stack.maps, channels, last, 1, last // 2)
        )

    def forward(self, z: Latents, given: Tensor | None = None) -> Images:
        """Details (B, C, F, F) for noise (B, F * F) and coarse pictures (B, C, F, F) in [-1, 1].

        ValueError where no coarse pictures are given.
        """
        given = coarse(given)
        noise = z.unflatten(1, (1, self.size, self.size))
        details: Images = self.layers(torch.cat([noise, _within(given, self.black)], 1))
        return details * (2 / (1 - self.black))


class RefinerCritic(Critic):
    """Convolutions, then perhaps a hidden layer; sees coarse and detail only as their sum.

    Without a coarse picture it judges the pictures as they are. Half of the values are dropped
    before each dense layer.

    Args:
        size: width and height of the pictures, at least 6
        channels: 1 (grey) or 3 (colour)
        plan: layers: by-picture (hidden for colour pictures, wide-22 for grey ones of 22 px,
            otherwise wide-32), wide-16, wide-22, wide-32, hidden or deep
        width: maps of the first convolution; all others keep their proportion to it
        black: what stands for black inside, white being 1: -1 as in cat-generator, 0 as in
            face-generator
    """

    def __init__(
        self,
        size: int,
        channels: int,
        plan: CriticPlanName = "by-picture",
        width: Count = 64,
        black: Black = -1.0,
    ) -> None:
        super().__init__()
        if size < 6:
            raise ValueError(
                f"the pictures are {size} px wide; this critic trims and halves them and expects "
                "at least 6 px (such as 22 or 32). Refine to a larger size"
            )
        self.black = black
        stack = CRITIC_PLANS[plan](Stack(channels, size, width / 64)).drop()
        self.layers = nn.Sequential(*stack.layers)
        self.verdict = nn.Linear(stack.maps, 1)

    def features(self, images: Images, given: Tensor | None = None) -> Tensor:
        """The last hidden layer's view of what ``images`` and ``given`` add up to, (B, F)."""
        features: Tensor = self.layers(_within(whole(images, given), self.black))
        return features

    def forward(self, images: Images, given: Tensor | None = None) -> Logits:
        """Verdicts (B,) on details and coarse pictures, or on portraits; each (B, C, F, F)."""
        verdicts: Logits = self.verdict(self.features(images, given)).flatten()
        return verdicts


def _within(portraits: Images, black: float) -> Images:
    """Pictures in [black, 1] from those in [-1, 1]."""
    return portraits * ((1 - black) / 2) + (1 + black) / 2


def _by_picture(pictures: Stack) -> Stack:
    if pictures.maps > 1:
        return _hidden(pictures)
    return _wide_22(pictures) if pictures.size == 22 else _wide_32(pictures)


def _wide_22(pictures: Stack) -> Stack:
    maps, size = max(1, round(64 * pictures.share)), pictures.size - 2
    first = nn.Conv2d(pictures.maps, maps, 3)
    trimmed = pictures.then(first, maps, size).then(activation("prelu"), maps, size)
    return trimmed.convolve(256, 5).pool().convolve(1024).pool().flat()


def _wide_32(pictures: Stack) -> Stack:
    return pictures.convolve(64).convolve(256, 5).pool().convolve(1024).pool().flat()


def _wide_16(pictures: Stack) -> Stack:
    return pictures.convolve(64).convolve(256, 5).pool().convolve(1024).flat()


def _hidden(pictures: Stack) -> Stack:
    return pictures.convolve(64).convolve(64).pool().flat().drop().dense(512)


def _deep(pictures: Stack) -> Stack:
    narrow = pictures.convolve(64).convolve(64).pool()
    return narrow.convolve(128).convolve(256).pool().flat().drop().dense(512)


CRITIC_PLANS: dict[CriticPlanName, Callable[[Stack], Stack]] = {
    "by-picture": _by_picture,
    "wide-16": _wide_16,
    "wide-22": _wide_22,
    "wide-32": _wide_32,
    "hidden": _hidden,
    "deep": _deep,
}
