"""What there is to see of a stage while it trains."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import helpers
from purrtrait.assemble import build, pyramid
from purrtrait.assemble.look import PREVIEW_SEED, PROBES, Look, Validity, among
from purrtrait.assemble.place import Place, Request
from purrtrait.assemble.restored import Denoiser
from purrtrait.assemble.scoring import Extent, Refinements
from purrtrait.config import Recipe
from purrtrait.datasets.pack import Pack
from purrtrait.evaluation.ranking import ranked
from purrtrait.images import sheet
from purrtrait.images.resize import area, to_images, to_uint8
from purrtrait.sampling.latents import latents
from purrtrait.training.run import Run
from purrtrait.types import Batch, Critic, Draw, Generator, Images, Latents, Retoucher, Share

CPU = torch.device("cpu")


def look(recipe: Recipe, pack: Pack, number: int = 0, validity: Validity | None = None) -> Look:
    shape = build.Shape(pack.size, pack.channels)
    built = build.stage(recipe.stages[number], shape, 1, CPU)
    request = Request(str(pack.path), 1, "cpu", 1)
    place = Place(Run(Path("nowhere")), recipe, request, pack, Share(), CPU)
    below = pyramid.below(recipe, number, shape, CPU)
    return Look(place, built, built.objective.subject().eval(), below, validity)


def test_portraits_of_the_same_latents_are_shown_each_time(kittens: Pack) -> None:
    see = look(helpers.recipe("dcgan"), kittens).preview(6, 30)
    one, other = see(), see()
    assert one.portraits.shape == (6, 16, 16, 3)
    assert (one.portraits == other.portraits).all()
    assert (one.grid == other.grid).all()
    assert set(one.sheets) == {"best", "worst"}


@pytest.mark.parametrize(("judged", "count", "ends"), [(30, 30, 5), (3, 6, 1), (14, 14, 2)])
def test_best_and_worst_are_those_of_the_critic(
    judged: int, count: int, ends: int, kittens: Pack
) -> None:
    """Of more portraits than are shown, each best first; those that are shown are the first."""
    seen = look(helpers.recipe("portrait"), kittens)
    critic, sampler = seen.critic, seen.sampler
    assert critic is not None and sampler is not None
    preview = seen.preview(6, judged)()
    portraits = sampler(latents(count, sampler.latent_size, sampler.prior, PREVIEW_SEED))
    assert (preview.portraits == to_uint8(portraits[:6])).all()
    order = critic(portraits).detach().argsort(descending=True)
    sheets = {"best": order[:ends], "worst": order[-ends:]}
    for name, rows in sheets.items():
        assert (preview.sheets[name] == sheet.grid(to_uint8(portraits[rows]))).all(), name


@pytest.mark.parametrize(("name", "drawn"), [("dcgan", 20), ("vae", 4)])
def test_no_portrait_is_drawn_twice_or_for_nobody(name: str, drawn: int, kittens: Pack) -> None:
    """Five times as many as are shown, where a critic ranks them; the panel draws its own."""
    seen = look(helpers.recipe(name), kittens)
    rows: list[int] = []
    seen.average.register_forward_hook(lambda module, given, made: rows.append(len(made)))
    seen.preview(4, 20)()
    first = list(rows)
    rows.clear()
    seen._panel()
    assert sum(first) == drawn + sum(rows)


def test_probes_have_a_rank_and_a_validator_its_word(kittens: Pack) -> None:
    told: list[np.ndarray] = []

    def brightness(pixels: np.ndarray) -> float:
        told.append(pixels)
        return float(pixels.mean())

    seen = look(helpers.recipe("dcgan"), kittens, validity=brightness)
    preview = seen.preview(8, 40)()
    scores = preview.scores
    assert set(scores) == {*PROBES, "validator/all", "validator/best", "validator/worst"}
    assert all(0 <= scores[name] <= 1 for name in PROBES)
    everything, best, worst = told
    assert [len(images) for images in told] == [40, 6, 6]
    assert (everything[:8] == preview.portraits).all()
    for name, pixels in (("all", everything), ("best", best), ("worst", worst)):
        assert scores[f"validator/{name}"] == float(pixels.mean())
    assert (preview.sheets["best"] == sheet.grid(best)).all()
    assert (preview.sheets["worst"] == sheet.grid(worst)).all()
    real = torch.from_numpy(kittens.images[kittens.rows("held-out")[:1]].copy())
    assert torch.allclose(
        seen.probes[0], real[0].permute(2, 0, 1) / 127.5 - 1, atol=1e-6
    )  # it is a picture that nobody trains on


def test_probes_are_ranked_among_all_that_the_critic_judges(kittens: Pack) -> None:
    seen = look(helpers.recipe("portrait"), kittens)
    critic, sampler = seen.critic, seen.sampler
    assert critic is not None and sampler is not None
    portraits = sampler(latents(50, sampler.latent_size, sampler.prior, PREVIEW_SEED))
    places = ranked(critic, portraits).rank(ranked(critic, seen.probes).verdicts)
    scores = seen.preview(2, 50)().scores
    assert [scores[name] for name in PROBES] == pytest.approx(places.tolist())


@pytest.mark.parametrize("number", [0, 1])
def test_what_is_learnt_from_is_shown_at_the_stages_size(number: int, kittens: Pack) -> None:
    """Neither mirrored nor varied, and no more than a hundred."""
    seen = look(helpers.pyramid(), kittens, number)
    for count, shown in ((4, 4), (130, 100)):
        rows = np.arange(count)[::-1] % len(kittens.images)
        pictures = to_images(kittens.images[rows[:shown]])
        expected = sheet.grid(to_uint8(area(pictures, (8, 16)[number])))
        assert (seen.learnt_from(rows) == expected).all()


def test_refiners_show_what_they_add(kittens: Pack) -> None:
    seen = look(helpers.pyramid(), kittens, 1)
    assert seen.refines
    preview = seen.preview(4, 20)()
    assert set(preview.sheets) == {"best", "worst", "panels"}
    assert preview.portraits.shape == (4, 16, 16, 3)
    assert not look(helpers.pyramid(), kittens, 0).refines


@pytest.mark.parametrize("name", ["denoiser", "autoencoder-refiner", "cat-generator"])
def test_what_is_no_generator_shows_a_panel(name: str, kittens: Pack) -> None:
    seen = look(helpers.recipe(name), kittens)
    preview = seen.preview(4, 20)()
    assert np.ptp(preview.grid) > 0
    if not seen.draws:
        assert seen.sampler is None
        assert not preview.portraits.size


@pytest.mark.parametrize("name", ["denoiser", "cat-generator"])
def test_losses_on_pictures_held_out_are_taken_and_change_nothing(name: str, kittens: Pack) -> None:
    seen = look(helpers.recipe(name), kittens)
    take = seen.scoring(Extent(0), 4, 2)
    before = {k: v.clone() for k, v in seen.built.objective.state_dict().items()}
    seen.built.objective.train()
    scores = take()
    assert scores == take()
    assert scores
    assert all(key.startswith("held-out/") for key in scores)
    assert seen.built.objective.training
    after = seen.built.objective.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)


@pytest.mark.parametrize("number", [0, 1])
def test_in_small_packs_nothing_is_taken_but_how_varied_portraits_are(
    number: int, kittens: Pack
) -> None:
    names = set(
        look(helpers.pyramid(), kittens, number).scoring(Extent(16, complete=False), 4, 2)()
    )
    assert names == {"score/diversity", "score/duplicates"}
    assert (
        look(helpers.recipe("validator"), kittens).scoring(Extent(16, complete=False), 4, 2)() == {}
    )


@pytest.mark.parametrize(
    ("shown", "between", "count"),
    [
        (64, 2400, 300),
        (60, 24_000, 300),
        (400, 2400, 400),
        (4, 2400, 20),
        (64, 1600, 200),
        (64, 100, 64),
        (0, 0, 0),
    ],
)
def test_ranking_costs_little_beside_training(shown: int, between: int, count: int) -> None:
    assert among(shown, between) == count


class Two(Generator):
    """The detail is the row's first number, everywhere."""

    latent_size = 3
    prior: Any = "uniform"

    def forward(self, z: Latents, given: torch.Tensor | None = None) -> Images:
        assert given is not None
        return z[:, :1, None, None].expand_as(given)


