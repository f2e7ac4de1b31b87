"""What every metric promises, and each against another library, brute force or a closed form."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import poly_mmd

from purrtrait.evaluation import METRICS, coverage, distances, diversity, frechet, kernel
from purrtrait.evaluation.metric import MEANINGS
from purrtrait.types import Features


def normal(count: int, size: int = 6, seed: int = 0, shift: float = 0.0) -> Features:
    return torch.from_numpy(
        np.random.default_rng(seed).normal(shift, 1.0, (count, size)).astype(np.float32)
    )


def brute(left: Features, right: Features) -> np.ndarray:
    """All distances in float64, from the differences."""
    a, b = left.double().numpy(), right.double().numpy()
    found: np.ndarray = np.sqrt(((a[:, None] - b[None]) ** 2).sum(-1))
    return found


# ---- every metric ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", METRICS)
def test_every_score_has_a_meaning(name: str) -> None:
    for score, value in METRICS[name](normal(40), normal(40, seed=1)).items():
        assert MEANINGS[score].words
        assert math.isfinite(value)


@pytest.mark.parametrize("name", [n for n in METRICS if n != "frechet-infinite"])
def test_the_order_of_rows_does_not_matter(name: str) -> None:
    reals, samples = normal(60), normal(50, seed=1, shift=0.3)
    mixed = (reals[torch.randperm(60)], samples[torch.randperm(50)])
    assert METRICS[name](*mixed) == pytest.approx(METRICS[name](reals, samples), rel=1e-4)


@pytest.mark.parametrize("name", METRICS)
def test_blocks_do_not_matter(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    reals, samples = normal(61), normal(53, seed=1)
    whole = METRICS[name](reals, samples)
    monkeypatch.setattr(distances, "BLOCK_NUMBERS", 7 * 61)
    monkeypatch.setattr(kernel, "BLOCK_NUMBERS", 7 * 61)
    # Copies, of which nothing is remembered.
    assert METRICS[name](reals.clone(), samples.clone()) == pytest.approx(whole, rel=1e-5)


@pytest.mark.parametrize("name", METRICS)
def test_too_few_pictures_are_refused_in_words(name: str) -> None:
    with pytest.raises(ValueError, match="expected at least"):
        METRICS[name](normal(1), normal(1))


# ---- distances -------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [1, 3])
def test_nearest_is_brute_force(k: int) -> None:
    samples, reals = normal(30), normal(40, seed=1)
    found, rows = distances.nearest(samples, reals, k)
    expected = brute(samples, reals)
    assert np.array_equal(rows.numpy(), np.argsort(expected, axis=1)[:, :k])
    assert np.allclose(found.numpy(), np.sort(expected, axis=1)[:, :k], atol=1e-6)


def test_equal_rows_are_at_distance_nothing_however_far_out() -> None:
    far = normal(20) + 1000
    found, rows = distances.nearest(far, far)
    assert torch.equal(rows[:, 0], torch.arange(20))
    assert found.abs().max() == 0


def test_blocks_stay_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distances, "BLOCK_NUMBERS", 1000)
    left, right = normal(57), normal(130, seed=1)
    blocks = list(distances.squared(left, right))
    assert max(block.numel() for _, block in blocks) <= 1000
    assert torch.equal(torch.cat([torch.arange(57)[rows] for rows, _ in blocks]), torch.arange(57))
    found = torch.cat([block for _, block in blocks]).sqrt().numpy()
    assert np.allclose(found, brute(left, right), atol=1e-5)


GROWTH = """
import resource
import torch
from purrtrait.evaluation import distances
from purrtrait.evaluation.coverage import coverage

distances.BLOCK_NUMBERS = 2**17  # half a megabyte: many blocks

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

torch.set_num_threads(1)
coverage(torch.randn(100, 4), torch.randn(100, 4))
reals, samples = torch.randn(10_000, 4), torch.randn(10_000, 4)
before = peak()
coverage(reals, samples)
print(peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems count memory in other units")
def test_memory_does_not_grow_with_the_product() -> None:
    """All distances at once would take 400 MB; blocks with results kept between them 300."""
    run = subprocess.run([sys.executable, "-c", GROWTH], capture_output=True, text=True, check=True)
    assert int(run.stdout) < 50e6


def test_radii_pass_over_the_row_itself() -> None:
    features = normal(30)
    expected = np.sort(brute(features, features), axis=1)[:, 3]
    assert np.allclose(distances.radii(features, 3).numpy(), expected, atol=1e-5)


# ---- Frechet ---------------------------------------------------------------------------------


class Given(nn.Module):
    """An extractor for torchmetrics whose features are the pictures themselves."""

    num_features = 6

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1)


