"""torch-gan's networks: counts of the table, and the layers written out by hand."""

from __future__ import annotations

import typing

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from purrtrait.assemble import build, options
from purrtrait.networks.torchgan import GAINS, Gains, TorchGanCritic, TorchGanGenerator
from purrtrait.objectives.adaptive_l2 import AdaptiveL2
from purrtrait.objectives.balanced import Balanced
from purrtrait.objectives.margin import Margin
from purrtrait.types import Progress


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_counts_of_the_table() -> None:
    with torch.device("meta"):
        assert count(TorchGanGenerator(64, 3)) == 7_484_675
        assert count(TorchGanCritic(64, 3)) == 6_500_897
        # Batch norm adds a gain and a bias for each map.
        assert count(TorchGanCritic(64, 3, normalisation="batch")) == 6_500_897 + 2 * (32 + 64 + 96)


@pytest.mark.parametrize("size", [8, 24, 40])
@pytest.mark.parametrize("channels", [1, 3])
def test_shapes(size: int, channels: int) -> None:
    generator = TorchGanGenerator(size, channels, latent=6, width=8)
    critic = TorchGanCritic(size, channels, width=4)
    images = generator(torch.randn(2, 6))
    assert images.shape == (2, channels, size, size)
    assert critic(images).shape == (2,)
    assert critic.features(images).shape == (2, 128)
    assert (generator.prior, generator.latent_size) == ("normal", 6)


def written_out(critic: TorchGanCritic, images: Tensor) -> Tensor:
    """The critic at rest as its table says it, rectified before the maxima are taken."""
    weights = list(critic.parameters())
    maps = images
    for weight, bias in zip(weights[:6:2], weights[1:6:2], strict=True):
        maps = functional.max_pool2d(functional.conv2d(maps, weight, bias, padding=2).relu(), 2)
    hidden = functional.linear(maps.flatten(1), weights[6], weights[7]).relu()
    return functional.linear(hidden, weights[8], weights[9]).flatten()


def test_the_critic_is_its_table_of_layers() -> None:
    torch.manual_seed(0)
    critic, images = TorchGanCritic(16, 3, width=4).eval(), torch.randn(3, 3, 16, 16)
    assert torch.allclose(critic(images), written_out(critic, images), atol=1e-6)
    drops = [(type(m), m.p) for m in critic.layers if isinstance(m, (nn.Dropout2d, nn.Dropout))]
    assert drops == [(nn.Dropout2d, 0.2)] * 3 + [(nn.Dropout, 0.5)]
    critic.train()
    assert not torch.equal(critic(images), critic(images))


def test_the_generator_is_its_table_of_layers() -> None:
    torch.manual_seed(0)
    generator, z = TorchGanGenerator(16, 3, latent=5, width=4), torch.randn(3, 5)
    weights = list(generator.parameters())
    # A channels-last order of the seed's values, as the network takes them.
    maps = functional.linear(z, weights[0], weights[1]).relu().view(3, 2, 2, 4).permute(0, 3, 1, 2)
    for number in range(2, 14, 4):
        weight, bias, gain, offset = weights[number : number + 4]
        doubled = maps.repeat_interleave(2, 2).repeat_interleave(2, 3)
        convolved = functional.conv2d(doubled, weight, bias, padding=2)
        maps = functional.batch_norm(convolved, None, None, gain, offset, training=True).relu()
    drawn = functional.conv2d(maps, weights[14], weights[15], padding=1)
    assert torch.allclose(generator(z), drawn, atol=1e-5)


def test_drawn_values_may_leave_the_range() -> None:
    torch.manual_seed(0)
    generator = TorchGanGenerator(8, 1, latent=4, width=4)
    *_, bias = generator.parameters()
    nn.init.constant_(bias, 3.0)
    assert generator(torch.randn(4, 4)).max() > 1.5


@pytest.mark.parametrize("normalisation", ["none", "batch"])
def test_batch_norm_is_a_switch_of_the_critic(normalisation: str) -> None:
    critic = TorchGanCritic(16, 3, width=4, normalisation=normalisation)
    norms = sum(isinstance(module, nn.BatchNorm2d) for module in critic.modules())
    assert norms == {"none": 0, "batch": 3}[normalisation]
    assert critic.judges_alone == (norms == 0)


