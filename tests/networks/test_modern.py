"""The pair of the recipe `portrait`."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.functional import conv2d, interpolate

from purrtrait.networks.modern import (
    Doubling,
    ModernCritic,
    ModernGenerator,
    Modulation,
    maps_by_size,
)


def test_maps_halve_as_sizes_double() -> None:
    assert maps_by_size(32, 32, 16) == [256, 128, 64, 32]
    assert maps_by_size(64, 32, 16) == [256, 128, 64, 32, 16]
    assert maps_by_size(128, 32, 16) == [256, 128, 64, 32, 16, 16]
    assert maps_by_size(16, 8, 16) == [64, 32, 16]


def test_modulation_is_its_equation() -> None:
    torch.manual_seed(0)
    modulation = Modulation(5, 4)
    nn.init.normal_(modulation.gain_and_shift.bias)
    maps, z = torch.randn(6, 4, 3, 3), torch.randn(6, 5)
    mean = maps.mean((0, 2, 3), keepdim=True)
    deviation = (maps.var((0, 2, 3), unbiased=False, keepdim=True) + 1e-5).sqrt()
    words = modulation.gain_and_shift(z)
    gain, shift = words[:, :4, None, None], words[:, 4:, None, None]
    expected = (1 + gain) * (maps - mean) / deviation + shift
    assert torch.allclose(modulation(maps, z), expected, atol=1e-5)


@pytest.mark.parametrize("size", [1, 4, 7])
def test_doubling_is_nearest_neighbours_and_a_convolution(size: int) -> None:
    torch.manual_seed(0)
    doubling = Doubling(5, 7).double()
    maps = torch.randn(2, 5, size, size, dtype=torch.float64, requires_grad=True)

    def plain(maps: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        return conv2d(interpolate(maps, scale_factor=2.0, mode="nearest"), weight, None, 1, 1)

    expected = plain(maps, doubling.weight)
    assert torch.allclose(doubling(maps), expected, atol=1e-12)
    slopes = torch.randn_like(expected)
    asked = (maps, doubling.weight)
    ours = torch.autograd.grad(doubling(maps), asked, slopes)
    for found, wanted in zip(ours, torch.autograd.grad(expected, asked, slopes), strict=True):
        assert torch.allclose(found, wanted, atol=1e-12)


@pytest.mark.parametrize("size", [8, 16, 32, 64, 128])
def test_every_size(size: int) -> None:
    generator, critic = ModernGenerator(size, 3, width=4), ModernCritic(size, 3, width=4)
    images = generator(torch.randn(2, 128))
    assert images.shape == (2, 3, size, size)
    assert images.abs().max() <= 1
    assert critic(images).shape == (2,)
    with pytest.raises(ValueError, match="power of two"):
        ModernGenerator(size + 4, 3)


def test_the_critic_judges_each_picture_by_itself() -> None:
    """In training too: that is what one backward pass for both players rests on."""
    critic, images = ModernCritic(16, 3).train(), torch.randn(4, 3, 16, 16)
    assert torch.allclose(critic(images)[1:2], critic(images[1:2]), atol=1e-6)
    names = {type(module).__name__ for module in critic.modules()}
    assert not {name for name in names if "Norm" in name}


def test_the_latent_speaks_at_every_size() -> None:
    torch.manual_seed(0)
    generator = ModernGenerator(32, 3)
    modulations = [m for m in generator.modules() if isinstance(m, Modulation)]
    assert [m.normalise.num_features for m in modulations] == [256, 128, 64, 32]
    heard: list[torch.Tensor] = []
    for modulation in modulations:
        modulation.gain_and_shift.register_forward_pre_hook(lambda m, given: heard.append(given[0]))
    z = torch.randn(3, 128)
    generator(z)
    assert len(heard) == 4
    assert all(torch.equal(each, z) for each in heard)
