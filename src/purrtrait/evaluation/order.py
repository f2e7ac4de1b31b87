"""How well a critic tells real pictures from fakes, whatever the scale of its verdicts."""

from __future__ import annotations

from purrtrait.types import Logits


def order(reals: Logits, fakes: Logits) -> float:
    """Share of all pairs of a real picture (N,) and a fake (M,) in which the real is judged higher.

    The U statistic of Mann and Whitney 1947 (Annals of Mathematical Statistics 18), over N M: the
    area under the curve of right against wrong alarms. Equal verdicts count half, so that 0.5 is
    guessing; 1 is right every time. It needs no threshold, and so means the same in every game.
    """
    margins = reals[:, None] - fakes[None]  # (N, M)
    return float(((margins.sign() + 1) / 2).double().mean())
