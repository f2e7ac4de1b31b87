"""How varied samples are, and how many of them are nearly the same picture."""

from __future__ import annotations

from purrtrait.evaluation.distances import mean_distance, radii
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
    threshold = NEAR * radii(reals, 1).median()
    return {
        "diversity": mean_distance(samples) / max(mean_distance(reals), TINY),
        "duplicates": float((radii(samples, 1) <= threshold).double().mean()),
    }
