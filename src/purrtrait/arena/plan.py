"""What an arena is asked for, checked before anything is trained, and kept in arena.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch

from purrtrait import config, judging, machine, trainer
from purrtrait.arena import pace, written
from purrtrait.assemble import arithmetic, build, options
from purrtrait.assemble.restored import validator_of
from purrtrait.config import Recipe
from purrtrait.datasets.pack import HELD_OUT, Pack
from purrtrait.evaluation.judge import FEWEST
from purrtrait.evaluation.validity import expect_fit
from purrtrait.training.run import write_text
from purrtrait.types import Share

RECIPES = "recipes"  # the folder of the recipes as they are trained


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is asked for; of ``images``, ``minutes`` and ``tflop`` one is the budget.

    ``settings`` override options by ``RECIPE:KEY``, or by ``KEY`` in every recipe that has it;
    ``device`` and ``threads`` are None where nobody said, ``validator`` where none shall judge.
    """

    recipes: tuple[str, ...]
    data: Path
    seeds: tuple[int, ...]
    images: int | None = None
    minutes: float = float("inf")
    tflop: float | None = None
    settings: Mapping[str, str]
    samples: int = judging.COUNT
    extractor: str = "efficientnet-lite0"
    validator: Path | None = None
    device: str | None = None
    threads: int | None = None

    @property
    def budget(self) -> str:
        """The budget as it is said on the command line."""
        if self.images is not None:
            return str(self.images)
        return f"{self.minutes:.15g}min" if self.tflop is None else f"{self.tflop:.15g}TFLOP"


class Training(NamedTuple):
    """One of an arena's trainings: a recipe by its name, with a seed."""

    name: str
    seed: int


@dataclass(frozen=True)
class Arena:
    """An arena's folder and what takes place there: every recipe with its budget in images."""

    path: Path
    pack: Pack
    recipes: Mapping[str, Recipe]
    asked: Mapping[str, Any]
    wanted: Wanted

    @property
    def shape(self) -> build.Shape:
        """Size and channels of the pack's pictures."""
        return build.Shape(self.pack.size, self.pack.channels)

    @property
    def seeds(self) -> list[int]:
        """The seeds of each recipe's trainings."""
        return list(self.asked["seeds"])

    @property
    def trainings(self) -> list[Training]:
        """Seed by seed, so that a leaderboard that is not yet whole compares all recipes."""
        return [Training(name, seed) for seed in self.seeds for name in self.recipes]

    def recipe_file(self, name: str) -> Path:
        """Where a recipe stands as it is trained."""
        return self.path / RECIPES / f"{name}.toml"


def enter(path: Path, wanted: Wanted) -> Arena:
    """The arena in a folder, new or gone on with; ValueError says what stands in the way."""
    pack = Pack.open(wanted.data)
    recipes = contestants(wanted)
    validated = _expect_playable(recipes, pack, wanted)
    kept = written.read(path)
    asked = {
        "pack": pack.content_hash,
        "recipes": {name: config.dump(recipe) for name, recipe in recipes.items()},
        "seeds": list(wanted.seeds),
        "budget": wanted.budget,
        "samples": wanted.samples,
        "extractor": wanted.extractor,
        "validator": validated,
        "device": wanted.device or written.said(kept, "device") or str(machine.device()),
        "threads": wanted.threads or written.said(kept, "threads") or machine.threads(),
    }
    if kept:
        written.expect_same(path, kept["asked"], asked)
        budgets = kept["images"]
    else:
        budgets = {name: _images(recipe, pack, wanted, asked) for name, recipe in recipes.items()}
    trained = {
        name: options.override(recipe, {"budget": str(budgets[name])})[0]
        for name, recipe in recipes.items()
    }
    arena = Arena(path, pack, trained, asked, wanted)
    path.mkdir(parents=True, exist_ok=True)
    facts = {"schema": written.SCHEMA, "asked": asked, "images": budgets}
    write_text(path / written.FILE, json.dumps(facts, indent=1) + "\n")
    arena.recipe_file("").parent.mkdir(exist_ok=True)
    for name, recipe in trained.items():
        write_text(arena.recipe_file(name), config.dump(recipe))
    return arena


def contestants(wanted: Wanted) -> dict[str, Recipe]:
    """The recipes by name, with the settings that concern them and still their own budgets."""
    found: dict[str, Recipe] = {}
    for word in wanted.recipes:
        recipe = options.find(word)
        if recipe.name in found:
            raise ValueError(
                f"the recipe '{recipe.name}' is named twice; to compare two forms of it, write "
                "the other as a TOML file with a name of its own"
            )
        found[recipe.name] = recipe
    for key, value in wanted.settings.items():
        whose, _, option = key.rpartition(":")
        for name in _concerned(found, whose, option):
            found[name], _ = options.override(found[name], {option: value})
    return found


def _concerned(recipes: Mapping[str, Recipe], whose: str, option: str) -> list[str]:
    """The recipes that a setting is about: the one it names, or all that have such an option."""
    if whose:
        if whose not in recipes:
            raise ValueError(
                f"--set {whose}:{option}=...: no recipe '{whose}' is in this arena; there are "
                f"{', '.join(recipes)}"
            )
        return [whose]
    having = [name for name, recipe in recipes.items() if options.has(recipe, option)]
    # Where none has it, the first one's complaint says what is near.
    return having or list(recipes)[:1]


def _expect_playable(recipes: Mapping[str, Recipe], pack: Pack, wanted: Wanted) -> str | None:
    """ValueError where it cannot be held; or the fingerprint of the validator, if one judges."""
    judging.extractor(wanted.extractor)
    for count, what in (
        (len(pack.rows(HELD_OUT)), f"held-out pictures in {pack.path}"),
        (wanted.samples, "samples"),
    ):
        if count < FEWEST:
            raise ValueError(
                f"there are {count} {what}; expected at least {FEWEST} to be scored by"
            )
    if len(set(wanted.seeds)) < len(wanted.seeds):
        raise ValueError(f"a seed is named twice: {', '.join(map(str, wanted.seeds))}")
    sizes = {}
    for name, recipe in recipes.items():
        trainer.rehearse(recipe, pack, Share())
        sizes[name] = int(recipe.stages[-1].level.options.get("pixels", 0)) or pack.size
    if len(set(sizes.values())) > 1:
        raise ValueError(
            "the recipes draw portraits of different sizes "
            f"({', '.join(f'{name} {size} px' for name, size in sizes.items())}), which cannot be "
            "compared; --set pixels=0 makes them draw at the size of the pack"
        )
    if wanted.validator is None:
        return None
    validator = validator_of(wanted.validator, torch.device("cpu"))
    expect_fit(validator, next(iter(sizes.values())), pack.channels)
    return validator.fingerprint


def _images(recipe: Recipe, pack: Pack, wanted: Wanted, asked: Mapping[str, Any]) -> int:
    """The budget of a recipe in images."""
    if wanted.images is not None:
        return wanted.images
    tflop = wanted.tflop
    if tflop is None:
        rate = pace.tflop_per_second(recipe, pack, asked["device"], asked["threads"])
        tflop = rate * wanted.minutes * 60
    return arithmetic.images_for(recipe, build.Shape(pack.size, pack.channels), tflop)
