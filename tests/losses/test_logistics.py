"""Likelihoods of discretised logistics against the closed form, a sum and a plain slow build."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Tensor
from torch.distributions import AffineTransform, SigmoidTransform, TransformedDistribution, Uniform

from purrtrait.losses import logistics
from purrtrait.losses.logistics import HALF

GRID = torch.linspace(-1, 1, 256)
CASES = list(itertools.product([-0.4, 0.0, 0.9, 1.4], [-7.0, -4.0, -1.0, 2.0]))


def closed(values: Tensor, mean: float, log_scale: float) -> Tensor:
    """ln(F(v + h) - F(v - h)) with another library's F, in float64; open to the sides at the edges.

    On the right side of the mean both are taken from 1, where they would be too near to it.
    """
    scale = math.exp(log_scale)
    base = Uniform(torch.tensor(0.0).double(), torch.tensor(1.0).double(), validate_args=False)
    shape = [SigmoidTransform().inv, AffineTransform(0.0, scale)]
    logistic = TransformedDistribution(base, shape, validate_args=False)
    centred = values.double() - mean
    low = torch.where(values <= -1, -math.inf, centred - HALF)
    high = torch.where(values >= 1, math.inf, centred + HALF)
    left = torch.where(centred > 0, -high, low)
    right = torch.where(centred > 0, -low, high)
    return torch.log(_cdf(logistic, right) - _cdf(logistic, left))


def _cdf(logistic: TransformedDistribution, values: Tensor) -> Tensor:
    return torch.where(values.isinf(), (values > 0).double(), logistic.cdf(values.clamp(-1e9, 1e9)))


@pytest.mark.parametrize(("mean", "log_scale"), CASES)
def test_interior_and_edges_are_the_closed_form(mean: float, log_scale: float) -> None:
    expected = closed(GRID, mean, log_scale)
    found = logistics.log_probability(GRID, torch.tensor(mean), torch.tensor(log_scale))
    here = expected > -650  # below that float64 itself ends
    assert here[0] or here[-1] or here[128]
    assert torch.allclose(found[here].double(), expected[here], rtol=2e-5, atol=2e-4)
    assert found.isfinite().all()


@pytest.mark.parametrize(("mean", "log_scale"), CASES)
def test_the_chances_of_all_values_sum_to_one(mean: float, log_scale: float) -> None:
    grid = torch.linspace(-1, 1, 256, dtype=torch.float64)
    found = logistics.log_probability(grid, torch.tensor(mean), torch.tensor(log_scale))
    assert found.exp().sum() == pytest.approx(1, abs=1e-6)


def test_five_bits_sum_to_one_too() -> None:
    grid = torch.linspace(-1, 1, 32)
    found = logistics.log_probability(grid, torch.tensor(0.2), torch.tensor(-2.0), half=1 / 31)
    assert found.exp().sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("value", [-0.5, 0.5])
def test_far_in_the_tail_it_is_the_density_times_the_bucket(value: float) -> None:
    """Where float32 says 0: -|v - m| / s - ln s + ln 2h, if the bucket is narrow by the scale."""
    scale, mean = 0.02, -40 * 0.02 * math.copysign(1, value) + value
    found = logistics.log_probability(
        torch.tensor(value), torch.tensor(mean), torch.tensor(math.log(scale))
    )
    density = -abs(value - mean) / scale - math.log(scale)
    # sinh(h / s) / (h / s) is what a bucket adds to its middle's density.
    wide = math.log(math.sinh(HALF / scale) / (HALF / scale))
    assert found.item() == pytest.approx(density + math.log(2 * HALF) + wide, rel=1e-5)
    assert found.item() == pytest.approx(density - math.log(127.5), abs=0.01)


def test_slopes_point_to_the_value_even_from_the_farthest_tail() -> None:
    mean = torch.tensor([-0.9, 0.9], requires_grad=True)
    logistics.log_probability(torch.tensor([0.5, -0.5]), mean, torch.tensor(-7.0)).sum().backward()
    assert mean.grad is not None
    assert mean.grad[0] == pytest.approx(math.exp(7), rel=1e-3)
    assert mean.grad[1] == pytest.approx(-math.exp(7), rel=1e-3)


def parameters(rows: int, colours: int, kinds: int, size: int) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(0)
    shape = (kinds, size, size)
    return (
        torch.randn(rows, *shape, generator=generator),
        torch.rand(rows, colours, *shape, generator=generator) - 0.5,
        torch.randn(rows, colours, *shape, generator=generator) - 3,
        torch.randn(rows, colours * (colours - 1) // 2, *shape, generator=generator).tanh(),
    )


def slow(
    true: Tensor, logits: Tensor, means: Tensor, scales: Tensor, follow: Tensor
) -> list[float]:
    """Pixel by pixel and logistic by logistic, of colour pictures, in float64."""
    found = []
    for row in range(len(true)):
        total = 0.0
        for y, x in itertools.product(range(true.shape[2]), range(true.shape[3])):
            red, green, _ = pixel = true[row, :, y, x].tolist()
            chances = logits[row, :, y, x].double().softmax(0).tolist()
            for k in range(len(chances)):
                a, b, c = follow[row, :, k, y, x].tolist()
                mean = means[row, :, k, y, x].tolist()
                shifted = [mean[0], mean[1] + a * red, mean[2] + b * red + c * green]
                for value, centre, scale in zip(
                    pixel, shifted, scales[row, :, k, y, x].tolist(), strict=True
                ):
                    chances[k] *= closed(torch.tensor([value]), centre, scale).exp().item()
            total -= math.log(sum(chances))
        found.append(total / true[row].numel())
    return found


def test_mixture_is_a_plain_slow_build() -> None:
    given = parameters(2, 3, 2, 3)
    generator = torch.Generator().manual_seed(1)
    true = torch.randint(256, (2, 3, 3, 3), generator=generator) / 127.5 - 1
    true[0, :, 0, 0] = torch.tensor([-1.0, 1.0, -1.0])
    found = logistics.mixture(true, *given)
    assert found.shape == (2,)
    assert found.tolist() == pytest.approx(slow(true, *given), rel=1e-4)


def test_grey_pictures_follow_nothing() -> None:
    logits, means, scales, follow = parameters(1, 1, 3, 1)
    true = GRID[:, None, None, None]
    rows = [p.expand(256, *p.shape[1:]) for p in (logits, means, scales, follow)]
    assert torch.exp(-logistics.mixture(true, *rows)).sum() == pytest.approx(1, abs=1e-4)


def test_the_likeliest_scale_is_the_one_of_the_values() -> None:
    """Of one logistic at 0, for values d and -d: where (d / s) tanh(d / 2s) = 1."""
    log_scales = torch.linspace(-4, 0, 401)
    true = torch.tensor([-0.2, 0.2]).expand(401, 1, 1, 2)
    shape = (401, 1, 1, 1, 2)
    found = logistics.mixture(
        true,
        torch.zeros(401, 1, 1, 2),
        torch.zeros(shape),
        log_scales.view(-1, 1, 1, 1, 1).expand(shape),
        torch.zeros(401, 0, 1, 1, 2),
    )
    ratio = 0.2 / math.exp(log_scales[found.argmin()])
    assert ratio * math.tanh(ratio / 2) == pytest.approx(1, rel=0.02)
