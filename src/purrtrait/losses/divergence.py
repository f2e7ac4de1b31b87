"""How far a normal distribution of latents is from the prior, (B,): a pure function of both."""

from __future__ import annotations

from torch import Tensor


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL divergence of N(mean, exp(log_variance)) from N(0, I), in nats, from (B, Z) each; (B,).

    -1/2 sum(1 + log s^2 - m^2 - s^2) over the Z independent numbers (Kingma and Welling 2014,
    "Auto-encoding variational Bayes", appendix B).
    """
    return -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum(1)
