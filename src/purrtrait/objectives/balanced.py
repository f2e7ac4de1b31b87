"""What holds back a player who is too far ahead: wrappers around any objective."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

import torch
from torch import Tensor, nn

from purrtrait.objectives.adversarial import ACCURACY
from purrtrait.types import Amount, Batch, Images, Objective, Progress, Terms, Turn

Balance: TypeAlias = Callable[[Objective], Objective]

ADMITTED = "balance/critic"
SHORTEST, LONGEST = 20, 250  # batches that the gate looks back on
LOOK_BACK = 1000  # pictures, where that is neither too few batches nor too many


class Rule(nn.Module, ABC):
    """Says of each turn when its movers step, or what they lose beside.

    What it remembers between turns are buffers.
    """

    __call__: Callable[..., Turn]

    @abstractmethod
    def forward(self, turn: Turn) -> Turn:
        """The turn as it shall be played."""


class Balanced(Objective):
    """An objective whose turns are played as a rule says; in all else it is the inner one."""

    def __init__(self, inner: Objective, rule: Rule) -> None:
        super().__init__()
        self.inner = inner
        # By its kind, so that a checkpoint's memory of one rule is not taken for that of another.
        self.kind = type(rule).__name__.lower()
        self.add_module(self.kind, rule)
        self.won_at_zero = inner.won_at_zero
        self.artists = inner.artists
        self.validated = inner.validated

    @property
    def rule(self) -> Rule:
        """What it plays by."""
        rule = self.get_submodule(self.kind)
        assert isinstance(rule, Rule)
        return rule

    def players(self) -> Mapping[str, nn.Module]:
        """The inner objective's."""
        return self.inner.players()

    def turns(self, now: Progress) -> Sequence[Turn]:
        """The inner objective's, each as the rule has it."""
        return [self.rule(turn) for turn in self.inner.turns(now)]

    def subject(self) -> nn.Module:
        """The inner objective's."""
        return self.inner.subject()

    def panel(self, batch: Batch, subject: nn.Module) -> Mapping[str, Images]:
        """The inner objective's."""
        return self.inner.panel(batch, subject)


def of_the_critic(turn: Turn, balance: str) -> bool:
    """Whether it is the critic's own turn; ValueError where others move with it."""
    if "critic" in turn.movers and len(turn.movers) > 1:
        raise ValueError(
            f"{' and '.join(turn.movers)} move in one turn, so that the balance '{balance}' "
            "cannot hold back the critic alone; expected turns of its own: --set "
            "play=alternating or --set play=fresh, or --set balance=none"
        )
    return "critic" in turn.movers


def with_critic(objective: Objective, balance: str) -> Objective:
    """The objective; ValueError where it has no critic."""
    if "critic" not in objective.players():
        raise ValueError(
            f"the balance '{balance}' holds back a critic, but the players are "
            f"{', '.join(objective.players())}; expected a critic among them, or --set "
            "balance=none"
        )
    return objective


class Accuracy(Rule):
    """The critic steps only while its accuracy of late is below ``most``.

    That is the mean over its last turns, this one included: as many as hold 1000 pictures, reals
    and fakes, but 20 to 250 turns. A turn in which it does not step counts like any other.
    """

    recent: Tensor
    turns: Tensor
    refused: Tensor

    def __init__(self, most: float) -> None:
        super().__init__()
        self.most = most
        # The latest first.
        self.register_buffer("recent", torch.zeros(LONGEST, dtype=torch.float64))
        self.register_buffer("turns", torch.zeros((), dtype=torch.int64))
        self.register_buffer("refused", torch.zeros((), dtype=torch.int64))

    def forward(self, turn: Turn) -> Turn:
        """The critic's turns with the gate, all others as they are."""
        if not of_the_critic(turn, "accuracy"):
            return turn
        reals = 0

        def loss(batch: Batch) -> Terms:
            nonlocal reals
            reals = len(batch.images) * batch.draw.share.ranks
            terms = turn.loss(batch)
            share = 1 - self.refused / self.turns.clamp_min(1)
            return replace(terms, watch={**terms.watch, ADMITTED: share})

        def admit(scores: Mapping[str, float]) -> bool:
            return self.admits(scores[ACCURACY], reals) and turn.admit(scores)

        return replace(turn, loss=loss, admit=admit)

    def admits(self, accuracy: float, reals: int) -> bool:
        """Take note of a turn with so many reals and as many fakes; whether the critic steps."""
        self.recent.copy_(self.recent.roll(1))
        self.recent[0] = accuracy
        self.turns += 1
        length = max(SHORTEST, min(LOOK_BACK // (2 * reals), LONGEST))
        admitted = bool(self.recent[: min(length, int(self.turns))].mean() < self.most)
        self.refused += not admitted
        return admitted


def none() -> Balance:
    """Every player moves in each of its turns."""
    return lambda objective: objective


def accuracy(most: Amount = 1.01) -> Balance:
    """The critic steps only while it is not right too often: cat-generator's `D_maxAcc`.

    Args:
        most: the critic steps while the mean of its last accuracies is below this; above 1 it
            always does
    """
    return lambda objective: Balanced(with_critic(objective, "accuracy"), Accuracy(most))
