"""The tables of generators, critics and encoders."""

from collections.abc import Callable

from purrtrait.networks import dcgan, modern
from purrtrait.types import Critic, Encoder, Generator

GENERATORS: dict[str, Callable[..., Generator]] = {
    "dcgan": dcgan.DcganGenerator,
    "modern": modern.ModernGenerator,
}

CRITICS: dict[str, Callable[..., Critic]] = {
    "dcgan": dcgan.DcganCritic,
    "modern": modern.ModernCritic,
}

ENCODERS: dict[str, Callable[..., Encoder]] = {}
