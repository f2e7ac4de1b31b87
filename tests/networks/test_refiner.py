"""Refiners and their critics against the published counts, and what is added to what."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn
from torch.nn.functional import conv2d, max_pool2d, prelu

from purrtrait.networks.refiner import (
    CRITIC_PLANS,
    PLANS,
    CriticPlanName,
    PlanName,
    Refiner,
    RefinerCritic,
)

WEIGHTED = (nn.Conv2d, nn.Linear)

# plan: parameters for grey and for colour pictures
COUNTS: dict[PlanName, tuple[int, int]] = {
    "by-colour": (1_620_163, 413_509),
    "narrow": (405_955, 413_509),
    "deep": (1_075_077, 1_101_319),
}


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def convolution(taken: int, given: int, kernel: int) -> int:
    return (taken * kernel**2 + 1) * given


@pytest.mark.parametrize(("plan", "expected"), COUNTS.items())
@pytest.mark.parametrize("size", [22, 32])
def test_published_counts(plan: PlanName, expected: tuple[int, int], size: int) -> None:
    with torch.device("meta"):
        assert tuple(count(Refiner(size, channels, plan)) for channels in (1, 3)) == expected


@pytest.mark.parametrize("plan", ["wide-5", "narrow-5"])
def test_counts_of_the_small_ones(plan: PlanName) -> None:
    maps = {"wide-5": 512, "narrow-5": 64}[plan]
    ends = convolution(2, 64, 3) + convolution(maps, 1, 5)
    with torch.device("meta"):
        assert count(Refiner(22, 1, plan)) == ends + convolution(64, maps, 5) + 2


def test_published_counts_of_critics() -> None:
    with torch.device("meta"):
        assert count(RefinerCritic(22, 1)) == 2_796_420
        assert count(RefinerCritic(32, 1)) == 2_836_356
        assert count(RefinerCritic(32, 3)) == 8_428_356
        assert count(RefinerCritic(22, 3)) == 8_428_356 - (64 * 512) * (16**2 - 11**2)


@pytest.mark.parametrize("channels", [1, 3])
def test_counts_of_the_other_critics(channels: int) -> None:
    first = convolution(channels, 64, 3)
    head = (64 * 16 * 16 + 1) * 512 + 513  # 256 maps of 8 x 8 are as many numbers
    more = convolution(64, 128, 3) + convolution(128, 256, 3)
    wide = convolution(64, 256, 5) + convolution(256, 1024, 3)
    with torch.device("meta"):
        hidden, deep, small = (
            RefinerCritic(32, channels, "hidden"),
            RefinerCritic(32, channels, "deep"),
            RefinerCritic(16, channels, "wide-16"),
        )
    assert count(hidden) == first + convolution(64, 64, 3) + head + 3
    assert count(deep) == first + convolution(64, 64, 3) + more + head + 5
    assert count(small) == first + wide + 65_536 + 1 + 3
    assert round(count(hidden) / 1e6, 2) == 8.43
    assert round(count(deep) / 1e6, 1) == 8.8


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_refiner_is_its_convolutions(plan: PlanName, channels: int) -> None:
    """Noise comes first; every convolution keeps the size; the last one is not rectified."""
    torch.manual_seed(0)
    refiner = Refiner(9, channels, plan)
    z, coarse = torch.rand(2, 81) * 2 - 1, torch.rand(2, channels, 9, 9) * 2 - 1
    found = [m for m in refiner.modules() if isinstance(m, nn.Conv2d)]
    maps = torch.cat([z.view(2, 1, 9, 9), coarse], 1)
    for step, layer in enumerate(found):
        maps = maps if step == 0 else prelu(maps, torch.tensor([0.25]))
        maps = conv2d(maps, layer.weight, layer.bias, padding=layer.kernel_size[0] // 2)
    assert refiner.latent_size == 81
    assert refiner.prior == "uniform"
    details = refiner(z, coarse)
    assert details.shape == coarse.shape
    assert torch.allclose(details, maps, atol=1e-6)


def test_a_detail_of_unit_pictures_counts_double_in_portraits() -> None:
    torch.manual_seed(0)
    refiner = Refiner(8, 3, "narrow", black=0.0)
    z, coarse = torch.rand(2, 64), torch.rand(2, 3, 8, 8) * 2 - 1
    inside = torch.cat([z.view(2, 1, 8, 8), (coarse + 1) / 2], 1)
    assert torch.allclose(refiner(z, coarse), 2 * refiner.layers(inside), atol=1e-6)


def test_a_refiner_needs_a_coarse_picture() -> None:
    with pytest.raises(ValueError, match="adds detail to a coarse picture, and got none"):
        Refiner(8, 1, "narrow")(torch.zeros(1, 64))


@pytest.mark.parametrize("plan", CRITIC_PLANS)
@pytest.mark.parametrize("black", [-1.0, 0.0])
def test_a_critic_sees_only_the_sum(plan: CriticPlanName, black: float) -> None:
    torch.manual_seed(0)
    critic = RefinerCritic(8, 3, plan, black=black).eval()
    fine, coarse = torch.rand(2, 3, 8, 8) * 2 - 1, torch.rand(2, 3, 8, 8) * 2 - 1
    assert torch.allclose(critic(fine - coarse, coarse), critic(fine), atol=1e-5)
    assert not torch.allclose(critic(fine - coarse), critic(fine), atol=1e-5)
    assert critic(fine).shape == (2,)
    assert torch.equal(critic(fine), critic.verdict(critic.features(fine)).flatten())


def test_a_critic_is_its_layers() -> None:
    """Which of cat-generator's three does what at 22 px, layer by layer."""
    torch.manual_seed(0)
    critic, fine = RefinerCritic(22, 1).eval(), torch.rand(2, 1, 22, 22)
    first, second, third = (m for m in critic.modules() if isinstance(m, nn.Conv2d))
    slope = torch.tensor([0.25])
    maps = prelu(conv2d(fine, first.weight, first.bias), slope)
    assert maps.shape == (2, 64, 20, 20)
    maps = max_pool2d(prelu(conv2d(maps, second.weight, second.bias, padding=2), slope), 2)
    maps = max_pool2d(prelu(conv2d(maps, third.weight, third.bias, padding=1), slope), 2)
    assert maps.shape == (2, 1024, 5, 5)
    assert torch.allclose(critic.features(fine), maps.flatten(1), atol=1e-6)


