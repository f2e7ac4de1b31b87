"""Of k refinements the judge's favourite stays, whatever is refined at a time."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from purrtrait.sampling import choose
from purrtrait.sampling.choose import best_of, candidates, indifferent
from purrtrait.sampling.latents import converted, gathered
from purrtrait.sampling.levels import Drawn, Refined
from purrtrait.types import Draw, Generator, Images, Latents, Logits


class Blank(Generator):
    """Draws its latents as pictures of 2 px."""

    latent_size = 4
    prior = "normal"

    def forward(self, z: Latents, given: Tensor | None = None) -> Images:
        return z.view(-1, 1, 2, 2)


class Grain(Generator):
    """Draws its latents as details of 3 px, and notes their reach."""

    latent_size = 9
    prior = "uniform"
    reach = 0.0

    def forward(self, z: Latents, given: Tensor | None = None) -> Images:
        self.reach = float(z.abs().max())
        return z.view(-1, 1, 3, 3) / 4


def brightest(portraits: Images) -> Logits:
    return portraits.mean((1, 2, 3))


DRAWS = [Draw(5, "refine", row) for row in range(7)]


@pytest.fixture
def refined() -> Refined:
    return Refined(Grain(), Drawn(Blank()), 3)


@pytest.fixture
def own() -> Latents:
    return Draw(0, "test", 0).normal((7, 9), "own")


@pytest.fixture
def portraits() -> Images:
    return Draw(0, "test", 0).uniform((7, 1, 2, 2), "portraits", -0.5, 0.5)


@pytest.mark.parametrize("at_once", [1, 3, 64])
def test_the_favourite_of_each_portrait_stays(
    at_once: int,
    refined: Refined,
    own: Latents,
    portraits: Images,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(choose, "AT_ONCE", at_once)
    latents = candidates(own, "normal", 5, DRAWS)
    found = best_of(refined, brightest, portraits, latents)
    for row in range(7):
        noise = torch.erf(latents[row] / 2**0.5)  # normal to uniform
        drawn = torch.stack([refined.refine(portraits[row, None], one[None])[0] for one in noise])
        assert torch.allclose(found[row], drawn[brightest(drawn).argmax()], atol=1e-6)


def test_one_candidate_is_what_the_sampler_draws(refined: Refined, own: Latents) -> None:
    under = Draw(0, "test", 0).normal((7, 4), "under")
    alone = candidates(own, "normal", 1, DRAWS)
    assert alone.shape == (7, 1, 9)
    found = best_of(refined, brightest, refined.below(under), alone)
    assert torch.equal(found, refined(torch.cat([under, own], 1)))


def test_a_larger_k_adds_candidates(refined: Refined, own: Latents, portraits: Images) -> None:
    few, many = (candidates(own, "normal", k, DRAWS) for k in (3, 10))
    assert torch.equal(many[:, :3], few)
    assert torch.equal(many[:, 0], own)
    assert len({tuple(row.tolist()) for row in many.flatten(0, 1)}) == 70
    worse, better = (best_of(refined, brightest, portraits, some) for some in (few, many))
    assert (brightest(better) >= brightest(worse)).all()
    assert (better != worse).any()


def test_candidates_of_a_portrait_are_its_own(own: Latents) -> None:
    every = candidates(own, "normal", 4, DRAWS)
    some = candidates(own[[5, 2]], "normal", 4, [DRAWS[5], DRAWS[2]])
    assert torch.equal(every[[5, 2]], some)


def test_temperature_is_that_of_all_candidates(own: Latents) -> None:
    warm, cold = candidates(own, "normal", 4, DRAWS), candidates(own / 2, "normal", 4, DRAWS, 0.5)
    assert torch.allclose(cold, warm / 2)


def test_truncation_is_that_of_all_candidates(own: Latents) -> None:
    whole = candidates(own, "normal", 30, DRAWS)[:, 1:]
    within = candidates(own, "normal", 30, DRAWS, 0.5, 0.75)[:, 1:]
    assert whole.abs().max() > 2
    assert torch.equal(within, gathered(whole, "normal", 0.5, 0.75))


def test_refiners_get_noise_of_their_own_prior(
    refined: Refined, own: Latents, portraits: Images
) -> None:
    latents = candidates(own, "normal", 5, DRAWS)
    assert latents.abs().max() > 1.5
    best_of(refined, brightest, portraits, latents)
    grain = refined.drawer
    assert isinstance(grain, Grain)
    assert 0.5 < grain.reach <= 1


def test_of_equal_verdicts_the_first_counts(
    refined: Refined, own: Latents, portraits: Images
) -> None:
    found = best_of(refined, indifferent, portraits, candidates(own, "normal", 5, DRAWS))
    first = best_of(refined, brightest, portraits, own[:, None])
    assert torch.allclose(found, first)


def test_memory_is_bounded(refined: Refined, own: Latents, portraits: Images) -> None:
    seen: list[int] = []

    def judge(drawn: Images) -> Logits:
        seen.append(len(drawn))
        return brightest(drawn)

    best_of(refined, judge, portraits, candidates(own, "normal", 20, DRAWS))
    assert seen == [60, 60, 20]
    seen.clear()
    whole = candidates(own, "normal", 150, DRAWS)
    found = best_of(refined, judge, portraits, whole)
    assert seen == [64, 64, 22] * len(portraits)
    z = converted(whole[2], refined.prior, refined.drawer.prior)
    drawn = refined.refine(portraits[2:3].expand(150, -1, -1, -1), z)
    assert torch.allclose(found[2], drawn[brightest(drawn).argmax()], atol=1e-5)
