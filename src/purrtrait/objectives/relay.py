"""One backward pass for two players: the critic's gradient at the fakes, rescaled."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from purrtrait.losses.exchange import Exchange, Game
from purrtrait.types import Images

STEEPEST = 1e30  # near the limits of float32: relativistic pairing meets it at a gap of 69


class Relay:
    """Passes images on; on the way back multiplies each image's gradient by its ``ratio`` (B,)."""

    ratio: Tensor

    def __call__(self, images: Images) -> Images:
        """The same images, (B, C, H, W)."""
        passed: Images = _Passage.apply(images, self)  # type: ignore[no-untyped-call]
        return passed


class _Passage(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, images: Images, relay: Relay) -> Images:
        context.relay = relay
        return images.view_as(images)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient * context.relay.ratio.view(-1, 1, 1, 1), None


def ratio_of_slopes(game: Game, exchange: Exchange) -> Tensor:
    """The generator's over the critic's derivative by each fake's verdict, (B,), limited in size.

    For relativistic pairing this is -exp(real - fake); for every game it is read off the losses
    themselves, on verdicts that have no graph behind them.
    """
    slopes = []
    for loss in (game.generator, game.critic):
        copy = exchange.with_verdicts(exchange.real.detach(), exchange.fake.detach())
        (slope,) = torch.autograd.grad(loss(copy).sum(), copy.fake)
        slopes.append(slope)
    own, critics = slopes
    nowhere_zero = torch.where(critics.abs() < 1 / STEEPEST, 1 / STEEPEST, critics)
    return (own / nowhere_zero).clamp(-STEEPEST, STEEPEST)
