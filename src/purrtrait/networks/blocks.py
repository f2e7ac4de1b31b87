"""Activations, normalisations and initialisations by name, shared by all architectures."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn

from purrtrait.types import Images

T = TypeVar("T")
Module = TypeVar("Module", bound=nn.Module)

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": lambda: nn.ReLU(inplace=True),
    "leaky-relu": lambda: nn.LeakyReLU(0.2, inplace=True),
    "prelu": lambda: nn.PReLU(1, 0.25),
    "selu": lambda: nn.SELU(inplace=True),
    "elu": lambda: nn.ELU(inplace=True),
    "silu": lambda: nn.SiLU(inplace=True),
    "tanh": nn.Tanh,
    "linear": nn.Identity,
}

NORMALISATIONS: dict[str, Callable[[int], list[nn.Module]]] = {
    "batch": lambda maps: [nn.BatchNorm2d(maps)],
    "none": lambda maps: [],
}


def activation(name: str) -> nn.Module:
    """The activation of this name; ValueError names the known ones."""
    return _named(ACTIVATIONS, "activation", name)()


def normalisation(name: str, maps: int) -> list[nn.Module]:
    """The normalisation of this name over ``maps`` maps, if any; ValueError for unknown ones."""
    return _named(NORMALISATIONS, "normalisation", name)(maps)


def dropout(share: float) -> list[nn.Module]:
    """Dropout of single values with this probability; no module where it is 0."""
    if not 0 <= share < 1:
        raise ValueError(f"dropout is {share}; expected a probability from 0 up to, not with, 1")
    return [nn.Dropout(share)] * (share > 0)


def whole(images: Images, given: Tensor | None) -> Images:
    """The pictures that a critic judges: details and what they are details of, added up."""
    return images if given is None else images + given


def coarse(given: Images | None) -> Images:
    """The pictures that a refiner is given; ValueError where there are none."""
    if given is None:
        raise ValueError(
            "a refiner adds detail to a coarse picture, and got none; it cannot draw a picture by "
            "itself: choose another generator, or use it in a stage on top of one that draws"
        )
    return given


def halvings(size: int, smallest: int = 4) -> int:
    """How many times ``size`` halves down to ``smallest``; ValueError unless exactly so."""
    steps = (size // smallest).bit_length() - 1
    if size < 2 * smallest or smallest << steps != size:
        raise ValueError(
            f"the pictures are {size} px wide; this network expects {smallest} times a power of "
            f"two, at least {2 * smallest} (such as 32 or 64). Prepare the pack at such a --size"
        )
    return steps


@torch.no_grad()
def initialise_normal(network: nn.Module, deviation: float = 0.02) -> None:
    """DCGAN's initialisation (Radford et al. 2016, section 3), in place.

    Convolution weights N(0, deviation), batch norm gains N(1, deviation), every bias 0.
    """
    for module in network.modules():
        match module:
            case nn.Conv2d() | nn.ConvTranspose2d():
                nn.init.normal_(module.weight, 0.0, deviation)
            case nn.BatchNorm2d():
                nn.init.normal_(module.weight, 1.0, deviation)
                nn.init.zeros_(module.bias)


def channels_last(module: Module) -> Module:
    """The module, its convolutions laid out channels-last: faster on CPUs and on tensor cores."""
    module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return module


class Seed(nn.Module):
    """Latents (B, Z) to maps (B, M, S, S): a transposed convolution of 1 x 1 maps.

    On one pixel a transposed convolution is a matrix product, which is how it is computed here;
    the weight keeps the convolution's shape (Z, M, S, S), and so its initialisation.
    """

    def __init__(self, latent: int, maps: int, size: int = 4) -> None:
        super().__init__()
        self.convolution = nn.ConvTranspose2d(latent, maps, size, bias=False)
        self.shape = (maps, size, size)

    def forward(self, z: Tensor) -> Tensor:
        """Maps (B, M, S, S) for latents (B, Z)."""
        maps, size, _ = self.shape
        # The weight lies channels-last in memory, (Z, S, S, M); so does the product then.
        weight = self.convolution.weight.permute(0, 2, 3, 1).flatten(1)  # (Z, S * S * M)
        return (z @ weight).view(-1, size, size, maps).permute(0, 3, 1, 2)


def _named(table: dict[str, T], kind: str, name: str) -> T:
    if name not in table:
        raise ValueError(f"unknown {kind} '{name}'; known are {', '.join(table)}")
    return table[name]
