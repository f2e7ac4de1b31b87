"""cat-gan's networks against the published counts and a textbook build, and its recipe at work."""

from __future__ import annotations

import copy
import itertools
from functools import cache
from typing import Any

import pytest
import torch
from torch import nn

import helpers
from purrtrait.assemble import build, options
from purrtrait.datasets.pack import Pack
from purrtrait.networks.catgan import CatGanCritic, CatGanGenerator
from purrtrait.sampling.latents import latents
from purrtrait.sampling.levels import Drawn
from purrtrait.training.fit import fit, play
from purrtrait.types import Progress

TEMPERATURES = (0.4, 0.6, 0.8, 1.0, 1.5)


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize("mixing", ["means", "values"])
def test_parameter_counts(mixing: Any) -> None:
    with torch.device("meta"):
        generator = CatGanGenerator(64, 3, mixing=mixing)
        assert count(generator) == 7_021_796
        assert count(generator.head) == 6_500
        assert count(CatGanCritic(64, 3)) == 11_038_337
        # 100 numbers in a latent: 412 rows less of 512 x 4 x 4 weights
        assert count(CatGanGenerator(64, 3, latent=100)) == 7_021_796 - 412 * 512 * 16


def textbook(latent: int, width: int) -> list[nn.Module]:
    """The generator's table of layers, at 16 px and up to the head."""
    return [
        nn.ConvTranspose2d(latent, 2 * width, 4),
        nn.BatchNorm2d(2 * width),
        nn.ReLU(),
        nn.ConvTranspose2d(2 * width, width, 4, 2, 1),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.ConvTranspose2d(width, width, 4, 2, 1),
    ]


def test_maps_are_those_of_a_textbook_build_and_begin_alike() -> None:
    torch.manual_seed(0)
    generator, plain = CatGanGenerator(16, 3, latent=7, width=6), nn.Sequential(*textbook(7, 6))
    own, other = list(generator.layers.parameters()), list(plain.parameters())
    assert [p.shape for p in own] == [p.shape for p in other]
    for mine, theirs in zip(own, other, strict=True):
        spread = mine.detach().std().item()
        assert spread == pytest.approx(theirs.detach().std().item(), rel=0.8, abs=1e-6)
        assert mine.abs().max() <= 1.5 * theirs.abs().max()
    for mine, theirs in zip(own, other, strict=True):
        theirs.data.copy_(mine)
    z = torch.randn(5, 7)
    assert torch.allclose(generator.layers(z), plain(z[:, :, None, None]), atol=1e-5)


def test_every_convolution_of_the_critic_is_normalised() -> None:
    critic = CatGanCritic(64, 3, width=4)
    names = [type(layer).__name__ for layer in critic.layers]
    assert names == ["Conv2d", "BatchNorm2d", "LeakyReLU"] * 4
    assert not critic.judges_alone
    assert critic(torch.randn(5, 3, 64, 64)).shape == (5,)
    assert critic.features(torch.randn(5, 3, 64, 64)).shape == (5, 16 * 32)


@pytest.mark.parametrize("size", [8, 16, 32, 64])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("mixing", ["means", "values"])
def test_shapes(size: int, channels: int, mixing: Any) -> None:
    generator = CatGanGenerator(size, channels, latent=5, width=4, mixtures=3, mixing=mixing)
    images = generator(torch.randn(3, 5))
    assert images.shape == (3, channels, size, size)
    assert images.abs().max() <= 1
    assert CatGanCritic(size, channels, width=4)(images).shape == (3,)


@pytest.mark.parametrize("size", [4, 48, 65])
def test_other_sizes_are_refused_in_words(size: int) -> None:
    for make in (CatGanGenerator, CatGanCritic):
        with pytest.raises(ValueError, match=r"power of two|at least"):
            make(size, 3)


