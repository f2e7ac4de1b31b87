"""The chained objective: a generator and one or two retouchers after it, before one critic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import nn

from purrtrait.losses.exchange import Game, Penalty
from purrtrait.losses.reconstruction import cross_entropy
from purrtrait.networks.chain import Chain
from purrtrait.objectives.adversarial import Adversarial
from purrtrait.objectives.augmentation import Augmentation
from purrtrait.objectives.plays import critic_moves
from purrtrait.types import (
    Amount,
    Batch,
    Count,
    Critic,
    Draw,
    Drawing,
    Generator,
    Images,
    Progress,
    Retoucher,
    Schedule,
    Terms,
    Turn,
)

LOTS = (0,) * 5 + (1,) * 3 + (2,) * 2  # of three artists: whose fakes the critic sees, of ten times


class Chained(Drawing):
    """A generator and one or two retouchers, each of whom draws after the one before.

    One critic judges what they all draw. The generator plays the game. A retoucher goes down the
    binary cross entropy between its picture and the one before, which is taken as it is, and a
    little of the game's loss; nobody else is moved by either. In a step the critic moves first,
    then the generator, then each retoucher as often as the generator.

    G, R, S and D being one forward pass of generator, second, third and critic over as many
    pictures as there are reals, a step in which each moves once costs 5G + 3.5R + 10D on average,
    with a third 6G + 4.5R + 3.2S + 12D.

    Args:
        generator: draws the fakes that all others draw after
        second: draws after the generator
        third: draws after the second, if there is one
        critic: judges reals, and by turns what the generator and what the second drew; of three
            artists one drawn by lot in each batch, at 50, 30 and 20 of 100
        game: what the critic and the artists lose before it
        penalty: what the critic pays for being steep
        augmentation: how pictures are changed before the critic sees them
        penalty_weight: coefficient of the penalty
        penalty_every: the penalty is taken at every so-many-th move of the critic, times as much
        critic_moves: moves of the critic in a step, a number or a schedule
        generator_moves: moves of each artist in a step, a number or a schedule
        fakes_per_real: fakes that an artist draws in its own turn for each real of the batch
        adversarial_weight: coefficient of the game's loss beside a retoucher's cross entropy
    """

    drawer: Chain

    def __init__(
        self,
        generator: Generator,
        second: Retoucher,
        critic: Critic,
        game: Game,
        penalty: Penalty,
        augmentation: Augmentation,
        critic_moves: Schedule,
        generator_moves: Schedule,
        third: Retoucher | None = None,
        penalty_weight: Amount = 1.0,
        penalty_every: Count = 1,
        fakes_per_real: Count = 1,
        adversarial_weight: Amount = 0.01,
    ) -> None:
        super().__init__()
        self.duel = Adversarial(
            generator,
            critic,
            game,
            penalty,
            augmentation,
            critic_moves,
            generator_moves,
            _silent,
            penalty_weight,
            penalty_every,
            "fresh",
            fakes_per_real,
        )
        retouchers = {"second": second} | ({} if third is None else {"third": third})
        self.won_at_zero = self.duel.won_at_zero
        self.artists = ("generator", *retouchers)
        self.drawer = Chain(generator, list(retouchers.values()))
        self.adversarial_weight = adversarial_weight

    def players(self) -> Mapping[str, nn.Module]:
        """The artists and ``critic``."""
        artists = [self.drawer.drawer, *self.drawer.retouchers]
        return dict(zip(self.artists, artists, strict=True)) | {"critic": self.duel.critic}

    def turns(self, now: Progress) -> Sequence[Turn]:
        """The critic's moves, the generator's, and as many of each retoucher."""
        duel, numbers = self.duel.turns(now), critic_moves(self.duel, now)
        critics, own = duel[: len(numbers)], duel[len(numbers) :]
        moved = zip(critics, numbers, strict=True)
        critic = [
            replace(turn, loss=partial(self.judged, move), lot=partial(self._whose, move))
            for turn, move in moved
        ]
        retouched = [
            Turn((name,), partial(self.retouched, number))
            for number, name in enumerate(self.artists[1:])
        ]
        return [*critic, *own, *(turn for turn in retouched for _ in own)]

    def judged(self, move: int, batch: Batch) -> Terms:
        """What the critic loses at its ``move``-th move, counted from 0."""
        z, prompt = self.duel.asked(batch)
        with torch.no_grad():
            fakes = self.drawer.until(self._whose(move, batch.draw), z, prompt)
            exchange = self.duel.shown(batch, fakes, prompt)
        return self.duel.judged(exchange, move)

    def retouched(self, number: int, batch: Batch) -> Terms:
        """What the ``number``-th retoucher, counted from 0, loses."""
        z, prompt = self.duel.asked(batch, self.duel.fakes_per_real)
        with torch.no_grad():
            before = self.drawer.until(number, z, prompt)
        drawn = self.drawer.retouchers[number](before)
        game = self.duel.game.generator(self.duel.shown(batch, drawn, prompt))
        costs = {
            "change": cross_entropy(drawn, before.clamp(-1, 1)).mean(),
            "game": self.adversarial_weight * game.mean(),
        }
        return Terms({self.artists[number + 1]: costs})

    @torch.no_grad()
    def panel(self, batch: Batch, subject: nn.Module) -> Mapping[str, Images]:
        """What each artist makes of the same latents."""
        assert isinstance(subject, Chain)
        shape = (len(batch.images), subject.latent_size)
        z = batch.draw.prior(subject.prior, shape, "panel")
        return {
            name: subject.until(number, z, batch.prompt).clamp(-1, 1)
            for number, name in enumerate(self.artists)
        }

    def _whose(self, move: int, draw: Draw) -> int:
        """How many retouchers had a hand in the fakes of the critic's ``move``-th move."""
        if len(self.artists) == 2:
            return move % 2
        return LOTS[draw.permutation(len(LOTS), "whose fakes")[0]]


def _silent(now: Progress) -> float:
    return 0.0
