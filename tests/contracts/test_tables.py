"""What every entry of every table promises; a new entry is held to it without a new test."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch

import helpers
from purrtrait import config
from purrtrait.assemble import build, options, pyramid
from purrtrait.assemble.tables import GIVEN, parameters, wants
from purrtrait.datasets import PARSERS
from purrtrait.datasets.pack import Pack
from purrtrait.images.vary import VARIATIONS
from purrtrait.losses import GAMES, PENALTIES
from purrtrait.networks import CODERS, CRITICS, ENCODERS, GENERATORS, RETOUCHERS
from purrtrait.networks.blocks import channels_last
from purrtrait.objectives import AUGMENTATIONS, BALANCES, OBJECTIVES
from purrtrait.sampling import LEVELS
from purrtrait.sampling.levels import Whole
from purrtrait.training import OPTIMISERS, SCHEDULES
from purrtrait.training.fit import fit
from purrtrait.training.record import SCORES
from purrtrait.types import Batch, Draw, Progress

FACTORIES: dict[str, dict[str, Callable[..., Any]]] = {
    "generators": dict(GENERATORS),
    "critics": dict(CRITICS),
    "coders": dict(CODERS),
    "encoders": dict(ENCODERS),
    "retouchers": dict(RETOUCHERS),
    "games": dict(GAMES),
    "penalties": dict(PENALTIES),
    "augmentations": dict(AUGMENTATIONS),
    "balances": dict(BALANCES),
    "variations": dict(VARIATIONS),
    "objectives": dict(OBJECTIVES),
    "levels": dict(LEVELS),
    "schedules": dict(SCHEDULES),
    "optimisers": dict(OPTIMISERS),
}
ENTRIES = [(table, name) for table, entries in FACTORIES.items() for name in entries]
RECIPES = list(config.shipped())
SIZES = [16, 32]


@pytest.mark.parametrize(("table", "name"), ENTRIES)
def test_every_option_is_explained_and_typed(table: str, name: str) -> None:
    factory = FACTORIES[table][name]
    assert (inspect.getdoc(factory) or "").strip()
    for option in parameters(factory).values():
        assert option.hint is not None, option.name
        assert option.meaning, f"{name} does not say what {option.name} means"


@pytest.mark.parametrize(
    "name",
    [
        *GENERATORS,
        *CRITICS,
        *CODERS,
        *RETOUCHERS,
        *GAMES,
        *PENALTIES,
        *AUGMENTATIONS,
        *VARIATIONS,
        *RECIPES,
        *PARSERS,
    ],
)
def test_names_are_plain(name: str) -> None:
    assert name == name.lower().replace("_", "-").replace(" ", "-")


@pytest.mark.parametrize("name", GENERATORS)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("channels", [1, 3])
def test_generators(name: str, size: int, channels: int) -> None:
    torch.manual_seed(0)
    generator = channels_last(GENERATORS[name](size=size, channels=channels, width=8))
    z = Draw(0, "test", 0).prior(generator.prior, (5, generator.latent_size), "latents")
    # What a refiner refines; all others take no notice of it.
    given = torch.rand(5, channels, size, size).to(memory_format=torch.channels_last) * 2 - 1
    generator.eval()
    with torch.no_grad():
        images = generator(z, given)
        assert images.shape == (5, channels, size, size)
        assert images.dtype == torch.float32
        assert images.abs().max() < 4
        assert channels == 1 or images.is_contiguous(memory_format=torch.channels_last)
        assert torch.allclose(
            images[:2], generator(z[:2], given[:2]), atol=1e-5
        )  # rows do not meet
    generator.train()
    generator(z, given).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in generator.parameters())


@pytest.mark.parametrize("name", CRITICS)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("channels", [1, 3])
def test_critics(name: str, size: int, channels: int) -> None:
    torch.manual_seed(0)
    critic = channels_last(CRITICS[name](size=size, channels=channels, width=8))
    images = torch.randn(6, channels, size, size).to(memory_format=torch.channels_last)
    verdicts = critic(images)
    assert verdicts.shape == (6,)
    features = critic.features(images)
    assert features.dim() == 2
    assert len(features) == 6
    critic.eval()
    assert torch.allclose(critic(images)[:2], critic(images[:2]), atol=1e-4)
    details = images - images.roll(1, 0)
    assert torch.allclose(critic(details, images.roll(1, 0)), critic(images), atol=1e-4)
    critic.train()
    critic(images).square().sum().backward()
    assert all(p.grad is not None for p in critic.parameters())


@pytest.mark.parametrize("name", RETOUCHERS)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("channels", [1, 3])
def test_retouchers(name: str, size: int, channels: int) -> None:
    torch.manual_seed(0)
    retoucher = channels_last(RETOUCHERS[name](size=size, channels=channels)).eval()
    images = torch.rand(5, channels, size, size).to(memory_format=torch.channels_last) * 2 - 1
    retouched = retoucher(images)
    assert retouched.shape == images.shape
    assert retouched.abs().max() <= 1
    assert torch.allclose(retouched[:2], retoucher(images[:2]), atol=1e-5)
    retoucher.train()
    retoucher(images).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in retoucher.parameters())


@pytest.mark.parametrize("name", CODERS)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("channels", [1, 3])
def test_coders(name: str, size: int, channels: int) -> None:
    torch.manual_seed(0)
    coder = channels_last(CODERS[name](size=size, channels=channels, latent=7)).eval()
    images = torch.rand(5, channels, size, size).to(memory_format=torch.channels_last) * 2 - 1
    codes = coder(images)
    assert codes.shape == (5, coder.latent_size) == (5, 7)
    assert torch.allclose(codes[:2], coder(images[:2]), atol=1e-5)
    coder.train()
    coder(images).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in coder.parameters())


@pytest.mark.parametrize("name", LEVELS)
def test_levels(name: str) -> None:
    needed = {n: 8 for n, p in parameters(LEVELS[name]).items() if p.needed}
    level = LEVELS[name](size=16, **needed)
    images = torch.rand(3, 3, 16, 16) * 2 - 1
    below = Whole(8).join(GENERATORS["dense"](size=8, channels=3, latent=4, width=4).eval(), None)
    batch = level.cut(images, below, Draw(0, "test", 0))
    assert isinstance(batch, Batch)
    assert (batch.given is None) == (level.coarse == 0)
    generator = GENERATORS["dcgan"](size=level.size, channels=3, latent=4, width=4)
    sampler = level.join(generator.eval(), below)
    portraits = sampler(torch.randn(2, sampler.latent_size) * 9)
    assert portraits.shape == (2, 3, level.size, level.size)
    assert portraits.abs().max() <= 1
    assert not portraits.requires_grad


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_are_pure(name: str) -> None:
    needed = {n: 1 for n, p in parameters(SCHEDULES[name]).items() if p.default is ...}
    schedule = SCHEDULES[name](**needed, **dict.fromkeys(wants(SCHEDULES[name]), 1000))
    now = Progress(images_seen=100, moves={"generator": 3})
    assert schedule(now) == schedule(now)
    assert isinstance(float(schedule(Progress())), float)


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_say_where_they_come_from(name: str) -> None:
    recipe = options.find(name)
    assert recipe.name == name
    assert recipe.source
    listed = list(options.listed(recipe))
    assert len({o.name for o in listed}) == len(listed)
    assert all(o.meaning for o in listed)
    assert any(o.origin == "default" for o in listed)


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_survive_writing_down(name: str) -> None:
    import tomllib

    recipe = options.find(name)
    assert config.parse(tomllib.loads(config.dump(recipe)), name) == recipe


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("grey", [False, True])
def test_recipes_train_and_log_only_what_is_explained(
    name: str, grey: bool, kittens: Pack, grey_kittens: Pack
) -> None:
    pack = grey_kittens if grey else kittens
    settings = {"critic_moves": "1"} if name.startswith(("wgan", "cat-gan")) else {}
    recipe = helpers.recipe(name, settings)
    for number, stage in enumerate(recipe.stages):
        state = helpers.state(recipe, pack, number=number)
        for now in itertools.islice(fit(state, 10**9), 2):
            assert set(now.scores) <= set(SCORES)
            assert all(isinstance(value, float) for value in now.scores.values())
        moves = now.moves.get("critic", 2)  # a recipe may have the critic move more often
        assert now.images_seen == 8 * moves, stage.name


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("size", [64, 128, 256])
def test_recipes_are_built_for_large_pictures_without_memory(name: str, size: int) -> None:
    recipe, _ = options.override(options.find(name), {"pixels": "0"})
    built = build.stage(recipe.stages[0], build.Shape(size, 3), 0, torch.device("meta"))
    assert built.level.size == size
    assert built.described["level"]["options"]["size"] == size
    assert bool(built.described["drawer"]) == pyramid.draws(recipe, 0)


def test_what_the_data_say_no_recipe_can() -> None:
    for entries in FACTORIES.values():
        for factory in entries.values():
            assert not set(GIVEN) & set(parameters(factory))