@pytest.mark.parametrize("option", [{"choice": "soft"}, {"mixing": "medians"}])
def test_unknown_options_are_refused_in_words(option: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected one of"):
        CatGanGenerator(16, 3, **option)


@pytest.mark.parametrize("grain", [-0.1, float("inf"), float("nan")])
def test_grain_that_cannot_be_is_refused_in_words(grain: float) -> None:
    with pytest.raises(ValueError, match=r"grain is .* expected a number from 0"):
        CatGanGenerator(16, 3, grain=grain)


def test_without_grain_nothing_is_drawn_at_rest_and_training_is_as_ever() -> None:
    with_grain, z = settled(scale=-1.0), torch.randn(4, 32)
    without = CatGanGenerator(16, 3, latent=32, width=8, grain=0.0)
    without.load_state_dict(with_grain.state_dict())
    roughness = []
    with torch.no_grad():
        for generator in (with_grain, without.eval()):
            images = generator(z)
            roughness.append(images.diff(dim=3).abs().mean().item())
        without.grain.forward = None  # type: ignore[assignment,method-assign]
        assert torch.equal(without(z), images)
        del without.grain.forward
        trained = []
        for generator in (with_grain, without):
            torch.manual_seed(0)
            trained.append(copy.deepcopy(generator).train()(z))
    assert roughness[1] < 0.7 * roughness[0]
    assert torch.equal(*trained)


@cache
def settled(scale: float = -5.0) -> CatGanGenerator:
    """A generator as training leaves it: its statistics are known, it draws and hardly rustles."""
    torch.manual_seed(0)
    generator = CatGanGenerator(16, 3, latent=32, width=8)
    with torch.no_grad():
        for _ in range(30):
            generator(torch.randn(32, 32))
        weight, bias = generator.head.convolution.parameters()
        # The means of ten logistics, which come after their chances; then their log scales.
        weight[10:40] *= 8
        weight[40:70], bias[40:70] = 0.0, scale
    return generator.eval()


def test_a_row_is_one_portrait_at_any_batch_size_and_training_draws_anew() -> None:
    generator, z = settled(), torch.randn(6, 32)
    with torch.no_grad():
        together, alone = generator(z), generator(z[2:3])
        # A choice that hangs by a rounding error may fall the other way.
        off = (together[2] - alone[0]).abs() > 1e-4
        assert off.float().mean() < 4e-3
        assert torch.equal(generator(z), together)
        anew = copy.deepcopy(generator).train()
        assert not torch.equal(anew(z), anew(z))


def test_the_spread_of_portraits_grows_with_the_temperature() -> None:
    sampler = Drawn(settled())
    spreads = [
        sampler(latents(64, 32, "normal", 0, temperature)).std(0).mean().item()
        for temperature in TEMPERATURES
    ]
    assert spreads == sorted(spreads)
    assert spreads[-1] > 1.15 * spreads[0]


def test_at_temperature_zero_all_portraits_are_one_and_have_grain() -> None:
    generator = settled(scale=-1.0)
    drawn = Drawn(generator)(latents(3, 32, "normal", 0, 0.0))
    assert torch.allclose(drawn[0], drawn[2], atol=1e-4)
    quiet = Drawn(settled(scale=-7.0))(latents(1, 32, "normal", 0, 0.0))
    assert (drawn[:1] - quiet).std() > 0.2


def test_the_recipe_says_what_the_ancestor_did() -> None:
    (stage,) = options.find("cat-gan").stages
    known = {"size": 64, "channels": 3, "budget": stage.budget}
    objective = build.stage(stage, build.Shape(64, 3), 0, torch.device("meta")).objective
    assert {name: count(player) for name, player in objective.players().items()} == {
        "generator": 7_021_796,
        "critic": 11_038_337,
    }
    moves = build.schedule(
        options.as_part(stage.objective.options["critic_moves"], ("", "")), known
    )
    found = [moves(Progress(moves={"generator": n})) for n in (0, 24, 25, 500, 1000, 10**6)]
    assert found == [100, 100, 5, 5, 5, 5]
    for player in stage.players:
        pace = build.pace(stage, player, known)
        assert pace.rate(Progress()) == 5e-5
        (group,) = pace.build([nn.Parameter(torch.zeros(1))]).param_groups
        assert (group["alpha"], group["eps"], group["momentum"]) == (0.99, 1e-8, 0.0)


def test_clipping_limits_all_of_the_critic_and_both_go_their_ways(kittens: Pack) -> None:
    """After each move every weight, batch norm's too, is within 0.01; signs as published."""
    state = helpers.state(helpers.recipe("cat-gan", {"critic_moves": "1"}), kittens)
    critic, generator = state.objective.turns(state.now)
    scores = play(state, critic, state.batch())
    assert all(p.abs().max() <= 0.01 for p in state.parameters["critic"])
    assert any(isinstance(m, nn.BatchNorm2d) for m in state.objective.players()["critic"].modules())
    assert scores["critic/game"] == pytest.approx(-scores["verdict/distance"], rel=1e-5)
    scores = play(state, generator, state.batch())
    assert scores["generator/game"] == pytest.approx(-scores["verdict/answer"], rel=1e-5)
    for _ in itertools.islice(fit(state, 10**9), 3):
        assert all(p.abs().max() <= 0.01 for p in state.parameters["critic"])
    assert state.now.moves == {"generator": 4, "critic": 4}


def test_training_is_a_function_of_seed_and_place(kittens: Pack) -> None:
    """The noise at each pixel too: a run that is gone on with draws what one run would."""
    made = helpers.recipe("cat-gan", {"critic_moves": "1"})
    whole, first = helpers.state(made, kittens), helpers.state(made, kittens)
    for _ in itertools.islice(fit(whole, 10**9), 4):
        pass
    for _ in itertools.islice(fit(first, 10**9), 2):
        pass
    second = helpers.state(made, kittens, seed=0)
    second.restore(first.tensors(), first.average.state_dict(), first.facts(), first.steppers())
    torch.rand(7)  # somebody else's
    for _ in itertools.islice(fit(second, 10**9), 2):
        pass
    assert helpers.bits(second.tensors()) == helpers.bits(whole.tensors())
