"""Precision, recall, density, coverage: whether samples lie among reals, and reals among them."""

from __future__ import annotations

import torch
from torch import Tensor

from purrtrait.evaluation.distances import reach, reach_without, squared
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


def left_out(
    reals: Features, samples: Features, group: Tensor, neighbours: int = NEIGHBOURS
) -> list[dict[str, float]]:
    """The same without the samples of each group in turn; samples have their group (N,).

    Each sample is compared with each real picture once: a picture that a group's samples reach, or
    come close to, counts for all other groups; and where a group is missing, the balls of those
    that had it around them are larger.
    """
    of_reals, of_samples = reach(reals, neighbours), reach(samples, neighbours)
    larger = reach_without(samples, group, neighbours)  # (N, G)
    number = larger.shape[1]
    among, balls = (torch.zeros(number, dtype=torch.int64) for _ in range(2))
    reached = torch.zeros(number, len(reals), dtype=torch.bool)
    closest = torch.full((number, len(reals)), torch.inf)
    for g in range(number):
        own = (group == g).nonzero().flatten()
        for rows, block in squared(samples[own], reals):  # (b, reals)
            inside, some = block <= of_reals, own[rows]
            balls[g] += inside.count_nonzero()
            among[g] += inside.any(1).count_nonzero()
            closest[g] = torch.minimum(closest[g], block.amin(0))
            within = (block <= of_samples[some, None]).any(0)
            for other in range(number):
                if other != g:
                    grown = larger[some, other] > of_samples[some]
                    more = block[grown] <= larger[some[grown], other, None]
                    reached[other] |= within | more.any(0)
    kept = len(samples) - torch.bincount(group, minlength=number)
    nearest = torch.stack([closest[torch.arange(number) != g].amin(0) for g in range(number)])
    return [
        {
            "precision": float((among.sum() - among[g]) / kept[g]),
            "recall": float(reached[g].double().mean()),
            "density": float((balls.sum() - balls[g]) / (neighbours * kept[g])),
            "coverage": float((nearest[g] <= of_reals).double().mean()),
        }
        for g in range(number)
    ]
