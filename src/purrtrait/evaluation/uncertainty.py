"""How far a score may be off because only so many samples were drawn."""

from __future__ import annotations

import numpy as np
import torch

from purrtrait.evaluation.metric import Metric
from purrtrait.types import Draw, Features

ROUNDS = 20


def standard_errors(
    metric: Metric, reals: Features, samples: Features, rounds: int = ROUNDS, seed: int = 0
) -> dict[str, float]:
    """The standard error of each of a metric's scores, from its spread over halves of the samples.

    The delete-d jackknife (Shao and Wu 1989, Annals of Statistics) with d = N / 2: of halves drawn
    without replacement the standard deviation is itself the standard error at N. No picture comes
    twice, as it would in a bootstrap, which scores that look at nearest neighbours cannot bear. The
    reals stay as they are: this is the spread between evaluations of one model with other seeds.
    """
    if len(samples) < 8 or rounds < 2:
        raise ValueError(
            f"{len(samples)} samples and {rounds} rounds say nothing of an uncertainty; expected "
            "at least 8 samples and 2 rounds"
        )
    found = [metric(reals, samples[half(len(samples), seed, number)]) for number in range(rounds)]
    return {name: float(np.std([scores[name] for scores in found], ddof=1)) for name in found[0]}


def half(count: int, seed: int, number: int) -> torch.Tensor:
    """Row numbers of a random half of ``count`` rows."""
    order = Draw(seed, "uncertainty", number).permutation(count, "half")
    return torch.from_numpy(order[: count // 2])
