"""What a critic thinks of a set of portraits: the best, the worst, and where others would stand."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from purrtrait.networks.resting import at_rest
from purrtrait.types import Critic, Images, Logits

JUDGED_AT_ONCE = 64


@dataclass(frozen=True)
class Ranking:
    """The verdicts (N,) on a set of portraits, on the CPU; rows speak of portraits by number."""

    verdicts: Logits

    def best(self, count: int) -> Tensor:
        """The rows (count,) of the portraits that are judged best, best first."""
        return self._order()[:count]

    def worst(self, count: int) -> Tensor:
        """The rows (count,) of the portraits that are judged worst, worst first."""
        return self._order().flip(0)[:count]

    def ends(self, count: int) -> tuple[Tensor, Tensor]:
        """The rows (count,) of the best and of the worst portraits, each best first."""
        return self.best(count), self.worst(count).flip(0)

    def rank(self, probes: Logits) -> Tensor:
        """Where pictures with verdicts (P,) would stand: the share judged below each, (P,).

        0 is worst and 1 is best; equal verdicts count half.
        """
        return ((probes[:, None] - self.verdicts).sign().mean(1) + 1) / 2

    def _order(self) -> Tensor:
        return self.verdicts.argsort(descending=True, stable=True)


@torch.no_grad()
def ranked(critic: Critic, portraits: Images) -> Ranking:
    """The ranking of portraits (N, C, H, W) in [-1, 1], as the critic judges in evaluation mode.

    Without dropout and batch statistics, a verdict depends on its own picture only. A critic of
    details judges portraits too: it sees no more than the sum of detail and coarse picture.
    """
    device = next(critic.parameters(), portraits).device
    with at_rest(critic):
        verdicts = [critic(some.to(device)) for some in portraits.split(JUDGED_AT_ONCE)]
    return Ranking(torch.cat(verdicts).float().cpu())
