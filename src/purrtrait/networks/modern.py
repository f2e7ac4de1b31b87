"""The pair of the recipe `portrait`: small, for few cores, most arithmetic at 16 px and below."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn.functional import conv_transpose2d, leaky_relu, relu

from purrtrait.networks.blocks import halvings, whole
from purrtrait.types import Count, Critic, Generator, Images, Latents, Logits, Prior

SLOPE = 0.2  # of the critic's leaky rectifiers
DEVIATION = 0.02  # of the modulation's weights at the start: nearly plain batch norm


class Modulation(nn.Module):
    """Batch norm whose gain and shift are affine functions of the latent.

    y = (1 + A z) * (x - mean) / deviation + B z, so that the latent speaks at every size and not
    only through the first layer (Chen et al. 2019, "On self modulation for generative adversarial
    networks", equation 3, with affine functions in place of their small networks).
    """

    def __init__(self, latent: int, maps: int) -> None:
        super().__init__()
        self.normalise = nn.BatchNorm2d(maps, affine=False)
        self.gain_and_shift = nn.Linear(latent, 2 * maps)
        nn.init.normal_(self.gain_and_shift.weight, 0.0, DEVIATION)
        nn.init.zeros_(self.gain_and_shift.bias)

    def forward(self, maps: Tensor, z: Latents) -> Tensor:
        """The maps (B, M, S, S), normalised and modulated by latents (B, Z)."""
        gain, shift = self.gain_and_shift(z)[:, :, None, None].chunk(2, 1)  # (B, M, 1, 1) each
        return torch.addcmul(shift, 1 + gain, self.normalise(maps))


class Doubling(nn.Module):
    """Twice the size by nearest neighbours and a 3x3 convolution, at 4/9 of their arithmetic.

    Each of the four new pixels in the place of an old one sees only 2x2 old ones, so the two are
    one transposed 4x4 convolution of stride 2, whose weight is a sum of the 3x3 one's entries: the
    same numbers up to rounding.
    """

    shares: Tensor

    def __init__(self, maps: int, wanted: int) -> None:
        super().__init__()
        self.weight = nn.Conv2d(maps, wanted, 3, bias=False).weight  # (W, M, 3, 3), as it begins
        # Which of the 3 entries along a side add up to each of the 4, and so for both sides.
        side = torch.tensor([[0.0, 0.0, 1.0], [0.0, 1.0, 1.0], [1.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
        self.register_buffer("shares", torch.kron(side, side), persistent=False)  # (16, 9)

    def forward(self, maps: Tensor) -> Tensor:
        """(B, M, S, S) to (B, W, 2S, 2S)."""
        rows = self.weight.permute(2, 3, 0, 1).flatten(0, 1).flatten(1)  # (9, W * M)
        sums = (
            (self.shares @ rows).view(4, 4, *self.weight.shape[:2]).permute(3, 2, 0, 1)
        )  # (M, W, 4, 4)
        laid = sums.contiguous(memory_format=torch.channels_last)
        return conv_transpose2d(maps, laid, None, stride=2, padding=1)


class Step(nn.Module):
    """Twice the size by nearest neighbours, a 3x3 convolution, modulation, rectifier."""

    def __init__(self, latent: int, maps: int, wanted: int) -> None:
        super().__init__()
        # No bias: the modulation's normalisation would take it out again.
        self.convolution = Doubling(maps, wanted)
        self.modulation = Modulation(latent, wanted)

    def forward(self, maps: Tensor, z: Latents) -> Tensor:
        """(B, M, S, S) to (B, W, 2S, 2S)."""
        return relu(self.modulation(self.convolution(maps), z))


class ModernGenerator(Generator):
    """Doubling steps from 4 x 4 up, each modulated by the latent.

    Every doubling halves the maps, so that each costs the same: at 32 px two thirds of the
    arithmetic lie at 16 px and below.

    Args:
        size: width and height of the pictures, 2^k >= 8
        channels: 1 (grey) or 3 (colour)
        latent: numbers in a latent
        width: maps at 32 px; half as many at 64 px, twice as many at 16 px, and so on
        least: the fewest maps at any size
    """

    prior: Prior = "normal"

    def __init__(
        self, size: int, channels: int, latent: Count = 128, width: Count = 32, least: Count = 16
    ) -> None:
        super().__init__()
        self.latent_size = latent
        widths = maps_by_size(size, width, least)
        self.seed = nn.Linear(latent, widths[0] * 16, bias=False)
        self.modulation = Modulation(latent, widths[0])
        pairs = itertools.pairwise(widths)
        self.steps = nn.ModuleList(Step(latent, maps, wanted) for maps, wanted in pairs)
        self.head = nn.Conv2d(widths[-1], channels, 3, 1, 1)

    def forward(self, z: Latents, given: Tensor | None = None) -> Images:
        """Portraits (B, C, size, size) in [-1, 1] for latents (B, Z)."""
        # The seed's numbers are taken as channels-last maps, which saves a transposition.
        maps = self.seed(z).unflatten(1, (4, 4, -1)).permute(0, 3, 1, 2)  # (B, M, 4, 4)
        maps = relu(self.modulation(maps, z))
        for step in self.steps:
            maps = step(maps, z)
        return torch.tanh(self.head(maps))


class ModernCritic(Critic):
    """A 3x3 convolution, then strided 4x4 convolutions down to 4 x 4; no normalisation at all.

    Without batch statistics each picture is judged by itself, so that penalties are exact and one
    backward pass can serve both players.

    Args:
        size: width and height of the pictures, 2^k >= 8
        channels: 1 (grey) or 3 (colour)
        width: maps at 32 px; half as many at 64 px, twice as many at 16 px, and so on
        least: the fewest maps at any size
    """

    def __init__(self, size: int, channels: int, width: Count = 32, least: Count = 16) -> None:
        super().__init__()
        widths = maps_by_size(size, width, least)[::-1]
        self.stem = nn.Conv2d(channels, widths[0], 3, 1, 1)
        pairs = itertools.pairwise(widths)
        self.steps = nn.ModuleList(nn.Conv2d(maps, wanted, 4, 2, 1) for maps, wanted in pairs)
        self.verdict = nn.Linear(widths[-1] * 16, 1)

    def features(self, images: Images, given: Tensor | None = None) -> Tensor:
        """The last maps, flattened: (B, 16 * maps)."""
        maps = leaky_relu(self.stem(whole(images, given)), SLOPE)
        for step in self.steps:
            maps = leaky_relu(step(maps), SLOPE)
        return maps.flatten(1)

    def forward(self, images: Images, given: Tensor | None = None) -> Logits:
        """Verdicts (B,)."""
        verdicts: Logits = self.verdict(self.features(images, given)).flatten()
        return verdicts


def maps_by_size(size: int, width: int, least: int) -> list[int]:
    """Maps at 4 px, 8 px, ... up to ``size``: ``width`` at 32 px, halved by each doubling."""
    return [max(least, width * 32 // (4 << step)) for step in range(halvings(size) + 1)]
