"""Did it learn or copy? Exact nearest training pictures, and how near unseen photos come to them.

A picture of a face that the training set does not hold still has a nearest neighbour in it. How
near that lies for pictures that nobody trained on is known: from those held out. A generator that
draws faces of its own comes as near as they do; one that has learnt its training pictures by heart
comes nearer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from purrtrait.evaluation.distances import nearest
from purrtrait.types import Features

RATE = 0.01  # share of unseen photos that the threshold accuses
SURE = 3.0  # standard errors above that rate, from which on copying is said


@dataclass(frozen=True)
class Memorisation:
    """How near samples come to the training set, beside how near unseen photos do.

    ``samples`` (N,) and ``unseen`` (M,) are distances to the nearest training picture, ``nearest``
    (N,) the row numbers of those. ``copied`` is the share of samples within ``threshold``, within
    which 1 in 100 of the unseen lies: ``expected``, which is more where many unseen photos equal a
    training picture, as among kittens that are put together from a few parts.
    """

    samples: Tensor
    unseen: Tensor
    threshold: float
    copied: float
    expected: float
    nearest: Tensor

    @property
    def surplus(self) -> float:
        """By how many standard errors more samples are near than would be among unseen photos.

        Both shares are counted, so both are uncertain: the pooled two-sample binomial statistic.
        """
        count, other = len(self.samples), len(self.unseen)
        pooled = (self.copied * count + self.expected * other) / (count + other)
        error = math.sqrt(max(pooled * (1 - pooled), 1 / (count + other)) * (1 / count + 1 / other))
        return (self.copied - self.expected) / error

    def histogram(self, bins: int = 30) -> dict[str, list[float]]:
        """Shares of samples and of unseen photos at distances between ``edges``."""
        top = float(torch.cat([self.samples, self.unseen]).quantile(0.995))
        edges = torch.linspace(0, max(top, 1e-6), bins + 1)
        shares = {
            name: (torch.histogram(distances, edges).hist / len(distances)).tolist()
            for name, distances in (("samples", self.samples), ("unseen", self.unseen))
        }
        return {"edges": edges.tolist(), **shares, "threshold": [self.threshold]}

    @property
    def verdict(self) -> str:
        """The finding in a sentence."""
        found = "pictures were copied" if self.surplus > SURE else "no sign of copying"
        return (
            f"{self.copied:.1%} of the samples are as near to a training picture as "
            f"{self.expected:.1%} of unseen photos are: {found}"
        )


def memorisation(train: Features, unseen: Features, samples: Features) -> Memorisation:
    """Compare the samples' distances to the training set with those of unseen photos (M, F).

    The threshold is the 1 % quantile of the unseen ones: below it lies about 1 % of any other
    photos of their kind too, however alike the pictures of the set are among themselves. ValueError
    for fewer than 16 unseen photos.
    """
    if len(unseen) < 16:
        raise ValueError(
            f"{len(unseen)} held-out pictures say nothing about copying; expected at least 16"
        )
    distances, rows = nearest(samples, train)
    others, _ = nearest(unseen, train)
    threshold = float(others.quantile(RATE))
    copied, expected = (float((d <= threshold).float().mean()) for d in (distances, others))
    return Memorisation(distances[:, 0], others[:, 0], threshold, copied, expected, rows[:, 0])
