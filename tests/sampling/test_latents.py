"""A seed is a portrait for good: rows of latents depend on the seed and their number alone."""

from __future__ import annotations

import math
from statistics import NormalDist

import pytest
import torch

from purrtrait.sampling.latents import converted, latents, truncated
from purrtrait.types import Prior

PRIORS: list[Prior] = ["normal", "uniform"]
THRESHOLDS = [0.04, 0.5, 1.0, 2.0, 5.0]
NORMAL = NormalDist()


@pytest.mark.parametrize("prior", PRIORS)
def test_a_row_is_the_same_at_any_count(prior: Prior) -> None:
    whole = latents(6, 9, prior, 3)
    assert whole.shape == (6, 9)
    assert whole.dtype == torch.float32
    assert torch.equal(whole[:2], latents(2, 9, prior, 3))
    assert torch.equal(whole[4:], latents(2, 9, prior, 3, first=4))
    assert len({tuple(row.tolist()) for row in whole}) == 6
    assert not torch.equal(whole, latents(6, 9, prior, 4))


def test_the_numbers_are_pinned() -> None:
    """A seed that somebody wrote down gives the same portrait in every later version."""
    expected = [-1.420576, 0.628135, -0.721355, 1.068336]
    assert latents(1, 4, "normal", 7)[0].tolist() == pytest.approx(expected, abs=1e-6)


def test_priors_are_what_they_say() -> None:
    normal = latents(200, 50, "normal", 0)
    assert abs(float(normal.mean())) < 0.05
    assert abs(float(normal.std()) - 1) < 0.05
    uniform = latents(200, 50, "uniform", 0)
    assert -1 <= float(uniform.min()) < -0.99
    assert 0.99 < float(uniform.max()) < 1


def test_torch_is_left_alone() -> None:
    before = torch.get_rng_state()
    latents(3, 4, "normal", 0)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("temperature", [0.0, 0.5, 2.0])
def test_temperature_scales(temperature: float) -> None:
    plain = latents(3, 4, "normal", 0)
    assert torch.equal(latents(3, 4, "normal", 0, temperature), temperature * plain)


@pytest.mark.parametrize("temperature", [-1.0, float("nan"), float("inf")])
def test_no_temperature_at_all(temperature: float) -> None:
    with pytest.raises(ValueError, match="expected a number from 0"):
        latents(3, 4, "normal", 0, temperature)


def quantiles(count: int) -> list[float]:
    """Standard normal numbers, one in the middle of each of ``count`` equally likely parts."""
    return [NORMAL.inv_cdf((part + 0.5) / count) for part in range(count)]


@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_a_truncated_normal_has_its_quantiles(threshold: float) -> None:
    """Phi^-1(Phi(-t) + u (Phi(t) - Phi(-t))) of the number that has u of all below it."""
    z = quantiles(50)
    least, most = NORMAL.cdf(-threshold), NORMAL.cdf(threshold)
    expected = [NORMAL.inv_cdf(least + NORMAL.cdf(x) * (most - least)) for x in z]
    found = truncated(torch.tensor([z]), "normal", threshold)
    assert found.dtype == torch.float32
    assert found[0].tolist() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_a_truncated_normal_has_its_moments(threshold: float) -> None:
    """E x^2 = 1 - 2 t phi(t) / P, E x^4 = 3 E x^2 - 2 t^3 phi(t) / P, P = P(|x| < t)."""
    edge = 2 * NORMAL.pdf(threshold) / (1 - 2 * NORMAL.cdf(-threshold))
    second = 1 - threshold * edge
    fourth = 3 * second - threshold**3 * edge
    x = truncated(torch.tensor([quantiles(20_000)]), "normal", threshold).double()
    assert x.mean().item() == pytest.approx(0, abs=1e-6)
    assert x.square().mean().item() == pytest.approx(second, rel=1e-3)
    assert x.pow(4).mean().item() == pytest.approx(fourth, rel=1e-2)


@pytest.mark.parametrize("prior", PRIORS)
def test_truncation_keeps_to_its_threshold_and_the_order_of_numbers(prior: Prior) -> None:
    whole, narrow, wide = (latents(200, 50, prior, 2, truncation=t) for t in (math.inf, 0.5, 0.75))
    assert torch.equal(whole, latents(200, 50, prior, 2))
    for threshold, z in ((0.5, narrow), (0.75, wide)):
        assert 0.99 * threshold < z.abs().max() <= threshold
        assert (z.flatten()[whole.flatten().argsort()].diff() >= 0).all()
    assert (narrow.abs() <= wide.abs()).all()
    assert torch.equal(narrow[7:9], latents(2, 50, prior, 2, first=7, truncation=0.5))
    warm = latents(200, 50, prior, 2, 1.5, truncation=0.5)  # which multiplies what is left
    assert torch.equal(warm, 1.5 * narrow)
    assert not latents(3, 4, prior, 2, truncation=0.0).any()


def test_a_high_threshold_changes_nothing() -> None:
    far = torch.tensor([[-8.0, -6.0, 0.5, 6.0, 9.0]])
    assert torch.allclose(truncated(far, "normal", 9.0), far, rtol=1e-3)
    uniform = latents(3, 4, "uniform", 0)
    assert torch.equal(truncated(uniform, "uniform", 1.5), uniform)


@pytest.mark.parametrize("truncation", [-1.0, float("nan")])
def test_no_threshold_at_all(truncation: float) -> None:
    with pytest.raises(ValueError, match=r"truncation is .* expected a number from 0"):
        latents(3, 4, "normal", 0, truncation=truncation)


def test_nothing_is_a_count_too() -> None:
    assert latents(0, 4, "normal", 0).shape == (0, 4)


def test_priors_are_converted_number_by_number() -> None:
    z = latents(400, 50, "normal", 1)
    u = converted(z, "normal", "uniform")
    assert (u.flatten()[z.flatten().argsort()].diff() >= 0).all()
    even = torch.linspace(-1, 1, u.numel())
    assert (u.flatten().sort().values - even).abs().max() < 0.03  # Kolmogorov and Smirnov
    assert torch.allclose(converted(u, "uniform", "normal"), z, atol=1e-3)
    expected = [2 * NormalDist().cdf(value) - 1 for value in z[0].tolist()]
    assert u[0].tolist() == pytest.approx(expected, abs=1e-6)
    assert torch.equal(converted(z, "normal", "normal"), z)


def test_the_ends_of_a_prior_and_what_lies_beyond_stay_numbers() -> None:
    ends = torch.tensor([[-1.0, 1.0, -1.5, 3.0]])  # a temperature above 1 leads there
    assert torch.isfinite(converted(ends, "uniform", "normal")).all()
    assert converted(torch.tensor([[99.0]]), "normal", "uniform").item() == 1
