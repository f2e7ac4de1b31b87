"""The Frechet distance between two sets of features, and what it would be for endless sets."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from purrtrait.types import Draw, Features

SIZES = 15  # subsets through which the line is laid
SMALLEST = 0.5  # the smallest of them, as a share of all


def frechet(reals: Features, samples: Features) -> dict[str, float]:
    """The squared 2-Wasserstein distance of two Gaussians (Heusel et al. 2017, equation 6).

    d = |m - n|^2 + tr(A + B - 2 (A^1/2 B A^1/2)^1/2) with means m, n and covariances A, B. From 0;
    biased upwards where samples are few. ValueError for fewer than two rows.
    """
    return {"frechet": between(moments(reals), moments(samples))}


def infinite(reals: Features, samples: Features) -> dict[str, float]:
    """The same for endless samples (Chong and Forsyth 2020, section 3).

    The bias falls with 1 / N. So the distance is taken for subsets of half to all of the samples,
    against all reals, and a straight line over 1 / N is carried on to 0. The bias that comes from
    the number of reals stays. May come out slightly below 0.
    """
    other = moments(reals)
    order = torch.from_numpy(Draw(0, "frechet-infinite", 0).permutation(len(samples), "subsets"))
    counts = np.linspace(max(2, round(SMALLEST * len(samples))), len(samples), SIZES).astype(int)
    # Subsets of one order each: their first rows would share too much, so each starts elsewhere.
    found = [
        between(other, moments(samples[order.roll(number * len(order) // SIZES)[:count]]))
        for number, count in enumerate(counts)
    ]
    _, intercept = np.polyfit(1 / counts, found, 1)
    return {"frechet-infinite": float(intercept)}


def moments(features: Features) -> tuple[Tensor, Tensor]:
    """Mean (F,) and unbiased covariance (F, F) of features (N, F), in float64."""
    if len(features) < 2:
        raise ValueError(
            f"{len(features)} picture has no spread; expected at least 2 on either side"
        )
    exact = features.double()
    return exact.mean(0), torch.cov(exact.T).reshape(exact.shape[1], exact.shape[1])


def between(one: tuple[Tensor, Tensor], other: tuple[Tensor, Tensor]) -> float:
    """The distance between two Gaussians, each a mean (F,) and a covariance (F, F)."""
    (mean, spread), (other_mean, other_spread) = one, other
    values, vectors = torch.linalg.eigh(spread)
    root = (vectors * values.clamp_min(0).sqrt()) @ vectors.T
    # Symmetric, so that its eigenvalues are real: those of A B, which is not.
    shared = torch.linalg.eigvalsh(root @ other_spread @ root).clamp_min(0).sqrt().sum()
    apart = (mean - other_mean).square().sum()
    return max(0.0, float(apart + spread.trace() + other_spread.trace() - 2 * shared))