def test_the_nearest_of_several_refinements_counts() -> None:
    draw, images = Draw(0, "panel", 0), torch.rand(5, 1, 4, 4)
    batch = Batch(images, draw, torch.zeros_like(images))
    tries = [draw.prior("uniform", (5, 3), f"try {number}")[:, 0] for number in range(7)]
    distances = [
        min(float((number[row] - images[row]).norm()) for number in tries) for row in range(5)
    ]
    found = Refinements(Two(), batch, 7)()
    assert found == {"score/refinement": pytest.approx(sum(distances) / 5, rel=1e-5)}
    assert Refinements(Two(), batch, 1)()["score/refinement"] > found["score/refinement"]


def test_a_critic_that_judges_details_judges_portraits_alike(kittens: Pack) -> None:
    built = look(helpers.pyramid(), kittens, 1).built
    critic = built.objective.players()["critic"]
    assert isinstance(critic, Critic)
    coarse, detail = torch.rand(3, 3, 16, 16), torch.rand(3, 3, 16, 16) - 0.5
    alone = ranked(critic, coarse + detail).verdicts
    assert torch.allclose(alone, critic(detail, coarse), atol=1e-5)


def test_previews_are_shown_cleaned_too(kittens: Pack) -> None:
    cleaner = look(helpers.recipe("denoiser"), kittens).built.objective.eval().requires_grad_(False)
    networks = [player for player in cleaner.players().values() if isinstance(player, Retoucher)]
    seen = look(helpers.recipe("dcgan"), kittens)
    place = replace(seen.place, denoiser=Denoiser(16, networks))
    preview = replace(seen, place=place).preview(4, 20)()
    assert set(preview.sheets) == {"best", "worst", "cleaned-1", "cleaned-2"}
    images = to_images(preview.portraits)
    for number, network in enumerate(networks, 1):
        images = network(images)
        assert (preview.sheets[f"cleaned-{number}"] == sheet.grid(to_uint8(images))).all()
    other = replace(seen.place, denoiser=Denoiser(8, networks))
    assert set(replace(seen, place=other).preview(4, 20)().sheets) == {"best", "worst"}
