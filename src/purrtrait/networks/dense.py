"""The generator with one hidden layer, in which every pixel hears every unit."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from purrtrait.networks.blocks import activation
from purrtrait.networks.stack import INITIALISATIONS, Initialisation
from purrtrait.types import Count, Generator, Images, Latents, Prior


class DenseGenerator(Generator):
    """A dense layer, a PReLU, a dense layer and a sigmoid; for pictures of any size.

    Args:
        size: width and height of the pictures
        channels: 1 (grey) or 3 (colour)
        latent: numbers in a latent
        width: units of the hidden layer
        initialisation: heuristic (uniform weights within 1 / sqrt(inputs), biases 0) or gauss005
            (weights N(0, 0.005), biases N(0, 0.001))
    """

    prior: Prior = "uniform"

    def __init__(
        self,
        size: int,
        channels: int,
        latent: Count = 100,
        width: Count = 2048,
        initialisation: Initialisation = "heuristic",
    ) -> None:
        super().__init__()
        self.latent_size = latent
        self.shape = (size, size, channels)
        self.layers = nn.Sequential(
            nn.Linear(latent, width),
            activation("prelu"),
            nn.Linear(width, size * size * channels),
        )
        INITIALISATIONS[initialisation](self.layers)

    def forward(self, z: Latents, given: Tensor | None = None) -> Images:
        """Portraits (B, C, size, size) in [-1, 1] for latents (B, Z)."""
        # The values are taken as channels-last pictures, which saves a transposition.
        values = self.layers(z).unflatten(1, self.shape).permute(0, 3, 1, 2)
        return 2 * torch.sigmoid(values) - 1
