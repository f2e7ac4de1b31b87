"""Judges pictures against the held-out part of a pack, and says where the numbers stand."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from purrtrait import model, wrapping
from purrtrait.datasets.folder import parse_folder
from purrtrait.datasets.pack import HELD_OUT, TRAIN, Pack
from purrtrait.datasets.photo import Unreadable, Wanted
from purrtrait.evaluation import EXTRACTORS, features
from purrtrait.evaluation.features import Extractor
from purrtrait.evaluation.judgement import Judgement, Score
from purrtrait.evaluation.neighbours import memorisation
from purrtrait.evaluation.pixels import Pixels
from purrtrait.evaluation.reference import Reference, Report, errors, heard, scores, silent
from purrtrait.images.colour import grey
from purrtrait.images.resize import fit
from purrtrait.sampling import bundle
from purrtrait.training import checkpoint
from purrtrait.training import run as runs
from purrtrait.version import VERSION

COUNT = 1000  # samples of an evaluation
FEWEST = 16  # pictures on either side, below which nothing is said
FEW = 500  # and below which a note says that little is
FILE = "scores.json"

CEILINGS = ("blurred reals", "noise")


def judge(
    pixels: np.ndarray, pack: Pack, extractor: Extractor, subject: str = "", report: Report = silent
) -> Judgement:
    """Scores of pictures (N, H, W, C) uint8 against the held-out part of a pack.

    The pack's pictures are reduced to the size of those judged. ValueError where the two cannot be
    compared, or are too few.
    """
    _expect_fit(pixels, pack)
    reference = Reference(pack, extractor, pixels.shape[1], len(pixels))
    rows = reference.held_out()
    reals = reference.features(rows, report)
    samples = features.extract(extractor, pixels, heard(report, "features of the samples"))
    values, spread = scores(reals, samples), errors(reals, samples, report)
    floor, *worse = reference.bounds(reals, report).values()
    made = Judgement(
        subject=subject,
        pack=pack.content_hash,
        extractor=extractor.name,
        samples=len(pixels),
        reference=len(rows),
        scores={
            name: Score(
                value,
                spread[name],
                floor[name],
                {what: bad[name] for what, bad in zip(CEILINGS, worse, strict=True)},
            )
            for name, value in values.items()
        },
        notes=tuple(_notes(pixels, pack, len(rows))),
    )
    return _with_copying(made, reference, pixels, report)


def _with_copying(
    judgement: Judgement, reference: Reference, pixels: np.ndarray, report: Report
) -> Judgement:
    """The judgement with what the pixels say about copying: a network's features lose copies.

    (Slight noise moves a picture further in the features than another cat lies.)
    """
    plain = Pixels()
    side = replace(reference, extractor=plain)
    train = side.features(reference.pack.rows(TRAIN), report)
    unseen = side.features(reference.pack.rows(HELD_OUT), report)
    found = memorisation(train, unseen, features.extract(plain, pixels))
    error = math.sqrt(found.copied * (1 - found.copied) / len(pixels))
    own = {"copied": Score(found.copied, error, found.expected)}
    return replace(
        judgement,
        scores={**judgement.scores, **own},
        copying=found.histogram() | {"verdict": found.verdict},
    )


def _notes(pixels: np.ndarray, pack: Pack, held_out: int) -> list[str]:
    said = []
    if pack.size != pixels.shape[1]:
        said.append(f"the pack's pictures were reduced from {pack.size} to {pixels.shape[1]} px")
    for count, what in ((held_out, "held-out pictures"), (len(pixels), "samples")):
        if count < FEW:
            said.append(
                f"only {count} {what}: scores are the more biased the fewer there are; compare "
                "them with their floor, and with nothing else"
            )
    return said


def _expect_fit(pixels: np.ndarray, pack: Pack) -> None:
    high, _, channels = pixels.shape[1:]
    if channels != pack.channels or high > pack.size:
        raise ValueError(
            f"the pictures are {_kind(high, channels)}, those of {pack.path} "
            f"{_kind(pack.size, pack.channels)}; expected a pack of the same colours that is at "
            "least as large. Prepare one and name it with --against"
        )
    for count, what in ((len(pack.rows(HELD_OUT)), "held-out pictures"), (len(pixels), "samples")):
        if count < FEWEST:
            raise ValueError(
                f"there are {count} {what}; expected at least {FEWEST}, and better {COUNT}. "
                "Prepare a pack with more pictures or a larger --split, or draw more samples"
            )


def _kind(size: int, channels: int) -> str:
    return f"{size} px in {'grey' if channels == 1 else 'colour'}"


def extractor(name: str) -> Extractor:
    """The extractor of a name; ValueError names the known ones."""
    if name not in EXTRACTORS:
        raise ValueError(f"unknown extractor '{name}'; known are {', '.join(EXTRACTORS)}")
    return EXTRACTORS[name]()


def evaluate(
    path: Path,
    against: Path | None = None,
    count: int = COUNT,
    seed: int = 0,
    extractor_name: str = "efficientnet-lite0",
    device: str = "auto",
    report: Report = silent,
) -> Judgement:
    """Judge what a run, checkpoint or bundle draws, or the pictures in a folder, against a pack.

    ``against`` is by default the pack that a run was trained on. The judgement says all that it
    takes to repeat it.
    """
    if count < FEWEST:
        raise ValueError(f"{count} samples are asked for; expected at least {FEWEST}")
    pack, known = open_pack(path, against), extractor(extractor_name)
    if _draws(path):
        drawer = model.load(path, device)
        pixels = drawn(drawer, count, seed, report)
        origin = {"seed": seed, "recipe": drawer.about["recipe"], **_moment(path)}
    else:
        pixels = _pictures(path, pack, count)
        origin = {}
    made = judge(pixels, pack, known, str(path), report)
    identity = {"identity": known.identity, "purrtrait": VERSION, "torch": torch.__version__}
    return replace(made, origin={**origin, **identity, "against": str(pack.path)})


def keep(judgement: Judgement, path: Path) -> None:
    """Write a judgement to a file, as a whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    runs.write_text(path, judgement.to_json())


