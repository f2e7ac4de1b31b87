"""Stacks of layers: shapes, proportions, and how layers begin."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from purrtrait.networks.blocks import activation
from purrtrait.networks.stack import Branches, Stack, StackedCritic, gauss005, heuristic, pictures

STEPS: list[Callable[[Stack], Stack]] = [
    lambda s: s.convolve(3),
    lambda s: s.convolve(5, 5),
    lambda s: s.convolve(4, 3, stride=2),
    lambda s: s.pool(),
    lambda s: s.average(),
    lambda s: s.drop(),
    lambda s: s.drop_maps(),
    lambda s: s.join(
        lambda b: b.convolve(2).pool(), lambda b: b.convolve(3, 7, stride=1).average()
    ),
]


@settings(max_examples=40, deadline=None)
@given(st.integers(16, 23), st.sampled_from([1, 3]), st.lists(st.sampled_from(STEPS), max_size=3))
def test_a_stack_knows_its_shape(
    size: int, channels: int, steps: list[Callable[[Stack], Stack]]
) -> None:
    stack = Stack(channels, size)
    for step in steps:
        stack = step(stack)
    images = torch.randn(2, channels, size, size)
    maps = nn.Sequential(*stack.layers)(images)
    assert maps.shape == (2, stack.maps, stack.size, stack.size)
    flat = stack.flat().dense(4)
    assert nn.Sequential(*flat.layers)(images).shape == (2, flat.maps) == (2, 4)


def test_maps_and_units_keep_their_proportion() -> None:
    stack = Stack(3, 16, 1 / 8).convolve(64).convolve(54, 5).flat().dense(1024).dense(2)
    layers = [m for m in stack.layers if isinstance(m, (nn.Conv2d, nn.Linear))]
    assert [tuple(m.weight.shape[:2]) for m in layers] == [(8, 3), (7, 8), (128, 7 * 256), (1, 128)]


def test_a_stack_stays_as_it_is() -> None:
    stack = Stack(3, 16)
    stack.convolve(8).pool()
    assert (stack.maps, stack.size, stack.layers) == (3, 16, ())


def test_branches_stand_side_by_side() -> None:
    torch.manual_seed(0)
    stack = Stack(1, 4).join(lambda b: b.convolve(2), lambda b: b.convolve(3))
    images = torch.randn(2, 1, 4, 4)
    (branches,) = stack.layers
    assert isinstance(branches, Branches)
    one, other = branches.branches
    both = torch.cat([one(images), other(images)], 1)
    assert torch.equal(nn.Sequential(*stack.layers)(images), both)
    assert stack.maps == 5


def test_heuristic() -> None:
    torch.manual_seed(0)
    for layer, inputs in ((nn.Linear(400, 300), 400), (nn.Conv2d(16, 300, 5), 16 * 25)):
        inner = nn.Linear(4, 4)
        before = inner.bias.clone()
        nn.init.ones_(layer.weight)
        heuristic([layer, activation("prelu"), nn.Sequential(inner)])
        bound = inputs**-0.5
        assert bound * 0.99 < layer.weight.abs().max() <= bound
        assert abs(layer.weight.std() / bound - 3**-0.5) < 0.01
        assert layer.bias is not None
        assert (layer.bias == 0).all()
        assert torch.equal(inner.bias, before)


def test_gauss005() -> None:
    torch.manual_seed(0)
    for layer in (nn.Linear(100, 5000), nn.Conv2d(16, 5000, 3)):
        slope, inner = nn.PReLU(1, 0.25), nn.Linear(4, 4)
        before = inner.weight.clone()
        gauss005([layer, slope, nn.Sequential(inner)])
        assert layer.bias is not None
        assert abs(layer.weight.std() - 0.005) < 5e-5
        assert abs(layer.bias.std() - 0.001) < 5e-5
        assert abs(layer.weight.mean()) < 5e-5
        assert slope.weight.tolist() == [0.25]
        assert torch.equal(inner.weight, before)


def test_a_critic_sees_pictures_from_0_to_1_and_its_verdict_is_dense() -> None:
    seen: list[torch.Tensor] = []
    critic = StackedCritic(pictures(8, 1, 1.0).flat(), heuristic)
    critic.layers.register_forward_pre_hook(lambda m, given: seen.append(given[0]))
    images = torch.tensor([-1.0, 0.0, 1.0]).view(3, 1, 1, 1).expand(3, 1, 8, 8)
    features = critic.features(images)
    assert torch.equal(seen[0][:, 0, 0, 0], torch.tensor([0.0, 0.5, 1.0]))
    assert torch.equal(critic(images), critic.verdict(features)[:, 0])


@pytest.mark.parametrize(("size", "least"), [(7, 8), (0, 8), (15, 16)])
def test_small_pictures_are_refused_in_words(size: int, least: int) -> None:
    with pytest.raises(ValueError, match=rf"are {size} px wide.*at least {least} px.*--size"):
        pictures(size, 3, 1.0, least)
