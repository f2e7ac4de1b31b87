"""Who moves when: the orders in which a critic and a generator can play."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from purrtrait.losses.exchange import Exchange
from purrtrait.objectives.relay import Relay, ratio_of_slopes
from purrtrait.types import Batch, Progress, Schedule, Terms, Turn

if TYPE_CHECKING:
    from purrtrait.objectives.adversarial import Adversarial

Play = Callable[["Adversarial", Progress], Sequence[Turn]]


def alternating(objective: Adversarial, now: Progress) -> Sequence[Turn]:
    """The critic moves, then the generator on the fakes of the critic's last move: 3G + 8D."""
    noise = objective.input_noise(now)
    last: list[Exchange] = []

    def judge(batch: Batch, move: int) -> Terms:
        exchange = objective.exchange(batch, noise)
        last[:] = [exchange]
        return objective.judged(exchange, move)

    def draw(batch: Batch) -> Terms:
        return objective.drawn(last.pop().again())

    critic = [_critic_turn(objective, judge, move) for move in critic_moves(objective, now)]
    return [*critic, Turn(("generator",), draw, advance=0)]


def fresh(objective: Adversarial, now: Progress) -> Sequence[Turn]:
    """The critic moves on fakes without a graph, the generator on its own: 4G + 8D.

    With n fakes a real in the generator's turn: (1 + 3n) G + (6 + 2n) D.
    """
    noise = objective.input_noise(now)

    def judge(batch: Batch, move: int) -> Terms:
        with torch.no_grad():
            exchange = objective.exchange(batch, noise)
        return objective.judged(exchange, move)

    def draw(batch: Batch) -> Terms:
        return objective.drawn(objective.exchange(batch, noise, objective.fakes_per_real))

    critic = [_critic_turn(objective, judge, move) for move in critic_moves(objective, now)]
    return [*critic, *[Turn(("generator",), draw)] * count(objective.generator_moves, now)]


def simultaneous(objective: Adversarial, now: Progress) -> Sequence[Turn]:
    """Both move on the same verdicts, each with a backward pass of its own: 3G + 7D."""
    return _together(objective, now, _two_descents)


def shared(objective: Adversarial, now: Progress) -> Sequence[Turn]:
    """Both move on the same verdicts and one backward pass serves both: 3G + 6D.

    Where the critic judges each picture by itself, the generator's gradient at a fake is the
    critic's own gradient there times the ratio of the two losses' derivatives by its verdict. That
    needs a critic's loss that slopes at every verdict: relativistic, non-saturating, wasserstein;
    hinge is flat below -1 and least-squares at a, where the generator would learn nothing.
    """
    return _together(objective, now, _one_descent)


PLAYS: dict[str, Play] = {
    "alternating": alternating,
    "fresh": fresh,
    "simultaneous": simultaneous,
    "shared": shared,
}

Couple = Callable[["Adversarial", Exchange, int], Terms]


def _together(objective: Adversarial, now: Progress, couple: Couple) -> Sequence[Turn]:
    noise = objective.input_noise(now)
    *before, last = critic_moves(objective, now)

    def judge(batch: Batch, move: int) -> Terms:
        with torch.no_grad():
            exchange = objective.exchange(batch, noise)
        return objective.judged(exchange, move)

    def both(batch: Batch) -> Terms:
        return couple(objective, objective.exchange(batch, noise), last)

    turns = [_critic_turn(objective, judge, move) for move in before]
    movers = ("critic", "generator")
    return [*turns, Turn(movers, both, ticks=1, after=objective.after_move)]


def _two_descents(objective: Adversarial, exchange: Exchange, move: int) -> Terms:
    critic, generator = objective.judged(exchange, move), objective.drawn(exchange)
    return Terms({**critic.costs, **generator.costs}, critic.watch)


def _one_descent(objective: Adversarial, exchange: Exchange, move: int) -> Terms:
    relay = Relay()
    exchange.fakes = relay(exchange.fakes)
    terms = _two_descents(objective, exchange, move)
    relay.ratio = ratio_of_slopes(objective.game, exchange)
    critic = terms.costs["critic"]
    # The penalty goes down by itself, when it is due: at the fakes it is not the generator's.
    descents: dict[tuple[str, ...], Tensor] = {("critic", "generator"): critic["game"]}
    if "penalty" in critic and critic["penalty"].requires_grad:
        descents[("critic",)] = critic["penalty"]
    return Terms(terms.costs, terms.watch, descents)


def critic_moves(objective: Adversarial, now: Progress) -> Sequence[int]:
    """The numbers, counted from 0, of the critic's moves in the next step."""
    first = now.moves.get("critic", 0)
    return range(first, first + count(objective.critic_moves, now))


def count(moves: Schedule, now: Progress) -> int:
    """How many moves a schedule wants in the next step: at least one."""
    return max(1, round(moves(now)))


def _critic_turn(objective: Adversarial, judge: Callable[[Batch, int], Terms], move: int) -> Turn:

    def loss(batch: Batch) -> Terms:
        return judge(batch, move)

    return Turn(("critic",), loss, ticks=1, after=objective.after_move)
