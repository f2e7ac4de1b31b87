"""The divergence from the prior, against numeric integration and another library."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.distributions import Normal, kl_divergence

from purrtrait.losses.divergence import divergence


@pytest.mark.parametrize(("mean", "deviation"), [(0.0, 1.0), (1.3, 0.4), (-2.0, 2.5), (0.2, 0.05)])
def test_it_is_the_integral(mean: float, deviation: float) -> None:
    """Over x of q(x) (log q(x) - log p(x)), by the trapezoid rule over 12 deviations."""
    x = np.linspace(mean - 12 * deviation, mean + 12 * deviation, 20_001)
    log_q = -0.5 * ((x - mean) / deviation) ** 2 - np.log(deviation * np.sqrt(2 * np.pi))
    log_p = -0.5 * x**2 - np.log(np.sqrt(2 * np.pi))
    expected = np.trapezoid(np.exp(log_q) * (log_q - log_p), x)
    found = divergence(torch.tensor([[mean]]), torch.tensor([[2 * np.log(deviation)]]))
    assert found.item() == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_numbers_add_up_and_pictures_do_not() -> None:
    torch.manual_seed(0)
    mean, log_variance = torch.randn(4, 7), torch.randn(4, 7)
    own, prior = Normal(mean, (log_variance / 2).exp()), Normal(torch.zeros(()), torch.ones(()))
    expected = kl_divergence(own, prior).sum(1)
    assert torch.allclose(divergence(mean, log_variance), expected, atol=1e-5)
    assert torch.equal(divergence(torch.zeros(3, 5), torch.zeros(3, 5)), torch.zeros(3))