def test_frechet_is_that_of_torchmetrics() -> None:
    reals, samples = normal(200), normal(150, seed=1, shift=0.5) * 1.3
    oracle = FrechetInceptionDistance(feature=Given(), input_img_size=(1, 2, 3), normalize=True)
    oracle.set_dtype(torch.float64)
    oracle.update(reals.reshape(-1, 1, 2, 3), real=True)
    oracle.update(samples.reshape(-1, 1, 2, 3), real=False)
    found = frechet.frechet(reals, samples)["frechet"]
    assert found == pytest.approx(float(oracle.compute()), rel=1e-5)


def test_frechet_of_gaussians_along_the_axes() -> None:
    """For diagonal covariances: |m - n|^2 + sum of (s - t)^2."""
    means = torch.tensor([1.0, -2.0, 0.0]).double(), torch.tensor([0.0, 0.0, 3.0]).double()
    spreads = torch.tensor([1.0, 4.0, 9.0]).double(), torch.tensor([4.0, 0.0, 1.0]).double()
    one, other = (frechet.Gaussian(m, s.diag()) for m, s in zip(means, spreads, strict=True))
    found = frechet.between(one, other)
    apart = (means[0] - means[1]).square().sum()
    expected = apart + (spreads[0].sqrt() - spreads[1].sqrt()).square().sum()
    assert found == pytest.approx(float(expected), rel=1e-9)


