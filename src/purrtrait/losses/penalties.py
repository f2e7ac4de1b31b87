"""Penalties on the critic: pure functions of an exchange, each (B,), zero where all is well.

Costs are stated in passes: D is one forward pass of the critic over half a batch.
"""

from __future__ import annotations

import torch
from torch import Tensor

from purrtrait.losses.exchange import Exchange, Penalty
from purrtrait.types import Amount, Images, Logits


def squared_slope(verdicts: Logits, images: Images) -> Tensor:
    """The squared length of each verdict's gradient at its own image, (B,), differentiable."""
    (slopes,) = torch.autograd.grad(verdicts.sum(), images, create_graph=True)
    return slopes.square().flatten(1).sum(1)


def none() -> Penalty:
    """No penalty: zeros, no pass."""
    return lambda exchange: exchange.reals.new_zeros(len(exchange.reals))


def unit_norm(target: Amount = 1.0) -> Penalty:
    """WGAN-GP (Gulrajani et al. 2017, equation 3): (|grad D(x)| - target)^2 between real and fake.

    x = u real + (1 - u) fake with one u in [0, 1) for each pair; where the pictures are details,
    what they are details of goes the same way. Costs 1 D forward, 1 D for the slope and 4 D for
    the gradient of both; the norm is of each sample, so no batch statistics fit.

    Args:
        target: the length that the slope should have
    """

    def penalty(exchange: Exchange) -> Tensor:
        share = exchange.draw.uniform((len(exchange.reals), 1, 1, 1), "interpolation")
        share = share.to(exchange.reals)
        between = torch.lerp(exchange.fakes.detach(), exchange.reals.detach(), share)
        between.requires_grad_()
        given = _met(exchange.prompt, exchange.given, share)
        slope = squared_slope(exchange.critic(between, given), between)
        # The square root has no derivative at 0: a dead critic must not turn into NaN.
        return (slope.clamp_min(1e-12).sqrt() - target).square()

    return penalty


def _met(prompt: Tensor | None, given: Tensor | None, share: Tensor) -> Tensor | None:
    if prompt is None or given is None:
        return None
    return torch.lerp(prompt, given, share)


def r1() -> Penalty:
    """R1 (Mescheder et al. 2018, equation 9): |grad D(real)|^2 / 2, on the game's own verdicts.

    Costs 1 D for the slope and 2 D for its gradient; the verdicts are those of the game.
    """
    return lambda exchange: 0.5 * squared_slope(exchange.real, exchange.reals)


def r1_r2() -> Penalty:
    """R1 and R2 (Mescheder et al. 2018, equations 9 and 10): half the squared slopes at both.

    |grad D(real)|^2 / 2 + |grad D(fake)|^2 / 2; costs twice what R1 costs.
    """

    def penalty(exchange: Exchange) -> Tensor:
        real = squared_slope(exchange.real, exchange.reals)
        return 0.5 * (real + squared_slope(exchange.fake, exchange.fakes))

    return penalty
