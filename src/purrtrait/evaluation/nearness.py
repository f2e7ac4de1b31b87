"""How near samples come to pictures that no training saw, pixel by pixel."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from purrtrait.evaluation.distances import nearest
from purrtrait.evaluation.judgement import Score, beside
from purrtrait.evaluation.metric import Metric
from purrtrait.evaluation.reference import Reference, Report
from purrtrait.evaluation.uncertainty import grouped_errors
from purrtrait.types import Features

NAME = "nearest-held-out"
KEPT = 16  # of the samples nearest to a picture, which are hardly ever of one group


def nearness(reals: Features, samples: Features) -> dict[str, float]:
    """Mean Euclidean distance from each real picture (M, F) to the sample (N, F) nearest to it.

    A stand-in for the likelihood of Parzen windows around the samples (Breuleux, Bengio and Vincent
    2011): as the window gets narrow, only the sample that is nearest to a picture counts, and the
    logarithm falls as the square of its distance. ValueError where there is no sample.
    """
    return {NAME: float(nearest(reals, samples)[0].double().mean())}


METRICS: Mapping[str, Metric] = {NAME: nearness}


def measured(reals: Features, samples: Features) -> tuple[float, float]:
    """The same and its standard error: what `uncertainty` says of it, from one search in all.

    Without a group of the samples the nearest one is the first of a picture's nearest that is in
    another group; where all of those kept are of one, the last stands for the rest.
    """
    distances, rows = nearest(reals, samples, min(KEPT, len(samples)))

    def left_out(_: Features, every: Features, group: Tensor) -> list[dict[str, float]]:
        found = []
        for one in range(int(group.max()) + 1):
            there = group[rows] != one  # (M, K)
            there[:, -1] = True
            first = there.int().argmax(1, keepdim=True)
            found.append({NAME: float(distances.gather(1, first).double().mean())})
        return found

    error = grouped_errors(left_out, reals, samples)[NAME]
    return float(distances[:, 0].double().mean()), error


def judge(samples: Features, reference: Reference, report: Report) -> dict[str, Score]:
    """The score of samples (N, F), seen as the reference's extractor does, beside its bounds."""
    reals = reference.features(reference.held_out(), report)
    value, error = measured(reals, samples)
    values = {NAME: value}
    return beside(values, {NAME: error}, reference.bounds(reals, values, report, METRICS))
