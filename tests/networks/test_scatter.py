"""Convolutions to one map by scattering against the plain ones."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from purrtrait.assemble.arithmetic import counted
from purrtrait.networks.scatter import ScatteredConvolution


@given(
    side=st.sampled_from([1, 3, 5, 7, 9]),
    height=st.integers(1, 13),
    width=st.integers(1, 13),
    count=st.integers(1, 3),
    inputs=st.integers(1, 4),
    biased=st.booleans(),
    seed=st.integers(0, 99),
)
def test_it_is_the_convolution(
    side: int, height: int, width: int, count: int, inputs: int, biased: bool, seed: int
) -> None:
    torch.manual_seed(seed)
    plain = nn.Conv2d(inputs, 1, side, padding=side // 2, bias=biased).double()
    maps = torch.randn(count, inputs, height, width, dtype=torch.float64)
    found = ScatteredConvolution(plain)(maps)
    assert found.shape == (count, 1, height, width)
    assert torch.allclose(found, plain(maps), atol=1e-12)
    assert not found.requires_grad


def test_its_products_are_those_of_the_convolution() -> None:
    plain, maps = nn.Conv2d(8, 1, 5, padding=2), torch.randn(2, 8, 6, 6)
    with torch.no_grad():
        assert counted(lambda: ScatteredConvolution(plain)(maps)) == counted(lambda: plain(maps))


@pytest.mark.parametrize("shape", [(0, 2, 8, 8), (2, 8, 6)])
def test_maps_that_it_is_not_made_for_are_convolved_plainly(shape: tuple[int, ...]) -> None:
    plain, maps = nn.Conv2d(2, 1, 5, padding=2), torch.rand(shape)
    assert torch.equal(ScatteredConvolution(plain)(maps), plain(maps))
