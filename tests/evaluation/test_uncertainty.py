"""The standard errors that are stated are those that repeated draws show."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from purrtrait.evaluation import METRICS
from purrtrait.evaluation.uncertainty import half, standard_errors
from purrtrait.types import Features


def normal(count: int, seed: int) -> Features:
    drawn = np.random.default_rng(seed).normal(0, 1, (count, 8)).astype(np.float32)
    return torch.from_numpy(drawn)


def test_the_error_of_a_mean_is_the_closed_form() -> None:
    samples = normal(400, 0)
    found = standard_errors(
        lambda reals, rows: {"mean": float(rows[:, 0].mean())}, samples, samples, rounds=400
    )
    assert found["mean"] == pytest.approx(float(samples[:, 0].std()) / 20, rel=0.12)


@pytest.mark.parametrize("name", ["frechet", "kernel", "coverage", "diversity"])
def test_repeated_draws_scatter_as_stated(name: str) -> None:
    metric, reals = METRICS[name], normal(400, 99)
    drawn = [normal(200, seed) + 0.4 for seed in range(24)]
    values = [metric(reals, samples) for samples in drawn]
    stated = [standard_errors(metric, reals, samples) for samples in drawn[:6]]
    for score in values[0]:
        if score == "duplicates":  # rare events: the error is of a handful
            continue
        seen = np.std([value[score] for value in values], ddof=1)
        said = np.mean([errors[score] for errors in stated])
        assert 0.5 * seen < said < 2.0 * seen, score


def test_where_nothing_differs_the_error_is_not_understated() -> None:
    """Both sets of one distribution: the kernel distance is degenerate there, its error large."""
    metric, reals = METRICS["kernel"], normal(2000, 99)
    drawn = [normal(200, seed) for seed in range(24)]
    seen = np.std([metric(reals, samples)["kernel"] for samples in drawn], ddof=1)
    said = np.mean([standard_errors(metric, reals, samples)["kernel"] for samples in drawn[:6]])
    assert 0.8 * seen < said < 3 * seen


def test_halves_are_halves_without_repeats() -> None:
    rows = half(101, 0, 3)
    assert len(rows) == 50
    assert len(set(rows.tolist())) == 50
    assert not torch.equal(rows, half(101, 0, 4))
    assert torch.equal(rows, half(101, 0, 3))


def test_too_few_samples_say_nothing() -> None:
    with pytest.raises(ValueError, match="at least 8 samples"):
        standard_errors(METRICS["frechet"], normal(20, 0), normal(7, 1))
