"""Shows how a run learnt: portraits of the same latents by each of its checkpoints."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from purrtrait import machine
from purrtrait.evaluation.reference import Report, silent
from purrtrait.images import sheet
from purrtrait.model import Model
from purrtrait.sampling import bundle
from purrtrait.training import checkpoint
from purrtrait.training import run as runs

LEAST = 64  # pixels: portraits are shown at least as large

log = logging.getLogger(__name__)


def gallery(
    run: Path,
    count: int,
    seed: int,
    temperature: float,
    device: str,
    report: Report = silent,
    truncation: float = math.inf,
) -> np.ndarray:
    """A row of ``count`` portraits for each whole checkpoint of a run: (H, W, C).

    They come stage by stage, the oldest first, all drawn from the same seed. ValueError where no
    checkpoint draws portraits.
    """
    found = sorted(_drawing(runs.open_run(run)), key=lambda one: one.place)
    where = machine.device(device)
    if not found:
        raise ValueError(
            f"{run} has no checkpoint that draws portraits yet; train on with "
            f"`purrtrait resume {run}`"
        )
    pictures: list[np.ndarray] = []
    for one in found:
        drawer = Model(bundle.load(one.path, where), bundle.describe(one.path), where)
        pixels = drawer.sample(count, seed=seed, temperature=temperature, truncation=truncation)
        row = sheet.grid(pixels, count, scale=max(1, LEAST // pixels.shape[1]))
        pictures.append(sheet.captioned(row, f"{one.stage}, {one.images_seen:,} images"))
        report("checkpoints", len(pictures), len(found))
    return _stacked(pictures)


def _drawing(run: runs.Run) -> Iterator[checkpoint.Checkpoint]:
    """The whole checkpoints of a run that draw portraits."""
    for path in run.found():
        try:
            found = checkpoint.read(path)
            draws = bundle.describe(path)["stages"]
        except ValueError as error:
            log.warning("%s; going on without it", error)
            continue
        if draws:
            yield found


def _stacked(pictures: list[np.ndarray]) -> np.ndarray:
    """Pictures one below the other, narrower ones on white."""
    wide = max(picture.shape[1] for picture in pictures)
    return np.concatenate(
        [
            np.pad(one, ((0, 0), (0, wide - one.shape[1]), (0, 0)), constant_values=sheet.WHITE)
            for one in pictures
        ]
    )
