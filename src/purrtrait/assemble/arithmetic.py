"""Counts the arithmetic of training exactly, without doing any of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from purrtrait.assemble import build, pyramid
from purrtrait.assemble.pyramid import NOWHERE
from purrtrait.config import Recipe
from purrtrait.training.fit import gradients
from purrtrait.types import Batch, Draw, Objective, Progress, Turn

TERA = 10**12
GIGA = 10**9
MOST_STEPS = 10_000_000  # that are counted for a budget: five minutes on a slow core

Kind: TypeAlias = tuple[Any, ...]  # turns of one kind cost the same


class Counter(TorchDispatchMode):
    """Counts multiply-adds times two, in convolutions and matrix products, by torch's own table.

    (Torch's FlopCounterMode cannot be combined with double backward.)
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.total: int = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if func.overloadpacket in flop_registry:
            count = flop_registry[func.overloadpacket]
            self.total += int(count(*args, **(kwargs or {}), out_val=result))
        return result


def counted(work: Callable[[], object]) -> int:
    """FLOP that a callable makes."""
    with Counter() as counter:
        work()
    return int(counter.total)


def spending(
    recipe: Recipe, number: int, shape: build.Shape, seed: int = 0
) -> Iterator[tuple[int, int]]:
    """Images seen and FLOP spent after each step of a stage, without end.

    The schedule of moves is followed step by step, so bursts and lazy penalties are counted where
    they fall. A step is played, without numbers, only when one of its turns is of a kind that was
    not met before. What a turn costs depends on who moves, on whether it takes a new batch, on
    where the mover's number stands between two penalties, and on whose fakes are judged, where that
    is drawn by lot: a training with this ``seed`` draws the same.
    """
    stage, under = recipe.stages[number], pyramid.below(recipe, number, shape)
    built = build.stage(stage, shape, 0, NOWHERE)
    objective = built.objective
    every = int(stage.objective.options.get("penalty_every", 1))
    now = Progress(moves=dict.fromkeys(objective.players(), 0))
    images = torch.empty(stage.batch, shape.channels, shape.size, shape.size, device=NOWHERE)

    def draw(position: int) -> Draw:
        return Draw(seed, stage.name, position, device=NOWHERE)

    def batch(position: int) -> Batch:
        return built.level.cut(images, under, draw(position))

    costs: dict[Kind, int] = {}
    spent = 0
    while True:
        turns, begun = objective.turns(now), now.position
        kinds: list[Kind] = []
        for turn in turns:
            places = [now.moves[mover] % every for mover in turn.movers]
            lot = turn.lot(draw(now.position + turn.advance))
            kinds.append((turn.movers, turn.advance, lot, *places))
            now = _after(now, turn, stage.batch)
        if not costs.keys() >= set(kinds):
            costs |= zip(kinds, _played(objective, turns, batch, begun), strict=True)
        spent += sum(costs[kind] for kind in kinds)
        now = replace(now, steps=now.steps + 1)
        yield now.images_seen, spent


def _played(
    objective: Objective, turns: Sequence[Turn], batch: Callable[[int], Batch], position: int
) -> list[int]:
    """The FLOP of each turn of a step: its batch, where it is a new one, loss and gradients.

    ``position`` is that of the batch before.
    """
    parameters = {name: list(p.parameters()) for name, p in objective.players().items()}
    costs, held = [], batch(position)
    for turn in turns:
        with Counter() as counter:
            if turn.advance:
                position += 1
                held = batch(position)
            gradients(parameters, turn, turn.loss(held))
        costs.append(counter.total)
    return costs


def _after(now: Progress, turn: Turn, batch: int) -> Progress:
    moves = {player: n + (player in turn.movers) for player, n in now.moves.items()}
    return replace(
        now,
        images_seen=now.images_seen + turn.ticks * batch,
        position=now.position + turn.advance,
        moves=moves,
    )


def images_for(recipe: Recipe, shape: build.Shape, tflop: float) -> int:
    """The budget in images, the same for every stage, for which so much arithmetic suffices.

    It ends with the last whole step; ValueError where not even the first steps can be paid.
    """
    if not 0 < tflop < math.inf:
        raise ValueError(f"a budget of {tflop:g} TFLOP is asked for; expected a number above 0")
    steps = [spending(recipe, number, shape) for number in range(len(recipe.stages))]
    reached = [next(of_stage) for of_stage in steps]
    first = sum(spent for _, spent in reached)
    if first > tflop * TERA:
        raise ValueError(
            f"one step of the recipe '{recipe.name}' is {first / TERA:.3g} TFLOP; expected a "
            f"budget of at least that, not {tflop:g} TFLOP"
        )
    if tflop * TERA > MOST_STEPS * first:
        raise ValueError(
            f"{tflop:g} TFLOP are more than {MOST_STEPS:,} steps of the recipe '{recipe.name}', "
            "which are counted one by one; expected less, or a budget in pictures"
        )
    while True:
        behind = min(range(len(steps)), key=lambda number: reached[number][0])
        further = next(steps[behind])
        others = sum(spent for number, (_, spent) in enumerate(reached) if number != behind)
        if others + further[1] > tflop * TERA:
            return min(seen for seen, _ in reached)
        reached[behind] = further


def flop(recipe: Recipe, shape: build.Shape) -> int:
    """The FLOP of training a recipe to its budget."""
    return sum(
        next(spent for seen, spent in spending(recipe, number, shape) if seen >= stage.budget)
        for number, stage in enumerate(recipe.stages)
    )


def parameters(recipe: Recipe, shape: build.Shape) -> dict[str, int]:
    """How many parameters each player has, over all stages."""
    counts: dict[str, int] = {}
    for stage in recipe.stages:
        players = build.stage(stage, shape, 0, NOWHERE).objective.players()
        for name, player in players.items():
            counts[name] = counts.get(name, 0) + _count(player)
    return counts


def _count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())
