"""Precision, recall, density and coverage: do samples lie among the reals, and reals among them?"""

from __future__ import annotations

import torch
from torch import Tensor

from purrtrait.evaluation.distances import radii, squared
from purrtrait.types import Features

NEIGHBOURS = 5


def coverage(reals: Features, samples: Features, neighbours: int = NEIGHBOURS) -> dict[str, float]:
    """Precision and recall (Kynkaanniemi et al. 2019, equations 1 and 2), density and coverage.

    The latter two are those of Naeem et al. 2020, equations 6 and 7. A picture's neighbourhood is
    the ball that reaches to the k-th nearest other picture of its own set, here the fifth for all
    four (Kynkaanniemi et al. take the third for the former two).
    """
    of_reals = radii(reals, neighbours).square()
    of_samples = radii(samples, neighbours).square()
    among, balls = 0, 0
    for _, block in squared(samples, reals):  # (b, reals)
        inside = block <= of_reals
        balls += int(inside.sum())
        among += int(inside.any(1).sum())
    reached, covered = 0, 0
    for rows, block in squared(reals, samples):  # (b, samples)
        reached += int((block <= of_samples).any(1).sum())
        covered += int((_closest(block) <= of_reals[rows]).sum())
    return {
        "precision": among / len(samples),
        "recall": reached / len(reals),
        "density": balls / (neighbours * len(samples)),
        "coverage": covered / len(reals),
    }


def _closest(block: Tensor) -> Tensor:
    return torch.amin(block, 1)
