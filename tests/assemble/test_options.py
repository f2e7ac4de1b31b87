"""Options are found by some of their words, checked, and refused in words."""

from __future__ import annotations

import math
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from purrtrait import arguments, config
from purrtrait.arguments import Budget
from purrtrait.assemble import options

DCGAN = options.find("dcgan")
RECIPES = list(config.shipped())
WARM_UP = "{{ name = 'warm-up', usual = 1, player = '{}' }}"
BURSTS = "{{ name = 'bursts', usual = 1, burst = 2, player = '{}' }}"


def values(recipe: config.Recipe) -> dict[str, Any]:
    return {option.name: option.value for option in options.listed(recipe)}


def changed(key: str, text: str) -> dict[str, Any]:
    """What an override changes, by full path."""
    before, after = values(DCGAN), values(options.override(DCGAN, {key: text})[0])
    return {name: value for name, value in after.items() if before.get(name) != value}


@pytest.mark.parametrize(
    ("key", "text", "expected"),
    [
        ("batch", "8", {"base.batch": 8}),
        ("base.batch", "8", {"base.batch": 8}),
        ("critic.lr", "1e-3", {"base.players.critic.lr": 1e-3}),
        ("lr", "1", {"base.players.generator.lr": 1.0, "base.players.critic.lr": 1.0}),
        ("players.critic.clamp", "2", {"base.players.critic.clamp": 2.0}),
        ("critic.width", "4", {"base.players.critic.network.width": 4}),
        (
            "network.width",
            "4",
            {
                "base.players.generator.network.width": 4,
                "base.players.critic.network.width": 4,
            },
        ),
        ("critic_moves", "3", {"base.objective.critic_moves": 3.0}),
        ("game", "hinge", {"base.objective.game": "hinge"}),
        ("game", '"hinge"', {"base.objective.game": "hinge"}),
        ("penalty", "r1", {"base.objective.penalty": "r1"}),
        ("play", "fresh", {"base.objective.play": "fresh"}),
        ("base.flip", "true", {"base.flip": True}),
        ("variation", "jitter", {"base.variation": "jitter"}),
    ],
)
def test_a_key_is_some_of_the_words_in_their_order(
    key: str, text: str, expected: dict[str, Any]
) -> None:
    found = changed(key, text)
    assert {name: found.get(name) for name in expected} == expected
    assert {name for name in found if name in values(DCGAN)} == set(expected)


def test_what_was_set_is_returned_by_full_path() -> None:
    _, done = options.override(DCGAN, {"critic.lr": "1e-3", "batch": "8"})
    assert done == {"base.players.critic.lr": 1e-3, "base.batch": 8}


def test_a_whole_part_is_replaced() -> None:
    text = '{ name = "sgd", momentum = 0.5 }'
    made, _ = options.override(DCGAN, {"critic.optimiser": text})
    found = values(made)
    assert found["base.players.critic.optimiser"] == "sgd"
    assert found["base.players.critic.optimiser.momentum"] == 0.5
    assert "base.players.critic.optimiser.betas" not in found
    assert found["base.players.generator.optimiser"] == "adam"


def test_options_of_a_part_that_only_its_default_named() -> None:
    made, _ = options.override(DCGAN, {"penalty": "unit-norm", "penalty.target": "2"})
    assert values(made)["base.objective.penalty.target"] == 2.0


def test_pictures_are_not_varied_unless_the_recipe_says_so() -> None:
    (usual,) = (option for option in options.listed(DCGAN) if option.name == "base.variation")
    assert (usual.value, usual.default, usual.origin) == ("none", "none", "default")
    assert "pictures are changed" in usual.meaning
    settings = {"variation": "cat-generator", "variation.noise": "0.5", "scale": "[0.5, 2]"}
    found = {o.name: o for o in options.listed(options.override(DCGAN, settings)[0])}
    assert found["base.variation"].origin == "recipe"
    assert found["base.variation.noise"].value == 0.5
    assert found["base.variation.scale"].value == (0.5, 2.0)
    assert found["base.variation.degrees"].origin == "default"


def test_a_schedule_is_one_option() -> None:
    text = '{ name = "decay", start = 1e-3, factor = 0.5, every_images = 10 }'
    made, _ = options.override(DCGAN, {"critic.lr": text})
    found = values(made)["base.players.critic.lr"]
    assert found["name"] == "decay"
    assert found["every_images"] == 10
    back, _ = options.override(made, {"critic.lr": "2"})
    assert values(back)["base.players.critic.lr"] == 2.0


