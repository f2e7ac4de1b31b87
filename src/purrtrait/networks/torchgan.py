"""torch-gan's generator and critic: 5x5 convolutions, three doublings and three halvings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn

from purrtrait.networks.blocks import activation, normalisation, whole
from purrtrait.networks.doubling import Doubling
from purrtrait.types import Count, Critic, Generator, Images, Latents, Logits, Prior

Gains: TypeAlias = Literal["ones", "uniform"]

GAINS: dict[Gains, Callable[[Tensor], Tensor]] = {
    "ones": nn.init.ones_,
    "uniform": nn.init.uniform_,
}

# Maps after each doubling and after each halving, in widths.
DOUBLINGS = (2, 2, 1)
HALVINGS = (1, 2, 3)
UNITS = 32  # of the critic's dense layer, in widths


class TorchGanGenerator(Generator):
    """A dense layer to maps of an eighth of the size, and three doublings with batch norm.

    The last convolution is linear: drawn values may leave [-1, 1], and are limited where portraits
    are shown. Weights and biases begin uniform within 1 / sqrt(inputs of a unit).

    Args:
        size: width and height of the pictures, a multiple of 8
        channels: 1 (grey) or 3 (colour)
        latent: numbers in a latent
        width: maps before the last convolution; the others keep their proportion to it
        gains: how batch norm's gains begin: ones, or uniform (between 0 and 1, as in Torch7)
    """

    prior: Prior = "normal"

    def __init__(
        self,
        size: int,
        channels: int,
        latent: Count = 512,
        width: Count = 128,
        gains: Gains = "ones",
    ) -> None:
        super().__init__()
        self.latent_size = latent
        start = _eighth(size)
        self.shape = (start, start, width)
        self.seed = nn.Sequential(nn.Linear(latent, width * start**2), activation("relu"))
        layers: list[nn.Module] = []
        maps = width
        for share in DOUBLINGS:
            layers += _doubling(maps, share * width, GAINS[gains])
            maps = share * width
        self.layers = nn.Sequential(*layers, nn.Conv2d(maps, channels, 3, 1, 1))

    def forward(self, z: Latents, given: Tensor | None = None) -> Images:
        """Pictures (B, C, size, size), near [-1, 1], for latents (B, Z)."""
        # The values are taken as channels-last maps, which saves a transposition.
        maps = self.seed(z).unflatten(1, self.shape).permute(0, 3, 1, 2)
        images: Images = self.layers(maps)
        return images


class TorchGanCritic(Critic):
    """Three convolutions, each reduced to half its size by maxima, and a dense layer; dropout.

    Weights and biases begin uniform within 1 / sqrt(inputs of a unit).

    Args:
        size: width and height of the pictures, a multiple of 8
        channels: 1 (grey) or 3 (colour)
        width: maps of the first convolution; all other maps and units keep their proportion
        normalisation: none, or batch after every convolution, with which this critic wins
    """

    def __init__(
        self, size: int, channels: int, width: Count = 32, normalisation: str = "none"
    ) -> None:
        super().__init__()
        self.judges_alone = normalisation == "none"
        layers: list[nn.Module] = []
        maps = channels
        for share in HALVINGS:
            layers += _halving(maps, share * width, normalisation)
            maps = share * width
        dense = nn.Linear(maps * _eighth(size) ** 2, UNITS * width)
        self.layers = nn.Sequential(
            *layers, nn.Flatten(), dense, activation("relu"), nn.Dropout(0.5)
        )
        self.verdict = nn.Linear(UNITS * width, 1)

    def features(self, images: Images, given: Tensor | None = None) -> Tensor:
        """What the dense layer says, (B, 32 * width)."""
        features: Tensor = self.layers(whole(images, given))
        return features

    def forward(self, images: Images, given: Tensor | None = None) -> Logits:
        """Verdicts (B,)."""
        verdicts: Logits = self.verdict(self.features(images, given)).flatten()
        return verdicts


def _doubling(maps: int, wanted: int, begin: Callable[[Tensor], Tensor]) -> list[nn.Module]:
    norm = nn.BatchNorm2d(wanted)
    with torch.no_grad():
        begin(norm.weight)
    return [Doubling(maps, wanted), norm, activation("relu")]


def _halving(maps: int, wanted: int, norm: str) -> list[nn.Module]:
    # The largest of rectified values is the rectified largest: rectified after, it costs a quarter.
    convolution = nn.Conv2d(maps, wanted, 5, 1, 2)
    pool = [nn.MaxPool2d(2), activation("relu")]
    return [convolution, *normalisation(norm, wanted), *pool, nn.Dropout2d(0.2)]


def _eighth(size: int) -> int:
    start, rest = divmod(size, 8)
    if rest or not start:
        raise ValueError(
            f"the pictures are {size} px wide; this network expects a multiple of 8 px. Prepare "
            "the pack at such a --size"
        )
    return start
