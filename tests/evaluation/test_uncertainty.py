"""The standard errors that are stated are those that repeated draws show."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from purrtrait.evaluation import LEFT_OUT, METRICS
from purrtrait.evaluation.reference import errors_of
from purrtrait.evaluation.uncertainty import (
    GROUPS,
    grouped_errors,
    groups,
    half,
    spread,
    standard_errors,
    without_each,
)
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


def scatter(name: str, score: str, reals: Features, drawn: list[Features]) -> tuple[float, float]:
    """How a score scatters over draws, and the mean error that the first third of them state."""
    seen = np.std([METRICS[name](reals, samples)[score] for samples in drawn], ddof=1)
    some = drawn[: len(drawn) // 3]
    said = np.mean([errors_of(name, reals, samples)[score] for samples in some])
    return float(seen), float(said)


@pytest.mark.parametrize("name", ["frechet", "kernel", "coverage", "diversity"])
def test_repeated_draws_scatter_as_stated(name: str) -> None:
    metric, reals = METRICS[name], normal(400, 99)
    drawn = [normal(200, seed) + 0.4 for seed in range(24)]
    values = [metric(reals, samples) for samples in drawn]
    stated = [errors_of(name, reals, samples) for samples in drawn[:6]]
    for score in values[0]:
        if score == "duplicates":  # rare events: the error is of a handful
            continue
        seen = np.std([value[score] for value in values], ddof=1)
        said = np.mean([one[score] for one in stated])
        assert 0.6 * seen < said < 1.7 * seen, score


def test_where_nothing_differs_the_error_is_not_understated() -> None:
    """Both sets of one distribution: the kernel distance is degenerate there, its error large."""
    drawn = [normal(200, seed) for seed in range(24)]
    seen, said = scatter("kernel", "kernel", normal(2000, 99), drawn)
    assert 0.8 * seen < said < 3 * seen


def test_what_counts_all_that_is_found_scatters_as_stated() -> None:
    """Few samples among many reals: each finds some of its own, and half of them half as many."""
    reals, drawn = normal(3000, 99), [normal(60, seed) for seed in range(60)]
    seen, said = scatter("coverage", "coverage", reals, drawn)
    assert 0.75 * seen < said < 1.35 * seen
    halves = [standard_errors(METRICS["coverage"], reals, samples) for samples in drawn[:20]]
    assert np.mean([half_as_much["coverage"] for half_as_much in halves]) < 0.75 * seen


@pytest.mark.parametrize("name", list(LEFT_OUT))
@pytest.mark.parametrize("count", [24, 150])
def test_leaving_out_in_one_search_is_leaving_out_one_by_one(name: str, count: int) -> None:
    reals, samples = normal(90, 99), normal(count, 0) * 0.7
    samples[3] = samples[4]  # a duplicate
    group = groups(count)
    every = LEFT_OUT[name](reals, samples, group)
    one_by_one = without_each(METRICS[name])(reals, samples, group)
    assert len(every) == len(one_by_one) == GROUPS
    for found, expected in zip(every, one_by_one, strict=True):
        assert found == pytest.approx(expected, rel=1e-5)
    assert len({tuple(found.values()) for found in every}) > 1


def test_the_grouped_error_of_a_mean_is_the_closed_form() -> None:
    samples = normal(400, 0)
    mean = without_each(lambda reals, rows: {"mean": float(rows[:, 0].mean())})
    expected = float(samples[:, 0].std()) / 20
    assert grouped_errors(mean, samples, samples, 400)["mean"] == pytest.approx(expected, rel=1e-5)
    found = [grouped_errors(mean, samples, samples, seed=seed)["mean"] for seed in range(40)]
    assert np.mean(found) == pytest.approx(expected, rel=0.1)
    assert spread([{"mean": 2.0}] * 7) == {"mean": 0.0}


def test_groups_are_drawn_by_lot_and_as_large_as_each_other() -> None:
    found = groups(103)
    assert sorted(found.unique().tolist()) == list(range(GROUPS))
    assert set(found.bincount().tolist()) == {5, 6}
    assert not torch.equal(found, groups(103, seed=1))
    assert torch.equal(found, groups(103))
    assert sorted(groups(9).tolist()) == list(range(9))


def test_halves_are_halves_without_repeats() -> None:
    rows = half(101, 0, 3)
    assert len(rows) == 50
    assert len(set(rows.tolist())) == 50
    assert not torch.equal(rows, half(101, 0, 4))
    assert torch.equal(rows, half(101, 0, 3))


def test_too_few_samples_say_nothing() -> None:
    with pytest.raises(ValueError, match="at least 8 samples"):
        standard_errors(METRICS["frechet"], normal(20, 0), normal(7, 1))
    with pytest.raises(ValueError, match="at least 8 samples"):
        grouped_errors(LEFT_OUT["coverage"], normal(20, 0), normal(7, 1))
    with pytest.raises(ValueError, match="and 1 groups say nothing"):
        grouped_errors(LEFT_OUT["coverage"], normal(20, 0), normal(20, 1), 1)
    with pytest.raises(ValueError, match="the 5 nearest of 3 pictures"):
        grouped_errors(LEFT_OUT["coverage"], normal(20, 0), normal(8, 1), 2)
