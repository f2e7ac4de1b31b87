"""The margin rule: nobody steps who is too far ahead, by what the critic loses on either side."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from purrtrait.objectives.adversarial import LOSS_ON_FAKES, LOSS_ON_REALS
from purrtrait.objectives.balanced import Balance, Balanced, Rule, of_the_critic, with_critic
from purrtrait.types import Batch, Chance, Terms, Turn


class Margin(Rule):
    """Critic and artist step by what the critic lost on reals and on fakes in its last turn.

    ``artist`` names the player who draws. In a turn with others it steps with them all the same:
    there only what moves it alone, its part in the game, is held back. What the rule remembers is,
    of the critic and of the artist: whether they step, their turns so far, and those in which they
    did not step.
    """

    stepping: Tensor
    turns: Tensor
    refused: Tensor

    def __init__(self, margin: float, artist: str) -> None:
        super().__init__()
        self.margin = margin
        self.players = ("critic", artist)
        self.register_buffer("stepping", torch.ones(2, dtype=torch.bool))
        self.register_buffer("turns", torch.zeros(2, dtype=torch.int64))
        self.register_buffer("refused", torch.zeros(2, dtype=torch.int64))

    def forward(self, turn: Turn) -> Turn:
        """The turns of the critic and of the artist as they are held back."""
        if of_the_critic(turn, "margin"):
            return _gated(turn, partial(self.counts, 0), self.judged)
        if turn.movers == self.players[1:]:
            return _gated(turn, partial(self.counts, 1), self.drawn)
        if self.players[1] in turn.movers:
            held = replace(turn, loss=partial(self.withheld, turn))
            return _gated(held, partial(self.counts, 1), self.joined)
        return turn

    def judged(self, scores: Mapping[str, float]) -> bool:
        """Decide for both after what the critic lost; whether the critic steps."""
        decided = within(scores[LOSS_ON_REALS], scores[LOSS_ON_FAKES], self.margin)
        self.stepping.copy_(torch.tensor(decided))
        return self._noted(0)

    def drawn(self, scores: Mapping[str, float]) -> bool:
        """Whether the artist steps, as decided in the critic's last turn."""
        return self._noted(1)

    def joined(self, scores: Mapping[str, float]) -> bool:
        """Take note of a turn of the artist with others, who all step."""
        self._noted(1)
        return True

    def withheld(self, turn: Turn, batch: Batch) -> Terms:
        """What a turn with others costs; without the game where the artist is held back."""
        terms, own = turn.loss(batch), self.players[1:]
        assert own in terms.held, "whoever plays and does more says what it does without the game"
        held = {} if self.stepping[1] else terms.held
        return replace(terms, descents={**terms.descents, **held})

    def counts(self, place: int) -> dict[str, Tensor]:
        """The share of a player's turns so far in which it stepped, and how many others."""
        name, refused = f"balance/{self.players[place]}", self.refused[place]
        return {name: 1 - refused / self.turns[place].clamp_min(1), f"{name}-skipped": refused}

    def _noted(self, place: int) -> bool:
        steps = bool(self.stepping[place])
        self.turns[place] += 1
        self.refused[place] += not steps
        return steps


def _gated(
    turn: Turn,
    watch: Callable[[], Mapping[str, Tensor]],
    admits: Callable[[Mapping[str, float]], bool],
) -> Turn:
    """The turn with more that is logged, and a gate before its movers beside its own."""

    def loss(batch: Batch) -> Terms:
        terms = turn.loss(batch)
        return replace(terms, watch={**terms.watch, **watch()})

    return replace(turn, loss=loss, admit=lambda scores: admits(scores) and turn.admit(scores))


def within(real: float, fake: float, margin: float) -> tuple[bool, bool]:
    """Whether critic and artist step, from the critic's cross entropies on reals and on fakes.

    The critic steps unless one of them is below the margin, the artist unless one of them is above
    1 less the margin; where neither would, both do.
    """
    critic = min(real, fake) >= margin
    artist = max(real, fake) <= 1 - margin
    return (critic, artist) if critic or artist else (True, True)


def margin(margin: Chance = 0.3) -> Balance:
    """Critic and generator step only while the critic neither wins nor loses by far: torch-gan's.

    Of the critic's cross entropies on reals and on fakes (a guess is 0.693): the critic steps
    unless one is below the margin, the generator unless one is above 1 less the margin; where
    neither would step, both do. The generator follows the critic's last turn.

    Args:
        margin: how near to 0 and to 1 the critic's losses may come
    """
    return lambda objective: Balanced(
        with_critic(objective, "margin"), Margin(margin, objective.artists[0])
    )
