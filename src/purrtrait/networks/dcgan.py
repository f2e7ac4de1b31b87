"""DCGAN's generator and critic for any size 2^k >= 8 (Radford et al. 2016, ICLR)."""

from __future__ import annotations

from torch import Tensor, nn

from purrtrait.networks.blocks import (
    Seed,
    activation,
    dropout,
    halvings,
    initialise_normal,
    normalisation,
    whole,
)
from purrtrait.types import Amount, Count, Critic, Decay, Generator, Images, Latents, Logits, Prior


class DcganGenerator(Generator):
    """Transposed 4x4 convolutions from 1 x 1 up to the picture; tanh at the end.

    Args:
        size: width and height of the pictures, 2^k >= 8
        channels: 1 (grey) or 3 (colour)
        latent: numbers in a latent
        width: maps before the last layer; each halving of the size doubles them
        normalisation: batch or none, after every layer but the last
        activation: after every layer but the last, such as relu, leaky-relu or selu
        dropout: probability with which single values of a hidden layer are dropped in training
        deviation: standard deviation of the weights at the start
    """

    prior: Prior = "normal"

    def __init__(
        self,
        size: int,
        channels: int,
        latent: Count = 100,
        width: Count = 128,
        normalisation: str = "batch",
        activation: str = "relu",
        dropout: Decay = 0.0,
        deviation: Amount = 0.02,
    ) -> None:
        super().__init__()
        self.latent_size = latent
        doublings = halvings(size) - 1
        maps = width << doublings
        layers: list[nn.Module] = [Seed(latent, maps)]
        layers += _hidden(maps, normalisation, activation, dropout)
        for _ in range(doublings):
            layers.append(nn.ConvTranspose2d(maps, maps // 2, 4, 2, 1, bias=False))
            maps //= 2
            layers += _hidden(maps, normalisation, activation, dropout)
        layers += [nn.ConvTranspose2d(maps, channels, 4, 2, 1, bias=False), nn.Tanh()]
        self.layers = nn.Sequential(*layers)
        initialise_normal(self, deviation)

    def forward(self, z: Latents, given: Tensor | None = None) -> Images:
        """Portraits (B, C, size, size) in [-1, 1] for latents (B, Z)."""
        images: Images = self.layers(z)
        return images


class DcganCritic(Critic):
    """Strided 4x4 convolutions down to 4 x 4 maps, then one more to a single verdict.

    Args:
        size: width and height of the pictures, 2^k >= 8
        channels: 1 (grey) or 3 (colour)
        width: maps of the first layer; each halving of the size doubles them
        normalisation: batch or none, after every hidden layer but the first
        activation: after every hidden layer, such as leaky-relu or selu
        dropout: probability with which single values of a hidden layer are dropped in training
        deviation: standard deviation of the weights at the start
    """

    def __init__(
        self,
        size: int,
        channels: int,
        width: Count = 128,
        normalisation: str = "batch",
        activation: str = "leaky-relu",
        dropout: Decay = 0.0,
        deviation: Amount = 0.02,
    ) -> None:
        super().__init__()
        self.judges_alone = normalisation == "none"
        doublings = halvings(size) - 1
        maps = width
        layers: list[nn.Module] = [nn.Conv2d(channels, maps, 4, 2, 1, bias=False)]
        layers += _hidden(maps, "none", activation, dropout)
        for _ in range(doublings):
            layers.append(nn.Conv2d(maps, 2 * maps, 4, 2, 1, bias=False))
            maps *= 2
            layers += _hidden(maps, normalisation, activation, dropout)
        self.layers = nn.Sequential(*layers)
        self.verdict = nn.Conv2d(maps, 1, 4, bias=False)
        initialise_normal(self, deviation)

    def features(self, images: Images, given: Tensor | None = None) -> Tensor:
        """The last hidden maps, flattened: (B, 16 * maps)."""
        features: Tensor = self.layers(whole(images, given)).flatten(1)
        return features

    def forward(self, images: Images, given: Tensor | None = None) -> Logits:
        """Verdicts (B,)."""
        verdicts: Logits = self.verdict(self.layers(whole(images, given))).flatten()
        return verdicts


def _hidden(maps: int, norm: str, active: str, drop: float) -> list[nn.Module]:
    return [*normalisation(norm, maps), activation(active), *dropout(drop)]
