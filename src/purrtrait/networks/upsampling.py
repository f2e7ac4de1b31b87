"""The generator that doubles small maps by nearest neighbours, with a convolution after each."""

from __future__ import annotations

from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn

from purrtrait.networks.blocks import activation
from purrtrait.networks.stack import INITIALISATIONS, Initialisation
from purrtrait.types import Count, Generator, Images, Latents, Prior

Doublings: TypeAlias = Literal[2, 3]

# Maps of the first layer; then maps and side of the convolution after each doubling.
PLANS: dict[Doublings, tuple[int, tuple[tuple[int, int], ...]]] = {
    2: (128, ((256, 5), (128, 5))),
    3: (512, ((512, 3), (256, 3), (128, 5))),
}


class UpsamplingGenerator(Generator):
    """A dense layer to small maps, doublings with batch norm and PReLU, a 3x3 convolution.

    Args:
        size: width and height of the pictures, a multiple of 4 (of 8 with three doublings)
        channels: 1 (grey) or 3 (colour)
        latent: numbers in a latent
        width: maps before the last convolution; the others keep their proportion to it
        doublings: 2 (as face-generator) or 3 (as a later cat-generator), from 8 or 4 px up to 32
        initialisation: heuristic (uniform weights within 1 / sqrt(inputs), biases 0) or gauss005
            (weights N(0, 0.005), biases N(0, 0.001))
    """

    prior: Prior = "uniform"

    def __init__(
        self,
        size: int,
        channels: int,
        latent: Count = 100,
        width: Count = 128,
        doublings: Doublings = 2,
        initialisation: Initialisation = "gauss005",
    ) -> None:
        super().__init__()
        self.latent_size = latent
        first, steps = PLANS[doublings]
        start, rest = divmod(size, 2**doublings)
        if rest or not start:
            raise ValueError(
                f"the pictures are {size} px wide; this network expects a multiple of "
                f"{2**doublings} px. Prepare the pack at such a --size"
            )
        maps = first * width // 128
        self.seed = nn.Sequential(nn.Linear(latent, maps * start**2), activation("prelu"))
        self.shape = (start, start, maps)
        layers: list[nn.Module] = []
        for wanted, side in steps:
            layers += _doubling(maps, wanted * width // 128, side)
            maps = wanted * width // 128
        self.layers = nn.Sequential(*layers, nn.Conv2d(maps, channels, 3, 1, 1))
        INITIALISATIONS[initialisation]([*self.seed, *self.layers])

    def forward(self, z: Latents, given: Tensor | None = None) -> Images:
        """Portraits (B, C, size, size) in [-1, 1] for latents (B, Z)."""
        # The values are taken as channels-last maps, which saves a transposition.
        maps = self.seed(z).unflatten(1, self.shape).permute(0, 3, 1, 2)
        return 2 * torch.sigmoid(self.layers(maps)) - 1


def _doubling(maps: int, wanted: int, side: int) -> list[nn.Module]:
    return [
        nn.Upsample(scale_factor=2, mode="nearest"),
        nn.Conv2d(maps, wanted, side, 1, side // 2),
        nn.BatchNorm2d(wanted),
        activation("prelu"),
    ]
