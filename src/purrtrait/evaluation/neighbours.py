"""Did it learn or copy? Exact nearest training pictures, and how near unseen photos come to them.

A picture of a face that the training set does not hold still has a nearest neighbour in it. How
near that lies for pictures that nobody trained on is known: from those held out. A generator that
draws faces of its own comes as near as they do; one that has learnt its training pictures by heart
comes nearer, or at least nearer to them than to pictures of the same kind that it never saw.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from purrtrait.evaluation.distances import nearest
from purrtrait.types import Draw, Features

RATE = 0.01  # share of unseen photos that the threshold accuses
SURE = 3.0  # standard errors above what chance gives, from which on copying is said
RARE = 0.00135  # and how improbable that is
OTHERS = 5  # further neighbours that say how far away pictures lie hereabouts
FEWEST = 16  # unseen photos, below which nothing is said

View: TypeAlias = Callable[[Features], Features]  # such as of the same pictures, mirrored


@dataclass(frozen=True)
class Lean:
    """How many samples lie nearer to a training picture than to any unseen photo.

    ``share`` of them do, and ``chance`` of a generator's that knows neither; ``error`` is the
    standard deviation of the share by chance, and ``surplus`` their difference in it.
    """

    share: float
    chance: float
    error: float

    @property
    def surplus(self) -> float:
        """By how many standard errors more samples lean to the training pictures than by chance."""
        return (self.share - self.chance) / max(self.error, 1e-12)


@dataclass(frozen=True)
class Memorisation:
    """How near samples come to the training set, beside how near unseen photos do.

    ``samples`` (N,) and ``unseen`` (M,) are relative distances: to the nearest training picture,
    over that to the sixth nearest; 0 is a copy, 1 is between them all. ``nearest`` (N,) are the row
    numbers of the nearest, and ``away`` (N,) and ``unseen_away`` (M,) the distances to the nearest
    themselves. ``copied`` is the share of samples within ``threshold``, within which 1
    in 100 of the unseen lies: ``expected``, which is more where many unseen photos equal a training
    picture, as among kittens that are put together from a few parts.
    """

    samples: Tensor
    unseen: Tensor
    threshold: float
    copied: float
    expected: float
    nearest: Tensor
    lean: Lean
    away: Tensor
    unseen_away: Tensor

    @property
    def by_chance(self) -> float:
        """How probable so many near samples are, or more, if they were unseen photos themselves.

        Fisher's exact test (1935, The Design of Experiments, section 21.02), one-sided: samples and
        photos are drawn from one urn, and of those within the threshold so many are samples.
        """
        near, others = (int((d <= self.threshold).sum()) for d in (self.samples, self.unseen))
        count, other, both = len(self.samples), len(self.unseen), near + others
        ways = [
            _ways(count, some) + _ways(other, both - some) - _ways(count + other, both)
            for some in range(near, min(both, count) + 1)
        ]
        return min(1.0, math.fsum(map(math.exp, ways)))

    def histogram(self, bins: int = 30) -> dict[str, list[float]]:
        """Shares of samples and of unseen photos at relative distances between ``edges``."""
        edges = torch.linspace(0, 1, bins + 1)
        shares = {
            name: (torch.histogram(distances, edges).hist / len(distances)).tolist()
            for name, distances in (("samples", self.samples), ("unseen", self.unseen))
        }
        return {"edges": edges.tolist(), **shares, "threshold": [self.threshold]}

    @property
    def verdict(self) -> str:
        """The finding in a sentence."""
        sure = self.by_chance < RARE or self.lean.surplus > SURE
        found = "pictures were copied" if sure else "no sign of copying"
        return (
            f"{self.copied:.1%} of the samples are as near to a training picture as "
            f"{self.expected:.1%} of unseen photos are, and {self.lean.share:.1%} are nearer to "
            f"one than to any unseen photo, by chance {self.lean.chance:.1%}: {found}"
        )


def memorisation(
    train: Features,
    unseen: Features,
    samples: Features,
    views: Sequence[View] = (),
    lots: Tensor | None = None,
) -> Memorisation:
    """Compare the samples' distances to the training set with those of unseen photos (M, F).

    The threshold is the 1 % quantile of the unseen ones: below it lies about 1 % of any other
    photos of their kind too, however alike the pictures of the set are among themselves. Distances
    are relative, so that copies which were blurred, noised or moved a little are still found
    (the ratio of Lowe 2004, IJCV, section 7.1, to the sixth neighbour rather than the second:
    a photo may be there several times). ``views`` are what else counts as the same picture;
    ``lots`` are those of ``lean``. ValueError for fewer than 16 unseen photos.
    """
    if len(unseen) < FEWEST:
        raise ValueError(
            f"{len(unseen)} held-out pictures say nothing about copying; expected at least {FEWEST}"
        )
    shown = _with(train, views)
    of_samples, away, rows = _relative(samples, shown)
    of_unseen, unseen_away, _ = _relative(unseen, shown)
    threshold = float(of_unseen.quantile(RATE))
    copied, expected = (float((d <= threshold).float().mean()) for d in (of_samples, of_unseen))
    return Memorisation(
        of_samples,
        of_unseen,
        threshold,
        copied,
        expected,
        rows % len(train),
        lean(train, unseen, samples, views, lots),
        away,
        unseen_away,
    )


def lean(
    train: Features,
    unseen: Features,
    samples: Features,
    views: Sequence[View] = (),
    lots: Tensor | None = None,
) -> Lean:
    """Whether the real picture that is nearest to a sample is rather one that was trained on.

    Which photos were held out was drawn by lot. Whoever did not look at the lots comes nearest to a
    training picture as often as there are training pictures among all; that holds for good samples
    and bad ones, and however alike the photos are. The error is that of the lots, given how often
    each photo is the nearest (simple random sampling without replacement; Cochran 1977, section
    2.5): samples that are all alike say as little as one. Photos that were held out together, such
    as a person's, have one lot: ``lots`` (T + M,) numbers it for each of the training pictures and
    the unseen photos, from 0; None where each has its own.
    """
    count, total = len(samples), len(train) + len(unseen)
    # In an order drawn by lot, as of equal photos the first one is found.
    order = Draw(0, "evaluate", 0).permutation(total * (1 + len(views)), "neighbours")
    reals = _with(torch.cat([train, unseen]), views)[order]
    _, rows = nearest(samples, reals)
    found = torch.as_tensor(order)[rows[:, 0]] % total
    times = torch.bincount(found, minlength=total).double()
    chance = len(train) / total
    own = torch.arange(total) if lots is None else lots
    hits, sizes = torch.bincount(own, times), torch.bincount(own).double()
    drawn = int((sizes > 0).sum())
    # By how much more often a lot was hit than its size says; of lots of one photo, the photo.
    spread = float((hits - sizes * count / total).square().sum())
    error = math.sqrt(chance * (1 - chance) * spread * drawn / max(1, drawn - 1)) / count
    return Lean(float((found < len(train)).double().mean()), chance, error)


def _relative(queries: Features, train: Features) -> tuple[Tensor, Tensor, Tensor]:
    """Distances (N,) to the nearest of the training pictures: over those to the sixth, and plain.

    And the rows (N,) of the nearest.
    """
    distances, rows = nearest(queries, train, min(1 + OTHERS, len(train)))
    first = distances[:, 0]
    return first / distances[:, -1].clamp_min(1e-6), first, rows[:, 0]


def _ways(count: int, some: int) -> float:
    """The logarithm of the number of ways to choose some of so many; 0 <= some <= count."""
    return math.lgamma(count + 1) - math.lgamma(some + 1) - math.lgamma(count - some + 1)


def _with(features: Features, views: Sequence[View]) -> Features:
    return torch.cat([features, *(view(features) for view in views)])
