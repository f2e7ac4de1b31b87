"""Measures how much counted arithmetic a recipe's training gets through in a second."""

from __future__ import annotations

import sys
import time

from purrtrait import machine, trainer
from purrtrait.assemble import arithmetic, build, pyramid
from purrtrait.config import Recipe
from purrtrait.datasets.batches import Feed
from purrtrait.datasets.pack import TRAIN, Pack
from purrtrait.training.fit import fit
from purrtrait.training.state import State
from purrtrait.types import Batch, Draw, Progress

SECONDS = 5.0  # of training that are measured
WARM = 3  # steps before them


def tflop_per_second(
    recipe: Recipe, pack: Pack, device: str, threads: int, seconds: float = SECONDS
) -> float:
    """The rate at which the recipe's stages train here, each measured for as long.

    In arithmetic and not in images, since the first steps need not be like all others (bursts of
    the critic's moves).
    """
    with trainer.own_torch(threads):
        stages = range(len(recipe.stages))
        rates = [_rate(recipe, number, pack, device, seconds) for number in stages]
    return sum(rates) / len(rates) / arithmetic.TERA


def _rate(recipe: Recipe, number: int, pack: Pack, device: str, seconds: float) -> float:
    """FLOP a second of one stage."""
    stage = recipe.stages[number]
    shape, where = build.Shape(pack.size, pack.channels), machine.device(device)
    built = build.stage(stage, shape, 0, where)
    under = pyramid.below(recipe, number, shape, where)
    feed = Feed(
        pack.images,
        pack.rows(TRAIN),
        stage.batch,
        Draw(0, stage.name, 0, device=where),
        variation=build.variation(stage),
        round_images=stage.round_images,
    )

    def batch(now: Progress) -> Batch:
        return built.level.cut(feed.portraits(now), under, feed.draw(now))

    state = State(built.objective, built.paces, batch, stage.half_life_images, len(feed))
    steps = zip(fit(state, sys.maxsize), arithmetic.spending(recipe, number, shape), strict=False)
    for _ in range(WARM):
        _, (_, before) = next(steps)
    begun, whole = time.perf_counter(), 0.0
    while whole < seconds:
        _, (_, spent) = next(steps)
        whole = time.perf_counter() - begun
    return (spent - before) / whole
