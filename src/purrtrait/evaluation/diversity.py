"""How varied samples are, and how many of them are nearly the same picture."""

from __future__ import annotations

from torch import Tensor

from purrtrait.evaluation.distances import (
    mean_distance,
    mean_distance_without,
    radii,
    radii_without,
)
from purrtrait.types import Features

NEAR = 0.5  # of the usual distance between a real picture and its nearest neighbour
TINY = 1e-12  # reals that are all alike have no spread, and still a ratio


def diversity(reals: Features, samples: Features) -> dict[str, float]:
    """Mean pairwise distance of samples over that of reals, and the share of duplicates.

    A sample is a duplicate when another sample is as near as half the median distance of a real
    picture to its nearest neighbour: about as far as noise of four grey levels, or a move by a
    pixel, takes a picture. Fewer pictures lie further apart: compare equal numbers. ValueError for
    fewer than two rows.
    """
    return {
        "diversity": mean_distance(samples) / max(mean_distance(reals), TINY),
        "duplicates": float((radii(samples, 1) <= _threshold(reals)).double().mean()),
    }


def left_out(reals: Features, samples: Features, group: Tensor) -> list[dict[str, float]]:
    """Both without the samples of each group in turn; samples have their group (N,)."""
    varied = mean_distance_without(samples, group) / max(mean_distance(reals), TINY)
    near = radii_without(samples, group, 1) <= _threshold(reals)  # (N, G)
    return [
        {"diversity": float(one), "duplicates": float(near[group != g, g].double().mean())}
        for g, one in enumerate(varied)
    ]


def _threshold(reals: Features) -> Tensor:
    return NEAR * radii(reals, 1).median()
