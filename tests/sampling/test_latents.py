"""A seed is a portrait for good: rows of latents depend on the seed and their number alone."""

from __future__ import annotations

from statistics import NormalDist

import pytest
import torch

from purrtrait.sampling.latents import converted, latents
from purrtrait.types import Prior

PRIORS: list[Prior] = ["normal", "uniform"]


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
