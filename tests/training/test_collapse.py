"""The watch for a generator that draws little more than one picture."""

from __future__ import annotations

import pytest
import torch

from purrtrait.evaluation.diversity import diversity
from purrtrait.training.collapse import AGAIN, hint

VARIED = {"score/diversity": 0.9, "score/duplicates": 0.0}
ALIKE = {"score/diversity": 0.2, "score/duplicates": 0.0}
TWINS = {"score/diversity": 0.9, "score/duplicates": 0.6}


def said(history: list[dict[str, float]]) -> list[int]:
    """At which moments something is said, as they come one after the other."""
    return [n for n in range(1, len(history) + 1) if hint(history[:n])]


def test_variety_is_no_incident() -> None:
    assert said([VARIED] * 3 * AGAIN) == []
    assert said([]) == []


@pytest.mark.parametrize("bad", [ALIKE, TWINS])
def test_a_fall_is_said_at_once_and_then_once_in_a_while(bad: dict[str, float]) -> None:
    assert said([VARIED, bad, bad]) == [2]
    assert said([VARIED, bad, VARIED, bad]) == [2, 4]
    assert said([VARIED] + [bad] * (AGAIN + 2)) == [2, 2 + AGAIN]


def test_a_beginning_is_given_time() -> None:
    assert said([ALIKE, VARIED]) == []
    assert said([ALIKE] * (AGAIN + 3)) == [2, 2 + AGAIN]


def test_the_words_hold_the_numbers() -> None:
    words = hint([VARIED, TWINS])
    assert words
    assert "differ 90%" in words
    assert "60% of them" in words


def test_a_few_pictures_again_and_again_are_noticed() -> None:
    """However far the few lie apart: their spread is as that of real pictures."""
    torch.manual_seed(0)
    reals, few = torch.randn(200, 30), torch.randn(5, 30)
    again = few.repeat(40, 1) + 0.01 * torch.randn(200, 30)
    one = 0.3 * torch.randn(200, 30)
    for samples, expected in ((again, True), (one, True), (torch.randn(200, 30), False)):
        scores = {f"score/{name}": value for name, value in diversity(reals, samples).items()}
        assert bool(hint([VARIED, scores])) is expected
