"""The distance to the nearest sample is brute force, and so is its standard error."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from purrtrait.evaluation import nearness
from purrtrait.evaluation.nearness import NAME
from purrtrait.evaluation.uncertainty import grouped_errors, without_each
from purrtrait.types import Features


def normal(count: int, seed: int, shift: float = 0.0) -> Features:
    drawn = np.random.default_rng(seed).normal(shift, 1.0, (count, 5))
    return torch.from_numpy(drawn.astype(np.float32))


def test_it_is_the_mean_of_the_least_distances() -> None:
    reals, samples = normal(70, 0), normal(50, 1)
    all_of_them = torch.cdist(reals.double(), samples.double())
    expected = all_of_them.min(1).values.mean()
    assert nearness.nearness(reals, samples)[NAME] == pytest.approx(float(expected), rel=1e-6)


def test_samples_that_show_the_pictures_themselves_have_none() -> None:
    reals = normal(30, 0)
    assert nearness.nearness(reals, torch.cat([normal(9, 1), reals])) == {NAME: 0}


def test_it_sees_what_is_never_drawn_and_forgives_what_is_odd() -> None:
    """Samples of one kind leave the other kind alone; a few wrong ones among them do no harm."""
    reals = torch.cat([normal(50, 0), normal(50, 1, 20.0)])
    every, one = torch.cat([normal(50, 2), normal(50, 3, 20.0)]), normal(100, 4)
    odd = torch.cat([every, normal(10, 5, 300.0)])
    found = [nearness.nearness(reals, samples)[NAME] for samples in (every, odd, one)]
    assert found[0] == found[1] < 3 and found[2] > 10 * found[0]


@pytest.mark.parametrize("count", [8, 12, 300])
def test_its_error_is_that_of_groups(count: int) -> None:
    reals, samples = normal(60, 0), normal(count, 1)
    expected = grouped_errors(without_each(nearness.nearness), reals, samples)[NAME]
    value, error = nearness.measured(reals, samples)
    assert error == pytest.approx(expected, rel=1e-6)
    assert value == nearness.nearness(reals, samples)[NAME]


def test_where_too_few_are_kept_the_last_stands_for_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of one that is kept every group would leave the same."""
    monkeypatch.setattr(nearness, "KEPT", 1)
    assert nearness.measured(normal(20, 0), normal(30, 1))[1] < 1e-12


def test_draws_scatter_as_stated() -> None:
    reals = normal(200, 0)
    found, stated = [], []
    for seed in range(1, 31):
        samples = normal(400, seed)
        value, error = nearness.measured(reals, samples)
        found.append(value)
        stated.append(error)
    ratio = float(np.mean(stated) / np.std(found, ddof=1))
    assert 0.6 < ratio < 1.7


def test_no_samples_are_refused() -> None:
    with pytest.raises(ValueError, match="expected at least"):
        nearness.nearness(normal(5, 0), normal(5, 1)[:0])
