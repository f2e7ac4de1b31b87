"""The loop: plays turns until enough images were seen, and yields the progress after each step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import chain

import torch
from torch import Tensor
from torch.nn import Parameter

from purrtrait.training import cluster, optimisers
from purrtrait.training.state import Pace, State
from purrtrait.types import Batch, Progress, Terms, Turn


def fit(state: State, budget: int) -> Iterator[Progress]:
    """Train until ``budget`` real images were seen; whoever iterates logs, saves and stops.

    The clock counts the images of the global batch, over all processes. A turn that counts on it is
    played with the pictures that come next; of several turns that do not, each is played with
    pictures of its own, which are those that come next, those after them, and so on.
    """
    while state.now.images_seen < budget:
        before = state.now.images_seen
        scores = dict(state.now.scores)  # a lazy term keeps the value that it had when last due
        ahead = 0  # pictures beyond the clock that were shown
        for turn in state.objective.turns(state.now):
            state.now = replace(state.now, position=state.now.position + turn.advance)
            ahead *= 1 - turn.ticks
            batch = state.batch(ahead)
            scores |= play(state, turn, batch)
            shown = len(batch.images) * batch.draw.share.ranks
            ahead += turn.advance * (1 - turn.ticks) * shown
        state.now = replace(state.now, steps=state.now.steps + 1, scores=scores)
        state.update_average(state.now.images_seen - before)
        yield state.now


def play(state: State, turn: Turn, batch: Batch) -> dict[str, float]:
    """One turn: loss, gradients by name, mean over processes, clamp, step; returns its scores."""
    share = batch.draw.share
    # Dropout is the one thing that draws from torch's own generator.
    torch.manual_seed(batch.draw.key(f"dropout {share.rank} {' '.join(turn.movers)}") >> 65)
    with state.precision(state.objective.players().values(), batch.images.device):
        terms = turn.loss(batch)
    gradients(state.parameters, turn, terms)
    slopes = {m: [p.grad for p in state.parameters[m] if p.grad is not None] for m in turn.movers}
    scores = scalars(terms, turn.movers)
    cluster.average([*chain(*slopes.values()), *scores.values()])
    # Only now, since the length of a mean is not the mean of the lengths.
    values = numbers(scores | lengths(slopes))
    for mover in turn.movers:
        values |= decay(mover, state.parameters[mover], state.paces[mover])
        limit(state.parameters[mover], state.paces[mover].clamp)
        values[f"{mover}/lr"] = state.paces[mover].rate(state.now)
    for mover in turn.movers * turn.admit(values):
        rate = values[f"{mover}/lr"]
        optimisers.step(state.optimisers[mover], rate, state.parameters[mover])
    turn.after()
    state.tick(turn.movers, turn.ticks * len(batch.images) * share.ranks)
    return values


def gradients(players: Mapping[str, list[Parameter]], turn: Turn, terms: Terms) -> None:
    """Ask for each mover's gradient by name: none lands in a bystander or is computed for one."""
    own = {(mover,): torch.stack([*terms.costs[mover].values()]).sum() for mover in turn.movers}
    descents = dict(terms.descents) or own
    last = list(descents)[-1]
    for player in turn.movers:
        for parameter in players[player]:
            parameter.grad = None
    for names, cost in descents.items():
        parameters = [p for player in names for p in players[player]]
        slopes = torch.autograd.grad(
            cost, parameters, retain_graph=names is not last, materialize_grads=True
        )
        for parameter, slope in zip(parameters, slopes, strict=True):
            laid = optimisers.like(parameter, slope)
            parameter.grad = laid if parameter.grad is None else parameter.grad.add_(laid)


def lengths(slopes: Mapping[str, list[Tensor]]) -> dict[str, Tensor]:
    """The Euclidean length of each player's gradient over all of its weights, a scalar."""
    return {
        f"{player}/gradient": torch.stack(torch._foreach_norm(own)).norm()
        for player, own in slopes.items()
    }


@torch.no_grad()
def decay(player: str, parameters: list[Parameter], pace: Pace) -> dict[str, float]:
    """Add to the gradients those of l1 * |w|_1 + l2 / 2 * |w|_2^2 over all weights; its value.

    Every weight counts, biases and slopes too. Nothing is added, or said, where both are 0.
    """
    if not (pace.l1 or pace.l2):
        return {}
    moving: list[Tensor] = [p for p in parameters if p.grad is not None]
    slopes = [p.grad for p in moving if p.grad is not None]
    torch._foreach_add_(slopes, moving, alpha=pace.l2)
    torch._foreach_add_(slopes, torch._foreach_sign(moving), alpha=pace.l1)
    sizes, lengths = torch._foreach_norm(moving, 1), torch._foreach_norm(moving, 2)
    term = pace.l1 * torch.stack(sizes).sum() + pace.l2 / 2 * torch.stack(lengths).square().sum()
    return {f"{player}/decay": float(term)}


def limit(parameters: list[torch.nn.Parameter], size: float) -> None:
    """Limit each element of the gradients to [-size, size] (element-wise, not by norm)."""
    if size == float("inf"):
        return
    for parameter in parameters:
        if parameter.grad is not None:
            parameter.grad.clamp_(-size, size)


def scalars(terms: Terms, movers: tuple[str, ...]) -> dict[str, Tensor]:
    """The movers' costs and every watched number, under their logged names."""
    costs = {
        f"{player}/{term}": value.detach().float()
        for player in movers
        for term, value in terms.costs[player].items()
    }
    return costs | {name: value.detach().float() for name, value in terms.watch.items()}


def numbers(scores: Mapping[str, Tensor]) -> dict[str, float]:
    """Scores as plain numbers, fetched from the device at once."""
    return dict(zip(scores, torch.stack(list(scores.values())).tolist(), strict=True))
