"""The upsampling generator against its table of layers."""

from __future__ import annotations

import typing

import pytest
import torch
from torch import nn

from purrtrait.networks.upsampling import PLANS, Doublings, UpsamplingGenerator


def step(maps: int, wanted: int, side: int) -> int:
    """Parameters of a convolution, batch norm and PReLU."""
    return wanted * (maps * side * side + 1) + 2 * wanted + 1


TABLE = {
    2: 101 * 128 * 64 + 1 + step(128, 256, 5) + step(256, 128, 5),
    3: 101 * 512 * 16 + 1 + step(512, 512, 3) + step(512, 256, 3) + step(256, 128, 5),
}


@pytest.mark.parametrize("doublings", PLANS)
@pytest.mark.parametrize("channels", [1, 3])
def test_counts_of_the_table(doublings: Doublings, channels: int) -> None:
    with torch.device("meta"):
        generator = UpsamplingGenerator(32, channels, doublings=doublings)
    found = sum(parameter.numel() for parameter in generator.parameters())
    assert found == TABLE[doublings] + channels * (9 * 128 + 1)


def test_every_plan_can_be_named() -> None:
    assert set(typing.get_args(Doublings)) == set(PLANS)


@pytest.mark.parametrize("doublings", PLANS)
@pytest.mark.parametrize("size", [8, 16, 24, 32])
def test_shapes(doublings: Doublings, size: int) -> None:
    generator = UpsamplingGenerator(size, 3, latent=6, width=8, doublings=doublings)
    images = generator(torch.rand(2, 6) * 2 - 1)
    assert images.shape == (2, 3, size, size)
    assert images.abs().max() <= 1
    assert (generator.prior, generator.latent_size) == ("uniform", 6)


def test_doubling_is_by_nearest_neighbours_and_the_end_a_sigmoid() -> None:
    torch.manual_seed(0)
    generator = UpsamplingGenerator(8, 1, latent=3, width=8).eval()
    maps = torch.randn(1, 8, 2, 2)
    assert torch.equal(
        generator.layers[0](maps), maps.repeat_interleave(2, 2).repeat_interleave(2, 3)
    )
    z = torch.rand(2, 3)
    seeds = generator.seed(z).view(2, 2, 2, 8).permute(0, 3, 1, 2)
    assert torch.allclose(generator(z), torch.tanh(generator.layers(seeds) / 2), atol=1e-6)


def test_it_begins_with_gauss005_and_gains_of_1() -> None:
    torch.manual_seed(0)
    generator = UpsamplingGenerator(16, 3)
    weighted = [m for m in generator.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    assert len(weighted) == 4
    assert all(abs(m.weight.std() - 0.005) < 3e-4 for m in weighted)
    gains = [m.weight for m in generator.modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(gains) == 2
    assert all((gain == 1).all() for gain in gains)


@pytest.mark.parametrize(("size", "doublings"), [(18, 2), (20, 3), (2, 2), (0, 2)])
def test_other_sizes_are_refused_in_words(size: int, doublings: Doublings) -> None:
    with pytest.raises(ValueError, match=rf"are {size} px wide.*multiple of {2**doublings} px"):
        UpsamplingGenerator(size, 3, width=8, doublings=doublings)
