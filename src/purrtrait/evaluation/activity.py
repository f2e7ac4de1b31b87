"""What the layers of a network make of one input, as sheets of grey maps."""

from __future__ import annotations

from contextlib import ExitStack
from math import ceil
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from purrtrait.images import sheet
from purrtrait.networks.resting import at_rest

MANY = 150  # units: with fewer of them, a dense layer is not worth a picture
LEGIBLE = 32  # pixels: maps are drawn at least as wide
UNIT = 8  # pixels: the width of a unit of a dense layer

Sheets: TypeAlias = list[tuple[str, np.ndarray]]  # names of layers, pictures (H, W, 1) uint8


@torch.no_grad()
def activities(network: nn.Module, *inputs: Tensor | None) -> Sheets:
    """The maps of each convolution and the units of each large dense layer, in order of use.

    ``inputs`` are what the network takes, one row each. A layer is whatever has a matrix or a
    kernel of its own; what it gives is shown before any activation, from the lowest (black) to the
    highest value of the layer (white). Dense layers of at least 150 units become a square.
    """
    made: list[tuple[str, Tensor]] = []
    with ExitStack() as stack:
        stack.enter_context(at_rest(network))
        for name, module in network.named_modules():

            def keep(module: nn.Module, given: object, out: Tensor, name: str = name) -> None:
                # A copy: an activation that works in place would write over it.
                made.append((name, out[0].detach().clone()))

            stack.callback(module.register_forward_hook(keep).remove)
        network(*inputs)
    layers = _layers(network, {name for name, _ in made})
    return [(name, _sheet(values)) for name, values in made if name in layers and _shown(values)]


def _layers(network: nn.Module, used: set[str]) -> set[str]:
    """The names of all layers; where a module computes with a layer's weights itself, its name."""
    weighted = [
        name
        for name, module in network.named_modules()
        if any(weight.dim() > 1 for weight in module.parameters(recurse=False))
    ]
    return {name if name in used else name.rpartition(".")[0] for name in weighted}


def _shown(values: Tensor) -> bool:
    return _maps(values) or values.numel() >= MANY


def _maps(values: Tensor) -> bool:
    """Whether these are maps (M, H, W), of more than one pixel each."""
    return values.dim() == 3 and values[0].numel() > 1


def _sheet(values: Tensor) -> np.ndarray:
    """Maps (M, H, W) side by side, or units (U,) as the pixels of a square."""
    low, high = values.min(), values.max()
    levels = (255 * (values - low) / (high - low).clamp_min(1e-12)).round()
    pixels = levels.to(torch.uint8).cpu().numpy()
    if _maps(values):
        return sheet.grid(pixels[..., None], scale=ceil(LEGIBLE / pixels.shape[-1]))
    return sheet.grid(pixels.reshape(-1, 1, 1, 1), padding=0, scale=UNIT)
