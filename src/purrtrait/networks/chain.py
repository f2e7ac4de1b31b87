"""Chains: a generator, and networks after it that draw its picture once more, and better."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from purrtrait.networks.blocks import activation
from purrtrait.networks.stack import Stack, heuristic
from purrtrait.types import Count, Generator, Images, Latents, Retoucher

DIAGONAL = 0.75  # of the dense retoucher's weights at the start


class Chain(Generator):
    """A generator and any number of retouchers, each of whom draws after the one before.

    The members stay the caller's own: a shorter chain of the same members draws as this one does
    up to there.
    """

    def __init__(self, drawer: Generator, retouchers: Sequence[Retoucher]) -> None:
        super().__init__()
        self.drawer = drawer
        self.retouchers = nn.ModuleList(retouchers)
        self.latent_size = drawer.latent_size
        self.prior = drawer.prior

    def forward(self, z: Latents, given: Tensor | None = None) -> Images:
        """What the last retoucher makes of it: images (B, C, H, W) for latents (B, Z)."""
        return self.until(len(self.retouchers), z, given)

    def until(self, retouchers: int, z: Latents, given: Tensor | None = None) -> Images:
        """What the first so many retouchers make of it; with 0 of them, the generator's picture."""
        images: Images = self.drawer(z, given)
        for retoucher in self.retouchers[:retouchers]:
            images = retoucher(images)
        return images


class ConvolvingRetoucher(Retoucher):
    """Three convolutions from picture to picture: 3x3, 5x5 and 5x5.

    Args:
        size: width and height of the pictures, any
        channels: 1 (grey) or 3 (colour)
        width: maps of the first convolution; the second has twice as many
    """

    def __init__(self, size: int, channels: int, width: Count = 32) -> None:
        super().__init__()
        hidden = Stack(channels, size).convolve(width).convolve(2 * width, 5)
        self.layers = nn.Sequential(*hidden.layers, nn.Conv2d(2 * width, channels, 5, 1, 2))
        heuristic(self.layers)

    def forward(self, images: Images) -> Images:
        """Portraits (B, C, S, S) in [-1, 1], drawn after others of that shape and range."""
        return _shown(self.layers((images + 1) / 2))


class DenseRetoucher(Retoucher):
    """Two dense layers from picture to picture, which begin near the identity.

    The diagonals of both weights are 0.75 at the start.

    Args:
        size: width and height of the pictures
        channels: 1 (grey) or 3 (colour)
        width: units of the hidden layer; never fewer than a picture has values, since it could
            not begin near the identity then
    """

    def __init__(self, size: int, channels: int, width: Count = 1024) -> None:
        super().__init__()
        values = size * size * channels
        units = max(width, values)
        first, last = nn.Linear(values, units), nn.Linear(units, values)
        self.layers = nn.Sequential(first, activation("prelu"), last)
        heuristic(self.layers)
        for weight in (first.weight, last.weight):
            weight.detach().fill_diagonal_(DIAGONAL)

    def forward(self, images: Images) -> Images:
        """Portraits (B, C, S, S) in [-1, 1], drawn after others of that shape and range."""
        last = images.permute(0, 2, 3, 1)  # (B, S, S, C), as it lies in memory
        values: Tensor = self.layers((last.flatten(1) + 1) / 2)
        return _shown(values.view(last.shape).permute(0, 3, 1, 2))


def _shown(values: Tensor) -> Images:
    return 2 * torch.sigmoid(values) - 1
