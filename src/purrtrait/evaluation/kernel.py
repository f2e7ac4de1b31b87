"""The kernel distance: whether two sets of features have the same mean under a cubic kernel."""

from __future__ import annotations

import torch
from torch import Tensor

from purrtrait.evaluation.remembered import remembered
from purrtrait.types import Features

BLOCK_NUMBERS = 2**22  # kernel values held at a time: 16 MB


def kernel(reals: Features, samples: Features) -> dict[str, float]:
    """The unbiased squared maximum mean discrepancy (Binkowski et al. 2018, section 4).

    With k(x, y) = (x.y / F + 1)^3: the mean of k over pairs of different reals, plus that over
    pairs of different samples, less twice that over real and sample (Gretton et al. 2012, equation
    3). All pairs are taken, no subsets, and nothing is scaled. Around 0 for equal distributions,
    and then as often below it as above. ValueError for fewer than two rows.
    """
    across = _sum(reals, samples) / (len(reals) * len(samples))
    return {"kernel": _within(reals) + _within(samples) - 2 * across}


@remembered
def _within(features: Features) -> float:
    """The mean of the kernel over all pairs of different rows."""
    count = len(features)
    if count < 2:
        raise ValueError(f"{count} picture has no pairs; expected at least 2 on either side")
    itself = _cubic(features.double().square().sum(1) / features.shape[1]).sum().item()
    return (_sum(features, features) - itself) / (count * (count - 1))


def _sum(left: Features, right: Features) -> float:
    """The sum of the kernel over all pairs: products in float32, sums in float64."""
    other, total = right.T / right.shape[1], 0.0
    for some in left.split(max(1, BLOCK_NUMBERS // len(right))):
        total += _cubic(some @ other).sum(1, dtype=torch.float64).sum().item()
    return total


def _cubic(products: Tensor) -> Tensor:
    """(products + 1)^3, in place; multiplied out, for a power is several times as slow."""
    base = products.add_(1)
    return (base * base).mul_(base)
