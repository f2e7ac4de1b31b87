"""How much memory a stage will need, found by rehearsing a step without any."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from purrtrait.assemble import build, pyramid
from purrtrait.config import Recipe
from purrtrait.types import Batch, Draw, Progress

COPIES = 4  # of the weights: themselves, their gradients, and two moments of the optimiser


def rehearsed(recipe: Recipe, number: int, shape: build.Shape, ranks: int = 1) -> int:
    """Bytes that training a recipe's stage needs at its peak, in each of ``ranks`` processes.

    The stage is built and its first turns are played on torch's meta device, which knows shapes
    but holds no numbers; every tensor that the backward pass would find saved is counted once.
    Whatever cannot be built is said by a ValueError, before anything is made.
    """
    stage, nowhere = recipe.stages[number], pyramid.NOWHERE
    under = pyramid.below(recipe, number, shape)
    built = build.stage(stage, shape, 0, nowhere)
    players = built.objective.players()
    rows = max(1, stage.batch // ranks)
    images = torch.empty(rows, shape.channels, shape.size, shape.size, device=nowhere)
    draw = Draw(0, stage.name, 0, device=nowhere)
    batch: Batch = built.level.cut(images, under, draw)
    saved: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        saved[storage._cdata] = storage.nbytes()
        return tensor

    turns = built.objective.turns(Progress(moves=dict.fromkeys(players, 0)))
    held = []  # what the next turn reuses stays alive, as it does in training
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        for turn in {turn.movers: turn for turn in turns}.values():  # one of each kind
            held.append(turn.loss(batch))
    subject = weights({"subject": built.objective.subject()})
    return sum(saved.values()) + COPIES * weights(players) + subject


def weights(networks: Mapping[str, nn.Module]) -> int:
    """Bytes of the networks' parameters."""
    return sum(p.nbytes for network in networks.values() for p in network.parameters())
