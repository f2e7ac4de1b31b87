"""The L2 adaptation: the critic's weights cost the more, the more the generator loses."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor
from torch.nn import Parameter

from purrtrait.objectives.balanced import Balance, Balanced, Rule, of_the_critic, with_critic
from purrtrait.types import Amount, Batch, Objective, Terms, Turn


class AdaptiveL2(Rule):
    """The critic pays for the size of its weights; how much follows what the artist loses.

    The critic goes down coefficient / 2 * |w|_2^2 beside, over all its ``weights``. The coefficient
    begins at 0. In each turn of the artist it rises by ``step`` where the artist's loss in the game
    is above ``high``, falls by as much where it is below ``low``, and never falls below 0.
    """

    coefficient: Tensor

    def __init__(
        self,
        low: float,
        high: float,
        step: float,
        artist: str,
        weights: Callable[[], Iterable[Parameter]],
    ) -> None:
        super().__init__()
        self.low, self.high, self.step = low, high, step
        self.artist = artist
        self.weights = weights
        self.register_buffer("coefficient", torch.zeros((), dtype=torch.float64))

    def forward(self, turn: Turn) -> Turn:
        """The critic's turns with the cost; those of the artist move the coefficient."""
        if of_the_critic(turn, "l2"):
            return replace(turn, loss=partial(self.weighted, turn))
        if self.artist in turn.movers:
            return replace(turn, admit=partial(self.adapted, turn))
        return turn

    def weighted(self, turn: Turn, batch: Batch) -> Terms:
        """What the critic loses, and what its weights cost."""
        terms = turn.loss(batch)
        squares = torch.stack([weight.square().sum() for weight in self.weights()]).sum()
        critic = {**terms.costs["critic"], "l2": self.coefficient.float() / 2 * squares}
        watch = {**terms.watch, "balance/l2": self.coefficient}
        return replace(terms, costs={**terms.costs, "critic": critic}, watch=watch)

    def adapted(self, turn: Turn, scores: Mapping[str, float]) -> bool:
        """Move the coefficient after what the artist lost; whether it steps, as without a rule."""
        self.adapt(scores[f"{self.artist}/game"])
        return turn.admit(scores)

    def adapt(self, lost: float) -> None:
        """Raise or lower the coefficient, or leave it, after what the artist lost in the game."""
        self.coefficient += self.step * ((lost > self.high) - (lost < self.low))
        self.coefficient.clamp_min_(0)


def l2(low: Amount = 0.9, high: Amount = 1.3, step: Amount = 2e-5) -> Balance:
    """The critic pays for the size of its weights, and the more, the more the generator loses.

    The L2 adaptation of torch-gan: the coefficient of half the sum of the squares of the critic's
    weights begins at 0 and changes in every turn of the generator. Torch-gan's step was 1e-5,
    beside the mean of the critic's cross entropies on reals and on fakes. In the game
    non-saturating the critic goes down their sum, and what is to weigh as much is twice as large.

    Args:
        low: where the generator loses less than this in the game, the coefficient falls
        high: where it loses more than this, the coefficient rises
        step: by so much it rises or falls, never below 0
    """
    if low > high:
        raise ValueError(
            f"the balance 'l2' has low = {low:g} and high = {high:g}; expected low to be no more "
            f"than high, such as --set balance.low={high:g}"
        )

    def balance(objective: Objective) -> Objective:
        critic = with_critic(objective, "l2").players()["critic"]
        rule = AdaptiveL2(low, high, step, objective.artists[0], critic.parameters)
        return Balanced(objective, rule)

    return balance