def test_unknown_normalisations_are_refused_in_words() -> None:
    with pytest.raises(ValueError, match="known are batch, none"):
        TorchGanCritic(16, 3, normalisation="layr")


def gains(network: nn.Module) -> Tensor:
    return torch.cat([m.weight for m in network.modules() if isinstance(m, nn.BatchNorm2d)])


def test_gains_begin_as_asked() -> None:
    assert set(typing.get_args(Gains)) == set(GAINS)
    torch.manual_seed(0)
    assert (gains(TorchGanGenerator(8, 3)) == 1).all()
    uniform = gains(TorchGanGenerator(8, 3, gains="uniform")).detach()
    assert len(uniform) == 256 + 256 + 128
    assert 0 <= uniform.min() < 0.02 and 0.98 < uniform.max() <= 1
    assert abs(uniform.mean() - 0.5) < 0.04
    assert abs(uniform.std() - 12**-0.5) < 0.02


def test_weights_and_biases_begin_within_the_bound_of_torch7() -> None:
    torch.manual_seed(0)
    checked = 0
    for network in (TorchGanGenerator(8, 3), TorchGanCritic(16, 3)):
        for module in network.modules():
            match module:
                case nn.Linear() | nn.Conv2d():
                    bound = module.weight[0].numel() ** -0.5
                    assert module.weight.abs().max() <= bound
                    assert abs(module.weight.std() - bound / 3**0.5) < 0.05 * bound
                    assert module.bias is not None and 0 < module.bias.abs().max() <= bound
                    checked += 1
    assert checked == 10


@pytest.mark.parametrize("size", [0, 4, 12, 65])
@pytest.mark.parametrize("network", [TorchGanGenerator, TorchGanCritic])
def test_other_sizes_are_refused_in_words(
    network: type[TorchGanGenerator] | type[TorchGanCritic], size: int
) -> None:
    with pytest.raises(ValueError, match=rf"are {size} px wide.*multiple of 8 px"):
        network(size, 3)


@pytest.mark.parametrize("name", ["torch-gan", "torch-gan-l2"])
def test_the_recipe_says_what_the_ancestor_did(name: str) -> None:
    """Half a batch of 128 is real; one move each; warm-up, decay and floor; neither momentum."""
    (stage,) = options.find(name).stages
    known = {"size": 64, "channels": 3, "budget": stage.budget}
    objective = build.stage(stage, build.Shape(64, 3), 0, torch.device("meta")).objective
    assert {role: count(player) for role, player in objective.players().items()} == {
        "generator": 7_484_675,
        "critic": 6_500_897,
    }
    assert (stage.batch, stage.flip, stage.half_life_images) == (64, False, 0)
    assert stage.variation.name == "none"
    turns = list(objective.turns(Progress()))
    assert [(turn.movers, turn.ticks) for turn in turns] == [(("critic",), 1), (("generator",), 0)]
    assert stage.objective.options["game"] == "non-saturating"
    assert stage.objective.options["fakes_per_real"] == 2  # 128 fakes for the generator's move
    for player in stage.players:
        pace = build.pace(stage, player, known)
        times = [(0, 0), (9, 0), (10, 0), (29, 0), (30, 0), (30, 1), (30, 2000)]
        found = [pace.rate(Progress(moves={player: n}, round=r)) for n, r in times]
        assert found == pytest.approx([2e-5, 2e-5, 2e-4, 2e-4, 1e-3, 0.99e-3, 1e-6])
        (group,) = pace.build([nn.Parameter(torch.zeros(1))]).param_groups
        assert (group["alpha"], group["eps"], group["momentum"]) == (0.9, 1e-8, 0.0)
    assert isinstance(objective, Balanced)
    if name == "torch-gan":
        assert isinstance(objective.rule, Margin)
        assert objective.rule.margin == 0.3
    else:
        assert isinstance(objective.rule, AdaptiveL2)
        # Twice its 1e-5, since the critic goes down twice its mean of cross entropies.
        assert (objective.rule.low, objective.rule.high, objective.rule.step) == (0.9, 1.3, 2e-5)
