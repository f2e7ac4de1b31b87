"""face-generator's critics against their tables of layers."""

from __future__ import annotations

import itertools
import typing
from collections.abc import Iterable

import pytest
import torch
from torch import nn

from purrtrait.networks.branched import PLANS, PlanName, averaging, three_branch, two_branch
from purrtrait.networks.stack import Branches, StackedCritic


def conv(maps: int, wanted: int, side: int = 3) -> int:
    """Parameters of a convolution and its PReLU."""
    return wanted * (maps * side * side + 1) + 1


def fc(*units: int) -> int:
    """Parameters of dense layers, each with a PReLU."""
    return sum(b * (a + 1) + 1 for a, b in itertools.pairwise(units))


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def table(plan: PlanName, size: int, channels: int) -> int:
    """Parameters of three branches, from what is said of each."""
    fine = conv(channels, 64) + conv(64, 64)
    coarse = conv(channels, 32, 5)
    branches = {
        "pooled": fine
        + fc(64 * (size // 2) ** 2, 1024)
        + coarse
        + conv(32, 32, 5)
        + conv(32, 54, 5)
        + conv(54, 54, 5)
        + fc(54 * (size // 4) ** 2, 1024, 1024),
        "shallow": fine + coarse + conv(32, 64, 5) + 2 * fc(64 * (size // 2) ** 2, 1024),
        "strided": fine
        + conv(64, 128)
        + coarse
        + conv(32, 64, 5)
        + conv(64, 128, 5)
        + 2 * fc(128 * (size // 2) ** 2, 1024),
        "deep": fine
        + conv(64, 128)
        + conv(128, 256)
        + coarse
        + conv(32, 64, 5)
        + conv(64, 128, 5)
        + conv(128, 256, 5)
        + 2 * fc(256 * (size // 4) ** 2, 1024),
    }
    return branches[plan] + fc(channels * size * size, 1024, 1024) + fc(3072, 1024) + 1025


@pytest.mark.parametrize(("channels", "expected"), [(1, 9_704_712), (3, 9_772_552)])
def test_published_counts_of_two_branches(channels: int, expected: int) -> None:
    with torch.device("meta"):
        critic = two_branch(16, channels)
        alone = two_branch(16, channels, "none")
    assert count(critic) == expected
    # The dense branch and its 128 weights in the verdict go.
    assert count(alone) == expected - fc(channels * 256, 128, 128) - 128
    assert (critic.verdict.in_features, alone.verdict.in_features) == (1152, 1024)


@pytest.mark.parametrize(("channels", "millions"), [(1, 26.8), (3, 28.9)])
def test_published_counts_of_three_branches(channels: int, millions: float) -> None:
    with torch.device("meta"):
        assert round(count(three_branch(32, channels)) / 1e6, 1) == millions


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("size", [16, 32])
@pytest.mark.parametrize("channels", [1, 3])
def test_counts_of_the_tables(plan: PlanName, size: int, channels: int) -> None:
    with torch.device("meta"):
        assert count(three_branch(size, channels, plan)) == table(plan, size, channels)


def test_count_of_averaging() -> None:
    maps = conv(1, 64) + conv(64, 128) + conv(128, 256) + conv(256, 512)
    with torch.device("meta"):
        assert count(averaging(32, 1)) == maps + fc(512 * 4, 512, 512) + 513


def test_every_plan_has_a_name_and_every_name_a_plan() -> None:
    assert set(typing.get_args(PlanName)) == set(PLANS)


@pytest.mark.parametrize("size", [8, 16, 22])
@pytest.mark.parametrize("channels", [1, 3])
def test_shapes(size: int, channels: int) -> None:
    images = torch.rand(2, channels, size, size) * 2 - 1
    critics = [three_branch(size, channels, plan, width=4) for plan in PLANS]
    critics += [two_branch(size, channels, width=4), two_branch(size, channels, "none", width=4)]
    for critic in critics:
        assert critic(images).shape == (2,)
        assert critic.features(images).shape == (2, critic.verdict.in_features)


def outline(layers: Iterable[nn.Module]) -> list[str]:
    """The layers without weights among these, each with its share if it drops."""
    return [
        f"{type(m).__name__} {m.p}" if isinstance(m, (nn.Dropout, nn.Dropout2d)) else m._get_name()
        for m in layers
        if not list(m.parameters()) and not isinstance(m, nn.Flatten)
    ]


def outlines(critic: StackedCritic) -> list[list[str]]:
    """The outline of each branch, and of what follows them."""
    branches, *rest = critic.layers
    assert isinstance(branches, Branches)
    inner = [outline(branch.children()) for branch in branches.branches]
    return [*inner, outline(rest)]


def test_what_is_pooled_and_dropped() -> None:
    dense = ["Dropout 0.5"]
    assert outlines(two_branch(16, 1, width=4)) == [["AvgPool2d", "Dropout2d 0.5"], dense, []]
    fine = ["MaxPool2d", "Dropout2d 0.5"]
    coarse = ["MaxPool2d", "MaxPool2d", "Dropout2d 0.5", "Dropout 0.5"]
    assert outlines(three_branch(32, 1, width=4)) == [fine, coarse, dense, dense]
    steps = 4 * ["Dropout2d 0.2", "AvgPool2d"]
    assert outline(averaging(32, 1, width=4).layers) == [*steps, *dense, *dense]


def test_gauss005_reaches_what_stands_outside_the_branches() -> None:
    torch.manual_seed(0)
    two, three, last = two_branch(16, 1), three_branch(16, 1), averaging(16, 1)
    assert deviations(two) == {"verdict": 0.005}
    assert deviations(three) == {"layers.1": 0.005, "verdict": 0.005}
    assert set(deviations(last).values()) == {0.005}
    assert len(deviations(last)) == 7
    assert all(m.weight == 0.25 for m in last.modules() if isinstance(m, nn.PReLU))
    # Those inside are PyTorch's own: uniform within 1 / sqrt(inputs).
    branches = two.layers[0]
    assert isinstance(branches, Branches)
    inner = [m for m in branches.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    assert len(inner) == 7
    for layer in inner:
        assert abs(layer.weight.std() * (3 * layer.weight[0].numel()) ** 0.5 - 1) < 0.05


def deviations(critic: nn.Module) -> dict[str, float]:
    """Deviation of the weights of each layer outside branches, by name."""
    return {
        name: round(layer.weight.std().item(), 3)
        for name, layer in critic.named_modules()
        if isinstance(layer, (nn.Conv2d, nn.Linear)) and "branches" not in name
    }


@pytest.mark.parametrize(("make", "least"), [(two_branch, 8), (three_branch, 8), (averaging, 16)])
def test_small_pictures_are_refused_in_words(
    make: typing.Callable[..., nn.Module], least: int
) -> None:
    make(least, 1, width=1)
    with pytest.raises(ValueError, match=f"at least {least} px"):
        make(least - 1, 1, width=1)
