"""All that a stage's training remembers: players, optimisers, average and clock."""

from __future__ import annotations

import copy
import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from purrtrait.training import optimisers
from purrtrait.training.checkpoint import under
from purrtrait.training.precision import Precision, full
from purrtrait.types import Batch, Objective, Progress, Schedule

log = logging.getLogger(__name__)

RAMP = 0.2  # the average never looks back further than this share of the pictures seen


@dataclass(frozen=True)
class Pace:
    """How one player steps: its optimiser, its learning rate and the limit of its gradient.

    ``name`` says which optimiser it is, with its options: moments of another one are of no use.
    ``l1`` and ``l2`` are the coefficients of the sum of the weights' sizes and of half the sum of
    their squares, which the player also goes down.
    """

    build: optimisers.Build
    rate: Schedule
    clamp: float = math.inf
    name: str = ""
    l1: float = 0.0
    l2: float = 0.0


class State:
    """A stage in training.

    ``batches`` gives the batch at a place on the clock; it is a pure function of that place, so
    that a resumed run needs no saved random state. A round is ``round_images`` real pictures.
    ``precision`` is that in which the players compute while a turn is played, and at no other time.
    """

    def __init__(
        self,
        objective: Objective,
        paces: Mapping[str, Pace],
        batches: Callable[[Progress], Batch],
        half_life_images: float,
        round_images: int,
        precision: Precision = full,
    ) -> None:
        players = objective.players()
        if set(players) != set(paces):
            raise ValueError(
                f"the objective's players are {', '.join(players)}, but the recipe says how "
                f"{', '.join(paces)} step; name the same players"
            )
        self.objective = objective
        self.paces = paces
        self.batches = batches
        self.half_life_images = half_life_images
        self.round_images = round_images
        self.precision = precision
        self.parameters = {name: list(player.parameters()) for name, player in players.items()}
        self.optimisers: dict[str, Optimizer] = {
            name: pace.build(self.parameters[name]) for name, pace in paces.items()
        }
        self.average = copy.deepcopy(objective.subject()).eval().requires_grad_(False)
        self.now = Progress(moves=dict.fromkeys(players, 0))
        self._held: tuple[int, Batch] | None = None

    def batch(self, ahead: int = 0) -> Batch:
        """The batch at the clock's position; at the same position the very same one.

        Its pictures are those that come ``ahead`` pictures after the next.
        """
        if self._held is None or self._held[0] != self.now.position:
            place = replace(self.now, images_seen=self.now.images_seen + ahead)
            self._held = (self.now.position, self.batches(place))
        return self._held[1]

    def tick(self, movers: tuple[str, ...], images: int) -> None:
        """Move the clock on after a turn of these players that showed so many real pictures."""
        moves = {player: n + (player in movers) for player, n in self.now.moves.items()}
        seen = self.now.images_seen + images
        self.now = replace(self.now, images_seen=seen, moves=moves, round=seen // self.round_images)

    @torch.no_grad()
    def update_average(self, images: int) -> None:
        """Move the average towards the weights after a step that saw so many real pictures.

        average <- keep * average + (1 - keep) * weights, keep = 2^(-images / half-life), where the
        half-life ramps up with the pictures seen (Karras et al. 2024, "Analyzing and improving the
        training dynamics of diffusion models", section 3, discuss why short ones suit beginnings).
        Numbers with a fraction are averaged, counts are copied.
        """
        half_life = min(self.half_life_images, RAMP * self.now.images_seen)
        keep = 0.5 ** (images / max(half_life, 1e-9))
        own = self.average.state_dict()
        new = self.objective.subject().state_dict()
        smooth = [name for name, value in own.items() if value.is_floating_point()]
        torch._foreach_lerp_([own[n] for n in smooth], [new[n] for n in smooth], 1 - keep)
        for name in own.keys() - smooth:
            own[name].copy_(new[name])

    def tensors(self) -> dict[str, Tensor]:
        """Players and optimisers as contiguous tensors by name; the average is kept apart."""
        saved = {f"memory/{k}": v for k, v in packed_memory(self.objective).items()}
        for name, module in self.objective.players().items():
            saved |= {f"player/{name}/{k}": v for k, v in packed(module).items()}
        for player, optimiser in self.optimisers.items():
            for key, value in optimisers.moments(optimiser).items():
                saved[f"optimiser/{player}/{key}"] = value
        return saved

    def facts(self) -> dict[str, Any]:
        """The clock, as plain data."""
        return dict(vars(self.now)) | {
            "moves": dict(self.now.moves),
            "scores": dict(self.now.scores),
        }

    def steppers(self) -> dict[str, str]:
        """The name of each player's optimiser."""
        return {player: pace.name for player, pace in self.paces.items()}

    def finite(self) -> bool:
        """Whether every weight is a number."""
        tensors = [p for parameters in self.parameters.values() for p in parameters]
        return all(bool(torch.isfinite(p).all()) for p in tensors)

    def start_from(self, tensors: Mapping[str, Tensor], players: tuple[str, ...]) -> None:
        """Take the weights of some players from what was saved, and nothing else."""
        for name in players:
            saved = under(tensors, f"player/{name}/")
            if not saved:
                there = sorted({key.split("/")[1] for key in tensors if key.startswith("player/")})
                raise ValueError(
                    f"the checkpoint holds no player '{name}'; it holds {', '.join(there)}"
                )
            load(self.objective.players()[name], saved)
        own = self.average.state_dict()
        for key, value in self.objective.subject().state_dict().items():
            own[key].copy_(value)

    def restore(
        self,
        tensors: Mapping[str, Tensor],
        average: Mapping[str, Tensor],
        facts: Mapping[str, Any],
        steppers: Mapping[str, str],
    ) -> None:
        """Go back to what was saved; ValueError when it belongs to other networks.

        ``steppers`` names the optimiser of each player that was saved; where a player has another
        one now, it begins without memory.
        """
        self.start_from(tensors, tuple(self.paces))
        memory = under(tensors, "memory/")
        self.objective.load_state_dict(memory, strict=False)
        for name in packed_memory(self.objective).keys() - memory.keys():
            log.warning("the checkpoint does not know '%s', which begins anew", name)
        load(self.average, dict(average))
        for player, optimiser in self.optimisers.items():
            if steppers.get(player) == self.paces[player].name:
                optimisers.restore(optimiser, under(tensors, f"optimiser/{player}/"))
            else:
                log.warning("the optimiser of the %s is another one: it begins anew", player)
        self.now = replace(Progress(), **facts)


def packed(module: nn.Module) -> dict[str, Tensor]:
    """A module's weights and buffers as contiguous tensors on the CPU, by name."""
    return {name: value.detach().cpu().contiguous() for name, value in module.state_dict().items()}


def load(module: nn.Module, saved: dict[str, Tensor]) -> None:
    """Copy weights and buffers into a module, whose own memory layout stays."""
    try:
        module.load_state_dict(saved)
    except RuntimeError as error:
        detail = str(error).splitlines()[1:3]
        raise ValueError(
            f"the saved weights do not fit this network ({' '.join(d.strip() for d in detail)}). "
            "They were made by another recipe or other options; use the ones they were made with"
        ) from None


def packed_memory(objective: Objective) -> dict[str, Tensor]:
    """What the objective itself remembers: its buffers that belong to no player."""
    players = list(objective.players().values())
    inside = tuple(
        f"{name}."
        for name, module in objective.named_modules(remove_duplicate=False)
        if any(module is p for p in players)
    )
    return {k: v for k, v in packed(objective).items() if not k.startswith(inside)}
