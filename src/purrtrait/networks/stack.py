"""Layers written down one after another, as a table of layers says them, and how they begin."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn

from purrtrait.networks.blocks import activation, whole
from purrtrait.types import Critic, Images, Logits

Initialisation: TypeAlias = Literal["heuristic", "gauss005"]


def heuristic(layers: Iterable[nn.Module]) -> None:
    """Weights uniform within 1 / sqrt(inputs of a unit), biases 0; layers inside layers stay."""
    for weight, bias in _weighted(layers):
        bound = weight[0].numel() ** -0.5
        nn.init.uniform_(weight, -bound, bound)
        nn.init.zeros_(bias)


def gauss005(layers: Iterable[nn.Module]) -> None:
    """Weights N(0, 0.005), biases N(0, 0.001); layers inside layers stay, and so do slopes."""
    for weight, bias in _weighted(layers):
        nn.init.normal_(weight, 0.0, 0.005)
        nn.init.normal_(bias, 0.0, 0.001)


def _weighted(layers: Iterable[nn.Module]) -> Iterator[tuple[Tensor, Tensor]]:
    for layer in layers:
        match layer:
            case nn.Linear(bias=Tensor() as bias) | nn.Conv2d(bias=Tensor() as bias):
                yield layer.weight, bias


INITIALISATIONS: dict[Initialisation, Callable[[Iterable[nn.Module]], None]] = {
    "heuristic": heuristic,
    "gauss005": gauss005,
}


class Branches(nn.Module):
    """Several chains of layers over the same input; their outputs stand side by side."""

    def __init__(self, branches: Iterable[Iterable[nn.Module]]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(nn.Sequential(*branch) for branch in branches)

    def forward(self, maps: Tensor) -> Tensor:
        """What the branches make of the input, joined along its second dimension."""
        return torch.cat([branch(maps) for branch in self.branches], 1)


@dataclass(frozen=True)
class Stack:
    """A chain of layers, and the shape of what comes out of the last: ``maps`` of ``size`` px.

    Each method gives a longer chain and leaves this one as it is. Maps and units are said as the
    table says them and multiplied by ``share``. Convolutions and dense layers end in a PReLU.
    """

    maps: int
    size: int
    share: float = 1.0
    layers: tuple[nn.Module, ...] = ()

    def then(self, layer: nn.Module, maps: int, size: int) -> Stack:
        """One more layer, and what it makes of the shape."""
        return replace(self, maps=maps, size=size, layers=(*self.layers, layer))

    def convolve(self, maps: int, side: int = 3, stride: int = 1) -> Stack:
        """A convolution of ``side`` x ``side`` px; without a stride the size stays."""
        wanted, size = self._scaled(maps), -(-self.size // stride)
        layer = nn.Conv2d(self.maps, wanted, side, stride, side // 2)
        return self.then(layer, wanted, size).then(activation("prelu"), wanted, size)

    def dense(self, units: int) -> Stack:
        """A dense layer, of what is flat."""
        wanted = self._scaled(units)
        layer = nn.Linear(self.maps, wanted)
        return self.then(layer, wanted, 1).then(activation("prelu"), wanted, 1)

    def flat(self) -> Stack:
        """All values in one row."""
        return self.then(nn.Flatten(), self.maps * self.size**2, 1)

    def pool(self) -> Stack:
        """The largest of each 2 x 2 values."""
        return self.then(nn.MaxPool2d(2), self.maps, self.size // 2)

    def average(self) -> Stack:
        """The mean of each 2 x 2 values."""
        return self.then(nn.AvgPool2d(2), self.maps, self.size // 2)

    def drop(self, share: float = 0.5) -> Stack:
        """Dropout of single values."""
        return self.then(nn.Dropout(share), self.maps, self.size)

    def drop_maps(self, share: float = 0.5) -> Stack:
        """Dropout of whole maps."""
        return self.then(nn.Dropout2d(share), self.maps, self.size)

    def join(self, *branches: Callable[[Stack], Stack]) -> Stack:
        """Branches over what comes out here, joined map by map."""
        ends = [branch(replace(self, layers=())) for branch in branches]
        assert len({end.size for end in ends}) == 1
        layer = Branches(end.layers for end in ends)
        return self.then(layer, sum(end.maps for end in ends), ends[0].size)

    def _scaled(self, maps: int) -> int:
        return max(1, round(maps * self.share))


class StackedCritic(Critic):
    """A chain of layers over pictures in [0, 1], and one dense unit, which is the verdict."""

    def __init__(self, stack: Stack, initialise: Callable[[Iterable[nn.Module]], None]) -> None:
        super().__init__()
        self.layers = nn.Sequential(*stack.layers)
        self.verdict = nn.Linear(stack.maps, 1)
        initialise([*self.layers, self.verdict])

    def features(self, images: Images, given: Tensor | None = None) -> Tensor:
        """What the last layer before the verdict says, (B, F)."""
        features: Tensor = self.layers((whole(images, given) + 1) / 2)
        return features

    def forward(self, images: Images, given: Tensor | None = None) -> Logits:
        """Verdicts (B,)."""
        verdicts: Logits = self.verdict(self.features(images, given)).flatten()
        return verdicts


def pictures(size: int, channels: int, share: float, least: int = 8) -> Stack:
    """The empty chain over pictures; ValueError where they are less than ``least`` px wide."""
    if size < least:
        raise ValueError(
            f"the pictures are {size} px wide; this network expects at least {least} px. Prepare "
            f"the pack at such a --size"
        )
    return Stack(channels, size, share)
