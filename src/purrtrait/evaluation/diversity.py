"""How varied samples are, and how many of them are nearly the same picture."""

from __future__ import annotations

import torch

from purrtrait.evaluation.distances import radii, squared
from purrtrait.types import Features

RARE = 0.01  # share of the reals that are as near to another real as a duplicate is
SCALE = 0.75  # and a duplicate is nearer still: this share of that distance


def diversity(reals: Features, samples: Features) -> dict[str, float]:
    """Mean pairwise distance of samples over that of reals, and the share of duplicates.

    A sample is a duplicate when another sample is nearer than three quarters of the distance that
    only one real picture in a hundred has to its nearest neighbour. (Fewer pictures lie further
    apart: compare equal numbers.)
    """
    threshold = SCALE * radii(reals, 1).quantile(RARE)
    return {
        "diversity": mean_distance(samples) / max(mean_distance(reals), 1e-12),
        "duplicates": float((radii(samples, 1) < threshold).float().mean()),
    }


def mean_distance(features: Features) -> float:
    """Mean Euclidean distance over all pairs of different rows."""
    count = len(features)
    if count < 2:
        raise ValueError(f"{count} picture has no pairs; expected at least 2 on either side")
    total = torch.zeros((), dtype=torch.float64)
    for rows, block in squared(features, features):
        within = torch.arange(len(block))
        block[within, within + rows.start] = 0  # itself, where rounding leaves a little
        total += block.sqrt_().sum(1).double().sum()
    return float(total) / (count * (count - 1))
