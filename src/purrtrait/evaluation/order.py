"""How well a critic tells real pictures from fakes, whatever the scale of its verdicts."""

from __future__ import annotations

import math

import torch

from purrtrait.types import Logits


def order(reals: Logits, fakes: Logits) -> float:
    """Share of all pairs of a real picture (N,) and a fake (M,) in which the real is judged higher.

    The U statistic of Mann and Whitney 1947 (Annals of Mathematical Statistics 18), over N M: the
    area under the curve of right against wrong alarms. Equal verdicts count half, so that 0.5 is
    guessing; 1 is right every time. It needs no threshold, and so means the same in every game.
    Where a verdict is no number there is none.
    """
    if reals.isnan().any() or fakes.isnan().any():
        return math.nan
    ordered = fakes.sort().values
    # How many fakes are judged below a real, and how many not above it: no N x M numbers.
    below, upto = (
        torch.searchsorted(ordered, reals.contiguous(), right=way) for way in (False, True)
    )
    return float((below + upto).double().mean() / (2 * len(fakes)))
