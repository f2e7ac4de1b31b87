"""Networks that draw with less arithmetic, or with the same in a better order."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from purrtrait.assemble.arithmetic import counted
from purrtrait.networks.fourier import FourierConvolution
from purrtrait.networks.hasten import hasten
from purrtrait.networks.refiner import Refiner, RefinerCritic
from purrtrait.networks.scatter import ScatteredConvolution


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


WIDE, NARROW = (
    {
        "many maps": nn.Conv2d(64, 128, 5, padding=2),
        "large kernels": nn.Conv2d(30, 30, 7, padding=3),
        "very many maps": nn.Conv2d(200, 200, 3, padding=1, bias=False),
        "narrow at one end": nn.Conv2d(31, 4096, 5, padding=2),
    },
    {
        "fewer maps": nn.Conv2d(64, 128, 3, padding=1),
        "fewer of large kernels": nn.Conv2d(29, 29, 7, padding=3),
        "fewer of small kernels": nn.Conv2d(199, 199, 3, padding=1),
        "too narrow at one end": nn.Conv2d(30, 4096, 5, padding=2),
        "weight computed of others": spectral_norm(nn.Conv2d(64, 128, 5, padding=2)),
        "points": nn.Conv2d(512, 512, 1),
        "two maps": nn.Conv2d(512, 2, 5, padding=2),
        "strides": nn.Conv2d(64, 128, 5, 2, 2),
        "trims": nn.Conv2d(64, 128, 5),
        "grouped": nn.Conv2d(64, 128, 5, padding=2, groups=2),
        "dilated": nn.Conv2d(64, 128, 5, padding=2, dilation=2),
        "even": nn.Conv2d(64, 128, 6, padding=3),
        "oblong": nn.Conv2d(64, 128, (5, 7), padding=(2, 3)),
        "reflects": nn.Conv2d(64, 128, 5, padding=2, padding_mode="reflect"),
        "elsewhere": nn.Conv2d(64, 128, 5, padding=2, device="meta"),
        "transposed": nn.ConvTranspose2d(64, 128, 5, padding=2),
    },
)
SINGLE, OTHERS = (
    {
        "one map": nn.Conv2d(64, 1, 5, padding=2),
        "one map of small kernels": nn.Conv2d(64, 1, 3, padding=1, bias=False),
    },
    {
        "few maps to one": nn.Conv2d(63, 1, 5, padding=2),
        "one map, strides": nn.Conv2d(64, 1, 5, 2, 2),
        "one map, trims": nn.Conv2d(64, 1, 5),
    },
)


@pytest.mark.parametrize(
    ("layers", "kind"),
    [
        (WIDE, FourierConvolution),
        (SINGLE, ScatteredConvolution),
        (NARROW | OTHERS, (nn.Conv2d, nn.ConvTranspose2d)),
    ],
)
def test_only_what_gains_is_hastened(
    layers: dict[str, nn.Module], kind: type[nn.Module] | tuple[type[nn.Module], ...]
) -> None:
    network = nn.ModuleDict({name: nn.Sequential(layer) for name, layer in layers.items()})
    hasten(network)
    found = {name: inner[0] for name, inner in network.items() if isinstance(inner, nn.Sequential)}
    assert {name for name, layer in found.items() if isinstance(layer, kind)} == layers.keys()


@pytest.mark.parametrize(("size", "saves"), [(32, True), (16, True), (4, False), (1, False)])
def test_maps_that_are_too_small_to_gain_are_convolved_plainly(size: int, saves: bool) -> None:
    """At 16 px 612 real products of waves instead of 9 * 256, at 4 px 60 instead of 9 * 16."""
    network = nn.Sequential(nn.Conv2d(224, 224, 3, padding=1))
    plain, maps = copy.deepcopy(network), torch.rand(2, 224, size, size)
    hasten(network)
    with torch.no_grad():
        assert torch.allclose(network(maps), plain(maps), atol=1e-5)
        assert (counted(lambda: network(maps)) < counted(lambda: plain(maps))) == saves


def test_a_convolution_of_two_parents_stays_one_function() -> None:
    shared = nn.Conv2d(64, 128, 5, padding=2)

    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.other = nn.Sequential(shared), nn.Sequential(shared)

        def forward(self, maps: Tensor) -> Tensor:
            first: Tensor = self.one(maps)
            second: Tensor = self.other(maps)
            return first - second

    network = Twice()
    hasten(network)
    assert not network(torch.rand(1, 64, 8, 8)).any()
