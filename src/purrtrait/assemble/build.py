"""Makes the things of a stage: level, networks, objective and the pace of each player."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import nn

from purrtrait.assemble.options import as_part, checked
from purrtrait.assemble.tables import NETWORKS, PARTS, Table, parameters, wants
from purrtrait.config import Part, Stage
from purrtrait.images.vary import VARIATIONS, Variation
from purrtrait.losses.exchange import Game
from purrtrait.networks.blocks import channels_last
from purrtrait.objectives import BALANCES, BY_LEVEL, OBJECTIVES
from purrtrait.sampling import LEVELS
from purrtrait.training import OPTIMISERS, SCHEDULES
from purrtrait.training.state import Pace
from purrtrait.types import Draw, Level, Objective, Schedule
from purrtrait.words import lookup

Known: TypeAlias = Mapping[str, int]  # size, channels, budget


@dataclass(frozen=True)
class Shape:
    """What the data say of the pictures: width and height in pixels, channels (1 or 3)."""

    size: int
    channels: int


@dataclass(frozen=True)
class Built:
    """A stage that is ready to train; ``described`` goes into sampler.json."""

    level: Level
    objective: Objective
    paces: Mapping[str, Pace]
    described: Mapping[str, Any]


def stage(recipe: Stage, shape: Shape, seed: int, device: torch.device) -> Built:
    """Level, objective (on the device, channels-last) and paces of a recipe's stage.

    The weights at the start are a function of (seed, stage, player).
    """
    laid, options_of_level = level(recipe, shape), _level_options(recipe, shape)
    known = {"size": laid.size, "channels": shape.channels, "budget": recipe.budget}
    networks, described = players(recipe, known, seed, device)
    factory = lookup(OBJECTIVES, "objective", recipe.objective.name)
    options = arguments(OBJECTIVES, "objective", recipe.objective, known)
    _expect_level(recipe.balance.name, options.get("game"))
    balance = BALANCES[recipe.balance.name](**arguments(BALANCES, "balance", recipe.balance, known))
    objective: Objective = balance(factory(**networks, **options))
    channels_last(objective.to(device))
    artists = [described[name] for name in objective.artists if name in described]
    return Built(
        laid,
        objective.train(),
        {name: pace(recipe, name, known) for name in recipe.players},
        {
            "name": recipe.name,
            "prefix": f"{recipe.name}/",
            "level": {"name": recipe.level.name, "options": options_of_level},
            "drawer": artists[:1] and artists[0],
            "retouchers": artists[1:],
        },
    )


def _expect_level(balance: str, game: Game | None) -> None:
    """ValueError where a balance goes by verdicts that say nothing by themselves."""
    if game is not None and not game.level and balance in BY_LEVEL:
        raise ValueError(
            f"the balance '{balance}' goes by what the critic says of reals and of fakes, but in "
            "this game a verdict says something beside others only; expected another game: --set "
            "game=non-saturating, or --set balance=none"
        )


def level(recipe: Stage, shape: Shape) -> Level:
    """What a stage sees of each picture."""
    made: Level = lookup(LEVELS, "level", recipe.level.name)(**_level_options(recipe, shape))
    return made


def _level_options(recipe: Stage, shape: Shape) -> dict[str, Any]:
    known = {"size": shape.size, "channels": shape.channels, "budget": recipe.budget}
    return arguments(LEVELS, "level", recipe.level, known)


def players(
    recipe: Stage, known: Known, seed: int, device: torch.device
) -> tuple[dict[str, nn.Module], dict[str, dict[str, Any]]]:
    """The networks of a stage by name, and how to build each of them again."""
    roles = parameters(lookup(OBJECTIVES, "objective", recipe.objective.name))
    networks: dict[str, nn.Module] = {}
    described: dict[str, dict[str, Any]] = {}
    for name, player in recipe.players.items():
        table = NETWORKS[roles[name].hint]
        options = arguments(table, name, player.network, known)
        described[name] = {"name": player.network.name, "options": options}
        # Weights are drawn on the CPU whatever the device, so that they are the same everywhere;
        # a rehearsal draws none.
        cradle = torch.device("meta" if device.type == "meta" else "cpu")
        with torch.random.fork_rng(devices=[]), cradle:
            torch.manual_seed(Draw(seed, recipe.name, 0).key(f"weights of {name}") >> 65)
            networks[name] = table[player.network.name](**options)
    return networks, described


def pace(recipe: Stage, name: str, known: Known) -> Pace:
    """How a player steps."""
    player = recipe.players[name]
    options = arguments(OPTIMISERS, "optimiser", player.optimiser, known)
    made = OPTIMISERS[player.optimiser.name](**options)
    name = f"{player.optimiser.name} {options}"
    rate = schedule(player.lr, known)
    return Pace(made, rate, player.clamp, name, player.l1, player.l2)


def variation(recipe: Stage) -> Variation:
    """How a stage's pictures are changed before it sees them."""
    options = arguments(VARIATIONS, "variation", recipe.variation, {})
    return VARIATIONS[recipe.variation.name](**options)


def schedule(part: Part, known: Known) -> Schedule:
    """A schedule from its part."""
    made: Schedule = lookup(SCHEDULES, "schedule", part.name)(
        **arguments(SCHEDULES, "schedule", part, known)
    )
    return made


def arguments(table: Table, kind: str, part: Part, known: Known) -> dict[str, Any]:
    """Every argument of a part's factory but networks: as said, by default, or as given."""
    factory = lookup(table, kind, part.name)
    made: dict[str, Any] = {name: known[name] for name in wants(factory)}
    for name, entry in parameters(factory).items():
        value = part.options.get(name, entry.default)
        match entry.kind:
            case "part":
                inner = as_part(value, (kind, name))
                table_of = PARTS[name]
                made[name] = table_of[inner.name](**arguments(table_of, name, inner, known))
            case "schedule":
                made[name] = schedule(as_part(value, (kind, name)), known)
            case "plain":
                made[name] = checked((kind, name), entry, value)
            case _:
                pass  # a network, which comes from the players
    return made
