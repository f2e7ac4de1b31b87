"""A pyramid of three stages that is trained in a moment, for tests of what is done with one."""

from __future__ import annotations

import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any

import purrtrait
from purrtrait.datasets.pack import Pack
from purrtrait.training.run import Run

STAGES = ["base", "refine-12", "refine-16"]
SIZES = [8, 12, 16]

PLAYERS = """
[stages.players.critic]
network = {{ name = "refiner", width = 4 }}
optimiser = "adam"
lr = 1e-3

[stages.players.generator]
network = {generator}
optimiser = "adam"
lr = 1e-3
"""
STAGE = """
[[stages]]
name = "{name}"
batch = 8
budget = 16
level = {level}
objective = {{ name = "adversarial", game = "non-saturating" }}
"""
WHOLE = '{ name = "whole", pixels = 8 }'
DENSE = '{ name = "dense", latent = 6, width = 16 }'
REFINER = '{ name = "refiner", plan = "narrow-5", width = 4 }'


def recipe(folder: Path) -> str:
    """The file of the recipe: 8 px by a dense generator, refined to 12 and to 16 px."""
    text = 'summary = "a small pyramid"\nsource = "a test"\n'
    text += STAGE.format(name="base", level=WHOLE) + PLAYERS.format(generator=DENSE)
    for coarse, pixels in pairwise(SIZES):
        level = f'{{ name = "detail", coarse = {coarse}, pixels = {pixels} }}'
        text += STAGE.format(name=f"refine-{pixels}", level=level)
        text += PLAYERS.format(generator=REFINER)
    file = folder / "stacked.toml"
    file.write_text(text, encoding="utf-8")
    return str(file)


def trained(pack: Pack) -> Run:
    """A finished run beside the pack, made when first asked for, that no test may change."""
    runs = pack.path.parent / "stacked"
    if not runs.exists():
        runs.mkdir()
        upkeep = {"previews": 0, "tensorboard": False, "score_samples": 0}
        asked: dict[str, Any] = {"runs_folder": runs, "seed": 1, "device": "cpu", "upkeep": upkeep}
        purrtrait.train(recipe(runs), pack.path, **asked)
    return Run(runs / "stacked-01")


def copy(run: Run, folder: Path) -> Run:
    """A copy that a test may change."""
    return Run(Path(shutil.copytree(run.path, folder / "runs" / "copy-01")))
