"""Stages on top of stages: which stands on which, and what cannot stand is said beforehand."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import helpers
from purrtrait.assemble import build, options, pyramid
from purrtrait.config import Recipe

SHAPE = build.Shape(16, 3)


def made(**settings: str) -> Recipe:
    return helpers.pyramid(settings)


def test_a_refiner_stands_on_the_last_stage_that_draws() -> None:
    assert pyramid.under(made(), 0, SHAPE) is None
    assert pyramid.under(made(), 1, SHAPE) == 0
    assert pyramid.below(made(), 0, SHAPE) is None
    sampler = pyramid.below(made(), 1, SHAPE)
    assert sampler is not None
    assert sampler(torch.empty(2, sampler.latent_size, device="meta")).shape == (2, 3, 8, 8)


def test_a_refiner_of_another_size_is_refused() -> None:
    other = made(**{"base.pixels": "16"})
    with pytest.raises(ValueError, match=r"refines portraits of 8 px.*'base' below it draws 16 px"):
        pyramid.expect_sound(other, SHAPE)
    with pytest.raises(ValueError, match=r"cannot be refined to 16 px with a pack of 12 px"):
        pyramid.expect_sound(made(), build.Shape(12, 3))


def test_a_refiner_on_nothing_is_refused() -> None:
    alone = made().model_copy(update={"stages": made().stages[1:]})
    with pytest.raises(ValueError, match="no stage before it draws any"):
        pyramid.expect_sound(alone, SHAPE)


def taking(words: str) -> Recipe:
    recipe = made()
    refiner = recipe.stages[1].model_copy(update={"takes": {"critic": words}})
    return recipe.model_copy(update={"stages": (recipe.stages[0], refiner)})


def test_what_is_taken_over_must_be_there_and_fit() -> None:
    with pytest.raises(ValueError, match=r"takes 'critic' from 'first.critic'; expected .*base"):
        pyramid.expect_sound(taking("first.critic"), SHAPE)
    with pytest.raises(ValueError, match="players of stage 'base' are generator, critic"):
        pyramid.expect_sound(taking("base.judge"), SHAPE)
    with pytest.raises(ValueError, match=r"base.generator, which is another network .*numbers"):
        pyramid.expect_sound(taking("base.generator"), SHAPE)
    with pytest.raises(ValueError, match=r"base.critic, which is another network"):
        pyramid.expect_sound(taking("base.critic"), SHAPE)  # 8 px against 16


@pytest.mark.parametrize("words", ["", ".", "critic", "base."])
def test_words_that_name_no_player_are_refused(words: str) -> None:
    with pytest.raises(ValueError, match="stage 'refine-32' takes"):
        pyramid.expect_sound(taking(words), SHAPE)


def test_the_same_recipe_survives_a_file(tmp_path: Path) -> None:
    from purrtrait import config

    file = tmp_path / "mine.toml"
    file.write_text(config.dump(taking("base.critic")), encoding="utf-8")
    assert options.find(str(file)).stages[1].takes == {"critic": "base.critic"}


def test_a_recipe_may_extend_another(tmp_path: Path) -> None:
    whole, second = options.find("cat-generator"), options.find("cat-generator-g2")
    names = [stage.name for stage in whole.stages]
    assert [stage.name for stage in second.stages] == names
    differing = [a.name for a, b in zip(whole.stages, second.stages, strict=True) if a != b]
    assert differing == ["base"]
    file = tmp_path / "mine.toml"
    extra = '[[stages]]\nname = "late"\nbatch = 1\nbudget = 1\nobjective = "denoise"\n'
    player = '[stages.players.{}]\nnetwork = "denoiser"\noptimiser = "adam"\nlr = 1\n'
    text = f'extends = "denoiser"\nsummary = "s"\nsource = "s"\n{extra}'
    file.write_text(text + player.format("first") + player.format("second"), encoding="utf-8")
    assert [stage.name for stage in options.find(str(file)).stages] == ["denoiser", "late"]
    file.write_text('extends = "denoisr"\nsummary = "s"\nsource = "s"\n', encoding="utf-8")
    with pytest.raises(ValueError, match="extends 'denoisr'; expected another recipe of"):
        options.find(str(file))
    file.write_text('extends = "cat-generator-g2"\nsummary = "s"\nsource = "s"\n', encoding="utf-8")
    assert options.find(str(file)).stages == second.stages


@pytest.mark.parametrize(
    ("stages", "words"),
    [
        ("stages = [1]", "stages.0|0: "),
        ('stages = "abc"', "list"),
        ('[[stages]]\nname = ["a"]', "name"),
        (2 * '[[stages]]\nbatch = 1\nbudget = 1\nobjective = "x"\nplayers = {}\n', "share a name"),
    ],
)
def test_stages_that_are_none_are_refused_in_words(stages: str, words: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(f'extends = "denoiser"\nsummary = "s"\nsource = "s"\n{stages}\n', "utf-8")
    with pytest.raises(ValueError, match=words):
        options.find(str(file))
