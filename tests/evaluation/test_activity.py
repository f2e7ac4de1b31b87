"""Activities: every layer is seen once, as it is, and the network is left as it was."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import conv2d

from purrtrait.evaluation.activity import LEGIBLE, MANY, UNIT, activities
from purrtrait.images.sheet import upscale
from purrtrait.networks.dcgan import DcganGenerator
from purrtrait.networks.modern import ModernGenerator
from purrtrait.networks.transforming import transforming


def network(units: int = MANY) -> nn.Sequential:
    """A convolution whose activation works in place, and two dense layers."""
    torch.manual_seed(0)
    return nn.Sequential(
        *(nn.Conv2d(1, 4, 3), nn.ReLU(inplace=True), nn.Dropout(), nn.Flatten()),
        *(nn.Linear(4 * 36, units), nn.LeakyReLU(inplace=True), nn.Linear(units, 1)),
    )


def stretched(values: torch.Tensor) -> np.ndarray:
    low, high = values.min(), values.max()
    return ((values - low) / (high - low) * 255).round().numpy().astype(np.uint8)


def test_maps_are_shown_before_their_activation() -> None:
    layers, images = network(), torch.rand(1, 1, 8, 8) * 2 - 1
    layer = layers[0]
    assert isinstance(layer, nn.Conv2d)
    (name, shown), (_, square) = activities(layers, images)
    assert name == "0"
    maps = stretched(conv2d(images, layer.weight, layer.bias)[0].detach())
    scale, side = 6, 36
    assert shown.shape == (2 * (side + 2) + 2, 2 * (side + 2) + 2, 1)
    for number, values in enumerate(maps):
        top, left = 2 + number // 2 * (side + 2), 2 + number % 2 * (side + 2)
        place = shown[top : top + side, left : left + side]
        assert np.array_equal(place, upscale(values[..., None], scale))
    assert side >= LEGIBLE
    assert square.shape == (12 * UNIT, 13 * UNIT, 1)


@pytest.mark.parametrize(("units", "names"), [(MANY - 1, ["0"]), (MANY, ["0", "4"])])
def test_only_large_dense_layers_are_shown(units: int, names: list[str]) -> None:
    layers, images = network(units), torch.rand(1, 1, 8, 8)
    found = activities(layers, images)
    assert [name for name, _ in found] == names
    if units == MANY:
        dense = stretched(layers.eval()[:5](images)[0].detach())
        seen = found[1][1][::UNIT, ::UNIT, 0].flatten()[:MANY]
        assert np.array_equal(seen, dense)


def test_the_network_is_left_as_it_was() -> None:
    layers, images = network().train(), torch.rand(1, 1, 8, 8)
    first, again = activities(layers, images), activities(layers, images)
    for (_, one), (_, other) in zip(first, again, strict=True):
        assert np.array_equal(one, other)  # no dropout
    assert all(module.training for module in layers.modules())
    assert not any(module._forward_hooks for module in layers.modules())
    with pytest.raises(RuntimeError):
        activities(layers, torch.rand(1, 3, 8, 8))
    assert not any(module._forward_hooks for module in layers.modules())


def test_layers_that_are_convolutions_by_another_name_and_branches() -> None:
    names = [name for name, _ in activities(ModernGenerator(16, 3), torch.randn(1, 128), None)]
    convolutions = ["steps.0.convolution", "steps.1.convolution", "head"]
    assert [name for name in names if name in convolutions] == convolutions
    critic = transforming(16, 1, width=8)
    found = activities(critic, torch.rand(1, 1, 16, 16))
    used = {module for module in critic.modules() if isinstance(module, nn.Conv2d)}
    assert len(found) == len(used)  # its dense layers are too small here


def test_layers_whose_weights_another_module_uses() -> None:
    generator = DcganGenerator(16, 3, latent=4, width=8)
    names = [name for name, _ in activities(generator, torch.randn(1, 4), None)]
    weights = [name for name, value in generator.named_parameters() if value.dim() > 1]
    assert weights[0] == "layers.0.convolution.weight"  # which multiplies by hand
    assert names == ["layers.0", *(name.removesuffix(".weight") for name in weights[1:])]


def test_maps_of_one_pixel_are_units() -> None:
    few, many = nn.Conv2d(1, MANY - 1, 8), nn.Conv2d(1, MANY, 8)
    assert activities(nn.Sequential(few), torch.rand(1, 1, 8, 8)) == []
    ((_, square),) = activities(nn.Sequential(many), torch.rand(1, 1, 8, 8))
    assert square.shape == (12 * UNIT, 13 * UNIT, 1)


def test_a_layer_that_says_nothing_is_black() -> None:
    layer = nn.Conv2d(1, 1, 1)
    nn.init.zeros_(layer.weight)
    ((_, shown),) = activities(nn.Sequential(layer), torch.rand(1, 1, 8, 8))
    assert (shown[2:-2, 2:-2] == 0).all()
