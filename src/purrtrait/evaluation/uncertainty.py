"""How far a score may be off because only so many samples were drawn."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from purrtrait.evaluation.metric import Metric
from purrtrait.types import Draw, Features

ROUNDS = 20
GROUPS = 20
FEWEST = 8

# Scores of reals (M, F) and samples (N, F) without each group of the samples, in turn.
LeftOut: TypeAlias = Callable[[Features, Features, Tensor], list[dict[str, float]]]


def standard_errors(
    metric: Metric, reals: Features, samples: Features, rounds: int = ROUNDS, seed: int = 0
) -> dict[str, float]:
    """The standard error of each of a metric's scores, from its spread over halves of the samples.

    The delete-d jackknife (Shao and Wu 1989, Annals of Statistics) with d = N / 2: of halves drawn
    without replacement the standard deviation is itself the standard error at N. No picture comes
    twice, as it would in a bootstrap, which scores that look at nearest neighbours cannot bear. The
    reals stay as they are: this is the spread between evaluations of one model with other seeds.
    It suits what is a mean in the main, also where it is drawn by lot what is averaged.
    """
    _expect(samples, rounds, "rounds")
    found = [metric(reals, samples[half(len(samples), seed, number)]) for number in range(rounds)]
    return {name: float(np.std([scores[name] for scores in found], ddof=1)) for name in found[0]}


def half(count: int, seed: int, number: int) -> Tensor:
    """Row numbers of a random half of ``count`` rows."""
    order = Draw(seed, "uncertainty", number).permutation(count, "half")
    return torch.from_numpy(order[: count // 2])


def grouped_errors(
    left_out: LeftOut, reals: Features, samples: Features, number: int = GROUPS, seed: int = 0
) -> dict[str, float]:
    """The standard error of each score, from what it is without each of some groups of samples.

    The delete-a-group jackknife (Shao and Wu 1989; Kott 2001): with scores s_g without group g of
    G, the error is the root of (G - 1) / G times the sum of the squares of s_g - mean(s). It suits
    what counts how much is found, which grows with the number of samples and is no mean: of half of
    the samples it would scatter half as much.
    """
    _expect(samples, number, "groups")
    return spread(left_out(reals, samples, groups(len(samples), number, seed)))


def groups(count: int, number: int = GROUPS, seed: int = 0) -> Tensor:
    """The group (N,) of each of ``count`` samples: drawn by lot, as large as each other."""
    order = Draw(seed, "uncertainty", 0).permutation(count, "groups")
    return torch.from_numpy(order) % min(number, count)


def spread(left_out: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The standard error of each score, of what it is without each group."""
    share = (len(left_out) - 1) / math.sqrt(len(left_out))
    return {
        name: share * float(np.std([scores[name] for scores in left_out], ddof=1))
        for name in left_out[0]
    }


def without_each(metric: Metric) -> LeftOut:
    """A metric's scores without each group, for one that is not worth a faster way."""

    def left_out(reals: Features, samples: Features, group: Tensor) -> list[dict[str, float]]:
        return [metric(reals, samples[group != one]) for one in range(int(group.max()) + 1)]

    return left_out


def _expect(samples: Features, number: int, what: str) -> None:
    if len(samples) < FEWEST or number < 2:
        raise ValueError(
            f"{len(samples)} samples and {number} {what} say nothing of an uncertainty; expected "
            f"at least {FEWEST} samples and 2 {what}. Draw more samples (--samples)"
        )
