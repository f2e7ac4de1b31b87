"""What is decoded of a batch before a critic, and how costs pull at the decoded pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from purrtrait.losses.exchange import Exchange
from purrtrait.losses.likelihood import Unlikelihood
from purrtrait.networks.resting import at_rest
from purrtrait.objectives.adversarial import Adversarial
from purrtrait.objectives.vae import somewhere
from purrtrait.types import Batch, Critic, Encoder, Images

Judged: TypeAlias = Literal["samples", "samples-and-reconstructions"]
Space: TypeAlias = Literal["pixels", "features"]
Weights: TypeAlias = Literal["fixed", "equal"]

SHORTEST = 1e-30  # near the limit of float32: a gradient that is all zeros stays so


@dataclass
class Decoding:
    """What encoder and decoder make of a batch: each pass is made when it is first asked for."""

    encoder: Encoder
    duel: Adversarial
    batch: Batch

    @cached_property
    def posterior(self) -> tuple[Tensor, Tensor]:
        """Mean and log variance of the pictures' latents, each (B, Z)."""
        mean, log_variance = self.encoder(self.batch.images)
        return mean, log_variance

    @cached_property
    def decoded(self) -> tuple[Images, Images]:
        """Decoded latents of the pictures, and of the prior, each (B, C, H, W).

        One pass draws both: so batch norm brings both to one scale, that of its record, by which
        the trained decoder draws. Latents of the prior are spread otherwise than those of pictures;
        normalised by themselves, samples would be judged as they are never drawn afterwards.
        """
        z = somewhere(*self.posterior, self.batch)
        others, _ = self.duel.asked(self.batch)
        drawn = self.duel.drawer(torch.cat([z, others]))
        reconstructions, samples = drawn.tensor_split(2)
        return reconstructions, samples

    @property
    def reconstructions(self) -> Images:
        """Decoded latents of the pictures, (B, C, H, W)."""
        return self.decoded[0]

    @property
    def samples(self) -> Images:
        """Decoded latents of the prior, (B, C, H, W)."""
        return self.decoded[1]

    @cached_property
    def with_samples(self) -> Exchange:
        """Reals and samples before the critic."""
        return self.duel.shown(self.batch, self.samples, None)

    @cached_property
    def with_reconstructions(self) -> Exchange:
        """Reals and reconstructions before the critic, who judges the reals only once."""
        exchange = self.duel.shown(self.batch, self.reconstructions, None)
        exchange.real = self.with_samples.real
        return exchange


SHOWN: Mapping[Judged, Callable[[Decoding], Sequence[Exchange]]] = {
    "samples": lambda made: [made.with_samples],
    "samples-and-reconstructions": lambda made: [made.with_samples, made.with_reconstructions],
}


@dataclass(frozen=True)
class Pull:
    """The gradient of a cost at decoded pictures."""

    pictures: Sequence[Images]
    slopes: Sequence[Tensor]

    @classmethod
    def of(cls, cost: Tensor, pictures: Sequence[Images]) -> Pull:
        """How a cost pulls; nothing behind the pictures is computed."""
        return cls(pictures, torch.autograd.grad(cost, pictures))

    @property
    def length(self) -> Tensor:
        """Its Euclidean length over all pictures, a scalar."""
        return torch.stack([slope.square().sum() for slope in self.slopes]).sum().sqrt()

    def carried(self) -> Tensor:
        """A scalar whose gradient in whatever drew the pictures is that of the cost."""
        pairs = zip(self.pictures, self.slopes, strict=True)
        return torch.stack([(picture * slope).sum() for picture, slope in pairs]).sum()


def _fixed(own: Tensor, other: Tensor) -> Tensor:
    return torch.ones_like(other)


def _equal(own: Tensor, other: Tensor) -> Tensor:
    return own / other.clamp_min(SHORTEST)


# By which factor a pull of length ``other`` is changed beside one of length ``own``.
FACTORS: Mapping[Weights, Callable[[Tensor, Tensor], Tensor]] = {"fixed": _fixed, "equal": _equal}


def _in_pixels(critic: Critic, lost: Unlikelihood, drawn: Images, true: Images) -> Tensor:
    return lost(drawn, true)


def _in_features(critic: Critic, lost: Unlikelihood, drawn: Images, true: Images) -> Tensor:
    # At rest: with dropout two looks at the very same picture would differ more than two people do.
    with at_rest(critic):
        with torch.no_grad():
            seen = critic.features(true)
        return lost(critic.features(drawn), seen)


# How unlikely true pictures are, (B,), by what is compared of them and of the drawn ones.
SPACES: Mapping[Space, Callable[[Critic, Unlikelihood, Images, Images], Tensor]] = {
    "pixels": _in_pixels,
    "features": _in_features,
}
