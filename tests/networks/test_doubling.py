"""Doubling and convolution in one step against the two steps."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from purrtrait.assemble.arithmetic import counted
from purrtrait.networks.doubling import Doubling


def two_steps(doubling: Doubling) -> nn.Module:
    return nn.Sequential(nn.Upsample(scale_factor=2, mode="nearest"), doubling.convolution)


@pytest.mark.parametrize("shape", [(2, 6, 5, 7), (1, 1, 1, 1), (3, 4, 2, 2)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_it_is_the_two_steps(shape: tuple[int, ...], layout: torch.memory_format) -> None:
    torch.manual_seed(0)
    doubling = Doubling(shape[1], 3).double()
    maps = torch.randn(*shape, dtype=torch.float64).to(memory_format=layout).requires_grad_()
    found, expected = doubling(maps), two_steps(doubling)(maps)
    assert found.shape == (shape[0], 3, 2 * shape[2], 2 * shape[3])
    assert torch.allclose(found, expected, atol=1e-12)
    assert found.is_contiguous(memory_format=torch.channels_last)
    # And so are all its slopes.
    pull, wanted = torch.randn_like(expected), [maps, *doubling.parameters()]
    ours, theirs = (torch.autograd.grad(made, wanted, pull) for made in (found, expected))
    for one, other in zip(ours, theirs, strict=True):
        assert torch.allclose(one, other, atol=1e-12)


def test_it_costs_9_of_25() -> None:
    doubling, maps = Doubling(8, 8), torch.randn(16, 8, 16, 16)
    with torch.no_grad():
        ours, theirs = counted(lambda: doubling(maps)), counted(lambda: two_steps(doubling)(maps))
    assert ours / theirs == pytest.approx(9 / 25, rel=0.01)


def test_it_holds_the_weights_of_the_convolution_alone() -> None:
    assert {name: tuple(value.shape) for name, value in Doubling(4, 6).state_dict().items()} == {
        "convolution.weight": (6, 4, 5, 5),
        "convolution.bias": (6,),
    }
