"""The refiner of the recipe `lapgan`: most of its work is done at half of the size."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from purrtrait.networks.blocks import activation, coarse
from purrtrait.networks.modern import Doubling
from purrtrait.networks.stack import Stack
from purrtrait.types import Count, Generator, Images, Latents, Prior


class HalfwayRefiner(Generator):
    """Convolutions over noise and the coarse picture at half size, one doubling, a linear detail.

    A coarse picture that was enlarged twofold holds no more than its half size does, so that the
    same arithmetic looks twice as far there, with more maps. The latent row is the noise picture
    of half size, row by row. Between the convolutions stand PReLUs.

    Args:
        size: width and height of the pictures, even
        channels: 1 (grey) or 3 (colour)
        width: maps at half size; half as many at full size
    """

    prior: Prior = "uniform"

    def __init__(self, size: int, channels: int, width: Count = 64) -> None:
        super().__init__()
        if size % 2:
            raise ValueError(
                f"the pictures are {size} px wide; this refiner halves them and expects an even "
                "number, such as 32. Choose another --set pixels or another refiner"
            )
        self.half_size = size // 2
        self.latent_size = self.half_size**2
        maps = Stack(1 + channels, self.half_size)
        stack = maps.convolve(width).convolve(width, 5).convolve(width)
        self.layers = nn.Sequential(*stack.layers)
        fine = max(1, width // 2)
        self.doubling = nn.Sequential(Doubling(width, fine), activation("prelu"))
        self.head = nn.Conv2d(fine + channels, channels, 3, 1, 1)

    def forward(self, z: Latents, given: Tensor | None = None) -> Images:
        """Details (B, C, F, F) for noise (B, F / 2 * F / 2) and coarse pictures in [-1, 1].

        ValueError where no coarse pictures are given.
        """
        given = coarse(given)
        noise = z.unflatten(1, (1, self.half_size, self.half_size))
        maps = self.doubling(self.layers(torch.cat([noise, avg_pool2d(given, 2)], 1)))
        details: Images = self.head(torch.cat([maps, given], 1))
        return details
