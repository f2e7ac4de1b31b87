"""Copies are caught, and pictures that nobody trained on are not accused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from purrtrait.evaluation.neighbours import Memorisation, memorisation
from purrtrait.evaluation.oddity import oddity
from purrtrait.types import Features


def faces(count: int, seed: int) -> Features:
    """Points on a curved sheet in 12 dimensions: like photos, they fill few of their numbers."""
    drawn = torch.from_numpy(np.random.default_rng(seed).normal(0, 1, (count, 4)))
    bent = torch.cat([drawn, drawn.square(), drawn.roll(1, 1) * drawn], 1)
    return bent.float()


def judged(samples: Features) -> Memorisation:
    return memorisation(faces(1000, 0), faces(400, 1), samples)


def test_other_pictures_are_not_accused() -> None:
    for seed in range(2, 8):
        found = judged(faces(400, seed))
        assert found.copied < 0.05
        assert "no sign of copying" in found.verdict


def test_slightly_noised_training_pictures_are_caught() -> None:
    noise = torch.from_numpy(np.random.default_rng(9).normal(0, 0.005, (300, 12))).float()
    found = judged(faces(1000, 0)[:300] + noise)
    assert found.copied > 0.95
    assert found.nearest.tolist() == list(range(300))
    assert "pictures were copied" in found.verdict


def test_half_of_copies_are_half() -> None:
    found = judged(torch.cat([faces(1000, 0)[:200], faces(200, 5)]))
    assert found.copied == pytest.approx(0.5, abs=0.03)
    assert "copied" in found.verdict


def test_sets_in_which_unseen_pictures_come_again() -> None:
    """Where a tenth of all unseen pictures equals a training picture, that tenth is no copy."""
    train, unseen, samples = faces(500, 0), faces(300, 1), faces(300, 2)
    unseen[:30], samples[:30] = train[:30], train[30:60]
    found = memorisation(train, unseen, samples)
    assert found.expected == pytest.approx(0.1)
    assert "no sign" in found.verdict
    assert "were copied" in memorisation(train, unseen, train[:300]).verdict


def test_the_histogram_holds_nearly_everything() -> None:
    found = judged(faces(300, 4)).histogram()
    assert len(found["edges"]) == len(found["samples"]) + 1
    for side in ("samples", "unseen"):
        assert 0.98 <= sum(found[side]) <= 1 + 1e-6


def test_too_few_unseen_pictures_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 16"):
        memorisation(faces(50, 0), faces(15, 1), faces(50, 2))


def test_what_is_far_from_all_others_is_odd() -> None:
    features = faces(200, 0)
    features[[7, 90]] += 30  # two alike, which must not hide each other
    odd = oddity(features)
    assert set(odd.topk(2).indices.tolist()) == {7, 90}
    assert float(odd.median()) == pytest.approx(1)
