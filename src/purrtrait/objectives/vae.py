"""The variational autoencoder: an encoder and a decoder raise a bound on pictures' likelihood."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn

from purrtrait.images.resize import rounded
from purrtrait.losses import logistics
from purrtrait.losses.divergence import divergence
from purrtrait.losses.likelihood import Likelihood, unlikelihood
from purrtrait.networks.dmol import MixtureGenerator
from purrtrait.networks.resting import at_rest
from purrtrait.types import (
    Batch,
    Drawing,
    Encoder,
    Generator,
    Images,
    Latents,
    Positive,
    Progress,
    Schedule,
    Terms,
    Turn,
)

PixelLikelihood: TypeAlias = Literal[Likelihood, "logistics"]


class Vae(Drawing):
    """Both go down one number: how unlikely pictures are when decoded, plus their divergence.

    (Kingma and Welling 2014, "Auto-encoding variational Bayes", equations 8 and 10.) The latents
    of a picture are drawn from N(mean, exp(log variance)) as the encoder says them, by noise that
    is scaled and shifted, so that the gradient reaches the encoder.

    All costs are in nats a picture, and stand as they are, before the weight. One forward and one
    backward pass of each network.

    Args:
        encoder: says where the latents of a picture lie
        decoder: draws the picture of latents; its prior is normal
        divergence_weight: coefficient of the divergence, a number or a schedule; where it rises
            from 0 to 1 the latents come into use before they are held to the prior
        likelihood: gaussian (of the variance below), fitted-gaussian (of the variance that fits the
            batch best), bernoulli (values are the chances of white) or logistics (the decoder
            says a mixture of them for every pixel, as VDVAE's does)
        variance: of each value of a picture in [-1, 1] around the decoded one, if gaussian; the
            smaller it is, the more the likeness counts against the divergence
    """

    artists = ("decoder",)
    validated = True

    def __init__(
        self,
        encoder: Encoder,
        decoder: Generator,
        divergence_weight: Schedule,
        likelihood: PixelLikelihood = "gaussian",
        variance: Positive = 1.0,
    ) -> None:
        super().__init__()
        self.unlikelihood = _decoding(encoder, decoder, likelihood, variance)
        expect_pair(encoder, decoder)
        self.encoder = encoder
        self.drawer = decoder
        self.divergence_weight = divergence_weight

    def players(self) -> Mapping[str, nn.Module]:
        """``encoder`` and ``decoder``."""
        return {"encoder": self.encoder, "decoder": self.drawer}

    def turns(self, now: Progress) -> Sequence[Turn]:
        """One turn, in which both move."""
        loss = partial(self.bounded, self.divergence_weight(now))
        return [Turn(("encoder", "decoder"), loss, ticks=1)]

    def bounded(self, weight: float, batch: Batch) -> Terms:
        """What both of them lose: one number, whose backward pass serves both."""
        mean, log_variance = self.encoder(batch.images)
        likeness = self.unlikelihood(somewhere(mean, log_variance, batch), batch.images).mean()
        apart = divergence(mean, log_variance).mean()
        costs = {
            "encoder": {"reconstruction": likeness, "divergence": apart},
            "decoder": {"reconstruction": likeness},
        }
        watch = {"latent/bound": -(likeness + apart).detach()}
        if self.training:  # no cost depends on it: on pictures held out it says nothing
            watch["latent/weight"] = apart.new_tensor(weight)
        return Terms(costs, watch, {("encoder", "decoder"): likeness + weight * apart})

    def panel(self, batch: Batch, subject: nn.Module) -> Mapping[str, Images]:
        """Pictures, and what is decoded of their likeliest latents."""
        return decoded(self.encoder, batch, subject)


def _decoding(
    encoder: Encoder, decoder: Generator, likelihood: PixelLikelihood, variance: float
) -> Callable[[Latents, Images], Tensor]:
    """How unlikely pictures are when decoded of latents, in nats a picture, (B,)."""
    if likelihood != "logistics":
        lost = unlikelihood(likelihood, variance)
        return lambda z, true: lost(decoder(z), true)
    match decoder:
        case MixtureGenerator(mixing="values"):
            nats = logistics.mixture  # for each value
            return lambda z, true: true[0].numel() * nats(rounded(true), *decoder.mixture(z))
        case MixtureGenerator():
            raise ValueError(
                "the likelihood 'logistics' lets each colour follow the true values of those "
                f"before it, the decoder's colours follow {decoder.mixing}; expected --set "
                "decoder.mixing=values"
            )
        case _:
            raise ValueError(
                "the likelihood 'logistics' is that of a mixture for every pixel, which this "
                "decoder does not say; expected one that does: --set decoder.network=cat-gan "
                f"--set decoder.mixing=values --set decoder.latent={encoder.latent_size}; or "
                "another likelihood: --set likelihood=fitted-gaussian"
            )


def expect_pair(encoder: Encoder, decoder: Generator) -> None:
    """ValueError unless the decoder draws from what the encoder finds: as many normal numbers."""
    if encoder.latent_size != decoder.latent_size:
        raise ValueError(
            f"the encoder's latents have {encoder.latent_size} numbers, the decoder draws from "
            f"{decoder.latent_size}; expected as many, such as --set encoder.latent="
            f"{decoder.latent_size}"
        )
    if decoder.prior != "normal":
        raise ValueError(
            f"the decoder's latents are {decoder.prior}; a variational autoencoder holds them to a "
            "normal prior, and expects a decoder with one, such as --set decoder.network=dcgan"
        )


def somewhere(mean: Tensor, log_variance: Tensor, batch: Batch) -> Latents:
    """Latents (B, Z) drawn from N(mean, exp(log variance)), with the gradient of either."""
    return mean + (log_variance / 2).exp() * batch.draw.normal(mean.shape, "posterior")


@torch.no_grad()
def decoded(encoder: Encoder, batch: Batch, subject: nn.Module) -> Mapping[str, Images]:
    """Pictures, and what is decoded of their means; the encoder is the one of this moment."""
    with at_rest(encoder):
        mean, _ = encoder(batch.images)
    return {"original": batch.images, "decoded": subject(mean)}
