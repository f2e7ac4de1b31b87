"""What a validator says is its own mean probability, beside that of real and of bad pictures."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from helpers import Colours
from purrtrait.datasets.pack import HELD_OUT, TRAIN, Pack
from purrtrait.evaluation import validity
from purrtrait.evaluation.judge import judge
from purrtrait.evaluation.reference import Reference, blurred, noise, silent
from purrtrait.evaluation.validity import NAME, Validator
from purrtrait.types import Critic, Images, Logits


class Bright(Critic):
    """Takes bright pictures for real, and remembers in which mode and size it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor(3.0))
        self.asked: list[tuple[bool, int, int]] = []

    def features(self, images: Images, given: Tensor | None = None) -> Tensor:
        return images.flatten(1).mean(1, keepdim=True)

    def forward(self, images: Images, given: Tensor | None = None) -> Logits:
        self.asked.append((self.training, images.shape[-1], len(images)))
        verdicts: Logits = self.weight * self.features(images)[:, 0]
        return verdicts


def bright(size: int = 16, mark: str = "first") -> Validator:
    return Validator(Bright(), size, 3, mark)


def chances(pixels: np.ndarray) -> np.ndarray:
    """The same in numpy, from all grey levels."""
    levels = pixels.reshape(len(pixels), -1).mean(1) / 127.5 - 1
    found: np.ndarray = 1 / (1 + np.exp(-3 * levels))
    return found


def test_the_score_is_its_mean_probability(kittens: Pack) -> None:
    drawn = kittens.images[kittens.rows(TRAIN)[:70]]
    found = validity.judge(drawn, Reference(kittens, Colours(), 16, 70), bright(), silent)
    assert list(found) == [NAME]
    score, real = found[NAME], kittens.images[kittens.rows(HELD_OUT)]
    assert score.value == pytest.approx(chances(drawn).mean(), abs=1e-6)
    assert score.error == pytest.approx(chances(drawn).std(ddof=1) / math.sqrt(70), rel=1e-4)
    assert score.floor == pytest.approx(chances(real).mean(), abs=1e-6)
    bad = {"blurred reals": chances(blurred(real)).mean(), "noise": chances(noise(real)).mean()}
    assert score.ceilings == pytest.approx(bad, abs=1e-6)


def test_pictures_are_averaged_to_its_size_and_judged_at_rest(kittens: Pack) -> None:
    small = bright(8)
    small.network.train()
    found = small.chances(kittens.images[:70])
    assert found.numpy() == pytest.approx(chances(kittens.images[:70]), abs=1e-6)
    assert isinstance(small.network, Bright) and small.network.training
    assert {asked[:2] for asked in small.network.asked} == {(False, 8)}
    assert [asked[2] for asked in small.network.asked] == [64, 6]


def test_bounds_are_kept_for_each_validator(kittens: Pack, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def counted(pixels: np.ndarray) -> np.ndarray:
        seen.append(len(pixels))
        return noise(pixels)

    monkeypatch.setattr(validity, "noise", counted)
    side = Reference(kittens, Colours(), 16, 31)
    for mark, times in (("a", 1), ("a", 1), ("b", 2)):
        validity.judge(kittens.images[:31], side, bright(mark=mark), silent)
        assert len(seen) == times


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"size": 32}, "judges pictures of 32 px in colour, .* are 16 px in colour"),
        ({"channels": 1}, "judges pictures of 16 px in grey, .* are 16 px in colour"),
    ],
)
def test_one_that_does_not_fit_is_refused(changes: Any, said: str, kittens: Pack) -> None:
    other = replace(bright(), **changes)
    with pytest.raises(ValueError, match=f"{said}.*train validator --set pixels=16"):
        judge(kittens.images[:20], kittens, Colours(), validator=other)
    assert isinstance(other.network, Bright) and not other.network.asked


def test_a_judgement_holds_the_score_where_there_is_a_validator(kittens: Pack) -> None:
    plain = judge(kittens.images[:20], kittens, Colours())
    assert NAME not in plain.scores
    found = judge(kittens.images[:20], kittens, Colours(), validator=bright())
    assert found.scores[NAME].value == pytest.approx(chances(kittens.images[:20]).mean(), abs=1e-6)
    assert {k: v for k, v in found.scores.items() if k != NAME} == plain.scores
    (said,) = set(found.notes) - set(plain.notes)
    assert said.startswith("validity is the word of a validator of 16 px, first")
