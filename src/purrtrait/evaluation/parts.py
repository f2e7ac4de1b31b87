"""Scores of the parts that pictures show, with their uncertainty, floor and ceilings."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np

from purrtrait.evaluation import factor_network, factors, features
from purrtrait.evaluation.factors import Factor, Namer
from purrtrait.evaluation.judgement import Score, beside
from purrtrait.evaluation.reference import (
    Bounds,
    Reference,
    Report,
    blurred,
    heard,
    kept,
    noise,
)

COUNTED = ("modes/", "divergence/")  # scores that depend on the number of pictures
FEWER = (
    "modes and divergence have no floor, since they depend on how many pictures are counted: "
    "{count} are held out, and there are {samples:,} samples; with --samples {count} they have one"
)


@dataclass(frozen=True)
class Parts:
    """Scores by name, and what a reader should know of them."""

    scores: Mapping[str, Score]
    notes: tuple[str, ...]


def judge(pixels: np.ndarray, reference: Reference, report: Report) -> Parts:
    """The scores of parts of pictures (N, H, W, C) uint8; none where a pack has no labels.

    A part that cannot be named well enough has none either, and a note says so. Floors are of
    held-out pictures, since the namer has learnt from the others. What depends on how many are
    counted has no bounds where fewer are held out than there are samples.
    """
    pack = reference.pack
    namer = factors.namer(pack, heard(report, "learning to name parts"), reference.size)
    notes = _notes(namer.factors)
    if not any(factor.trusted for factor in namer.factors):
        return Parts({}, notes)
    named = namer(pixels)
    values = factors.scores(namer.factors, named, pack)
    errors = factors.errors(namer.factors, named, pack)
    found = beside(values, errors, _bounds(namer, values, reference))
    totals = factors.totals(namer.factors)
    known = {n: replace(s, total=totals.get(n)) for n, s in found.items()}
    count = len(reference.held_out())
    if count >= len(pixels):
        return Parts(known, notes)
    counted = {n: s for n, s in known.items() if n.startswith(COUNTED)}
    bare = {n: replace(s, floor=None, ceilings={}) for n, s in counted.items()}
    return Parts(known | bare, (*notes, FEWER.format(count=count, samples=len(pixels))))


def _notes(known: tuple[Factor, ...]) -> tuple[str, ...]:
    refused = tuple(factor.reason for factor in known if not factor.trusted)
    trusted = [f"{factor.name} {factor.accuracy:.1%}" for factor in known if factor.trusted]
    if not trusted:
        return refused
    return (f"parts named rightly in held-out pictures: {', '.join(trusted)}", *refused)


def _bounds(namer: Namer, wanted: Collection[str], reference: Reference) -> Bounds:
    """The same scores of held-out pictures (the floor), blurred ones and noise; kept on disk."""
    pack = reference.pack

    def compute() -> Bounds:
        real = features.rows_of(pack, reference.held_out(), reference.size)
        seen = {"real": real, "blurred": blurred(real), "noise": noise(real)}
        return {name: factors.factor_scores(namer, pixels, pack) for name, pixels in seen.items()}

    names = [factor.name for factor in namer.factors if factor.trusted]
    key: list[str | int] = [factor_network.SCHEMA, reference.size, reference.count, *names]
    return kept(pack, "parts", key, wanted, compute)
