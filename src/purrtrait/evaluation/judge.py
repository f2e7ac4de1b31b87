"""Judges pictures against a pack: all metrics, the parts they show, whether they are copies."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from purrtrait.datasets.pack import HELD_OUT, TRAIN, Pack
from purrtrait.evaluation import features, nearness, parts, validity
from purrtrait.evaluation.features import Extractor
from purrtrait.evaluation.judgement import Judgement, Score, beside
from purrtrait.evaluation.neighbours import Memorisation, memorisation
from purrtrait.evaluation.pixels import Pixels, mirrored
from purrtrait.evaluation.reference import Reference, Report, errors, heard, scores, silent
from purrtrait.evaluation.validity import Validator
from purrtrait.types import Features

USUAL = 1000  # pictures on either side
FEWEST = 16  # below which nothing is said
FEW = 500  # and below which a note says that little is
CLOSEST = 16  # samples that are shown beside the training pictures nearest to them


def judge(
    pixels: np.ndarray,
    pack: Pack,
    extractor: Extractor,
    subject: str = "",
    report: Report = silent,
    validator: Validator | None = None,
) -> Judgement:
    """Scores of pictures (N, H, W, C) uint8 against the held-out part of a pack.

    The pack's pictures are reduced to the size of those judged. A validator says what it thinks of
    them, too. ValueError where the two cannot be compared, or are too few.
    """
    expect_comparable(pixels.shape[1:], pack)
    validity.expect_fit(validator, pixels.shape[1], pack.channels)
    expect_held_out(pack)
    if len(pixels) < FEWEST:
        raise ValueError(
            f"there are {len(pixels)} samples; expected at least {FEWEST}, and better {USUAL}. "
            "Draw more samples, or name a folder with more pictures"
        )
    reference = Reference(pack, extractor, pixels.shape[1], len(pixels))
    rows = reference.held_out()
    reals = reference.features(rows, report)
    samples = features.extract(extractor, pixels, heard(report, "features of the samples"))
    values, spread = scores(reals, samples), errors(reals, samples, report)
    found = beside(values, spread, reference.bounds(reals, values, report))
    named = parts.judge(pixels, reference, report)
    side, seen = replace(reference, extractor=Pixels()), features.extract(Pixels(), pixels)
    near = nearness.judge(seen, side, report)
    copying = _copying(side, seen, report)
    valid = validity.judge(pixels, reference, validator, report)
    return Judgement(
        subject=subject,
        pack=pack.content_hash,
        extractor=extractor.name,
        samples=len(pixels),
        reference=len(rows),
        scores={**found, **near, **valid, **named.scores, **copying.scores},
        notes=(*_notes(pixels, reference), *validity.notes(validator), *named.notes),
        copying=copying.said,
    )


@dataclass(frozen=True)
class Copying:
    """What the pixels say about copying: scores, and the finding with its histogram."""

    scores: Mapping[str, Score]
    said: Mapping[str, Any]


def _copying(side: Reference, samples: Features, report: Report) -> Copying:
    """Whether samples (N, F) lie nearer to the training pictures than unseen ones do, in pixels.

    A network's features lose copies: slight noise moves a picture further in them than another cat
    lies.
    """
    pack, count = side.pack, len(samples)
    train, held_out = pack.rows(TRAIN), pack.rows(HELD_OUT)
    found = memorisation(
        side.features(train, report),
        side.features(held_out, report),
        samples,
        (mirrored,) if pack.flip_natural else (),
        _lots(pack, np.concatenate([train, held_out])),
    )
    # Half a sample on either side: a share of none or all was counted, too.
    share = (found.copied * count + 0.5) / (count + 1)
    error = math.sqrt(share * (1 - share) / count)
    worst, lean = {"training pictures": 1.0}, found.lean
    away = found.away.double()
    return Copying(
        {
            "copied": Score(found.copied, error, found.expected, worst),
            "leaning": Score(lean.share, lean.error, lean.chance, worst),
            "nearest-training": Score(
                float(away.mean()),
                float(away.std()) / math.sqrt(count),
                float(found.unseen_away.double().mean()),
                {"training pictures": 0.0},
            ),
        },
        {**found.histogram(), "verdict": found.verdict, "closest": _closest(found, train, pack)},
    )


def _lots(pack: Pack, rows: np.ndarray) -> torch.Tensor | None:
    """By which lot each of some rows was held out, or not; None where each had its own."""
    groups = pack.manifest.groups
    if not groups:
        return None
    return torch.as_tensor(np.unique(np.array(groups)[rows], return_inverse=True)[1])


def _closest(found: Memorisation, train: np.ndarray, pack: Pack) -> list[dict[str, Any]]:
    """The samples that come nearest to a training picture: their numbers, and which it is."""
    order = found.samples.argsort(stable=True)[:CLOSEST].tolist()
    rows = train[found.nearest.numpy()]
    return [
        {
            "sample": number,
            "row": int(rows[number]),
            "photo": pack.manifest.photos[rows[number]],
            "distance": float(found.samples[number]),
        }
        for number in order
    ]


def _notes(pixels: np.ndarray, reference: Reference) -> list[str]:
    said, pack = [], reference.pack
    if pack.size != pixels.shape[1]:
        said.append(f"the pack's pictures were reduced from {pack.size} to {pixels.shape[1]} px")
    held_out, stand_ins = len(reference.held_out()), len(reference.stand_ins())
    for count, what in ((held_out, "held-out pictures"), (len(pixels), "samples")):
        if count < FEW:
            said.append(
                f"only {count} {what}: scores are the more biased the fewer there are; compare "
                "them with their floor, where there is one, and with nothing else"
            )
    if stand_ins < len(pixels):
        said.append(
            f"floors are of {stand_ins} real pictures, as there are no more to train on: fewer "
            f"than the {len(pixels)} samples"
        )
    return said


def expect_comparable(shape: Sequence[int], pack: Pack) -> None:
    """ValueError where pictures of a shape (H, W, C) are of another kind than a pack's."""
    high, wide, channels = shape
    if channels != pack.channels or high > pack.size or high != wide:
        raise ValueError(
            f"the pictures are {_kind(high, wide, channels)}, those of {pack.path} "
            f"{_kind(pack.size, pack.size, pack.channels)}; expected a pack of the same colours "
            "that is at least as large. Prepare one and name it with --against"
        )


def expect_held_out(pack: Pack) -> None:
    """ValueError where a pack holds out too few pictures to compare anything with."""
    count = len(pack.rows(HELD_OUT))
    if count < FEWEST:
        raise ValueError(
            f"there are {count} held-out pictures in {pack.path}; expected at least {FEWEST}, and "
            f"better {USUAL}. Prepare a pack with more pictures or a larger --split"
        )


def _kind(high: int, wide: int, channels: int) -> str:
    return f"{high} x {wide} px in {'grey' if channels == 1 else 'colour'}"
