"""Negative log likelihoods of pictures, against torch's distributions and by search."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.distributions import ContinuousBernoulli, Normal

from purrtrait.losses.likelihood import (
    FINEST,
    bernoulli,
    fitted_gaussian,
    gaussian,
    unlikelihood,
)


def pictures() -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    drawn, true = torch.rand(2, 5, 3, 4, 4) * 2 - 1
    return drawn, true


@pytest.mark.parametrize("variance", [0.01, 1.0, 3.0])
def test_gaussian(variance: float) -> None:
    drawn, true = pictures()
    log_likelihood = Normal(drawn, variance**0.5).log_prob(true)
    expected = -log_likelihood.flatten(1).sum(1)
    assert torch.allclose(gaussian(drawn, true, variance), expected, rtol=1e-5)
    assert torch.equal(
        unlikelihood("gaussian", variance)(drawn, true), gaussian(drawn, true, variance)
    )


def test_no_variance_fits_better_than_the_fitted_one() -> None:
    drawn, true = pictures()
    tried = [gaussian(drawn, true, v).mean().item() for v in torch.logspace(-3, 1, 400).tolist()]
    fitted = fitted_gaussian(drawn, true).mean().item()
    assert fitted <= min(tried)
    assert fitted == pytest.approx(min(tried), rel=1e-3)


def test_the_gradient_is_that_of_a_learned_variance_at_its_best() -> None:
    """As if the variance were followed too: values/2 * log of the mean square, differentiated."""
    drawn, true = pictures()
    drawn.requires_grad_()
    (found,) = torch.autograd.grad(fitted_gaussian(drawn, true).mean(), drawn)
    whole = drawn[0].numel() / 2 * (true - drawn).square().mean().log()
    (expected,) = torch.autograd.grad(whole, drawn)
    assert torch.allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_a_perfect_copy_is_no_infinity() -> None:
    _, true = pictures()
    assert torch.equal(fitted_gaussian(true, true), gaussian(true, true, FINEST))
    assert torch.isfinite(fitted_gaussian(true, true)).all()


def test_bernoulli() -> None:
    drawn, true = pictures()
    chances, values = (drawn + 1) / 2, (true + 1) / 2
    # Less what makes a density of it, torch's continuous Bernoulli has the same likelihood.
    other = ContinuousBernoulli(probs=chances)
    log_likelihood = other.log_prob(values) - other._cont_bern_log_norm()
    expected = -log_likelihood.flatten(1).sum(1)
    assert torch.allclose(bernoulli(drawn, true), expected, rtol=1e-4)
    assert torch.equal(unlikelihood("bernoulli", 1.0)(drawn, true), bernoulli(drawn, true))


def test_bernoulli_of_what_leaves_the_range() -> None:
    drawn, true = pictures()
    beyond = (4 * drawn).requires_grad_()
    lost = bernoulli(beyond, true)
    assert torch.isfinite(lost).all()
    assert torch.equal(lost, bernoulli(beyond.detach().clamp(-1, 1), true))
    (slope,) = torch.autograd.grad(lost.sum(), beyond)
    assert torch.equal(slope != 0, beyond.abs() <= 1)


@pytest.mark.parametrize("name", ["gaussian", "fitted-gaussian", "bernoulli"])
def test_closer_is_likelier(name: str) -> None:
    drawn, true = pictures()
    lost = unlikelihood(name, 0.5)  # type: ignore[arg-type]
    nearer = torch.lerp(drawn, true, 0.5)
    assert lost(drawn, true).shape == (5,)
    assert (lost(nearer, true).sum() < lost(drawn, true).sum()).item()
