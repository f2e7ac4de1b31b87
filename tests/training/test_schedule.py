"""Schedules at their corners."""

from __future__ import annotations

import pytest

from purrtrait.training.schedule import bursts, constant, decay, ending, linear, rounds, warm_up
from purrtrait.types import Progress


def at(images: int) -> Progress:
    return Progress(images_seen=images)


def test_constant() -> None:
    assert [constant(0.3)(at(n)) for n in (0, 10**9)] == [0.3, 0.3]


def test_linear_sets_out_and_arrives() -> None:
    line = linear(1.0, 0.0, until_images=300, from_images=100)
    assert [line(at(n)) for n in (0, 100, 200, 300, 999)] == pytest.approx([1, 1, 0.5, 0, 0])


def test_decay_has_a_floor() -> None:
    falling = decay(1e-3, 0.5, every_images=100, floor=2e-4)
    expected = [1e-3, 1e-3, 5e-4, 2.5e-4, 2e-4, 2e-4]
    assert [falling(at(n)) for n in (0, 99, 100, 200, 300, 10**6)] == pytest.approx(expected)


def test_bursts_of_the_wasserstein_critic() -> None:
    moves = bursts(5, 100)
    found = [moves(Progress(moves={"generator": n})) for n in (0, 24, 25, 499, 500, 501, 1000)]
    assert found == [100, 100, 5, 5, 100, 5, 100]
    assert moves(Progress()) == 100


def test_ending_waits_for_the_last_share_of_the_budget() -> None:
    rate = ending(2e-4, 2e-5, share=0.4, budget=1000)
    expected = [2e-4, 2e-4, 1.1e-4, 2e-5, 2e-5]
    assert [rate(at(n)) for n in (0, 600, 800, 1000, 5000)] == pytest.approx(expected)
    with pytest.raises(ValueError, match="part of the budget"):
        ending(1, 0, share=1.5, budget=10)


def test_rounds_are_counted_whatever_their_length() -> None:
    chance = rounds(0.0, 0.8, first=4, last=8)
    found = [chance(Progress(round=n, images_seen=n)) for n in (0, 4, 5, 6, 8, 50)]
    assert found == pytest.approx([0, 0, 0.2, 0.4, 0.8, 0.8])


def test_the_warm_up_goes_by_a_players_turns() -> None:
    rate = warm_up(1e-3, "critic")
    turns = (0, 9, 10, 29, 30, 10**6)
    found = [rate(Progress(moves={"critic": n, "generator": 99})) for n in turns]
    assert found == pytest.approx([2e-5, 2e-5, 2e-4, 2e-4, 1e-3, 1e-3])
    assert rate(Progress()) == pytest.approx(2e-5)


def test_after_the_warm_up_it_falls_by_rounds_to_a_floor() -> None:
    rate = warm_up(1e-3, "generator", factor=0.99, floor=1e-6)
    found = [rate(Progress(moves={"generator": 30}, round=n)) for n in (0, 1, 100, 687, 688, 5000)]
    expected = [1e-3, 0.99e-3, 1e-3 * 0.99**100, 1e-3 * 0.99**687, 1e-6, 1e-6]
    assert found == pytest.approx(expected)
    assert expected[3] > 1e-6 > 1e-3 * 0.99**688


def test_impossible_ones_are_refused_in_words() -> None:
    with pytest.raises(ValueError, match="expected more than its beginning"):
        linear(1, 0, until_images=5, from_images=5)
    with pytest.raises(ValueError, match="expected more than its beginning"):
        rounds(1, 0, first=5, last=5)
    with pytest.raises(ValueError, match="at least 1"):
        decay(1, 0.5, every_images=0)
