"""The tables of generators, critics and encoders."""

from collections.abc import Callable

from purrtrait.networks import dcgan
from purrtrait.types import Critic, Encoder, Generator

GENERATORS: dict[str, Callable[..., Generator]] = {
    "dcgan": dcgan.DcganGenerator,
}

CRITICS: dict[str, Callable[..., Critic]] = {
    "dcgan": dcgan.DcganCritic,
}

ENCODERS: dict[str, Callable[..., Encoder]] = {}