def test_the_root_of_the_reals_is_taken_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever they are compared with: one for the whole set, and one for each of its halves."""
    taken: list[Tensor] = []
    eigh = torch.linalg.eigh

    def counting(spread: Tensor) -> Any:
        taken.append(spread)
        return eigh(spread)

    monkeypatch.setattr(torch.linalg, "eigh", counting)
    reals = normal(60)
    for seed in range(3):
        frechet.frechet(reals, normal(40, seed=seed))
        frechet.infinite(reals, normal(50, seed=seed))
    assert len(taken) == 1 + 2 * frechet.SPLITS


def test_frechet_of_a_set_that_was_stretched() -> None:
    """The shortest way to x C, of positive C, is straight: d = |m - n|^2 + tr (I-C) A (I-C)."""
    reals = normal(300, 8) @ normal(8, 8, seed=2)
    root = normal(8, 8, seed=1).double()
    stretch = root @ root.T / 8 + 0.1 * torch.eye(8).double()  # commutes with no covariance here
    samples = reals.double() @ stretch + 2
    rest = torch.eye(8).double() - stretch
    apart = (reals.double().mean(0) - samples.mean(0)).square().sum()
    expected = apart + (rest @ torch.cov(reals.double().T) @ rest).trace()
    found = frechet.frechet(reals, samples.float())["frechet"]
    assert found == pytest.approx(float(expected), rel=1e-5)


def test_frechet_is_symmetric_and_zero_for_the_same() -> None:
    one, other = normal(80), normal(90, seed=1, shift=1)
    there, back = frechet.frechet(one, other)["frechet"], frechet.frechet(other, one)["frechet"]
    assert there == pytest.approx(back, rel=1e-6)
    assert frechet.frechet(one, one)["frechet"] == pytest.approx(0, abs=1e-9)


def test_fewer_rows_than_features_still_work() -> None:
    assert frechet.frechet(normal(10, 40), normal(10, 40, seed=1))["frechet"] > 0


def test_endless_samples_have_no_bias() -> None:
    """Both sets of one Gaussian: the plain distance is biased upwards, the carried-on one less."""
    reals = normal(20_000, 20)
    plain, carried = [], []
    for seed in range(1, 9):
        samples = normal(400, 20, seed)
        plain.append(frechet.frechet(reals, samples)["frechet"])
        carried.append(frechet.infinite(reals, samples)["frechet-infinite"])
    assert np.mean(plain) > 0.3
    assert abs(np.mean(carried)) < 0.2 * np.mean(plain)


def test_endless_pictures_on_both_sides_have_no_bias() -> None:
    """Few reals too: what is left is little, and scatters not much more than the distance."""
    plain, carried = [], []
    for seed in range(12):
        reals, samples = normal(250, 20, 2 * seed), normal(200, 20, 2 * seed + 1)
        plain.append(frechet.frechet(reals, samples)["frechet"])
        carried.append(frechet.infinite(reals, samples)["frechet-infinite"])
    assert np.mean(plain) > 1
    assert abs(np.mean(carried)) < 0.1 * np.mean(plain)
    assert np.std(carried) < 2.5 * np.std(plain)


# ---- kernel ----------------------------------------------------------------------------------


def test_kernel_is_that_of_torchmetrics() -> None:
    reals, samples = normal(64), normal(64, seed=1, shift=0.4)
    oracle = poly_mmd(reals, samples)
    assert kernel.kernel(reals, samples)["kernel"] == pytest.approx(float(oracle), rel=1e-4)


def test_kernel_of_sets_of_different_sizes_is_brute_force() -> None:
    reals, samples = normal(30), normal(21, seed=1, shift=0.4)
    both = [features.double().numpy() for features in (reals, samples)]
    values = [(a @ b.T / 6 + 1) ** 3 for a, b in itertools.product(both, both)]
    own, across, _, theirs = values
    expected = (own.sum() - own.trace()) / (30 * 29) + (theirs.sum() - theirs.trace()) / (21 * 20)
    expected -= 2 * across.mean()
    assert kernel.kernel(reals, samples)["kernel"] == pytest.approx(expected, rel=1e-4)


def test_kernel_is_unbiased() -> None:
    """Over many pairs of sets of one distribution its mean is 0 within its own scatter."""
    found = [
        kernel.kernel(normal(50, seed=2 * n), normal(50, seed=2 * n + 1))["kernel"]
        for n in range(60)
    ]
    assert abs(np.mean(found)) < 4 * np.std(found) / math.sqrt(len(found))
    assert min(found) < 0 < max(found)


# ---- precision, recall, density, coverage ----------------------------------------------------


@pytest.mark.parametrize(("shift", "k"), list(itertools.product([0.0, 0.7, 3.0], [1, 5])))
def test_coverage_is_brute_force(shift: float, k: int) -> None:
    reals, samples = normal(50), normal(40, seed=1, shift=shift)
    across = brute(reals, samples)  # (reals, samples)
    of_reals = np.sort(brute(reals, reals), axis=1)[:, k]
    of_samples = np.sort(brute(samples, samples), axis=1)[:, k]
    inside = across <= of_reals[:, None]
    expected = {
        "precision": inside.any(0).mean(),
        "recall": (across <= of_samples[None]).any(1).mean(),
        "density": inside.sum() / (k * len(samples)),
        "coverage": (across.min(1) <= of_reals).mean(),
    }
    assert coverage.coverage(reals, samples, k) == pytest.approx(expected)


def test_a_set_lies_among_itself() -> None:
    reals = normal(50)
    found = coverage.coverage(reals, reals)
    assert (found["precision"], found["recall"], found["coverage"]) == (1, 1, 1)
    # Each ball holds its own picture and k others, of which the k-th lies on its edge.
    assert found["density"] == pytest.approx(6 / 5)


def test_rounding_does_not_decide_about_copies() -> None:
    reals = normal(800, 64) * 30
    found = coverage.coverage(reals, reals[torch.randperm(800)])
    assert found["density"] == pytest.approx(6 / 5)
    pile = reals[:100].repeat_interleave(8, 0)  # seven copies beside each: balls of radius 0
    same = coverage.coverage(pile, reals[:100])
    assert (same["precision"], same["coverage"]) == (1, 1)
    assert same["density"] == pytest.approx(8 / 5)
    assert coverage.coverage(pile, reals[100:])["precision"] == 0


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 1000), st.floats(-3, 3), st.integers(1, 5))
def test_shares_are_shares(seed: int, shift: float, k: int) -> None:
    found = coverage.coverage(normal(12, seed=seed), normal(9, seed=seed + 1, shift=shift), k)
    for name in ("precision", "recall", "coverage"):
        assert 0 <= found[name] <= 1
    assert 0 <= found["density"] <= 12 / k


# ---- diversity -------------------------------------------------------------------------------


def test_mean_distance_is_brute_force() -> None:
    features = normal(40)
    everything = brute(features, features)
    expected = everything.sum() / (40 * 39)
    assert distances.mean_distance(features) == pytest.approx(expected, rel=1e-5)


def test_half_the_spread_is_half_as_diverse() -> None:
    reals = normal(60)
    assert diversity.diversity(reals, reals * 0.5)["diversity"] == pytest.approx(0.5, rel=1e-5)


def test_duplicates_are_counted() -> None:
    reals, samples = normal(200, 20), normal(100, 20, seed=1)
    assert diversity.diversity(reals, samples)["duplicates"] <= 0.02
    samples[:30] = samples[30:60] + 0.01
    assert diversity.diversity(reals, samples)["duplicates"] == pytest.approx(0.6, abs=0.02)


def test_one_picture_over_and_over_where_reals_are_there_twice() -> None:
    """Half the distance to the nearest is 0 then, and within it still."""
    reals = normal(20).repeat(2, 1)
    found = diversity.diversity(reals, normal(1, seed=5).expand(40, -1))
    assert found["duplicates"] == 1
    assert diversity.diversity(reals, normal(40, seed=6))["duplicates"] == 0


def test_one_picture_over_and_over() -> None:
    found = diversity.diversity(normal(50), normal(1).expand(50, -1))
    assert found["diversity"] == pytest.approx(0, abs=1e-3)
    assert found["duplicates"] == 1
