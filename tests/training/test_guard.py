"""Plain words when a player has lost or numbers blow up."""

from __future__ import annotations

import math

import pytest

from purrtrait.training.guard import EVERY, PATIENCE, Diverged, Guard
from purrtrait.types import Progress


def said(rows: int, **scores: float) -> list[str]:
    names = {"critic": "critic/game", "generator": "generator/game"}
    names |= {"real": "verdict/real", "fake": "verdict/fake", "accuracy": "critic/accuracy"}
    usual = {"critic": 1.3, "generator": 0.7, "real": 0.2, "fake": -0.1, "accuracy": 0.97} | scores
    guard = Guard(("critic", "generator"))
    now = Progress(scores={names[k]: v for k, v in usual.items()})
    return [hint for _ in range(rows) for hint in guard.look(now)]


def test_all_is_well() -> None:
    assert said(3 * EVERY) == []


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        ({"critic": 1e-5}, "learning rate"),
        ({"critic": 0.02, "accuracy": 1.0}, "learning rate"),
        ({"generator": 1e-5}, "no longer tells"),
        ({"real": 80.0}, "huge"),
        ({"fake": -80.0}, "huge"),
    ],
)
def test_who_has_lost_is_told_once_in_a_while(scores: dict[str, float], words: str) -> None:
    assert said(PATIENCE - 1, **scores) == []
    (hint,) = said(PATIENCE + 1, **scores)
    assert words in hint
    assert len(said(PATIENCE + EVERY, **scores)) == 2


def test_who_won_has_won_for_long() -> None:
    guard = Guard(("critic", "generator"))
    steps = [Progress(scores={"critic/game": loss}) for loss in [1e-5] * PATIENCE + [0.5]]
    said = [guard.look(now) for now in steps[:-1]]
    assert [bool(hints) for hints in said] == [False] * (PATIENCE - 1) + [True]
    assert guard.won
    assert guard.look(steps[-1]) == []
    assert not guard.won


def test_huge_verdicts_alone_are_no_victory() -> None:
    guard = Guard(("critic", "generator"))
    for _ in range(PATIENCE):
        guard.look(Progress(scores={"critic/game": 1.0, "verdict/real": 80.0}))
    assert not guard.won


def test_a_wasserstein_game_may_be_at_zero() -> None:
    guard = Guard(())
    near = Progress(scores={"critic/game": 1e-6, "generator/game": 1e-6})
    assert [hint for _ in range(2 * PATIENCE) for hint in guard.look(near)] == []


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_blew_up_end_training(value: float) -> None:
    # A gradient may be limited, or its player not step; where it did harm, a loss will tell.
    steep = {"critic/game": 1.0, "critic/gradient": value, "average/critic/gradient": value}
    assert Guard(()).look(Progress(scores=steep)) == []
    with pytest.raises(Diverged, match="critic/game stopped being a number"):
        Guard(()).look(Progress(scores={"critic/game": value}))
