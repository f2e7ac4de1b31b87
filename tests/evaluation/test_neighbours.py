"""Copies are caught, and pictures that nobody trained on are not accused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import purrtrait
from purrtrait.datasets.pack import HELD_OUT, TRAIN, Pack
from purrtrait.evaluation import neighbours, pixels
from purrtrait.evaluation.neighbours import Lean, Memorisation, lean, memorisation
from purrtrait.evaluation.oddity import oddity
from purrtrait.evaluation.pixels import Pixels
from purrtrait.types import Features


def faces(count: int, seed: int) -> Features:
    """Points on a curved sheet in 12 dimensions: like photos, they fill few of their numbers."""
    drawn = torch.from_numpy(np.random.default_rng(seed).normal(0, 1, (count, 4)))
    bent = torch.cat([drawn, drawn.square(), drawn.roll(1, 1) * drawn], 1)
    return bent.float()


def noised(features: Features, deviation: float) -> Features:
    drawn = np.random.default_rng(9).normal(0, deviation, tuple(features.shape))
    return features + torch.from_numpy(drawn).float()


def judged(samples: Features) -> Memorisation:
    return memorisation(faces(1000, 0), faces(400, 1), samples)


def test_other_pictures_are_not_accused() -> None:
    for seed in range(2, 8):
        found = judged(faces(400, seed))
        assert found.copied < 0.05
        assert "no sign of copying" in found.verdict


def test_other_pictures_are_not_accused_however_bad_they_are() -> None:
    for spoil in (lambda f: noised(f, 1), lambda f: f * 0.5, lambda f: f + 4, torch.zeros_like):
        assert "no sign of copying" in judged(spoil(faces(400, 2))).verdict


def test_slightly_noised_training_pictures_are_caught() -> None:
    found = judged(noised(faces(1000, 0)[:300], 0.005))
    assert found.copied > 0.95
    assert found.nearest.tolist() == list(range(300))
    apart = (noised(faces(1000, 0)[:300], 0.005) - faces(1000, 0)[:300]).square().sum(1).sqrt()
    assert torch.allclose(found.away, apart, atol=1e-6)
    plain = torch.cdist(faces(400, 1).double(), faces(1000, 0).double()).min(1).values.float()
    assert torch.allclose(found.unseen_away, plain, atol=1e-5)
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
    # And noised copies, which lie further away than equal pictures, are nearer to what was seen.
    copies = memorisation(train, unseen, noised(train[:300], 0.05))
    assert copies.copied < copies.expected
    assert "were copied" in copies.verdict


def test_copies_of_a_photo_that_is_there_several_times() -> None:
    train = faces(300, 0).repeat_interleave(3, 0)
    found = memorisation(train, faces(300, 1), noised(train[::3], 0.005))
    assert found.copied > 0.95


@pytest.mark.parametrize(("near", "others"), [(3, 1), (12, 4), (20, 0), (1, 6)])
def test_chance_is_that_of_cards(near: int, others: int) -> None:
    """20 samples and 30 unseen photos, shuffled and dealt anew: how often are as many near?"""
    samples, unseen = torch.ones(20), torch.ones(30)
    samples[:near], unseen[:others] = 0, 0
    nobody = Lean(0.5, 0.5, 0.1)
    found = Memorisation(
        samples, unseen, 0.5, 0.0, 0.0, torch.zeros(20), nobody, samples, unseen
    ).by_chance
    numbers = np.random.default_rng(0)
    dealt = [int((numbers.permutation(50)[: near + others] < 20).sum()) for _ in range(4000)]
    share = np.mean([count >= near for count in dealt])
    assert found == pytest.approx(share, abs=4 * max(np.sqrt(share * (1 - share) / 4000), 1e-3))


def test_unseen_pictures_are_accused_as_rarely_as_stated() -> None:
    """Of 2,000 honest sets one in 740 by the threshold, so more than 12 would be a fault."""
    numbers = torch.from_numpy(np.random.default_rng(0).random((2000, 200)))
    accused = 0
    for drawn in numbers:
        unseen, samples = drawn[:100], drawn[100:]
        limit = float(unseen.quantile(neighbours.RATE))
        made = Memorisation(
            samples, unseen, limit, 0.0, 0.0, samples, Lean(0.5, 0.5, 0.1), samples, unseen
        )
        accused += "were copied" in made.verdict
    assert accused <= 12


def test_a_lean_is_brute_force() -> None:
    train, unseen, samples = faces(60, 0), faces(40, 1), faces(50, 2)
    nearer = torch.cdist(samples, train).amin(1) < torch.cdist(samples, unseen).amin(1)
    assert lean(train, unseen, samples).share == pytest.approx(float(nearer.float().mean()))


@pytest.mark.parametrize("repeated", [1, 40])
def test_a_lean_scatters_as_stated(repeated: int) -> None:
    """Over other lots for the same photos and samples: also where samples or photos are alike."""
    photos, samples = faces(100, 0), noised(faces(20, 1).repeat(repeated, 1), 0.01)
    photos[50:] = photos[:50]
    found = []
    for seed in range(200):
        lots = np.random.default_rng(seed).permutation(100)
        found.append(lean(photos[lots[:80]], photos[lots[80:]], samples))
    assert {one.chance for one in found} == {0.8}
    shares = np.array([one.share for one in found])
    stated = np.sqrt(np.mean([one.error**2 for one in found]))
    assert abs(shares.mean() - 0.8) < 4 * stated / np.sqrt(200)
    # 199 times the ratio of variances is chi-square with 199 degrees of freedom: 99.9 % of it
    # lies from 138 to 272; of equal photos either may count as found, which adds a little.
    assert 138 / 199 < (shares.std(ddof=1) / stated) ** 2 < 1.2 * 272 / 199


def test_a_lean_scatters_as_stated_where_photos_have_one_lot() -> None:
    """Twenty people with ten photos each, held out whole, and samples that like some of them."""
    persons = torch.arange(20).repeat_interleave(10)
    photos = noised(faces(20, 0).repeat_interleave(10, 0), 0.05)
    samples = noised(faces(20, 0)[[0] * 30 + [1] * 20 + [*range(2, 20)]], 0.05)
    found = []
    for seed in range(200):
        order = torch.as_tensor(np.random.default_rng(seed).permutation(20))
        train, unseen = (torch.isin(persons, some) for some in (order[:16], order[16:]))
        lots = torch.cat([persons[train], persons[unseen]])
        found.append(lean(photos[train], photos[unseen], samples, lots=lots))
    shares = np.array([one.share for one in found])
    stated = np.sqrt(np.mean([one.error**2 for one in found]))
    assert abs(shares.mean() - 0.8) < 4 * stated / np.sqrt(200)
    assert 138 / 199 < (shares.std(ddof=1) / stated) ** 2 < 272 / 199
    alone = lean(photos[:160], photos[160:], samples)
    assert alone.error < 0.6 * stated, "as if each photo had been drawn by itself"


def test_a_collapsed_generator_is_not_accused() -> None:
    """All samples beside one training picture: that says as little as one sample does."""
    train = faces(400, 0)
    found = lean(train, faces(100, 1), train[:1].repeat(300, 1))
    assert found.share == 1
    assert found.surplus == pytest.approx((1 - 0.8) / 0.4, rel=0.01)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    """Kittens, of which 300 are held out."""
    out = tmp_path_factory.mktemp("packs") / "kittens"
    return purrtrait.prepare("kittens", out=out, size=16, count=700, split=3 / 7)


def grainy(pixels: np.ndarray, deviation: float) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, deviation, pixels.shape)
    return (pixels + noise).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("deviation", [0, 8, 24])
def test_kittens(photos: Pack, deviation: float) -> None:
    """Grainy training pictures are copies; other pictures, as grainy, are none."""
    train, held_out = photos.images[photos.rows(TRAIN)], photos.images[photos.rows(HELD_OUT)]

    def verdict(samples: np.ndarray) -> str:
        sets = (train, held_out[::2], grainy(samples, deviation))
        known, unseen, drawn = (Pixels()(some) for some in sets)
        return memorisation(known, unseen, drawn).verdict

    assert "were copied" in verdict(train[:300])
    assert "no sign" in verdict(held_out[1::2])


def test_mirrored_copies_are_copies_where_a_mirror_image_is_natural() -> None:
    shown = np.random.default_rng(0).integers(0, 256, (60, 20, 20, 3), dtype=np.uint8)
    train, copies = Pixels()(shown[:40]), Pixels()(shown[:40, :, ::-1])
    assert torch.allclose(pixels.mirrored(train), copies, atol=1e-5)
    unseen = Pixels()(shown[40:])
    assert memorisation(train, unseen, copies).copied < 0.2
    found = memorisation(train, unseen, copies, [pixels.mirrored])
    assert (found.copied, found.lean.share) == (1, 1)
    assert found.nearest.tolist() == list(range(40))


def test_the_histogram_holds_everything() -> None:
    found = judged(faces(300, 4)).histogram()
    assert len(found["edges"]) == len(found["samples"]) + 1
    for side in ("samples", "unseen"):
        assert sum(found[side]) == pytest.approx(1)
    copies = judged(faces(1000, 0)[:100]).histogram()
    assert copies["samples"][0] == 1


def test_too_few_unseen_pictures_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 16"):
        memorisation(faces(50, 0), faces(neighbours.FEWEST - 1, 1), faces(50, 2))


def test_what_is_unlike_all_others_is_odd() -> None:
    features = faces(200, 0) + 3
    features[[7, 90]] *= torch.tensor([1.0, -1.0]).repeat(6)  # two alike do not hide each other
    features[120] = 0.01 * torch.tensor([1.0, 0, 0, 0]).repeat(3)  # hardly anything in it
    odd = oddity(features)
    assert set(odd.topk(3).indices.tolist()) == {7, 90, 120}
    assert float(odd.median()) == pytest.approx(1)


def test_oddity_is_brute_force() -> None:
    features = faces(50, 0)
    directions = (features / features.norm(dim=1, keepdim=True)).double()
    fifth = torch.cdist(directions, directions).sort(1).values[:, 5]
    assert torch.allclose(oddity(features), (fifth / fifth.median()).float(), rtol=1e-4)
