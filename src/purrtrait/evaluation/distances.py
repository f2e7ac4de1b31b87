"""Exact distances between rows of features, a block at a time, so that memory stays bounded."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from purrtrait.evaluation.remembered import remembered
from purrtrait.types import Features

BLOCK_NUMBERS = 2**22  # distances held at a time: 16 MB, which is faster than larger ones
KEPT = 24  # of the nearest others: as many as nobody misses where a twentieth is left out by lot
ROUNDING = 2e-6  # most that float32 moves a squared distance, in mean squared lengths of the rows


def squared(left: Features, right: Features) -> Iterator[tuple[slice, Tensor]]:
    """Squared Euclidean distances (b, M), block by block of the rows of ``left`` (N, F).

    |a - b|^2 = |a|^2 + |b|^2 - 2 a.b of rows moved to the mean of ``right``, so that little is
    lost where large numbers cancel; what rounding makes negative is 0. A block may be changed by
    whoever takes it. Results belong into a tensor that was there before: small ones made between
    blocks leave holes in memory that the next block does not fit into.
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
    found = torch.empty(len(samples), k, dtype=torch.int64)
    for rows, block in squared(samples, reals):
        found[rows] = block.topk(k, largest=False).indices
    return _exactly(samples, reals, found)


@remembered
def radii(features: Features, k: int) -> Tensor:
    """The distance (N,) of each row to the k-th nearest of the others."""
    _expect(k, len(features) - 1)
    found = torch.empty(len(features), 1, dtype=torch.int64)
    for rows, block in squared(features, features):
        _diagonal(block, rows).fill_(torch.inf)  # not to itself
        found[rows] = block.topk(k, largest=False).indices[:, -1:]
    return _exactly(features, features, found)[0][:, 0]


def radii_without(features: Features, group: Tensor, k: int) -> Tensor:
    """The same (N, G) without the others of each group in turn; rows have their group (N,).

    Of the ``KEPT`` nearest others; where they are all of one group, the last stands for the rest.
    """
    _expect(k, len(features) - 1 - int(torch.bincount(group).max()))
    distances, rows = _others(features, min(KEPT, len(features) - 1))
    every = torch.arange(int(group.max()) + 1)
    found = torch.empty(len(features), len(every))
    for place, near, some in zip(*(t.split(1024) for t in (found, distances, rows)), strict=True):
        there = (group[some][:, :, None] != every).cumsum(1) >= k  # (b, K, G)
        there[:, -1] = True
        place.copy_(near.gather(1, there.int().argmax(1)))
    return found


@remembered
def _others(features: Features, k: int) -> tuple[Tensor, Tensor]:
    """Distances (N, k), ascending, and row numbers (N, k) of the k nearest others of each row."""
    found = torch.empty(len(features), k, dtype=torch.int64)
    for rows, block in squared(features, features):
        _diagonal(block, rows).fill_(torch.inf)
        found[rows] = block.topk(k, largest=False).indices
    return _exactly(features, features, found)


@remembered
def reach(features: Features, k: int) -> Tensor:
    """Squared distances (N,) up to which a row counts as within the k nearest.

    Those to the k-th nearest of the others, and as much more as rounding may do: a row that is
    just as far away as the k-th, such as the k-th itself, is within reach.
    """
    return radii(features, k).square() + _slack(features)


def reach_without(features: Features, group: Tensor, k: int) -> Tensor:
    """The same (N, G) without the others of each group in turn."""
    return radii_without(features, group, k).square() + _slack(features)


def _slack(features: Features) -> Tensor:
    return ROUNDING * (features - features.mean(0)).square().sum(1).mean()


@remembered
def mean_distance(features: Features) -> float:
    """Mean Euclidean distance over all pairs of different rows."""
    count = len(features)
    _expect(1, count - 1)
    return float(_summed(features, features.new_ones(count, 1))) / (count * (count - 1))


def mean_distance_without(features: Features, group: Tensor) -> Tensor:
    """The same (G,) without the rows of each group in turn; rows have their group (N,)."""
    member = torch.nn.functional.one_hot(group).to(features)  # (N, G)
    kept = len(features) - member.sum(0).double()
    _expect(1, int(kept.min()) - 1)
    pairs = _summed(features, member)
    total = pairs.sum() - 2 * pairs.sum(1) + pairs.diagonal()
    return total / (kept * (kept - 1))


def _summed(features: Features, member: Tensor) -> Tensor:
    """Distances between rows of each two groups, summed: (G, G) for memberships (N, G)."""
    total = torch.zeros(member.shape[1], member.shape[1], dtype=torch.float64)
    for rows, block in squared(features, features):
        _diagonal(block, rows).fill_(0)  # where rounding leaves a little
        total += member[rows].T.double() @ (block.sqrt_() @ member).double()
    return total


def _diagonal(block: Tensor, rows: slice) -> Tensor:
    """The distances of rows to themselves, in a block of those of a set to itself."""
    return block[:, rows.start : rows.stop].diagonal()


def _exactly(left: Features, right: Features, found: Tensor) -> tuple[Tensor, Tensor]:
    """Distances to the rows found (N, k), from the differences, and those rows, in their order."""
    rows = max(1, BLOCK_NUMBERS // max(1, found.shape[1] * right.shape[1]))
    exact = [
        (right[some] - own[:, None]).square().sum(-1).sqrt()
        for some, own in zip(found.split(rows), left.split(rows), strict=True)
    ]
    distances, order = torch.cat(exact).sort(stable=True, dim=1)
    return distances, found.gather(1, order)


def _expect(k: int, others: int) -> None:
    if not 1 <= k <= others:
        raise ValueError(
            f"the {k} nearest of {others} pictures are asked for; expected at least {k} of them"
        )
