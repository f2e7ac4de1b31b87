"""What is remembered of a tensor, and for how long."""

from __future__ import annotations

import gc
import weakref

import pytest
import torch
from torch import Tensor

from purrtrait.evaluation import METRICS, coverage, distances
from purrtrait.evaluation.remembered import remembered


class Asked:
    """Counts how often it is really asked."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self, features: Tensor, power: int = 1) -> float:
        self.times += 1
        return float(features.pow(power).sum())


@pytest.fixture
def asked() -> Asked:
    return Asked()


def test_the_same_question_is_answered_once(asked: Asked) -> None:
    total, rows = remembered(asked.__call__), torch.arange(4.0)
    assert [total(rows), total(rows), total(rows, 2), total(rows, power=2)] == [6, 6, 14, 14]
    assert asked.times == 3
    assert total(rows.clone()) == 6
    assert asked.times == 4


def test_a_tensor_that_was_changed_is_another_one(asked: Asked) -> None:
    total, rows = remembered(asked.__call__), torch.arange(4.0)
    total(rows)
    rows += 1
    assert total(rows) == 10
    assert asked.times == 2


def test_nothing_is_kept_alive(asked: Asked) -> None:
    total, rows = remembered(asked.__call__), torch.arange(4.0)
    total(rows)
    there = weakref.ref(rows)
    del rows
    gc.collect()
    assert there() is None


@pytest.mark.parametrize("name", METRICS)
def test_metrics_see_a_change_in_place(name: str) -> None:
    reals, samples = torch.randn(40, 5), torch.randn(40, 5)
    before = METRICS[name](reals, samples)
    reals *= 3
    samples += 1
    after = METRICS[name](reals, samples)
    assert after != before
    assert after == METRICS[name](reals.clone(), samples.clone())


def test_reals_are_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    reals, samples = torch.randn(30, 5), torch.randn(20, 5)
    expected = coverage.coverage(reals, samples)
    monkeypatch.setattr(distances, "radii", lambda features, k: pytest.fail("asked again"))
    assert coverage.coverage(reals, samples) == expected
