"""cat-generator's critic against its table of layers."""

from __future__ import annotations

import itertools
import typing

import pytest
import torch
from torch import nn

from purrtrait.networks.blocks import channels_last
from purrtrait.networks.stack import Branches, StackedCritic
from purrtrait.networks.transformer import SpatialTransformer
from purrtrait.networks.transforming import PLANS, PlanName, transforming


def conv(maps: int, wanted: int, side: int = 3) -> int:
    """Parameters of a convolution and its PReLU."""
    return wanted * (maps * side * side + 1) + 1


def fc(*units: int) -> int:
    """Parameters of dense layers, each but the last with a PReLU."""
    return sum(b * (a + 1) + 1 for a, b in itertools.pairwise(units)) - 1


def moved(maps: int, numbers: int, size: int = 16) -> int:
    """Parameters of a spatial transformer."""
    convolutions = 16 * (9 * maps + 1) + 16 * (9 * 16 + 1)
    return convolutions + 64 * (16 * (size // 4) ** 2 + 1) + numbers * 65


TURN = moved(1, 1)
LARGE = conv(64, 128, 5) + conv(128, 128, 7)
TRUNK = conv(1, 64) + conv(64, 64)
BRANCH = moved(64, 4) + 2 * conv(64, 64)
TABLE: dict[PlanName, int] = {
    "four-branches": TURN + TRUNK + 3 * BRANCH + LARGE + fc(320 * 256, 256, 1),
    "plain": conv(1, 128)
    + conv(128, 128)
    + conv(128, 256)
    + conv(256, 1024)
    + fc(1024 * 16, 1024, 1024, 1),
    "one-transformer": TURN
    + TRUNK
    + moved(64, 3)
    + 2 * conv(64, 64)
    + LARGE
    + conv(192, 256)
    + fc(256 * 64, 256, 1),
    "pooled": TURN + TRUNK + 3 * BRANCH + LARGE + fc(320 * 64, 256, 1),
    "wide-branches": TURN
    + TRUNK
    + 3 * (moved(64, 4) + conv(64, 128) + conv(128, 128))
    + LARGE
    + fc(512 * 64, 256, 1),
    "two-pools": TURN
    + TRUNK
    + 3 * (moved(64, 4) + conv(64, 256) + conv(256, 64))
    + LARGE
    + fc(320 * 16, 1024, 1024, 1),
    "wide-trunk": TURN
    + conv(1, 128)
    + conv(128, 128)
    + 3 * (moved(128, 4) + conv(128, 256) + conv(256, 64))
    + conv(128, 128, 5)
    + conv(128, 128, 7)
    + fc(320 * 256, 512, 1),
}


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_published_count() -> None:
    with torch.device("meta"):
        assert count(transforming(16, 1)) == 22_342_825


@pytest.mark.parametrize("plan", PLANS)
def test_counts_of_the_table(plan: PlanName) -> None:
    with torch.device("meta"):
        assert count(transforming(16, 1, plan)) == TABLE[plan]


def test_every_plan_has_a_name_and_every_name_a_plan() -> None:
    assert set(typing.get_args(PlanName)) == set(PLANS)


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("size", [8, 16, 22])
def test_shapes(plan: PlanName, size: int) -> None:
    critic = channels_last(transforming(size, 3, plan, width=4))
    images = torch.rand(2, 3, size, size) * 2 - 1
    assert critic(images).shape == (2,)
    assert critic.features(images).shape == (2, critic.verdict.in_features)


def test_the_picture_is_turned_and_branches_do_more() -> None:
    critic = transforming(16, 3, width=4)
    motions = [m.motions for m in critic.modules() if isinstance(m, SpatialTransformer)]
    assert motions == [("rotation",)] + 3 * [("rotation", "scale", "translation")]
    assert not any(
        "Norm" in type(m).__name__ or "Pool2d" in type(m).__name__ for m in critic.layers
    )
    assert dropped(critic) == [("Dropout2d", 0.5), ("Dropout", 0.5)]
    assert dropped(transforming(16, 1, "pooled", width=4))[0] == ("Dropout", 0.2)


def dropped(critic: StackedCritic) -> list[tuple[str, float]]:
    drops = [m for m in critic.layers if isinstance(m, (nn.Dropout, nn.Dropout2d))]
    return [(type(m).__name__, m.p) for m in drops]


def test_it_begins_as_if_there_were_no_transformers() -> None:
    torch.manual_seed(0)
    critic = transforming(16, 3, width=4).eval()
    images = torch.rand(2, 3, 16, 16) * 2 - 1
    before = critic(images)
    branches = next(m for m in critic.layers if isinstance(m, Branches)).branches
    for chain in (critic.layers, *list(branches)[:3]):
        assert isinstance(chain, nn.Sequential)
        assert isinstance(chain[0], SpatialTransformer)
        chain[0] = nn.Identity()
    assert torch.allclose(critic(images), before, atol=1e-4)


def test_the_heuristic_reaches_no_branch() -> None:
    critic = transforming(16, 1, width=4)
    outer = [m for m in [*critic.layers, critic.verdict] if isinstance(m, (nn.Conv2d, nn.Linear))]
    assert len(outer) == 4
    assert all(m.bias is not None and (m.bias == 0).all() for m in outer)
    branches = next(m for m in critic.layers if isinstance(m, Branches))
    inner = [m for branch in branches.branches for m in branch.children()]
    biases = [m.bias for m in inner if isinstance(m, nn.Conv2d)]
    assert len(biases) == 8
    assert all(bias is not None and (bias != 0).all() for bias in biases)


def test_small_pictures_are_refused_in_words() -> None:
    with pytest.raises(ValueError, match="at least 8 px"):
        transforming(7, 3)
