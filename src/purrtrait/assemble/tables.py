"""Which table a factory's parameter is looked up in, and what a factory's options mean."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from purrtrait.losses import GAMES, PENALTIES
from purrtrait.networks import CODERS, CRITICS, ENCODERS, GENERATORS, RETOUCHERS
from purrtrait.objectives import AUGMENTATIONS
from purrtrait.types import Coder, Critic, Encoder, Generator, Retoucher, Schedule

Table = Mapping[str, Callable[..., Any]]

# A parameter that is annotated with a network comes from the recipe's players.
NETWORKS: dict[object, Table] = {
    Generator: GENERATORS,
    Critic: CRITICS,
    Encoder: ENCODERS,
    Coder: CODERS,
    Retoucher: RETOUCHERS,
}

# These parameters are named in the recipe and looked up; all others are plain options.
PARTS: dict[str, Table] = {
    "game": GAMES,
    "penalty": PENALTIES,
    "augmentation": AUGMENTATIONS,
}

# What the data and the stage say, and no factory's options in a recipe can.
GIVEN = ("size", "channels", "budget")

# What a recipe need not say about parameters that are things rather than plain values.
DEFAULTS: dict[str, Any] = {
    "penalty": "none",
    "augmentation": "none",
    "chance": 1.0,
    "critic_moves": 1.0,
    "generator_moves": 1.0,
    "divergence_weight": 1.0,
    "input_noise": 0.0,
}


@dataclass(frozen=True)
class Parameter:
    """One parameter of a factory: annotation, default (``...`` where it has none) and meaning."""

    name: str
    hint: object
    default: Any
    meaning: str

    @property
    def needed(self) -> bool:
        """Whether it must be said."""
        return self.default is ...

    @property
    def kind(self) -> str:
        """'network', 'part', 'schedule' or 'plain'."""
        if self.hint in NETWORKS:
            return "network"
        if self.name in PARTS:
            return "part"
        return "schedule" if self.hint == Schedule else "plain"


@cache
def parameters(factory: Callable[..., Any]) -> dict[str, Parameter]:
    """What a recipe may say to a factory, by name, read off its signature and docstring."""
    words = meanings(factory)
    hints = typing.get_type_hints(
        factory.__init__ if inspect.isclass(factory) else factory, include_extras=True
    )
    return {
        name: Parameter(name, _sure(hints.get(name)), _default(name, entry), words.get(name, ""))
        for name, entry in inspect.signature(factory).parameters.items()
        if name not in GIVEN
    }


def meanings(factory: Callable[..., Any]) -> dict[str, str]:
    """What each parameter means, from the section 'Args:' of the factory's own docstring."""
    _, _, section = (inspect.getdoc(factory) or "").partition("Args:\n")
    found = re.findall(r"^ {4}(\w+): (.+(?:\n {8,}.+)*)", section, re.MULTILINE)
    return {name: re.sub(r"\s+", " ", text) for name, text in found}


def wants(factory: Callable[..., Any]) -> tuple[str, ...]:
    """Which of the given things (size, channels, budget) the factory wants to know."""
    known = inspect.signature(factory).parameters
    return tuple(name for name in GIVEN if name in known)


def _sure(hint: object) -> object:
    """A network that may be left out is still a network."""
    return next((kind for kind in NETWORKS if kind in typing.get_args(hint)), hint)


def _default(name: str, entry: inspect.Parameter) -> Any:
    if entry.default is inspect.Parameter.empty:
        return DEFAULTS.get(name, ...)
    return entry.default
