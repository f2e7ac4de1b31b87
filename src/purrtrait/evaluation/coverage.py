"""Precision, recall, density, coverage: whether samples lie among reals, and reals among them."""

from __future__ import annotations

import torch

from purrtrait.evaluation.distances import reach, squared
from purrtrait.types import Features

NEIGHBOURS = 5


def coverage(reals: Features, samples: Features, neighbours: int = NEIGHBOURS) -> dict[str, float]:
    """Precision and recall (Kynkäänniemi et al. 2019, equations 1 and 2), density and coverage.

    The latter two are those of Naeem et al. 2020, equations 6 and 7. A picture's neighbourhood is
    the ball that reaches to the k-th nearest other picture of its own set, here the fifth for all
    four (Kynkäänniemi et al. take the third for the former two). ValueError unless either side
    has more than k rows.
    """
    of_reals, of_samples = reach(reals, neighbours), reach(samples, neighbours)
    among, balls = 0, 0
    reached = torch.zeros(len(reals), dtype=torch.bool)
    closest = torch.full((len(reals),), torch.inf)
    for rows, block in squared(samples, reals):  # (b, reals)
        inside = block <= of_reals
        balls += int(inside.count_nonzero())
        among += int(inside.any(1).count_nonzero())
        reached |= (block <= of_samples[rows, None]).any(0)
        closest = torch.minimum(closest, block.amin(0))
    return {
        "precision": among / len(samples),
        "recall": float(reached.double().mean()),
        "density": balls / (neighbours * len(samples)),
        "coverage": float((closest <= of_reals).double().mean()),
    }