def test_one_number_of_a_schedule_can_be_set() -> None:
    recipe = options.find("torch-gan")
    changed, said = options.override(recipe, {"lr.usual": "5e-4", "critic.lr.factor": "0.9"})
    rates = {role: player.lr.options for role, player in changed.stages[0].players.items()}
    before = {role: player.lr.options for role, player in recipe.stages[0].players.items()}
    assert rates["generator"] == {**before["generator"], "usual": 5e-4}
    assert rates["critic"] == {**before["critic"], "usual": 5e-4, "factor": 0.9}
    assert said["base.players.critic.lr"]["factor"] == 0.9
    with pytest.raises(ValueError, match=r"no option 'lr\.start'"):
        options.override(recipe, {"lr.start": "1"})
    with pytest.raises(ValueError, match="no option 'usual'"):
        options.override(recipe, {"usual": "1"})


def test_an_override_does_not_touch_the_recipe() -> None:
    before = config.dump(DCGAN)
    options.override(DCGAN, {"lr": "1", "batch": "2", "penalty": "r1"})
    assert config.dump(DCGAN) == before


@pytest.mark.parametrize(
    ("key", "text", "words"),
    [
        ("bach", "1", "Did you mean 'batch'"),
        ("critic.wdth", "1", "Did you mean 'width'"),
        ("generator.batch", "1", "no option 'generator.batch'"),
        ("lr.critic", "1", "no option 'lr.critic'"),
        ("", "1", "no option ''"),
        ("batch", "many", "valid integer"),
        ("batch", "1.5", "valid integer"),
        ("batch", "0", "greater than or equal to 1"),
        ("budget", "-3", "greater than or equal to 1"),
        ("half_life_images", "-1", "greater than or equal to 0"),
        ("critic.clamp", "0", "greater than 0"),
        ("critic.width", "wide", r"width is 'wide'.*It means: maps"),
        ("betas", "0.5", "betas is 0.5"),
        ("game", "hinj", "Did you mean 'hinge'"),
        ("game", "7", "unknown game 'constant'"),
        ("optimiser", "adamm", "Did you mean 'adam'"),
        ("critic.network", "dcgn", "Did you mean 'dcgan'"),
        ("level", "hole", "Did you mean 'whole'"),
        ("variation", "jiter", "Did you mean 'jitter'"),
        ("variation", "{ name = 'jitter', hue = 0.6 }", "hue is 0.6.*It means: hues turn"),
        ("variation", "{ name = 'jitter', noise = 1 }", "no option 'noise'"),
        ("variation", "{ name = 'cat-generator', border = 'mirror' }", "border is 'mirror'"),
        ("variation", "{ name = 'cat-generator', scale = [0, 1] }", "scale is .*greater than 0"),
        ("objective", "adverse", "unknown objective"),
        ("lr", "{ start = 1 }", "name"),
        ("lr", '{ name = "linear", start = 1 }', "is missing"),
        ("lr", '{ name = "constant", value = 1, extra = 2 }', "no option 'extra'"),
        ("lr", WARM_UP.format("crittic"), "Did you mean 'critic'.*players: generator, critic"),
        ("critic_moves", BURSTS.format("decoder"), r"critic_moves\.player is 'decoder'.*'base'"),
        ("critic_moves", BURSTS.format(""), "who does not play"),
    ],
)
def test_what_is_wrong_is_said(key: str, text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        options.override(DCGAN, {key: text})


def test_a_schedule_follows_players_of_its_own_stage() -> None:
    for key, text in (("lr", WARM_UP.format("critic")), ("critic_moves", BURSTS.format("critic"))):
        assert options.override(DCGAN, {key: text})
    # By default bursts go by a generator's moves, and here is none.
    text = "{ name = 'bursts', usual = 1, burst = 2 }"
    with pytest.raises(ValueError, match=r"'generator', who does not play.*encoder, decoder"):
        options.override(options.find("vae-gan"), {"critic_moves": text})
    data = options.find("lapgan").model_dump()
    data["stages"][1]["players"]["critic"]["lr"] = tomllib.loads(f"lr = {WARM_UP.format('v')}")[
        "lr"
    ]
    with pytest.raises(ValueError, match=rf"in stage '{data['stages'][1]['name']}'"):
        options.check(config.parse(data, "test"))


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize(
    "place",
    [
        (),
        ("stages", 0),
        ("stages", 0, "level"),
        ("stages", 0, "objective"),
        ("stages", 0, "players", 0),
        ("stages", 0, "players", 0, "network"),
        ("stages", 0, "players", -1, "optimiser"),
        ("stages", 0, "players", -1, "lr"),
    ],
)
def test_an_unknown_key_anywhere_is_refused(name: str, place: tuple[Any, ...]) -> None:
    data: Any = tomllib.loads(config.dump(options.find(name)))
    inside = data
    for step in place:
        # Players are counted, since those of other recipes have other names.
        counted = isinstance(inside, dict) and step in (0, -1)
        inside = inside[list(inside)[step] if counted else step]
    inside["colour_of_the_cat"] = 3
    with pytest.raises(ValueError, match="colour_of_the_cat"):
        options.check(config.parse(data, name))


def test_players_that_nobody_plays_are_refused() -> None:
    data = DCGAN.model_dump()
    data["stages"][0]["players"]["judge"] = data["stages"][0]["players"]["critic"]
    with pytest.raises(ValueError, match="judge"):
        options.check(config.parse(data, "test"))
    del data["stages"][0]["players"]["judge"]
    del data["stages"][0]["players"]["critic"]
    with pytest.raises(ValueError, match="is played by critic, generator"):
        options.check(config.parse(data, "test"))


def test_recipes_are_found_by_name_or_file(tmp_path: Path) -> None:
    own = tmp_path / "my-own.toml"
    own.write_text(config.dump(DCGAN).replace('name = "dcgan"\nsummary', "summary", 1))
    assert options.find(str(own)).name == "my-own"
    assert options.find(str(own)).stages == DCGAN.stages
    with pytest.raises(ValueError, match="Did you mean 'dcgan'"):
        options.find("dcgam")
    with pytest.raises(ValueError, match="no recipe file"):
        options.find("dcgan.toml")
    own.write_text("summary = ")
    with pytest.raises(ValueError, match="cannot be read as a recipe"):
        options.find(str(own))


LINE = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
SETTING = st.one_of(
    LINE,
    st.builds("{}={}".format, st.sampled_from([o.path[-1] for o in options.listed(DCGAN)]), LINE),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(SETTING, max_size=2))
@example(["lr=nan"])
@example(["lr=1979-05-27"])
@example(["batch=[[[]]]"])
@example(["game={name=3}"])
@example(["critic.network={name={}}"])
@example(["betas=[1,[2],{}]"])
@example(["width=1\nbatch=3"])
@example(["budget=1_0"])
@example(["batch=99999999999999999999999999"])
def test_settings_give_a_recipe_or_a_value_error(texts: list[str]) -> None:
    try:
        made, _ = options.override(DCGAN, arguments.settings(tuple(texts)))
    except ValueError as error:
        assert str(error)
    else:
        assert config.parse(tomllib.loads(config.dump(made)), "x") == made or "nan" in str(texts)


@settings(max_examples=200, deadline=None)
@given(LINE | st.from_regex(r"[\d_,. ]*(min|s|TFLOP)?"))
@example("٣min")
@example("²")
@example("1" * 5000)
@example("1e3")
def test_budgets_are_read_or_refused(text: str) -> None:
    try:
        found = arguments.budget(text)
    except ValueError as error:
        assert text in str(error)
    else:
        given = [found.images is not None, found.minutes < math.inf, found.tflop is not None]
        assert given.count(True) == 1
        assert found.images is None or found.images >= 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, Budget()),
        ("80000", Budget(80_000)),
        ("80_000", Budget(80_000)),
        ("80,000", Budget(80_000)),
        ("5min", Budget(minutes=5.0)),
        ("0.5 min", Budget(minutes=0.5)),
        ("2 minutes", Budget(minutes=2.0)),
        ("90s", Budget(minutes=1.5)),
        ("70TFLOP", Budget(tflop=70.0)),
        ("0.5 TFLOP", Budget(tflop=0.5)),
    ],
)
def test_budgets(text: str | None, expected: Budget) -> None:
    assert arguments.budget(text) == expected


@settings(max_examples=100, deadline=None)
@given(LINE | st.from_regex(r"[\d,.e-]*"))
def test_temperatures_are_read_or_refused(text: str) -> None:
    try:
        found = arguments.temperatures(text)
    except ValueError as error:
        assert "--grid" in str(error)
    else:
        assert found
        assert all(0 <= number < math.inf for number in found)
