"""Parts are named on pictures that were kept aside, and what nobody can name has no score."""

from __future__ import annotations

import errno
import json
import logging
import math
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import purrtrait
from purrtrait.datasets.pack import HELD_OUT, TRAIN, Pack
from purrtrait.evaluation import factor_lessons, factor_network, factors
from purrtrait.evaluation.factor_lessons import BATCH, BLANKS, MIXED, Lessons
from purrtrait.evaluation.factors import Factor, Namer
from purrtrait.evaluation.features import reduced
from purrtrait.evaluation.judgement import meaning
from purrtrait.evaluation.reference import blurred, noise
from purrtrait.types import Draw


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    """Three thousand kittens, of which 2,700 are for training."""
    out = tmp_path_factory.mktemp("packs") / "kittens"
    return purrtrait.prepare("kittens", out=out, size=16, count=3000)


@pytest.fixture(scope="module")
def taught(many: Pack) -> Iterator[Namer]:
    """Who has learnt from them, though only from 14,000."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(factor_network, "PICTURES", 7000)
        yield factors.namer(many)


@pytest.fixture
def few(kittens: Pack, tmp_path: Path) -> Pack:
    """The tiny pack, in a folder of its own."""
    shutil.copytree(kittens.path, tmp_path / "few", ignore=shutil.ignore_patterns("features"))
    return Pack.open(tmp_path / "few")


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody learn for longer than two steps."""
    monkeypatch.setattr(factor_network, "ROUNDS", 1)


class Steps(list[tuple[int, int]]):
    """Hears how many steps were learnt."""

    def __call__(self, done: int, total: int) -> None:
        self.append((done, total))


def held_out(pack: Pack) -> np.ndarray:
    pixels: np.ndarray = pack.images[pack.rows(HELD_OUT)]
    return pixels


# ---- naming ----------------------------------------------------------------------------------


def test_the_parts_of_kittens_are_named(many: Pack, taught: Namer) -> None:
    known = {factor.name: factor for factor in taught.factors}
    assert list(known) == list(many.label_names)
    assert known["body"].accuracy > 0.99 and known["accessories"].accuracy > 0.99
    assert all(factor.trusted and not factor.reason for factor in known.values())
    for factor in known.values():
        assert factor.accuracy > 5 / factor.values
    rows = many.rows(HELD_OUT)
    for column, (name, shares) in enumerate(taught(many.images[rows]).items()):
        assert shares.shape == (len(rows), known[name].values)
        assert torch.allclose(shares.sum(1), torch.ones(len(rows)))
        right = shares.argmax(1).numpy() == many.labels[rows, column]
        assert known[name].accuracy == pytest.approx(right.mean())
        clear = int((shares.max(1).values >= 0.5).sum())
        assert known[name].clear == pytest.approx((clear + 0.5) / (len(rows) + 1))


def test_real_pictures_show_all_modes(many: Pack, taught: Namer) -> None:
    found = factors.factor_scores(taught, held_out(many), many)
    assert (found["modes/body"], found["modes/accessories"]) == (15, 16)
    assert found["modes/eyes"] == 15
    pairs = {tuple(pair) for pair in many.labels[many.rows(HELD_OUT)][:, [0, 4]]}
    assert many.label_names[0] == "body" and many.label_names[4] == "accessories"
    assert found["modes/all"] == pytest.approx(len(pairs), abs=3)
    assert all(0 <= found[name] < 0.1 for name in found if name.startswith("divergence/"))
    assert found["confidence/body"] > 0.95
    assert all(meaning(name) for name in found)


def test_one_body_only_is_one_mode(many: Pack, taught: Namer) -> None:
    same = many.images[many.labels[:, 0] == 3]
    found = factors.factor_scores(taught, same, many)
    assert found["modes/body"] == 1
    assert found["modes/accessories"] == found["modes/all"] == 16
    assert found["divergence/body"] > 2
    assert found["divergence/accessories"] < 0.2


def test_noise_shows_nothing_and_blurred_pictures_less(many: Pack, taught: Namer) -> None:
    real = held_out(many)
    sharp, soft, nothing = (
        factors.factor_scores(taught, pixels, many) for pixels in (real, blurred(real), noise(real))
    )
    for name in ("body", "fur", "eyes", "mouth", "accessories"):
        kinds = [one[f"confidence/{name}"] for one in (nothing, soft, sharp)]
        assert kinds == sorted(kinds) and kinds[0] < 0.4
        assert nothing[f"divergence/{name}"] > 0.5 > 5 * sharp[f"divergence/{name}"]
    assert nothing["modes/body"] == nothing["modes/accessories"] == nothing["modes/all"] == 0


