"""The denoiser against its published counts and a build from plain functions."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.functional import conv2d, leaky_relu

from purrtrait.networks.blocks import channels_last
from purrtrait.networks.denoiser import Denoiser


@pytest.mark.parametrize(("channels", "expected"), [(1, 2_890_680), (3, 3_939_912)])
def test_published_counts(channels: int, expected: int) -> None:
    with torch.device("meta"):
        assert sum(p.numel() for p in Denoiser(16, channels).parameters()) == expected


def test_it_is_its_layers() -> None:
    torch.manual_seed(0)
    denoiser, images = Denoiser(7, 3).eval(), torch.rand(4, 3, 7, 7) * 2 - 1
    norms = [m for m in denoiser.modules() if isinstance(m, (nn.BatchNorm2d, nn.BatchNorm1d))]
    for norm in norms:
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias)
    first, second = (m for m in denoiser.modules() if isinstance(m, nn.Conv2d))
    hidden, last = (m for m in denoiser.modules() if isinstance(m, nn.Linear))
    maps = leaky_relu(norms[0](conv2d((images + 1) / 2, first.weight, first.bias)), 0.333)
    maps = leaky_relu(norms[1](conv2d(maps, second.weight, second.bias)), 0.333)
    assert maps.shape == (4, 8, 3, 3)
    row = torch.sigmoid(last(leaky_relu(norms[2](hidden(maps.flatten(1))), 0.333)))
    expected = row.view(4, 7, 7, 3).movedim(3, 1) * 2 - 1
    assert torch.allclose(denoiser(images), expected, atol=1e-6)


@pytest.mark.parametrize("size", [5, 16, 22])
@pytest.mark.parametrize("channels", [1, 3])
def test_portraits_in_portraits_out(size: int, channels: int) -> None:
    denoiser = channels_last(Denoiser(size, channels))
    clean = denoiser(torch.randn(2, channels, size, size))
    assert clean.shape == (2, channels, size, size)
    assert clean.abs().max() <= 1
    assert clean.is_contiguous(memory_format=torch.channels_last)
    assert [m.p for m in denoiser.modules() if isinstance(m, nn.Dropout)] == [0.2, 0.2]


def test_it_learns_to_denoise_where_pixels_say_where_they_belong() -> None:
    """Bars that are all dark or all bright: a clean one is known from a noisy one."""
    torch.manual_seed(0)
    bars = torch.randint(0, 2, (64, 1, 1, 8)).float() * 1.6 - 0.8
    clean = bars.expand(64, 1, 8, 8)
    denoiser = Denoiser(8, 1)
    optimiser = torch.optim.Adam(denoiser.parameters())
    for _ in range(40):
        optimiser.zero_grad()
        (denoiser(clean + 0.2 * torch.randn_like(clean)) - clean).square().mean().backward()
        optimiser.step()
    denoiser.eval()
    noisy = clean + 0.2 * torch.randn_like(clean)
    with torch.no_grad():
        left = (denoiser(noisy) - clean).square().mean()
    assert left < 0.5 * (noisy - clean).square().mean()


def test_smaller_pictures_are_refused_in_words() -> None:
    with pytest.raises(ValueError, match="at least 5 px"):
        Denoiser(4, 1)