def open_pack(path: Path, against: Path | None) -> Pack:
    """The pack that is named, or the one that a run was trained on."""
    if against is not None:
        return Pack.open(against)
    if (path / runs.REQUEST).is_file():
        return Pack.open(Path(runs.Run(path).request()["data"]))
    raise ValueError(f"{path} is no run, which would know its pack: name one with --against PACK")


def _draws(path: Path) -> bool:
    return any((path / file).is_file() for file in (runs.REQUEST, bundle.DESCRIPTION))


def _moment(path: Path) -> Mapping[str, Any]:
    """Which checkpoint it was, where it was one."""
    folder = wrapping.sampler_folder(path)
    if not (folder / checkpoint.FACTS).is_file():
        return {}
    found = checkpoint.read(folder)
    return {"checkpoint": folder.name, "images_seen": found.images_seen}


def drawn(drawer: model.Model, count: int, seed: int, report: Report = silent) -> np.ndarray:
    """Portraits (count, H, W, C) uint8 of a seed."""
    z = drawer.latents(count, seed)
    made: list[np.ndarray] = []
    for rows in z.split(model.DRAWN_AT_ONCE):
        made.append(drawer.draw(rows))
        report("samples", sum(map(len, made)), count)
    return np.concatenate(made)


def _pictures(path: Path, pack: Pack, count: int) -> np.ndarray:
    """Up to ``count`` pictures of a folder, cut and resized as the pack's were."""
    collection = parse_folder(Wanted(path, pack.size, count, 0))
    found: list[np.ndarray] = []
    for photo in collection.photos:
        try:
            pixels = fit(photo.read(), pack.size)
        except Unreadable:
            continue
        found.append(grey(pixels) if pack.channels == 1 else pixels)
    if len(found) < FEWEST:
        raise ValueError(
            f"{path} holds {len(found)} pictures that can be read; expected at least {FEWEST}"
        )
    return np.stack(found)


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows of texts as lines: the first column to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if place in (0, len(row) - 1) else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
