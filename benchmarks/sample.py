"""Measures `sample` with critics: many portraits drawn and judged, the chosen refined best of ten.

Run ``python benchmarks/sample.py --json out.json``. Networks are those of the recipes before any
training, which cost what they cost afterwards. Beside the seconds stands the counted arithmetic:
what a portrait of the lowest stage costs with its verdict, and one refinement with its own; and
what is spent in all, as networks are written and as they are computed here.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from purrtrait import choosing, machine
from purrtrait.assemble import build, options, pyramid
from purrtrait.assemble.arithmetic import counted
from purrtrait.choosing import Asked, Drawn, Pyramid
from purrtrait.config import Recipe
from purrtrait.types import Critic, Draw, Generator, Sampler

CPU = torch.device("cpu")
SIZE = 32
CASES = {
    "cat-generator, grey": ("cat-generator", 1),
    "cat-generator, colour": ("cat-generator", 3),
    "lapgan, colour": ("lapgan", 3),
}


def untrained(name: str, channels: int) -> Pyramid:
    """The stages of a recipe that draw, each with its critic, as they are before training."""
    recipe, shape = options.find(name), build.Shape(SIZE, channels)
    samplers: list[Sampler] = []
    names: list[str] = []
    critics: list[Critic | None] = []
    top = next(n for n in reversed(range(len(recipe.stages))) if pyramid.draws(recipe, n))
    for number in standing(recipe, top, shape):
        stage = recipe.stages[number]
        built = build.stage(stage, shape, 0, CPU)
        objective = built.objective.eval().requires_grad_(False)
        drawer, critic = objective.subject(), objective.players()["critic"]
        assert isinstance(drawer, Generator) and isinstance(critic, Critic)
        samplers.append(built.level.join(drawer, samplers[-1] if samplers else None))
        names.append(stage.name)
        critics.append(critic)
    return Pyramid(samplers, names, critics, CPU)


def standing(recipe: Recipe, top: int, shape: build.Shape) -> list[int]:
    """The numbers of the stages that a stage stands on, lowest first, and its own."""
    lower = pyramid.under(recipe, top, shape)
    return [top] if lower is None else [*standing(recipe, lower, shape), top]


def refine(made: Pyramid, asked: Asked, drawn: Drawn) -> int:
    """Refine all that was chosen, and as many training pictures; how many pictures these are."""
    rows = torch.cat(list(drawn.sets.values())).unique()
    own = torch.arange(asked.keep)
    side = drawn.portraits.shape[1:]
    reals = Draw(0, "benchmark", 0).uniform((asked.keep, *side), "pictures", -1, 1)
    chosen = drawn.portraits[rows]
    for stage in range(1, len(made.samplers)):
        reals = choosing.refined(made, stage, asked, drawn, own, reals)
        chosen = choosing.refined(made, stage, asked, drawn, rows, chosen)
    return len(rows) + len(own)


@contextmanager
def timed(facts: dict[str, float], name: str) -> Iterator[None]:
    """Seconds on the wall, and those of the processor, which other work lengthens less."""
    wall, processor = time.perf_counter(), time.process_time()
    yield
    facts[f"{name} seconds"] = time.perf_counter() - wall
    facts[f"{name} processor seconds"] = time.process_time() - processor


def measured(made: Pyramid, asked: Asked, plain: bool) -> dict[str, float]:
    """What drawing and refining take, and what they count."""
    facts: dict[str, float] = {}
    few = replace(asked, drawn=4, keep=1, k=1)

    def cost() -> tuple[float, float]:
        """Operations of a portrait with its verdict, and of a refinement with its own."""
        tiny = choosing.drawn(made, few, 0)
        pictures = refine(made, few, tiny)  # which transforms the kernels
        drawing = counted(lambda: choosing.drawn(made, few, 0)) / few.drawn
        return drawing, counted(lambda: refine(made, few, tiny)) / pictures

    written = cost()  # as it stands in the recipe
    if not plain:
        choosing.hastened(made)
    spent = cost()
    with timed(facts, "drawing"):
        drawn = choosing.drawn(made, asked, 0)
    with timed(facts, "refining"):
        pictures = refine(made, asked, drawn)
    seconds = facts["drawing seconds"] + facts["refining seconds"]
    processor = facts["drawing processor seconds"] + facts["refining processor seconds"]
    recipe, really = (
        (drawing * asked.drawn + once * pictures * asked.k) / 1e12
        for drawing, once in (written, spent)
    )
    return facts | {
        "portraits drawn": asked.drawn,
        "pictures refined": pictures,
        "seconds": seconds,
        "portraits drawn a second": asked.drawn / facts["drawing seconds"],
        "pictures refined a second": pictures / facts["refining seconds"],
        "GFLOP a portrait": written[0] / 1e9,
        "GFLOP a refinement": written[1] / 1e9,
        "TFLOP": recipe,
        "TFLOP spent": really,
        "GFLOP a processor second": 1e3 * really / processor,
    }


def main() -> None:
    """Measure and print; with --json also write the numbers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--drawn", type=int, default=1024)
    parser.add_argument("--keep", type=int, default=64)
    parser.add_argument("--refine-k", type=int, default=10)
    parser.add_argument("--only", help="one of the cases, by a part of its name")
    parser.add_argument("--plain", action="store_true", help="with all convolutions as they are")
    parser.add_argument("--threads", type=int, default=machine.threads())
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    asked = Asked(drawn=given.drawn, keep=given.keep, k=given.refine_k)
    facts: dict[str, Any] = {
        "torch": torch.__version__,
        "threads": given.threads,
        "load": os.getloadavg()[0],
    }
    for name, (recipe, channels) in CASES.items():
        if (given.only or "") in name:
            with machine.kept_memory():  # as the command does
                facts[name] = measured(untrained(recipe, channels), asked, given.plain)
            print(f"{name}: " + ", ".join(f"{k} {v:.3g}" for k, v in facts[name].items()))
    if given.json:
        given.json.write_text(json.dumps(facts, indent=1))


if __name__ == "__main__":
    main()
