"""The order of verdicts, against counting pairs one by one."""

from __future__ import annotations

import math

import pytest
import torch

from purrtrait.evaluation.order import order


def counted(reals: torch.Tensor, fakes: torch.Tensor) -> float:
    pairs = [(r, f) for r in reals.tolist() for f in fakes.tolist()]
    return sum(1.0 if r > f else 0.5 if r == f else 0.0 for r, f in pairs) / len(pairs)


def test_it_counts_pairs() -> None:
    torch.manual_seed(0)
    reals, fakes = torch.randint(0, 6, (9,)).float(), torch.randint(0, 6, (13,)).float() - 1
    assert order(reals, fakes) == pytest.approx(counted(reals, fakes))
    assert order(reals, fakes) == pytest.approx(1 - order(fakes, reals))


def test_only_the_order_of_verdicts_counts() -> None:
    torch.manual_seed(0)
    reals, fakes = torch.randn(20), torch.randn(30) - 1
    assert order(reals.exp(), fakes.exp()) == order(reals, fakes)
    assert order(reals, reals.max() + 1 + fakes.abs()) == 0
    assert order(torch.zeros(4), torch.zeros(5)) == 0.5


def test_verdicts_that_are_no_numbers_have_no_order() -> None:
    reals, fakes = torch.zeros(3), torch.tensor([0.0, float("nan")])
    assert math.isnan(order(reals, fakes)) and math.isnan(order(fakes, reals))
    assert order(torch.tensor([float("inf")]), fakes[:1]) == 1
