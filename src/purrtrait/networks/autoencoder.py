"""Autoencoders: portraits to codes and back, and the generator that improves what they draw."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from purrtrait.networks.blocks import activation, coarse
from purrtrait.networks.dense import DenseGenerator
from purrtrait.networks.stack import INITIALISATIONS, Initialisation, gauss005
from purrtrait.types import Amount, Coder, Count, Generator, Images, Latents, Positive, Prior


class ConvolvingCoder(Coder):
    """Two convolutions, three dense layers; the codes are unbounded (cat-generator).

    Values of the codes are dropped in training too, so that no single one matters much.

    Args:
        size: width and height of the pictures, at least 2
        channels: 1 (grey) or 3 (colour)
        latent: numbers in a code
        slope: of the leaky rectifiers below 0
    """

    def __init__(
        self, size: int, channels: int, latent: Count = 100, slope: Amount = 0.333
    ) -> None:
        super().__init__()
        if size < 2:
            raise ValueError(
                f"the pictures are {size} px wide; this network halves them and expects at least "
                "2 px (such as 16 or 32). Prepare the pack at such a --size"
            )
        self.latent_size = latent
        self.layers = nn.Sequential(
            *(nn.Conv2d(channels, 32, 3, 1, 1), nn.LeakyReLU(slope, inplace=True)),
            *(nn.Conv2d(32, 32, 3, 1, 1), nn.LeakyReLU(slope, inplace=True)),
            *(nn.MaxPool2d(2), nn.BatchNorm2d(32), nn.Flatten()),  # (B, 32 * (size / 2)^2)
            *(nn.Linear(32 * (size // 2) ** 2, 512), nn.LeakyReLU(slope, inplace=True)),
            *(nn.Dropout(), nn.Linear(512, 512), nn.LeakyReLU(slope, inplace=True)),
            *(nn.Dropout(), nn.Linear(512, latent), nn.Dropout(0.2)),
        )

    def forward(self, images: Images) -> Latents:
        """Codes (B, Z) of portraits in [-1, 1]."""
        codes: Latents = self.layers((images + 1) / 2)
        return codes


class DenseCoder(Coder):
    """Two dense layers; a tanh keeps the codes where the uniform prior lies (face-generator).

    Half of a code's values are dropped in training.

    Args:
        size: width and height of the pictures
        channels: 1 (grey) or 3 (colour)
        latent: numbers in a code
        width: units of the hidden layer
        initialisation: heuristic, or gauss005 as in the ancestor, from which it hardly learns
    """

    def __init__(
        self,
        size: int,
        channels: int,
        latent: Count = 256,
        width: Count = 512,
        initialisation: Initialisation = "heuristic",
    ) -> None:
        super().__init__()
        self.latent_size = latent
        self.layers = nn.Sequential(
            *(nn.Linear(channels * size * size, width), nn.ReLU(inplace=True)),
            *(nn.Linear(width, latent), nn.Tanh(), nn.Dropout()),
        )
        INITIALISATIONS[initialisation](self.layers)

    def forward(self, images: Images) -> Latents:
        """Codes (B, Z) of portraits in [-1, 1]; within [-1, 1] except in training."""
        codes: Latents = self.layers((_rows(images) + 1) / 2)
        return codes


def dense_decoder(
    size: int,
    channels: int,
    latent: Count = 256,
    width: Count = 256,
    initialisation: Initialisation = "heuristic",
) -> DenseGenerator:
    """The other half of the dense coder: a dense generator whose hidden layer is a plain ReLU.

    Args:
        size: width and height of the pictures
        channels: 1 (grey) or 3 (colour)
        latent: numbers in a latent
        width: units of the hidden layer
        initialisation: heuristic, or gauss005 as in the ancestor
    """
    decoder = DenseGenerator(size, channels, latent, width, initialisation)
    decoder.layers[1] = activation("relu")
    return decoder


class BoundedRefiner(Generator):
    """Changes each value of a picture by little: the detail reach * tanh(f(x)) of a picture x.

    f is two dense layers with a PReLU between. It takes no latents of its own: what it draws is a
    function of the picture given.

    Args:
        size: width and height of the pictures
        channels: 1 (grey) or 3 (colour)
        width: units of the hidden layer
        reach: the largest change of a value, in pictures in [-1, 1]
    """

    prior: Prior = "uniform"

    def __init__(
        self, size: int, channels: int, width: Count = 1024, reach: Positive = 0.5
    ) -> None:
        super().__init__()
        self.latent_size = 0
        self.reach = reach
        self.shape = (size, size, channels)
        values = channels * size * size
        self.layers = nn.Sequential(
            nn.Linear(values, width), activation("prelu"), nn.Linear(width, values)
        )
        gauss005(self.layers)

    def forward(self, z: Latents, given: Tensor | None = None) -> Images:
        """Changes (B, C, size, size) of the pictures ``given``, for latents (B, 0).

        ValueError where no pictures are given.
        """
        given = coarse(given)
        rows = torch.tanh(self.layers((_rows(given) + 1) / 2))
        changes: Tensor = rows.unflatten(1, self.shape)
        return self.reach * changes.permute(0, 3, 1, 2)


def _rows(images: Images) -> Tensor:
    """Pictures (B, C, H, W) as rows (B, H * W * C): as they lie in memory channels-last."""
    return images.permute(0, 2, 3, 1).flatten(1)