def test_batches_and_larger_pictures_do_not_matter(many: Pack, taught: Namer) -> None:
    real = held_out(many)[:70]
    whole, some, large = (
        taught(pixels)["eyes"] for pixels in (real, real[66:], real.repeat(2, 1).repeat(2, 2))
    )
    assert torch.allclose(whole[66:], some, atol=1e-5)
    assert torch.allclose(whole, large, atol=1e-5)


def test_standard_errors_are_those_of_a_mean(many: Pack, taught: Namer) -> None:
    named = taught(held_out(many))
    errors = factors.errors(taught.factors, named, many, groups=100)
    assert set(errors) == set(factors.scores(taught.factors, named, many))
    sure = named["mouth"].max(1).values
    assert errors["confidence/mouth"] == pytest.approx(
        float(sure.std()) / len(sure) ** 0.5, rel=0.3
    )
    assert 0 <= errors["modes/body"] < 0.1


@pytest.mark.parametrize(
    ("values", "share"),
    [(15, 1.0), (15, 0.055), (240, 1.0), (240, 0.2)],
    ids=["all of them", "one near the threshold", "many rare ones", "most never seen"],
)
def test_the_number_of_modes_scatters_as_stated(values: int, share: float) -> None:
    """Also where each evaluation by itself has a value just above, or just below, what counts."""
    weights = np.ones(values)
    weights[: 1 if values == 15 else values // 2] = share
    real = np.full(values, 1000)
    drawn = np.random.default_rng(0).multinomial(1000, weights / weights.sum(), 400)
    seen = np.std([factors.modes(clear, real, 1000) for clear in drawn], ddof=1)
    stated = [factors.modes_error(clear, real, 1000) for clear in drawn]
    assert 0.75 * seen - 0.01 < np.mean(stated) < 1.45 * seen + 0.05
    assert np.mean(np.array(stated) > 0) > 0.9 or seen == 0
    assert factors.modes_error(np.array([1000, 0, 0]), np.ones(3), 1000) == 0  # all alike


# ---- the gate --------------------------------------------------------------------------------


@pytest.mark.usefixtures("hasty")
def test_a_tiny_pack_has_no_scores_and_says_why(few: Pack) -> None:
    made = factors.namer(few)
    assert not any(factor.trusted for factor in made.factors)
    assert "body is not scored: there are 16 held-out pictures" in made.factors[0].reason
    assert factors.factor_scores(made, held_out(few), few) == {}
    assert factors.errors(made.factors, made(held_out(few)), few) == {}


@pytest.mark.parametrize(
    ("name", "accuracy", "pictures", "trusted"),
    [
        ("body", 0.99, 100, False),
        ("body", 0.9901, 1000, True),
        ("body", 1.0, 99, False),
        ("accessories", 0.98, 1000, False),
        ("fur", 0.51, 100, True),
        ("fur", 0.5, 100, False),
    ],
)
def test_large_parts_are_held_to_more(
    name: str, accuracy: float, pictures: int, trusted: bool
) -> None:
    factor = Factor.judged(name, 15, accuracy, pictures)
    assert factor.trusted == trusted == (not factor.reason)


def test_a_rate_just_below_the_gate_is_not_rounded_up_to_it() -> None:
    assert "in 98.9% of" in Factor.judged("body", 15, 0.98999, 1000).reason


def test_what_is_not_trusted_has_no_score(many: Pack, taught: Namer) -> None:
    doubted = [replace(f, trusted=f.name != "body") for f in taught.factors]
    found = factors.scores(doubted, taught(held_out(many)), many)
    assert "modes/accessories" in found
    assert set(factors.totals(doubted)) == {name for name in found if name.startswith("modes/")}
    assert not {"modes/body", "divergence/body", "confidence/body", "modes/all"} & set(found)


# ---- learning, and what is kept ----------------------------------------------------------------


def test_learning_is_told_and_done_once(few: Pack) -> None:
    first, second = Steps(), Steps()
    before = torch.get_rng_state()
    made = factors.namer(few, first)
    assert torch.equal(torch.get_rng_state(), before)
    steps = 80 * factor_network.ROUNDS // BATCH
    assert first == [(step + 1, steps) for step in range(steps)]
    again = factors.namer(few, second)
    assert second == []
    assert again.factors == made.factors
    pixels = held_out(few)
    for name, shares in made(pixels).items():
        assert torch.equal(again(pixels)[name], shares)


@pytest.mark.usefixtures("hasty")
def test_learning_twice_ends_in_the_same_bits(few: Pack) -> None:
    states = []
    for _ in range(2):
        shutil.rmtree(few.path / "features", ignore_errors=True)
        torch.randn(3)  # where torch's generator stands does not matter
        states.append(factors.namer(few).network.state_dict())
    assert all(torch.equal(states[0][name], value) for name, value in states[1].items())
    start = factor_network.untaught(few, 16).state_dict()
    assert not torch.equal(start["trunk.0.weight"], states[0]["trunk.0.weight"])


def cut_off(weights: Path, facts: Path) -> None:
    weights.write_bytes(weights.read_bytes()[:-100])


def changed(weights: Path, facts: Path) -> None:
    weights.write_bytes(weights.read_bytes()[:-4] + b"oops")


def lost(weights: Path, facts: Path) -> None:
    weights.unlink()


def no_json(weights: Path, facts: Path) -> None:
    facts.write_text("{", encoding="utf-8")


def of_another_pack(weights: Path, facts: Path) -> None:
    known = json.loads(facts.read_text(encoding="utf-8"))
    facts.write_text(json.dumps({**known, "pack": "another"}), encoding="utf-8")


def without_skill(weights: Path, facts: Path) -> None:
    known = json.loads(facts.read_text(encoding="utf-8"))
    facts.write_text(json.dumps({**known, "skill": []}), encoding="utf-8")


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize(
    "damage", [cut_off, changed, lost, no_json, of_another_pack, without_skill]
)
def test_what_is_damaged_is_learnt_again(few: Pack, damage: object) -> None:
    assert callable(damage)
    made = factors.namer(few)
    (weights,), (facts,) = (
        list((few.path / "features").glob(f"*{e}")) for e in (".safetensors", ".json")
    )
    whole = weights.read_bytes()
    damage(weights, facts)
    steps = Steps()
    assert factors.namer(few, steps).factors == made.factors
    assert steps and weights.read_bytes() == whole
    assert factors.namer(few, (later := Steps())).factors == made.factors
    assert not later


def forbidden(*anything: object, **more: object) -> None:
    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


@pytest.mark.usefixtures("hasty")
def test_where_nothing_can_be_written_it_still_learns(
    few: Pack, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Path, "mkdir", forbidden)
    with caplog.at_level(logging.WARNING):
        made = factors.namer(few)
    assert len(made.factors) == 5
    assert "is not kept (Permission denied)" in caplog.text
    assert not (few.path / "features").exists()


@pytest.mark.usefixtures("hasty")
def test_a_pack_without_labels_has_no_parts(few: Pack) -> None:
    plain = Pack(
        few.path,
        replace(few.manifest, labels={}),
        few.images,
        np.zeros((len(few.images), 0), np.int16),
    )
    steps = Steps()
    made = factors.namer(plain, steps)
    assert (made.factors, made(held_out(plain)), steps) == ((), {}, [])
    assert factors.factor_scores(made, held_out(plain), plain) == {}


@pytest.mark.usefixtures("hasty")
def test_pictures_of_other_kinds_are_refused_in_words(few: Pack, grey_kittens: Pack) -> None:
    made = factors.namer(few)
    small = reduced(held_out(few), 8)
    with pytest.raises(ValueError, match="8 px and 3 channels; expected at least 16 px"):
        made(small)
    with pytest.raises(ValueError, match="1 channels; expected"):
        made(grey_kittens.images[:4])
    with pytest.raises(ValueError, match="no pictures to name parts in"):
        trusted = [replace(factor, trusted=True) for factor in made.factors]
        factors.scores(trusted, made(few.images[:0]), few)
    of_their_size = factors.namer(few, size=8)
    assert of_their_size(small)["body"].shape == (16, 15)
    assert len(list((few.path / "features").glob("*.safetensors"))) == 2


@pytest.mark.usefixtures("hasty")
def test_grey_kittens_have_parts_too(grey_kittens: Pack, tmp_path: Path) -> None:
    shutil.copytree(grey_kittens.path, tmp_path / "grey")
    made = factors.namer(Pack.open(tmp_path / "grey"))
    assert made(grey_kittens.images[:5])["accessories"].shape == (5, 16)


# ---- what it learns from -------------------------------------------------------------------------


def test_a_lesson_says_what_its_pictures_show(kittens: Pack) -> None:
    images, targets = Lessons(kittens, 16).batch(3)
    again, _ = Lessons(kittens, 16).batch(3)
    other, _ = Lessons(kittens, 16).batch(4)
    assert images.shape == (BATCH, 3, 16, 16)
    assert torch.equal(images, again) and not torch.equal(images, other)
    train = {tuple(row) for row in kittens.labels[kittens.rows(TRAIN)].tolist()}
    whole, mixed = BATCH - BLANKS - MIXED, slice(BATCH - BLANKS - MIXED, BATCH - BLANKS)
    shown = torch.stack([target[:whole].argmax(1) for target in targets], 1).tolist()
    assert {tuple(row) for row in shown} <= train
    for target in targets:
        assert torch.equal(target[:whole].max(1).values, torch.ones(whole))
        assert torch.allclose(target.sum(1), torch.ones(BATCH))
        assert int((target[mixed] > 0).sum(1).max()) <= 2
        blank = target[-BLANKS:]
        assert torch.allclose(blank, torch.full_like(blank, 1 / target.shape[1]))
    assert any(0 < float(share) < 1 for target in targets for share in target[mixed].flatten())


def test_as_much_of_another_picture_counts_as_there_is_of_it() -> None:
    share = factor_lessons.shares(56, 16, Draw(0, "test", 0))
    assert share.shape == (56, 1, 16, 16)
    assert not share[:-MIXED].any()
    assert float(share.min()) >= 0 and float(share.max()) <= 1
    means = share[-MIXED:].mean((1, 2, 3))
    assert float(means.min()) > 0.1 and float(means.max()) < 0.9
    assert len(factor_lessons.shares(1, 16, Draw(0, "test", 0))) == 1


def test_about_a_quarter_of_the_pictures_is_left_as_it_is() -> None:
    draw = Draw(0, "test", 0)
    images = draw.uniform((800, 1, 6, 6), "images", -1, 1)
    moved = (factor_lessons.spoilt(images, draw) - images).abs().amax((1, 2, 3))
    assert float((moved == 0).double().mean()) == pytest.approx(0.25, abs=0.06)
    assert float(moved.max()) < 2


# ---- mathematics ---------------------------------------------------------------------------------


def test_divergence_by_hand() -> None:
    found = factors.divergence(np.array([3, 1]), np.array([1, 1]))
    p, q = 3.5 / 5, 1.5 / 5
    assert found == pytest.approx(p * math.log(p / 0.5) + q * math.log(q / 0.5), rel=1e-12)
    alike = factors.divergence(np.array([40, 20]), np.array([40, 20]))
    assert alike == pytest.approx(0, abs=1e-12)
    one = factors.divergence(np.eye(15)[0] * 1e9, np.full(15, 1e9))
    assert one == pytest.approx(math.log(15), rel=1e-6)


def test_divergence_of_draws_is_what_is_said() -> None:
    rng = np.random.default_rng(0)
    reals = np.full(15, 10**6)
    found = [factors.divergence(rng.multinomial(1000, np.ones(15) / 15), reals) for _ in range(400)]
    assert np.mean(found) == pytest.approx(14 / 2000, rel=0.08)


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), min_size=1, max_size=20))
def test_divergence_is_never_negative(counts: list[tuple[int, int]]) -> None:
    samples, reals = np.array(counts).T
    assert factors.divergence(samples, reals) >= -1e-12


@pytest.mark.parametrize(
    ("clear", "real", "pictures", "found"),
    [
        ([1, 0, 1], [5, 5, 5], 10, 2),  # one picture will do
        ([50, 19, 20], [100, 200, 200], 1000, 2),  # a twentieth of 400 is 20
        ([0, 0], [1, 1], 10, 0),
        ([1, 3], [0, 7], 5, 2),  # never in the pack's training part: one picture will do
        ([3, 4], [500, 500], 160, 1),  # a twentieth of 80 is 4
    ],
)
def test_modes_by_hand(clear: list[int], real: list[int], pictures: int, found: int) -> None:
    assert factors.modes(np.array(clear), np.array(real), pictures) == found
