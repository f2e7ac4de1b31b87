"""cat-gan's networks: a generator that draws from logistics at every pixel, and its critic."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from purrtrait.networks.blocks import Seed, activation, halvings, whole
from purrtrait.networks.dmol import (
    CHOICES,
    MIXINGS,
    Choice,
    Grain,
    Head,
    Mixing,
    Mixture,
    MixtureGenerator,
)
from purrtrait.types import Count, Critic, Images, Latents, Logits, Prior


class CatGanGenerator(MixtureGenerator):
    """Transposed 4x4 convolutions up to maps of the picture's size, then a draw at every pixel.

    Every value is drawn from a mixture of logistics whose parameters the maps say. In training the
    numbers for that come from torch's own generator; in evaluation they are a smooth function of
    the latent row (``dmol.Grain``), so that a seed is a portrait and a walk does not flicker. A
    temperature changes the latents alone: at 0 all portraits are the same one, grain and all.

    Args:
        size: width and height of the pictures, 2^k >= 8
        channels: 1 (grey) or 3 (colour)
        latent: numbers in a latent; 100 is known to break down late in long trainings
        width: maps before the mixture; each halving of the size, but the first, doubles them
        mixtures: logistics that a value can come from
        choice: how one of them is chosen in training: straight-through or gumbel-softmax, where the
            chances learn, or hard, where they stay as they began
        mixing: what a colour follows of those before it: means (cat-gan) or values (VDVAE)
        grain: temperature of the pixels once trained: 1 draws them by their law, less shows less
            grain, and 0 the likeliest logistic's mean
    """

    prior: Prior = "normal"

    def __init__(
        self,
        size: int,
        channels: int,
        latent: Count = 512,
        width: Count = 64,
        mixtures: Count = 10,
        choice: Choice = "straight-through",
        mixing: Mixing = "means",
        grain: float = 1.0,
    ) -> None:
        super().__init__()
        if not 0 <= grain < math.inf:
            raise ValueError(f"grain is {grain}; expected a number from 0, such as 0, 0.5 or 1")
        for name, found, known in (("choice", choice, CHOICES), ("mixing", mixing, MIXINGS)):
            if found not in known:
                raise ValueError(f"{name} is '{found}'; expected one of {', '.join(known)}")
        self.latent_size = latent
        self.mixing = mixing
        doublings = halvings(size) - 1
        maps = width << doublings
        layers: list[nn.Module] = [Seed(latent, maps), Bias(maps, 16 * maps), *_rectified(maps)]
        for _ in range(doublings):
            layers.append(nn.ConvTranspose2d(maps, maps // 2, 4, 2, 1))
            maps //= 2
            layers += _rectified(maps)
        layers.append(nn.ConvTranspose2d(maps, maps, 4, 2, 1))
        self.layers = nn.Sequential(*layers)
        self.head = Head(maps, channels, mixtures, choice, mixing, grain)
        self.grain = Grain(latent, self.head.noises, size)

    def forward(self, z: Latents, given: Tensor | None = None) -> Images:
        """Portraits (B, C, size, size) in [-1, 1] for latents (B, Z)."""
        uniform = self.grain(z) if self.head.draws else None
        portraits: Images = self.head(self.layers(z), uniform)
        return portraits

    def mixture(self, z: Latents) -> Mixture:
        """The mixture at every pixel of the portraits of latents (B, Z)."""
        return self.head.mixture(self.layers(z))


class CatGanCritic(Critic):
    """Strided 4x4 convolutions down to 4 x 4 maps, batch norm after each, then a single verdict.

    Args:
        size: width and height of the pictures, 2^k >= 8
        channels: 1 (grey) or 3 (colour)
        width: maps of the first layer; each halving of the size doubles them
    """

    judges_alone = False

    def __init__(self, size: int, channels: int, width: Count = 128) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before, maps = channels, width
        for _ in range(halvings(size)):
            layers.append(nn.Conv2d(before, maps, 4, 2, 1))
            layers += [nn.BatchNorm2d(maps), activation("leaky-relu")]
            before, maps = maps, 2 * maps
        self.layers = nn.Sequential(*layers)
        self.verdict = nn.Conv2d(before, 1, 4)

    def features(self, images: Images, given: Tensor | None = None) -> Tensor:
        """The last hidden maps, flattened: (B, 16 * maps)."""
        features: Tensor = self.layers(whole(images, given)).flatten(1)
        return features

    def forward(self, images: Images, given: Tensor | None = None) -> Logits:
        """Verdicts (B,)."""
        verdicts: Logits = self.verdict(self.layers(whole(images, given))).flatten()
        return verdicts


class Bias(nn.Module):
    """A number for each map, added to it; at the start uniform within 1 / sqrt(``inputs``)."""

    def __init__(self, maps: int, inputs: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.empty(maps).uniform_(-(inputs**-0.5), inputs**-0.5))

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (B, M, H, W), each with its number added."""
        return maps + self.bias[:, None, None]


def _rectified(maps: int) -> list[nn.Module]:
    return [nn.BatchNorm2d(maps), activation("relu")]
