"""Convolutions computed in another way, for networks whose weights do not change any more."""

from __future__ import annotations

from torch import nn

from purrtrait.networks.fourier import FourierConvolution, gain
from purrtrait.networks.scatter import ScatteredConvolution

LEAST_GAIN = 700  # products that waves must save for each value that is transformed (measured)
LEAST_WAVES = 0.5  # for each place, of endlessly large maps; smaller ones have more
LEAST_INPUTS = 64  # narrower convolutions to one map are as fast as they are (measured)


def hasten(network: nn.Module) -> None:
    """Compute a network's wide convolutions by Fourier transform from now on, on the CPU.

    Those to a single map are scattered. In place, for a network whose weights do not change any
    more: what it draws stays the same but for rounding (1e-5), and it cannot learn, since no
    gradients pass. The names of the weights change. What was hastened stays as it is, and so do
    convolutions whose weight is computed of others.
    """
    for module in list(network.modules()):
        if isinstance(module, FourierConvolution | ScatteredConvolution):
            continue
        for name, child in module.named_children():
            if type(child) is nn.Conv2d and _same(child):
                if child.out_channels == 1 and child.in_channels >= LEAST_INPUTS:
                    setattr(module, name, ScatteredConvolution(child))
                elif gain(child, LEAST_WAVES) >= LEAST_GAIN:
                    setattr(module, name, FourierConvolution(child, LEAST_GAIN))


def _same(layer: nn.Conv2d) -> bool:
    side = layer.kernel_size[0]
    return (
        side % 2 == 1
        and layer.kernel_size == (side, side)
        and layer.padding == (side // 2, side // 2)
        and layer.stride == layer.dilation == (1, 1)
        and layer.groups == 1
        and layer.padding_mode == "zeros"
        and layer.weight.device.type == "cpu"
    )
