"""Exact distances between rows of features, a block at a time, so that memory stays bounded."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from purrtrait.types import Features

BLOCK_NUMBERS = 2**24  # distances held at a time: 64 MB


def squared(left: Features, right: Features) -> Iterator[tuple[slice, Tensor]]:
    """Squared Euclidean distances (b, M), block by block of the rows of ``left`` (N, F).

    |a - b|^2 = |a|^2 + |b|^2 - 2 a.b of rows moved to the mean of ``right``, so that little is
    lost where large numbers cancel; what rounding makes negative is 0.
    """
    middle = right.mean(0)
    a, b = left - middle, right - middle
    lengths = b.square().sum(1)
    rows = max(1, BLOCK_NUMBERS // max(1, len(b)))
    for start in range(0, len(a), rows):
        some = a[start : start + rows]
        block = torch.addmm(lengths[None], some, b.T, alpha=-2).add_(some.square().sum(1)[:, None])
        yield slice(start, start + len(some)), block.clamp_min_(0)


def nearest(samples: Features, reals: Features, k: int = 1) -> tuple[Tensor, Tensor]:
    """Distances (N, k), ascending, and row numbers (N, k) of the k reals nearest to each sample.

    The distances of those found are computed once more from the differences themselves, so that
    equal rows are at distance 0.
    """
    _expect(k, len(reals))
    found = torch.cat(
        [block.topk(k, largest=False).indices for _, block in squared(samples, reals)]
    )
    rows = max(1, BLOCK_NUMBERS // max(1, k * reals.shape[1]))
    exact = [
        (reals[some] - own[:, None]).square().sum(-1).sqrt()
        for some, own in zip(found.split(rows), samples.split(rows), strict=True)
    ]
    distances, order = torch.cat(exact).sort(stable=True, dim=1)
    return distances, found.gather(1, order)


def radii(features: Features, k: int) -> Tensor:
    """The distance (N,) of each row to the k-th nearest of the others."""
    _expect(k, len(features) - 1)
    found = []
    for rows, block in squared(features, features):
        within = torch.arange(len(block))
        block[within, within + rows.start] = torch.inf  # not to itself
        found.append(block.topk(k, largest=False).values[:, -1].sqrt())
    return torch.cat(found)


def _expect(k: int, others: int) -> None:
    if not 1 <= k <= others:
        raise ValueError(
            f"the {k} nearest of {others} pictures are asked for; expected at least {k} of them"
        )
