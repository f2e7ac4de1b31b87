"""The kernel distance: whether two sets of features have the same mean under a cubic kernel."""

from __future__ import annotations

import torch

from purrtrait.types import Features

ROWS = 1024  # of a block of the kernel matrix


def kernel(reals: Features, samples: Features) -> dict[str, float]:
    """The unbiased squared maximum mean discrepancy (Binkowski et al. 2018, section 4).

    With k(x, y) = (x.y / F + 1)^3: the mean of k over pairs of different reals, plus that over
    pairs of different samples, less twice that over real and sample. All pairs are taken, no
    subsets. Around 0 for equal distributions, and then as often below it as above.
    """
    own = _without_diagonal(reals) + _without_diagonal(samples)
    across = _sum(reals, samples) / (len(reals) * len(samples))
    return {"kernel": own - 2 * across}


def _without_diagonal(features: Features) -> float:
    count = len(features)
    if count < 2:
        raise ValueError(f"{count} picture has no pairs; expected at least 2 on either side")
    itself = _cubic(features.double().square().sum(1) / features.shape[1]).sum().item()
    return float(_sum(features, features) - itself) / (count * (count - 1))


def _sum(left: Features, right: Features) -> float:
    """The sum of the kernel over all pairs: products in float32, sums in float64."""
    other = right.T / right.shape[1]
    blocks = (_cubic(some @ other).sum(1).double().sum().item() for some in left.split(ROWS))
    return float(sum(blocks))


def _cubic(products: torch.Tensor) -> torch.Tensor:
    return (products + 1).pow(3)
