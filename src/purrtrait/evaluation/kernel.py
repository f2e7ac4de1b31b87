"""The kernel distance: whether two sets of features have the same mean under a cubic kernel."""

from __future__ import annotations

from collections.abc import Iterator

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


def left_out(reals: Features, samples: Features, group: Tensor) -> list[dict[str, float]]:
    """The same without the samples of each group in turn; samples have their group (N,)."""
    member = torch.nn.functional.one_hot(group).to(samples)  # (N, G)
    kept = len(samples) - member.sum(0).double()
    _expect(int(kept.min()))
    across = _sums(samples, reals, member, reals.new_ones(len(reals), 1))[:, 0]  # (G,)
    across = (across.sum() - across) / (kept * len(reals))
    pairs = _sums(samples, samples, member, member)  # (G, G)
    itself = member.T.double() @ _itself(samples)
    total = pairs.sum() - 2 * pairs.sum(1) + pairs.diagonal() - (itself.sum() - itself)
    within = total / (kept * (kept - 1))
    return [{"kernel": value} for value in (_within(reals) + within - 2 * across).tolist()]


@remembered
def _within(features: Features) -> float:
    """The mean of the kernel over all pairs of different rows."""
    count = len(features)
    _expect(count)
    total = _sum(features, features) - _itself(features).sum().item()
    return total / (count * (count - 1))


def _itself(features: Features) -> Tensor:
    """The kernel (N,) of each row with itself."""
    lengths = [some.double().square().sum(1) for some in features.split(1024)]
    return _cubic(torch.cat(lengths) / features.shape[1])


def _sum(left: Features, right: Features) -> float:
    """The sum of the kernel over all pairs: products in float32, sums in float64."""
    total = 0.0
    for _, block in _blocks(left, right):
        total += block.sum(1, dtype=torch.float64).sum().item()
    return total


def _sums(left: Features, right: Features, of_left: Tensor, of_right: Tensor) -> Tensor:
    """The same between each two groups: (G, H) for memberships (N, G) and (M, H).

    Sums over a row are in float32, of rows in float64.
    """
    total = torch.zeros(of_left.shape[1], of_right.shape[1], dtype=torch.float64)
    for rows, block in _blocks(left, right):
        total += of_left[rows].T.double() @ (block @ of_right).double()
    return total


def _blocks(left: Features, right: Features) -> Iterator[tuple[slice, Tensor]]:
    """The kernel (b, M), block by block of the rows of ``left`` (N, F)."""
    other = right.T / right.shape[1]
    rows = max(1, BLOCK_NUMBERS // len(right))
    for start in range(0, len(left), rows):
        some = left[start : start + rows]
        yield slice(start, start + len(some)), _cubic(some @ other)


def _cubic(products: Tensor) -> Tensor:
    """(products + 1)^3, in place; multiplied out, for a power is several times as slow."""
    base = products.add_(1)
    return (base * base).mul_(base)


def _expect(count: int) -> None:
    if count < 2:
        raise ValueError(f"{count} picture has no pairs; expected at least 2 on either side")
