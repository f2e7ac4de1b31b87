"""The tables of generators, critics, encoders, coders and retouchers."""

from collections.abc import Callable

from purrtrait.networks import (
    autoencoder,
    branched,
    catgan,
    chain,
    dcgan,
    denoiser,
    dense,
    encoder,
    halfway,
    modern,
    refiner,
    torchgan,
    transforming,
    upsampling,
    validator,
)
from purrtrait.types import Coder, Critic, Encoder, Generator, Retoucher

GENERATORS: dict[str, Callable[..., Generator]] = {
    "bounded-refiner": autoencoder.BoundedRefiner,
    "cat-gan": catgan.CatGanGenerator,
    "dcgan": dcgan.DcganGenerator,
    "dense": dense.DenseGenerator,
    "dense-relu": autoencoder.dense_decoder,
    "halfway": halfway.HalfwayRefiner,
    "modern": modern.ModernGenerator,
    "refiner": refiner.Refiner,
    "torch-gan": torchgan.TorchGanGenerator,
    "upsampling": upsampling.UpsamplingGenerator,
}

CRITICS: dict[str, Callable[..., Critic]] = {
    "averaging": branched.averaging,
    "cat-gan": catgan.CatGanCritic,
    "dcgan": dcgan.DcganCritic,
    "modern": modern.ModernCritic,
    "refiner": refiner.RefinerCritic,
    "three-branch": branched.three_branch,
    "torch-gan": torchgan.TorchGanCritic,
    "transforming": transforming.transforming,
    "two-branch": branched.two_branch,
    "validator": validator.Validator,
}

ENCODERS: dict[str, Callable[..., Encoder]] = {
    "convolving": encoder.ConvolvingEncoder,
}

CODERS: dict[str, Callable[..., Coder]] = {
    "convolving": autoencoder.ConvolvingCoder,
    "dense": autoencoder.DenseCoder,
}

RETOUCHERS: dict[str, Callable[..., Retoucher]] = {
    "convolving": chain.ConvolvingRetoucher,
    "denoiser": denoiser.Denoiser,
    "dense": chain.DenseRetoucher,
}
