"""Makes bundles of checkpoints: weights in full or half precision, and a model card."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from purrtrait import config, shelf
from purrtrait.assemble import arithmetic, build
from purrtrait.config import Recipe
from purrtrait.evaluation.judgement import Judgement, Score, meaning, number
from purrtrait.images.resize import to_uint8
from purrtrait.sampling import bundle
from purrtrait.sampling.latents import latents
from purrtrait.training.checkpoint import Checkpoint
from purrtrait.types import Sampler
from purrtrait.version import VERSION
from purrtrait.words import lookup

COMPARED, AT_ONCE = 256, 64  # portraits
SHOWN = ("frechet", "kernel", "precision", "recall", "coverage")  # scores on a card

CARD = """# {recipe}, trained with purrtrait

A generator of {size} x {size} px portraits: {summary}.

Training pictures: {credit}.

| | |
|---|---|
| recipe | {recipe} ({source}) |
| real pictures seen | {images:,} |
| seed | {seed} |
| pack | {pack} |
| purrtrait | {version} |
{rows}
Draw 64 portraits with `purrtrait sample . --count 64 --out portraits`, or in Python with
`purrtrait.load(".").sample(64, seed=7)`.

What comes out looks like the training pictures and shares their biases and their terms of use.
"""
JUDGED = (
    "{samples:,} samples against {reference:,} held-out pictures of the pack {pack}, as "
    "{extractor} sees them"
)
ROUNDED = (
    "in half precision: in {count} portraits, no pixel is further than {largest} of 255 from what "
    "the full weights draw, and the mean difference is {mean:.2g}; scores are of the full weights"
)


class Apart(NamedTuple):
    """How far portraits are from others of the same latents, in grey levels of 0 to 255."""

    largest: int
    mean: float


class Made(NamedTuple):
    """A bundle, its size in bytes, and how far its portraits are from those of the checkpoint."""

    path: Path
    size_bytes: int
    apart: Apart


def make(found: Checkpoint, out: Path, precision: str, judgement: Judgement | None) -> Made:
    """Write the bundle of a checkpoint into a new folder, whole or not at all.

    ``precision`` is a name in ``bundle.PRECISIONS``; ``judgement`` has the checkpoint's scores, for
    the card. ValueError if the folder is there, or the checkpoint draws nothing.
    """
    lookup(bundle.PRECISIONS, "precision", precision)
    recipe, whole = config.loads(str(found.facts["recipe"])), bundle.load(found.path)
    with shelf.placing(out) as place:
        bundle.write(place, found.path, "", precision)
        away = apart(whole, bundle.load(place))
        rows = {**_budget(recipe, found), **_scores(judgement), **_precision(precision, away)}
        (place / bundle.CARD).write_text(card(recipe, found, rows), encoding="utf-8")
    size = sum(file.stat().st_size for file in out.iterdir())
    return Made(out, size, away)


def card(recipe: Recipe, found: Checkpoint, rows: Mapping[str, str] | None = None) -> str:
    """The model card of a checkpoint, with further rows of its table."""
    said = bundle.describe(found.path)
    return CARD.format(
        recipe=recipe.name,
        summary=recipe.summary,
        source=recipe.source,
        size=said["size"],
        credit=said["credit"],
        images=found.images_seen,
        seed=found.facts["seed"],
        pack=str(found.facts["pack"])[:12],
        version=VERSION,
        rows="".join(f"| {name} | {words} |\n" for name, words in (rows or {}).items()),
    )


def apart(one: Sampler, other: Sampler) -> Apart:
    """How far the first portraits of seed 0 that two samplers draw are from each other."""
    z = latents(COMPARED, one.latent_size, one.prior, 0)
    levels = [
        np.stack([to_uint8(one(rows)), to_uint8(other(rows))]).astype(int)
        for rows in z.split(AT_ONCE)
    ]
    away = np.abs(np.diff(np.concatenate(levels, 1), axis=0))
    return Apart(int(away.max()), float(away.mean()))


def _budget(recipe: Recipe, found: Checkpoint) -> dict[str, str]:
    said = bundle.describe(found.path)
    shape = build.Shape(int(said["size"]), int(said["channels"]))
    tera = arithmetic.flop(recipe, shape) / arithmetic.TERA
    pictures = " and ".join(f"{stage.budget:,}" for stage in recipe.stages)
    return {"budget": f"{pictures} real pictures, {number(tera)} TFLOP of counted arithmetic"}


def _scores(judgement: Judgement | None) -> dict[str, str]:
    if judgement is None:
        return {}
    shown = {name: judgement.scores[name] for name in SHOWN if name in judgement.scores}
    return {
        "scores": JUDGED.format(
            samples=judgement.samples,
            reference=judgement.reference,
            pack=judgement.pack[:12],
            extractor=judgement.extractor,
        ),
        **{name: _score(name, score) for name, score in shown.items()},
    }


def _score(name: str, score: Score) -> str:
    scatter = "" if score.error is None else f" ± {number(score.error)}"
    floor = "" if score.floor is None else f"; real pictures get {number(score.floor)}"
    return f"{number(score.value)}{scatter} ({meaning(name)} is better{floor})"


def _precision(name: str, away: Apart) -> dict[str, str]:
    """What half precision changes; nothing is said of weights that are the same."""
    if name == bundle.FULL:
        return {}
    return {"weights": ROUNDED.format(count=COMPARED, **away._asdict())}
