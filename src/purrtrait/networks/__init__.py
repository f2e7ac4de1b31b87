"""The tables of generators, critics, encoders and retouchers."""

from collections.abc import Callable

from torch import nn

from purrtrait.networks import (
    branched,
    chain,
    dcgan,
    dense,
    modern,
    refiner,
    transforming,
    upsampling,
    validator,
)
from purrtrait.types import Critic, Encoder, Generator

GENERATORS: dict[str, Callable[..., Generator]] = {
    "dcgan": dcgan.DcganGenerator,
    "dense": dense.DenseGenerator,
    "modern": modern.ModernGenerator,
    "refiner": refiner.Refiner,
    "upsampling": upsampling.UpsamplingGenerator,
}

CRITICS: dict[str, Callable[..., Critic]] = {
    "averaging": branched.averaging,
    "dcgan": dcgan.DcganCritic,
    "modern": modern.ModernCritic,
    "refiner": refiner.RefinerCritic,
    "three-branch": branched.three_branch,
    "transforming": transforming.transforming,
    "two-branch": branched.two_branch,
    "validator": validator.Validator,
}

ENCODERS: dict[str, Callable[..., Encoder]] = {}

# Pictures in, pictures of the same shape out.
RETOUCHERS: dict[str, Callable[..., nn.Module]] = {
    "convolving": chain.ConvolvingRetoucher,
    "dense": chain.DenseRetoucher,
}
