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

    def halves(self) -> tuple[Tensor, Tensor]:
        """The rows of the better and of the worse half, each best first.

        Of an odd number the one in the middle belongs to the worse.
        """
        order, middle = self._order(), len(self.verdicts) // 2
        return order[:middle], order[middle:]

    def rank(self, probes: Logits) -> Tensor:
        """Where pictures with verdicts (P,) would stand: the share judged below each, (P,).

        0 is worst and 1 is best; equal verdicts count half.
        """
        return ((probes[:, None] - self.verdicts).sign().mean(1) + 1) / 2

    def _order(self) -> Tensor:
        return self.verdicts.argsort(descending=True, stable=True)


@torch.no_grad()
def ranked(critic: Critic, images: Images, given: Images | None = None) -> Ranking:
    """The ranking of images (N, C, H, W), as the critic judges in evaluation mode.

    Portraits are in [-1, 1]; where the critic judges details, ``given`` are the pictures that they
    are details of. Without dropout and batch statistics, a verdict depends on its own picture only.
    """
    device = next(critic.parameters(), images).device
    rows = torch.arange(len(images)).split(JUDGED_AT_ONCE)
    with at_rest(critic):
        verdicts = [
            critic(images[some].to(device), None if given is None else given[some].to(device))
            for some in rows
        ]
    return Ranking(torch.cat(verdicts).float().cpu())
