"""Denoising: one network learns to clean noisy pictures, a second to clean what the first made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from purrtrait.losses.reconstruction import cross_entropy
from purrtrait.networks.resting import at_rest
from purrtrait.types import Amount, Batch, Images, Objective, Progress, Retoucher, Terms, Turn


class Denoise(Objective):
    """Two networks, each with a cost of its own: neither is moved by what the other loses.

    Args:
        first: cleans pictures to which noise was added
        second: cleans what the first has cleaned; no noise is added there
        noise: standard deviation of the noise, in pictures in [-1, 1]
    """

    validated = True

    def __init__(self, first: Retoucher, second: Retoucher, noise: Amount = 0.2) -> None:
        super().__init__()
        self.first = first
        self.second = second
        self.noise = noise

    def players(self) -> Mapping[str, nn.Module]:
        """``first`` and ``second``."""
        return {"first": self.first, "second": self.second}

    def turns(self, now: Progress) -> Sequence[Turn]:
        """One turn, in which both move."""
        return [Turn(("first", "second"), self.cleaned, ticks=1)]

    def cleaned(self, batch: Batch) -> Terms:
        """What each of them loses, on its own picture."""
        once = self.first(self.noisy(batch))
        twice = self.second(once.detach())
        drawn = {"first": once, "second": twice}
        costs = {
            player: {"difference": cross_entropy(images, batch.images).mean()}
            for player, images in drawn.items()
        }
        return Terms(costs)

    def noisy(self, batch: Batch) -> Images:
        """The pictures (B, C, H, W) with noise, of the batch's own randomness."""
        return batch.images + self.noise * batch.draw.normal(batch.images.shape, "noise")

    def subject(self) -> nn.Module:
        """The first: what cleans pictures wherever they come from."""
        return self.first

    @torch.no_grad()
    def panel(self, batch: Batch, subject: nn.Module) -> Mapping[str, Images]:
        """Pictures, noisy ones, and what one and two networks make of these."""
        noisy = self.noisy(batch)
        once: Images = subject(noisy)
        with at_rest(self.second):
            twice = self.second(once)
        return {"original": batch.images, "noisy": noisy, "cleaned": once, "cleaned twice": twice}
