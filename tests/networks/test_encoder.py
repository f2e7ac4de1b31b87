"""The encoder: its shapes at every size, its parameters, and how it learns and is refused."""

from __future__ import annotations

import pytest
import torch

from purrtrait.networks import ENCODERS
from purrtrait.networks.blocks import channels_last
from purrtrait.networks.encoder import ConvolvingEncoder


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("size", [8, 24, 32])
@pytest.mark.parametrize("channels", [1, 3])
def test_encoders(name: str, size: int, channels: int) -> None:
    torch.manual_seed(0)
    encoder = channels_last(ENCODERS[name](size=size, channels=channels, latent=7, width=4))
    images = torch.rand(5, channels, size, size).to(memory_format=torch.channels_last) * 2 - 1
    mean, log_variance = encoder(images)
    assert mean.shape == log_variance.shape == (5, 7)
    assert encoder.latent_size == 7
    (mean.sum() + log_variance.square().sum()).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in encoder.parameters())
    encoder.eval()
    for some, all_of in zip(encoder(images[:2]), encoder(images), strict=True):
        assert torch.allclose(some, all_of[:2], atol=1e-5)  # rows do not meet


def test_as_many_parameters_as_the_table_of_layers_says() -> None:
    encoder = ConvolvingEncoder(64, 3)
    convolutions = 25 * (3 * 64 + 64 * 128 + 128 * 256) + 2 * (64 + 128 + 256)
    dense = 256 * 8 * 8 * 2048 + 2 * 2048
    heads = 2 * (2048 + 1) * 128
    assert sum(p.numel() for p in encoder.parameters()) == convolutions + dense + heads


def test_width_keeps_the_proportions() -> None:
    shapes = {name: p.shape for name, p in ConvolvingEncoder(16, 3, 5, 16).named_parameters()}
    wide = {name: p.shape for name, p in ConvolvingEncoder(16, 3, 5, 32).named_parameters()}
    for name, shape in shapes.items():
        for narrow, wider in zip(shape, wide[name], strict=True):
            assert wider in (narrow, 2 * narrow)


@pytest.mark.parametrize("size", [4, 20, 30])
def test_sizes_that_cannot_be_halved_three_times_are_refused(size: int) -> None:
    with pytest.raises(ValueError, match=rf"{size} px wide.*multiple of 8"):
        ConvolvingEncoder(size, 3)
