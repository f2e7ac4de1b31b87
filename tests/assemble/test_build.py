"""Things are made of their names, and weights at the start follow from seed, stage and player."""

from __future__ import annotations

import pytest
import torch

from helpers import TINY, recipe
from purrtrait import config
from purrtrait.assemble import build, options
from purrtrait.config import Stage
from purrtrait.networks.dcgan import DcganCritic, DcganGenerator
from purrtrait.types import Draw, Progress

SHAPE = build.Shape(16, 3)
CPU = torch.device("cpu")


def weights(stage: Stage, seed: int = 1) -> dict[str, torch.Tensor]:
    built = build.stage(stage, SHAPE, seed, CPU)
    return {
        f"{name}/{key}": value
        for name, player in built.objective.players().items()
        for key, value in player.state_dict().items()
    }


def random_part(found: dict[str, torch.Tensor]) -> list[str]:
    """The names of the weights that are drawn at random."""
    return [name for name, value in found.items() if value.dim() > 1]


@pytest.mark.parametrize("name", config.shipped())
def test_weights_follow_from_seed_stage_and_player(name: str) -> None:
    stage = recipe(name).stages[0]
    first, again = weights(stage), weights(stage)
    assert all(torch.equal(first[key], again[key]) for key in first)
    for other in (weights(stage, 2), weights(stage.model_copy(update={"name": "detail"}))):
        drawn = [key for key in random_part(first) if first[key].std() > 0]
        assert drawn
        assert not any(torch.equal(first[key], other[key]) for key in drawn)


def test_a_player_does_not_depend_on_the_other() -> None:
    plain = recipe("dcgan").stages[0]
    wide = recipe("dcgan", {"critic.width": "16"}).stages[0]
    first, other = weights(plain), weights(wide)
    mine = [key for key in first if key.startswith("generator/")]
    assert all(torch.equal(first[key], other[key]) for key in mine)


@pytest.mark.parametrize("name", config.shipped())
def test_torch_is_left_alone(name: str) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    build.stage(recipe(name).stages[0], SHAPE, 1, CPU)
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(6)
    assert torch.initial_seed() == 6


def test_networks_get_what_the_recipe_and_the_data_say() -> None:
    stage = recipe("dcgan", {"generator.width": "4", "activation": "selu"}).stages[0]
    built = build.stage(stage, build.Shape(32, 1), 1, CPU)
    players = built.objective.players()
    assert isinstance(players["generator"], DcganGenerator)
    assert isinstance(players["critic"], DcganCritic)
    said = built.described["drawer"]
    assert said["name"] == "dcgan"
    assert said["options"]["width"] == 4
    assert said["options"]["size"] == 32
    assert said["options"]["channels"] == 1
    assert said["options"]["activation"] == "selu"
    assert built.described["prefix"] == "base/"
    assert built.objective.training


def test_paces_are_those_of_the_players() -> None:
    settings = {"critic.lr": '{ name = "linear", start = 1, end = 0, until_images = 10 }'}
    stage = recipe("dcgan", settings | {"generator.clamp": "0.5"}).stages[0]
    built = build.stage(stage, SHAPE, 1, CPU)
    assert built.paces["critic"].rate(Progress(images_seen=5)) == pytest.approx(0.5)
    assert built.paces["generator"].rate(Progress(images_seen=5)) == pytest.approx(2e-4)
    assert built.paces["generator"].clamp == 0.5
    assert built.paces["critic"].clamp == float("inf")


def test_variations_have_what_the_recipe_says_of_them() -> None:
    white, draw = torch.ones(4, 3, 8, 8), Draw(1, "base", 2)
    assert build.variation(recipe("dcgan").stages[0])(white, draw) is white
    text = "{ name = 'cat-generator', noise = 0, brightness = [0.5, 0.5] }"
    half = build.variation(recipe("dcgan", {"variation": text}).stages[0])(white, draw)
    torch.testing.assert_close(half, torch.zeros(4, 3, 8, 8))


def test_what_cannot_be_built_is_said() -> None:
    for settings, words in (
        ({"pixels": "32"}, "the recipe draws 32 px"),
        ({"activation": "relo"}, "activation"),
        ({"play": "never"}, "play is 'never'"),
    ):
        made, _ = options.override(options.find("dcgan"), TINY | settings)
        with pytest.raises(ValueError, match=words):
            build.stage(made.stages[0], SHAPE, 1, CPU)


@pytest.mark.parametrize("balance", ["margin", "accuracy"])
@pytest.mark.parametrize("name", ["vae-gan", "wgan"])
def test_a_balance_that_goes_by_verdicts_wants_a_game_that_gives_them_a_level(
    balance: str, name: str
) -> None:
    def made(**settings: str) -> build.Built:
        return build.stage(recipe(name, settings).stages[0], SHAPE, 1, CPU)

    with pytest.raises(ValueError, match=f"'{balance}' goes by .* --set game=non-saturating"):
        made(balance=balance)
    assert made(balance="l2").objective.artists
    assert made(balance=balance, game="non-saturating").objective.artists
