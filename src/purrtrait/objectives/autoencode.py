"""Autoencoding: a coder and a decoder learn together to draw pictures anew from their codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from purrtrait.losses.reconstruction import LIKENESSES, Likeness
from purrtrait.networks.resting import at_rest
from purrtrait.types import (
    Batch,
    Coder,
    Drawing,
    Generator,
    Images,
    Progress,
    Terms,
    Turn,
)


class Autoencode(Drawing):
    """Coder and decoder go down the same cost: how far decoded pictures are from their originals.

    Training is for the decoder: a generator that knows what pictures look like before it ever
    meets a critic.

    Args:
        coder: finds the code of a picture
        decoder: draws the picture of a code
        likeness: by what decoded pictures are held to the originals: squares (mean squared
            difference) or sizes (mean absolute difference), both of pictures in [0, 1]
    """

    artists = ("decoder",)
    validated = True

    def __init__(self, coder: Coder, decoder: Generator, likeness: Likeness = "squares") -> None:
        super().__init__()
        if coder.latent_size != decoder.latent_size:
            raise ValueError(
                f"the coder's codes have {coder.latent_size} numbers, the decoder draws from "
                f"{decoder.latent_size}; expected as many, such as --set coder.latent="
                f"{decoder.latent_size}"
            )
        self.coder = coder
        self.drawer = decoder
        self.likeness = LIKENESSES[likeness]

    def players(self) -> Mapping[str, nn.Module]:
        """``coder`` and ``decoder``."""
        return {"coder": self.coder, "decoder": self.drawer}

    def turns(self, now: Progress) -> Sequence[Turn]:
        """One turn, in which both move."""
        return [Turn(("coder", "decoder"), self.decoded, ticks=1)]

    def decoded(self, batch: Batch) -> Terms:
        """What both of them lose: one number, whose backward pass serves both."""
        cost = self.likeness(self.drawer(self.coder(batch.images)), batch.images).mean()
        costs = {player: {"difference": cost} for player in self.players()}
        return Terms(costs, descents={("coder", "decoder"): cost})

    @torch.no_grad()
    def panel(self, batch: Batch, subject: nn.Module) -> Mapping[str, Images]:
        """Pictures, and what is decoded of their codes; the coder is the one of this moment."""
        with at_rest(self.coder):
            codes = self.coder(batch.images)
        return {"original": batch.images, "decoded": subject(codes)}
