"""Convolutions by Fourier transform against the plain ones."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from purrtrait.assemble.arithmetic import counted
from purrtrait.networks import fourier
from purrtrait.networks.fourier import FourierConvolution, Transforms, hasten, transforms
from purrtrait.networks.refiner import Refiner, RefinerCritic


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


def test_a_hastened_refiner_draws_the_same_for_less() -> None:
    torch.manual_seed(0)
    refiner, critic = Refiner(16, 1, "wide").eval(), RefinerCritic(16, 1, "wide-32").eval()
    quick, sharp = copy.deepcopy(refiner), copy.deepcopy(critic)
    hasten(quick)
    hasten(sharp)
    z, given = torch.rand(4, 256), torch.rand(4, 1, 16, 16)
    with torch.no_grad():
        slow = counted(lambda: refiner(z, given))
        fast = counted(lambda: quick(z, given))  # the kernels' transform, made once, is in it
        again = counted(lambda: quick(z, given))
        assert torch.allclose(refiner(z, given), quick(z, given), atol=1e-5)
        assert torch.allclose(critic(given), sharp(given), atol=1e-5)
    assert again < fast < slow
    # 10 x 19 complex products of the maps instead of 49 x 16 x 16 real ones, and the transforms.
    there, back = 64 * (2 * 10 * 16 * 16 + 4 * 19 * 32 * 10), 512 * (10 * 32 * 38 + 16 * 16 * 20)
    products = 49 * 16 * 16 * 64 * 512 - 4 * 10 * 19 * 64 * 512
    assert slow - again == 2 * 4 * (products - there - back)
    assert fast - again == 2 * 10 * 19 * 2 * 49 * 64 * 512


def test_what_was_hastened_stays_as_it_is() -> None:
    torch.manual_seed(0)
    network, maps = Refiner(8, 1, "wide").eval(), torch.rand(1, 1, 8, 8)
    hasten(network)
    found = [str(network)]
    hasten(network)
    assert [str(network)] == found
    assert network(torch.rand(1, 64), maps).shape == (1, 1, 8, 8)


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


def test_only_what_gains_is_hastened() -> None:
    layers = {
        "wide": nn.Conv2d(64, 128, 5, padding=2),
        "narrow": nn.Conv2d(64, 128, 3, padding=1),
        "few maps come in": nn.Conv2d(63, 128, 7, padding=3),
        "few maps come out": nn.Conv2d(64, 127, 7, padding=3),
        "strides": nn.Conv2d(64, 128, 5, 2, 2),
        "trims": nn.Conv2d(64, 128, 5),
        "grouped": nn.Conv2d(64, 128, 5, padding=2, groups=2),
        "dilated": nn.Conv2d(64, 128, 5, padding=2, dilation=2),
        "even": nn.Conv2d(64, 128, 6, padding=3),
        "oblong": nn.Conv2d(64, 128, (5, 7), padding=(2, 3)),
        "reflects": nn.Conv2d(64, 128, 5, padding=2, padding_mode="reflect"),
        "elsewhere": nn.Conv2d(64, 128, 5, padding=2, device="meta"),
        "transposed": nn.ConvTranspose2d(64, 128, 5, padding=2),
    }
    network = nn.ModuleDict({name: nn.Sequential(layer) for name, layer in layers.items()})
    hasten(network)
    changed = {
        name
        for name, inner in network.items()
        if isinstance(inner, nn.Sequential) and isinstance(inner[0], FourierConvolution)
    }
    assert changed == {"wide"}
