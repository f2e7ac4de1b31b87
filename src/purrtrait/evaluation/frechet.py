"""The Frechet distance between two sets of features, and what it would be for endless sets."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from purrtrait.evaluation.remembered import remembered
from purrtrait.types import Draw, Features

SPLITS = 4  # random splits into halves, over which a mean is taken


@dataclass(frozen=True)
class Gaussian:
    """Mean (F,) and covariance ``spread`` (F, F), in float64."""

    mean: Tensor
    spread: Tensor

    @cached_property
    def root(self) -> Tensor:
        """The root (F, F) of the covariance: of reals it serves every set compared with them."""
        values, vectors = torch.linalg.eigh(self.spread)
        root: Tensor = (vectors * values.clamp_min(0).sqrt()) @ vectors.T
        return root


def frechet(reals: Features, samples: Features) -> dict[str, float]:
    """The squared 2-Wasserstein distance of two Gaussians (Heusel et al. 2017, equation 6).

    After Dowson and Landau 1982, d = |m - n|^2 + tr(A + B - 2 (A^1/2 B A^1/2)^1/2) with means m, n
    and unbiased covariances A, B. From 0; biased upwards where pictures are few. ValueError for
    fewer than two rows.
    """
    return {"frechet": between(moments(reals), moments(samples))}


def infinite(reals: Features, samples: Features) -> dict[str, float]:
    """The same for endless sets on both sides (after Chong and Forsyth 2020, section 3).

    The bias falls with 1 / N. So the distance is taken of the whole sets and, as a mean over
    random splits, of halves of the reals against halves of the samples; the straight line through
    both over 1 / N is carried on to 0, which gives twice the former less the latter. Since the two
    halves of a split hold every picture once, this scatters hardly more than the distance itself,
    as a fit through subsets of many sizes does not. (For a statistic in general this is the
    correction of Quenouille 1956.) May come out slightly below 0. ValueError for fewer than four
    rows.
    """
    whole = between(moments(reals), moments(samples))
    pairs = list(zip(halves(reals), halves(samples), strict=True))
    return {"frechet-infinite": 2 * whole - sum(between(*pair) for pair in pairs) / len(pairs)}


@remembered
def halves(features: Features) -> list[Gaussian]:
    """The Gaussians of both halves of each of ``SPLITS`` random splits, the same each time."""
    if len(features) < 4:
        raise ValueError(
            f"{len(features)} pictures have no halves with a spread; expected at least 4 on either "
            "side"
        )
    found = []
    for number in range(SPLITS):
        order = Draw(0, "frechet-infinite", number).permutation(len(features), "split")
        found += [moments(features[half]) for half in torch.from_numpy(order).chunk(2)]
    return found


@remembered
def moments(features: Features) -> Gaussian:
    """Mean (F,) and unbiased covariance (F, F) of features (N, F), in float64."""
    if len(features) < 2:
        raise ValueError(
            f"{len(features)} picture has no spread; expected at least 2 on either side"
        )
    exact = features.double()
    return Gaussian(exact.mean(0), torch.cov(exact.T).reshape(exact.shape[1], exact.shape[1]))


def between(one: Gaussian, other: Gaussian) -> float:
    """The distance between two Gaussians; never below 0."""
    # Symmetric, so that its eigenvalues are real: those of A B, which is not.
    shared = torch.linalg.eigvalsh(one.root @ other.spread @ one.root).clamp_min(0).sqrt().sum()
    apart = (one.mean - other.mean).square().sum()
    return max(0.0, float(apart + one.spread.trace() + other.spread.trace() - 2 * shared))
