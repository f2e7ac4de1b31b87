"""How near samples come to pictures that no training saw, pixel by pixel."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from purrtrait.evaluation.distances import nearest
from purrtrait.evaluation.judgement import Score, beside
from purrtrait.evaluation.metric import Metric
from purrtrait.evaluation.reference import Reference, Report
from purrtrait.evaluation.uncertainty import ROUNDS, half
from purrtrait.types import Features

NAME = "nearest-held-out"
KEPT = 16  # of the samples nearest to a picture: one in 2 ** 16 halves of them holds none of these


def nearness(reals: Features, samples: Features) -> dict[str, float]:
    """Mean Euclidean distance from each real picture (M, F) to the sample (N, F) nearest to it.

    A stand-in for the likelihood of Parzen windows around the samples (Breuleux, Bengio and Vincent
    2011): as the window gets narrow, only the sample that is nearest to a picture counts, and the
    logarithm falls as the square of its distance. ValueError where there is no sample.
    """
    return {NAME: float(nearest(reals, samples)[0].double().mean())}


METRICS: Mapping[str, Metric] = {NAME: nearness}


def measured(reals: Features, samples: Features, rounds: int = ROUNDS) -> tuple[float, float]:
    """The same and its standard error: what `uncertainty` says of it, from one search in all.

    In a random half of the samples the nearest one is the first of a picture's nearest that is
    there; where none of those kept is, the last stands for it.
    """
    distances, rows = nearest(reals, samples, min(KEPT, len(samples)))
    found = []
    for number in range(rounds):
        chosen = torch.zeros(len(samples), dtype=torch.bool)
        chosen[half(len(samples), 0, number)] = True
        there = chosen[rows]  # (M, K)
        there[:, -1] = True
        first = there.int().argmax(1, keepdim=True)
        found.append(float(distances.gather(1, first).double().mean()))
    return float(distances[:, 0].double().mean()), float(np.std(found, ddof=1))


def judge(samples: Features, reference: Reference, report: Report) -> dict[str, Score]:
    """The score of samples (N, F), seen as the reference's extractor does, beside its bounds."""
    reals = reference.features(reference.held_out(), report)
    value, error = measured(reals, samples)
    values = {NAME: value}
    return beside(values, {NAME: error}, reference.bounds(reals, values, report, METRICS))
