"""Convolutions by Fourier transform against the plain ones."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from purrtrait.networks import fourier
from purrtrait.networks.fourier import FourierConvolution, Transforms, transforms


@given(
    side=st.sampled_from([1, 3, 5, 7, 9]),
    size=st.integers(1, 23),
    count=st.integers(1, 6),
    inputs=st.integers(1, 4),
    outputs=st.integers(1, 4),
    biased=st.booleans(),
    seed=st.integers(0, 99),
)
def test_it_is_the_convolution(
    side: int, size: int, count: int, inputs: int, outputs: int, biased: bool, seed: int
) -> None:
    torch.manual_seed(seed)
    plain = nn.Conv2d(inputs, outputs, side, padding=side // 2, bias=biased).double()
    maps = torch.randn(count, inputs, size, size, dtype=torch.float64)
    found = FourierConvolution(plain)(maps)
    assert found.shape == (count, outputs, size, size)
    assert torch.allclose(found, plain(maps), atol=1e-12)
    assert not found.requires_grad
    assert found.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("size", [22, 32])
def test_in_single_precision_it_is_off_by_rounding_alone(size: int) -> None:
    torch.manual_seed(0)
    plain, maps = nn.Conv2d(64, 64, 7, padding=3), torch.randn(2, 64, size, size)
    found, exact = FourierConvolution(plain)(maps), copy.deepcopy(plain).double()(maps.double())
    assert (found - exact).abs().max() < 1e-5 * exact.abs().max()


def test_maps_of_several_sizes_follow_one_another() -> None:
    torch.manual_seed(0)
    plain = nn.Conv2d(2, 3, 5, padding=2).double()
    quick = FourierConvolution(plain)
    for size in (8, 13, 8):
        maps = torch.randn(2, 2, size, size, dtype=torch.float64)
        assert torch.allclose(quick(maps), plain(maps), atol=1e-12)


@pytest.mark.parametrize("shape", [(0, 2, 8, 8), (2, 2, 8, 6), (2, 8, 8)])
def test_maps_that_it_is_not_made_for_are_convolved_plainly(shape: tuple[int, ...]) -> None:
    plain, maps = nn.Conv2d(2, 3, 5, padding=2), torch.rand(shape)
    assert torch.equal(FourierConvolution(plain)(maps), plain(maps))


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """9 * 5 waves of 2 by 3 complex numbers take 2,160 bytes."""
    plain, maps = nn.Conv2d(2, 3, 5, padding=2), torch.rand(2, 2, 7, 7)
    quick = FourierConvolution(plain)
    for most, expected in ((2160, 2160), (2159, 0)):
        monkeypatch.setattr(fourier, "MOST_BYTES", most)
        made: list[Tensor] = []
        monkeypatch.setattr(fourier, "transforms", noting(made))
        quick = FourierConvolution(plain)
        assert torch.allclose(quick(maps), plain(maps), atol=1e-5)
        assert sum(kernels.nbytes for kernels in made) == expected


def noting(made: list[Tensor]) -> Callable[[Tensor, int], Transforms]:
    def transformed(weight: Tensor, size: int) -> Transforms:
        found = transforms(weight, size)
        made.append(found.kernels)
        return found

    return transformed


def test_other_weights_are_transformed_anew() -> None:
    torch.manual_seed(0)
    plain, other = (nn.Conv2d(2, 3, 5, padding=2) for _ in range(2))
    quick, maps = FourierConvolution(plain), torch.rand(2, 2, 8, 8)
    before = quick(maps)
    plain.load_state_dict(other.state_dict())
    assert torch.allclose(quick(maps), other(maps), atol=1e-5)
    assert not torch.allclose(before, other(maps), atol=1e-2)
    quick.double()
    assert torch.allclose(quick(maps.double()), plain(maps.double()), atol=1e-12)
