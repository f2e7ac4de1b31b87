"""Many are drawn, the critic ranks them, and those who were chosen are refined stage by stage."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import purrtrait
import stacked
from purrtrait import choosing
from purrtrait.choosing import Asked, Drawn, Pyramid
from purrtrait.datasets.pack import TRAIN, Pack
from purrtrait.images.resize import area, to_images, to_uint8
from purrtrait.networks import hasten
from purrtrait.networks.fourier import FourierConvolution
from purrtrait.networks.scatter import ScatteredConvolution
from purrtrait.sampling.levels import Refined
from purrtrait.types import Critic, Images, Logits

CPU = torch.device("cpu")
ASKED = Asked(drawn=40, keep=6, k=4, seed=7)


@pytest.fixture(scope="module")
def folder(kittens: Pack) -> Path:
    return stacked.trained(kittens).latest_of_each()["refine-16"].path


@pytest.fixture(scope="module")
def pyramid(folder: Path) -> Pyramid:
    return choosing.opened(folder, CPU)


@pytest.fixture(scope="module")
def made(pyramid: Pyramid) -> Drawn:
    return choosing.drawn(pyramid, ASKED, 0)


class Mute(Critic):
    """Likes all portraits alike."""

    def features(self, images: Images, given: Tensor | None = None) -> Tensor:
        return images.flatten(1)

    def forward(self, images: Images, given: Tensor | None = None) -> Logits:
        return 0 * self.features(images).sum(1)


def upwards(pyramid: Pyramid, made: Drawn, asked: Asked, rows: Tensor) -> Images:
    """Portraits of the last stage."""
    pictures = made.portraits[rows]
    for stage in (1, 2):
        pictures = choosing.refined(pyramid, stage, asked, made, rows, pictures)
    return pictures


def test_the_portraits_are_those_of_the_seed(folder: Path, pyramid: Pyramid, made: Drawn) -> None:
    assert list(pyramid.names) == stacked.STAGES
    whole = purrtrait.load(folder)
    assert torch.equal(made.latents, whole.latents(40, seed=7))
    base = purrtrait.load(folder.parent / "base-000000016").sampler
    drawn = base(made.latents[:, : base.latent_size])
    assert torch.allclose(made.portraits, drawn, atol=1e-6)


def test_the_best_have_higher_verdicts_than_the_worst(pyramid: Pyramid, made: Drawn) -> None:
    critic = pyramid.critics[0]
    assert critic
    verdicts = critic(made.portraits)  # in evaluation mode: with dropout they would differ
    assert torch.allclose(verdicts, made.ranking.verdicts, atol=1e-5)
    order = verdicts.argsort(descending=True).tolist()
    assert made.sets["best"].tolist() == order[:6]
    assert made.sets["worst"].tolist() == order[:-7:-1]


def test_the_random_set_does_not_ask_the_critic(pyramid: Pyramid, made: Drawn) -> None:
    other = made.sets["random"]
    assert len(set(other.tolist())) == 6
    assert set(other.tolist()) != set(range(6))
    mute = replace(pyramid, critics=[Mute(), *pyramid.critics[1:]])
    assert torch.equal(choosing.drawn(mute, ASKED, 0).sets["random"], other)


def test_with_one_candidate_it_is_what_the_sampler_draws(
    folder: Path, pyramid: Pyramid, made: Drawn
) -> None:
    rows = made.sets["random"]
    found = upwards(pyramid, made, replace(ASKED, k=1), rows)
    whole = purrtrait.load(folder).sample(40, seed=7)[rows]
    assert np.abs(to_uint8(found).astype(int) - whole).max() <= 1


def test_what_refines_and_what_judges_is_hastened_and_draws_the_same(
    folder: Path, pyramid: Pyramid, made: Drawn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hasten, "LEAST_GAIN", 1)
    quick = choosing.opened(folder, CPU)
    refiners = [one.drawer for one in quick.samplers if isinstance(one, Refined)]
    assert len(refiners) == len(quick.samplers) - 1
    for network in (*refiners, *quick.critics):
        assert network
        assert any(isinstance(layer, FourierConvolution) for layer in network.modules())
    rows = made.sets["best"]
    found, expected = (upwards(one, made, ASKED, rows) for one in (quick, pyramid))
    assert torch.allclose(found, expected, atol=1e-5)
    judged = choosing.drawn(quick, ASKED, 0)
    assert torch.equal(judged.portraits, made.portraits)
    assert torch.allclose(judged.ranking.verdicts, made.ranking.verdicts, atol=1e-5)


def test_what_the_lowest_stage_draws_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hasten, "LEAST_GAIN", 1)
    drawer, judge = (
        nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(64, 1, 3, padding=1))
        for _ in range(2)
    )
    lowest: Any = SimpleNamespace(drawer=drawer)
    critic: Any = judge
    choosing.hastened(Pyramid([lowest], ["base"], [critic], CPU))
    assert [type(layer) for layer in drawer] == [nn.Conv2d, nn.Conv2d]
    assert [type(layer) for layer in judge] == [FourierConvolution, ScatteredConvolution]


def test_more_candidates_please_the_critic_more(pyramid: Pyramid, made: Drawn) -> None:
    rows, critic = made.sets["random"], pyramid.critics[1]
    assert critic
    one, four = (
        choosing.refined(pyramid, 1, replace(ASKED, k=k), made, rows, made.portraits[rows])
        for k in (1, 4)
    )
    assert (critic(four) >= critic(one)).all()
    assert (critic(four) > critic(one)).any()


def test_a_portrait_is_refined_alike_in_every_set(pyramid: Pyramid, made: Drawn) -> None:
    some, others = torch.tensor([3, 9, 11]), torch.tensor([11, 20])
    left, right = (upwards(pyramid, made, ASKED, rows) for rows in (some, others))
    assert torch.allclose(left[2], right[0], atol=1e-6)


def test_a_stage_without_a_critic_draws_once(pyramid: Pyramid, made: Drawn) -> None:
    rows = made.sets["best"]
    without = replace(pyramid, critics=[pyramid.critics[0], None, None])
    one = upwards(pyramid, made, replace(ASKED, k=1), rows)
    assert torch.equal(upwards(without, made, ASKED, rows), one)


def test_runs_have_rows_of_their_own(pyramid: Pyramid, made: Drawn) -> None:
    second = choosing.drawn(pyramid, ASKED, 1)
    assert (made.first, second.first) == (0, 40)
    more = choosing.drawn(pyramid, replace(ASKED, drawn=80), 0)
    assert torch.allclose(more.portraits, torch.cat([made.portraits, second.portraits]), atol=1e-6)
    assert not torch.equal(made.sets["random"], second.sets["random"])


def test_temperature_is_that_of_all_latents(pyramid: Pyramid) -> None:
    cold = choosing.drawn(pyramid, replace(ASKED, temperature=0.0), 0)
    assert torch.allclose(cold.portraits, cold.portraits[:1])
    rows = torch.arange(3)
    found = upwards(pyramid, cold, replace(ASKED, temperature=0.0), rows)
    assert torch.allclose(found, found[:1], atol=1e-6)


def test_truncation_is_that_of_all_latents(pyramid: Pyramid) -> None:
    middle = replace(ASKED, truncation=0.0)
    made = choosing.drawn(pyramid, middle, 0)
    assert not made.latents.any()
    found = upwards(pyramid, made, middle, torch.arange(3))
    assert torch.allclose(found, found[:1], atol=1e-6)


def test_training_pictures_are_drawn_by_lot(kittens: Pack) -> None:
    first, again, other = (choosing.trainset(kittens, ASKED, run, 8) for run in (0, 0, 1))
    assert first.shape == (6, 3, 8, 8)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    every = area(to_images(kittens.images[kittens.rows(TRAIN)]), 8)
    for picture in first:
        assert (every == picture).flatten(1).all(1).any()


def test_it_stops_at_a_stage_of_a_size(folder: Path) -> None:
    part = choosing.opened(folder, CPU, until=12)
    assert list(part.names) == ["base", "refine-12"]
    assert len(part.critics) == len(part.samplers) == 2
    with pytest.raises(ValueError, match=r"no stage draws portraits of 13 px.*8, 12, 16"):
        choosing.opened(folder, CPU, until=13)


@pytest.mark.parametrize("keep", [0, 41])
def test_no_more_are_kept_than_are_drawn(keep: int) -> None:
    with pytest.raises(ValueError, match="expected no more than are drawn"):
        Asked(drawn=40, keep=keep)