def test_black_and_white_inside() -> None:
    seen: list[torch.Tensor] = []
    ends = torch.stack([torch.full((1, 6, 6), -1.0), torch.ones(1, 6, 6)])
    for black in (-1.0, 0.0):
        critic = RefinerCritic(6, 1, "hidden", black=black)
        critic.layers.register_forward_pre_hook(lambda m, given: seen.append(given[0]))
        critic(ends)
    assert torch.equal(seen[0], ends)
    assert torch.equal(seen[1], ends.clamp(min=0))


def test_rectifiers_and_dropout() -> None:
    for plan, channels in itertools.product(CRITIC_PLANS, (1, 3)):
        with torch.device("meta"):
            critic = RefinerCritic(32, channels, plan)
        drops = [m.p for m in critic.modules() if isinstance(m, nn.Dropout)]
        dense = [m for m in critic.modules() if isinstance(m, nn.Linear)]
        assert drops == [0.5] * len(dense)
    critic, images = RefinerCritic(8, 3), torch.randn(4, 3, 8, 8)
    assert not torch.equal(critic(images), critic(images))


@pytest.mark.parametrize("plan", CRITIC_PLANS)
def test_the_smallest_pictures_of_a_critic(plan: CriticPlanName) -> None:
    assert RefinerCritic(6, 1, plan).eval()(torch.zeros(1, 1, 6, 6)).shape == (1,)
    with pytest.raises(ValueError, match="larger"):
        RefinerCritic(5, 1, plan)


def test_all_maps_keep_their_proportion_to_the_first() -> None:
    def maps(network: nn.Module) -> list[int]:
        return [m.weight.shape[0] for m in network.modules() if isinstance(m, WEIGHTED)]

    assert maps(Refiner(22, 1, width=8)) == [8, 64, 1]
    assert maps(Refiner(22, 3, "deep", width=8)) == [8, 8, 16, 32, 3]
    assert maps(RefinerCritic(22, 1, width=8)) == [8, 32, 128, 1]
    assert maps(RefinerCritic(22, 3, width=8)) == [8, 8, 64, 1]
