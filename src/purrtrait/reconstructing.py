"""Lays photos beside what runs draw of them, and says how alike the two are."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import torch

from purrtrait.encoding import Pair
from purrtrait.evaluation.features import Extractor, extract
from purrtrait.evaluation.frechet import frechet
from purrtrait.evaluation.reference import Report, silent
from purrtrait.evaluation.sharpness import sharpness
from purrtrait.images import sheet
from purrtrait.images.resize import to_images

FEWEST = 2  # pictures that have a spread
LEAST = 1e-3  # levels of grey: pictures that are less sharp are plain
AT_ONCE = 256  # pictures whose sharpness is measured


def sheet_of(pairs: Sequence[Pair], originals: np.ndarray) -> np.ndarray:
    """A sheet (h, w, C) uint8 with a row for originals (N, H, W, C) and one for each pair."""
    rows = [("original", originals), *((pair.name, pair.redraw(originals)) for pair in pairs)]
    return np.concatenate([_row(*row) for row in rows])


def expect_alike(pairs: Sequence[Pair]) -> None:
    """ValueError unless all pairs draw pictures of one size and number of channels."""
    first = pairs[0]
    for pair in pairs:
        if (pair.size, pair.channels) != (first.size, first.channels):
            raise ValueError(
                f"{pair.name} draws pictures of {pair.size} px with {pair.channels} channels, the "
                f"first run of {first.size} px with {first.channels}; expected runs that draw the "
                "same"
            )


def compared(
    pairs: Sequence[Pair], originals: np.ndarray, extractor: Extractor, report: Report = silent
) -> dict[str, dict[str, float]]:
    """How alike originals (N, H, W, C) uint8 and what each pair draws of them are, by its name.

    ``squared difference`` is the mean square of the differences of values in [0, 1]; ``sharpness``
    that of what is drawn over that of the originals, means over pictures: 1 is as sharp;
    ``frechet`` the Frechet distance between the features of both. Two pictures at least are needed
    for that; of fewer nothing is said.
    """
    if len(originals) < FEWEST:
        return {}
    own = extract(extractor, originals, partial(report, "features"))
    sharp = _sharpness(originals)
    found = {}
    for pair in pairs:
        drawn = pair.redraw(originals, report)
        apart = (drawn.astype(np.float32) - originals) / 255
        features = extract(extractor, drawn, partial(report, "features"))
        found[pair.name] = {
            "squared difference": float(np.square(apart, dtype=np.float64).mean()),
            "sharpness": _sharpness(drawn) / max(sharp, LEAST),
            "frechet": frechet(own, features)["frechet"],
        }
    return found


def _sharpness(pixels: np.ndarray) -> float:
    parts = [
        sharpness(to_images(pixels[start : start + AT_ONCE]))
        for start in range(0, len(pixels), AT_ONCE)
    ]
    return float(torch.cat(parts).mean())


def _row(name: str, pixels: np.ndarray) -> np.ndarray:
    scale = sheet.enlargement(pixels.shape[2])
    return sheet.captioned(sheet.grid(pixels, len(pixels), scale=scale), name)
