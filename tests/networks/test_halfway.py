"""The refiner that works at half of the size."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import avg_pool2d, conv2d, prelu

from purrtrait.networks.halfway import HalfwayRefiner


def test_it_is_its_layers() -> None:
    torch.manual_seed(0)
    refiner = HalfwayRefiner(8, 3, width=4)
    given, z = torch.rand(2, 3, 8, 8) * 2 - 1, torch.rand(2, 16) * 2 - 1
    maps = torch.cat([z.view(2, 1, 4, 4), avg_pool2d(given, 2)], 1)
    layers = dict(refiner.named_parameters())
    for place, side in ((0, 3), (2, 5), (4, 3)):
        weight, bias = layers[f"layers.{place}.weight"], layers[f"layers.{place}.bias"]
        assert weight.shape[2:] == (side, side)
        maps = conv2d(maps, weight, bias, padding=side // 2)
        maps = prelu(maps, layers[f"layers.{place + 1}.weight"])
    fine = maps.repeat_interleave(2, 2).repeat_interleave(2, 3)  # nearest neighbours
    fine = prelu(conv2d(fine, layers["doubling.0.weight"], padding=1), layers["doubling.1.weight"])
    both = torch.cat([fine, given], 1)
    expected = conv2d(both, layers["head.weight"], layers["head.bias"], padding=1)
    assert torch.allclose(refiner(z, given), expected, atol=1e-5)


def test_the_noise_changes_the_detail() -> None:
    torch.manual_seed(0)
    refiner, given = HalfwayRefiner(16, 3, width=4), torch.rand(1, 3, 16, 16)
    one, other = refiner(torch.rand(2, 64), given.expand(2, -1, -1, -1))
    assert not torch.allclose(one, other)


def test_it_needs_a_picture_with_halves() -> None:
    with pytest.raises(ValueError, match="cannot draw a picture by itself"):
        HalfwayRefiner(16, 3)(torch.rand(1, 64))
    with pytest.raises(ValueError, match="15 px wide; this refiner halves them"):
        HalfwayRefiner(15, 3)
