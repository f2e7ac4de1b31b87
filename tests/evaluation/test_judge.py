"""Judgements: real pictures score as the floor, bad ones worse, and repeated draws as stated."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from helpers import Colours
from purrtrait.datasets.pack import HELD_OUT, TRAIN, Pack
from purrtrait.datasets.writer import row_files, write_manifest
from purrtrait.evaluation import METRICS, factors, features, nearness, parts, reference
from purrtrait.evaluation.factors import Factor
from purrtrait.evaluation.judge import judge
from purrtrait.evaluation.judgement import CEILINGS, Judgement, Score
from purrtrait.evaluation.metric import MEANINGS
from purrtrait.evaluation.pixels import Pixels
from purrtrait.evaluation.reference import Reference, blurred, noise, silent

HELD, KNOWN = 300, 900


def faces(count: int, seed: int, shift: float = 0.0) -> np.ndarray:
    """Soft blots of colour (count, 16, 16, 3) uint8, brighter by ``shift`` grey levels."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(128 + shift, 40, (count, 4, 4, 3))
    fine = rng.normal(0, 12, (count, 16, 16, 3))
    levels = centres.repeat(4, 1).repeat(4, 2) + fine
    return levels.clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def pack(kittens: Pack, tmp_path_factory: pytest.TempPathFactory) -> Pack:
    """A pack of such pictures, without labels."""
    folder = tmp_path_factory.mktemp("faces")
    with row_files(folder, 16, 3, 0) as writer:
        for number, pixels in enumerate(faces(KNOWN + HELD, 0)):
            writer.append(f"{number}.png", pixels, ())
        digests = writer.finish()
    made = replace(
        kittens.manifest,
        labels={},
        photos=tuple(f"{number}.png" for number in range(KNOWN + HELD)),
        split=((TRAIN, KNOWN), (HELD_OUT, HELD)),
        images_sha256=digests[0],
        labels_sha256=digests[1],
    )
    write_manifest(folder, made)
    return Pack.open(folder)


@pytest.fixture(scope="module")
def real(pack: Pack) -> Judgement:
    """The judgement of pictures that are as real as those of the pack, and not among them."""
    return judge(faces(HELD, 1), pack, Colours())


def test_real_pictures_score_as_the_floor(real: Judgement) -> None:
    for name, score in real.scores.items():
        assert score.floor is not None and score.error is not None
        # Both were drawn, so both are uncertain.
        assert abs(score.value - score.floor) <= 4 * math.hypot(score.error, score.error), name
    assert real.reference == real.samples == HELD
    assert "no sign of copying" in real.copying["verdict"]


def test_ceilings_are_worse_than_the_floor(real: Judgement) -> None:
    for name in ("frechet", "frechet-infinite", "kernel"):
        score = real.scores[name]
        assert score.floor is not None
        assert score.floor < score.ceilings["blurred reals"] < score.ceilings["noise"]
        assert list(score.ceilings) == list(CEILINGS)
    near = real.scores["nearest-held-out"]
    assert near.floor is not None and near.floor < near.ceilings["noise"]
    assert real.scores["coverage"].ceilings["noise"] < 0.2 < (real.scores["coverage"].floor or 0)


def test_a_ceiling_is_what_such_pictures_score(pack: Pack, real: Judgement) -> None:
    rows = Reference(pack, Colours(), 16, HELD).stand_ins()
    assert len(rows) == HELD and set(rows) <= set(pack.rows(TRAIN))
    for what, spoil in zip(CEILINGS, (blurred, noise), strict=True):
        found = judge(spoil(pack.images[rows]), pack, Colours())
        for name in ("frechet", "kernel", "precision", "nearest-held-out"):
            assert found.scores[name].value == pytest.approx(real.scores[name].ceilings[what])


def test_a_bad_model_scores_worse_than_real_pictures(pack: Pack, real: Judgement) -> None:
    bad = judge(faces(HELD, 2, shift=40), pack, Colours())
    for name, score in bad.scores.items():
        assert score.floor == real.scores[name].floor
        if name in ("frechet", "frechet-infinite", "kernel"):
            assert score.value > (score.floor or 0) + 10 * (score.error or 0)
        if name in ("precision", "coverage"):
            assert score.value < (score.floor or 0)


def test_draws_with_ten_seeds_scatter_as_stated(pack: Pack) -> None:
    found = [judge(faces(200, 50 + seed, shift=20), pack, Colours()).scores for seed in range(10)]
    for name in (
        *("frechet", "frechet-infinite", "kernel", "precision", "coverage", "diversity"),
        *("nearest-held-out", "nearest-training"),
    ):
        seen = np.var([scores[name].value for scores in found], ddof=1)
        stated = np.mean([(scores[name].error or 0) ** 2 for scores in found])
        # Nine times the ratio is chi-square with 9 degrees of freedom if all is well: 99.9 % of it
        # lies from 1.0 to 29.7. Half as much again is granted to the stated error's own error.
        assert 1.0 / 1.5 < 9 * seen / stated < 29.7 * 1.5, name


def test_distances_in_pixels_are_brute_force(pack: Pack) -> None:
    """All of them in float64, from the pictures, which are as large as the extractor's."""
    held_out, train = pack.images[pack.rows(HELD_OUT)], pack.images[pack.rows(TRAIN)]
    drawn = faces(40, 7, shift=20)
    found = judge(drawn, pack, Colours()).scores
    some = pack.images[Reference(pack, Pixels(), 16, 40).held_out()]
    stand_ins = pack.images[Reference(pack, Pixels(), 16, 40).stand_ins()]
    near, training = found["nearest-held-out"], found["nearest-training"]
    assert near.value == pytest.approx(least(some, drawn).mean(), rel=1e-5)
    assert near.floor == pytest.approx(least(some, stand_ins).mean(), rel=1e-5)
    assert near.ceilings["noise"] == pytest.approx(least(some, noise(stand_ins)).mean(), rel=1e-5)
    both = np.concatenate([train, train[:, :, ::-1]]) if pack.flip_natural else train
    away = least(drawn, both)
    assert training.value == pytest.approx(away.mean(), rel=1e-5)
    assert training.error == pytest.approx(away.std(ddof=1) / math.sqrt(40), rel=1e-4)
    assert training.floor == pytest.approx(least(held_out, both).mean(), rel=1e-5)
    copies = judge(train[:40], pack, Colours()).scores["nearest-training"]
    assert copies.value == pytest.approx(0, abs=1e-6) and copies.ceilings == {
        "training pictures": 0
    }


def least(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The least distance (N,) of each picture to any on the right, of grey levels in [-1, 1]."""
    a, b = (pixels.reshape(len(pixels), -1) / 127.5 for pixels in (left, right))
    found: np.ndarray = np.array([np.sqrt(((one - b) ** 2).sum(1)).min() for one in a])
    return found


def test_noised_training_pictures_are_called_copies(pack: Pack) -> None:
    shown = pack.images[pack.rows(TRAIN)[:60]].astype(np.int16)
    noised = shown + np.random.default_rng(0).integers(-3, 4, shown.shape)
    found = judge(noised.clip(0, 255).astype(np.uint8), pack, Colours())
    score = found.scores["copied"]
    assert score.value > 0.95 and (score.floor or 0) < 0.05
    assert "pictures were copied" in found.copying["verdict"]
    closest = found.copying["closest"]
    assert len(closest) == 16
    for one in closest:
        assert one["row"] == pack.rows(TRAIN)[one["sample"]]
        assert one["photo"] == f"{one['row']}.png"
    assert [one["distance"] for one in closest] == sorted(one["distance"] for one in closest)


def test_bounds_are_computed_once_and_anew_where_they_are_damaged(
    pack: Pack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(pack.path, tmp_path / "own", ignore=shutil.ignore_patterns(features.FOLDER))
    own = Pack.open(tmp_path / "own")
    seen: list[int] = []
    whole = reference.noise

    def counted(pixels: np.ndarray) -> np.ndarray:
        seen.append(len(pixels))
        return whole(pixels)

    monkeypatch.setattr(reference, "noise", counted)
    first = judge(faces(64, 1), own, Colours())
    assert judge(faces(64, 1), own, Colours()) == first
    assert len(seen) == 2  # once in features, and once in pixels
    found = (own.path / features.FOLDER).glob("bounds-*.json")
    kept, other = sorted(found, key=lambda path: "kernel" not in path.read_text("utf-8"))
    assert nearness.NAME in other.read_text("utf-8")
    lacking = json.dumps({who: {"frechet": 1.0} for who in ("real", "blurred", "noise")})
    alone = json.dumps({"real": json.loads(kept.read_text("utf-8"))["real"]})
    for damage in ('{"real": [', '{"real": 3}', "[]", alone, lacking):
        kept.write_text(damage, encoding="utf-8")
        assert judge(faces(64, 1), own, Colours()) == first
        assert json.loads(kept.read_text("utf-8"))["real"]["kernel"]
    assert len(seen) == 7
    judge(faces(65, 1), own, Colours())  # another number of pictures has other bounds
    assert len(seen) == 9


def test_what_samples_are_compared_with_is_drawn_by_lot(pack: Pack) -> None:
    """Of a pack of several folders the first pictures are of one kind."""
    rows = pack.rows(HELD_OUT)
    some = Reference(pack, Colours(), 16, len(rows) // 4).held_out()
    assert len(set(some.tolist())) == len(rows) // 4 and set(some) <= set(rows)
    assert some.tolist() == sorted(some) and some.mean() > rows[: len(rows) // 2].mean()
    assert np.array_equal(Reference(pack, Colours(), 16, len(rows) // 4).held_out(), some)
    whole = Reference(pack, Colours(), 16, len(rows)).held_out()
    assert np.array_equal(whole, rows)


def test_a_larger_pack_is_reduced_and_a_note_says_so(pack: Pack) -> None:
    small = features.reduced(faces(100, 1), 8)
    found = judge(small, pack, Colours())
    assert any("reduced from 16 to 8 px" in note for note in found.notes)
    assert any("only 100 samples" in note for note in found.notes)
    assert found.reference == 100
    score = found.scores["frechet"]
    assert abs(score.value - (score.floor or 0)) < 6 * (score.error or 0)


def test_floors_of_fewer_pictures_are_noted(kittens: Pack) -> None:
    found = judge(kittens.images[:90], kittens, Colours())
    assert any("floors are of 80 real pictures" in note for note in found.notes)
    assert any("only 16 held-out pictures" in note for note in found.notes)
    assert any("body is not scored: there are 16" in note for note in found.notes)


@pytest.mark.parametrize(
    ("pixels", "words"),
    [
        (np.zeros((20, 16, 16, 1), np.uint8), "16 x 16 px in grey"),
        (np.zeros((20, 32, 32, 3), np.uint8), "32 x 32 px in colour"),
        (np.zeros((20, 16, 8, 3), np.uint8), "16 x 8 px in colour"),
        (np.zeros((15, 16, 16, 3), np.uint8), "there are 15 samples; expected at least 16"),
    ],
)
def test_what_cannot_be_compared_is_refused(pixels: np.ndarray, words: str, pack: Pack) -> None:
    with pytest.raises(ValueError, match=words):
        judge(pixels, pack, Colours())


def test_a_pack_with_too_few_held_out_pictures_is_refused(grey_kittens: Pack) -> None:
    with pytest.raises(ValueError, match=r"there are 5 held-out pictures in .*at least 16"):
        judge(np.zeros((20, 16, 16, 1), np.uint8), grey_kittens, Colours())


def test_a_judgement_is_read_as_it_was_written(real: Judgement, tmp_path: Path) -> None:
    path = tmp_path / "scores.json"
    path.write_text(real.to_json(), encoding="utf-8")
    assert Judgement.read(path) == real
    counted = replace(real, scores={"modes/body": Score(14.0, 0.4, 15.0, total=15)})
    path.write_text(counted.to_json(), encoding="utf-8")
    assert json.loads(counted.to_json())["scores"]["modes/body"]["total"] == 15
    assert Judgement.read(path) == counted
    older = json.loads(counted.to_json())
    del older["scores"]["modes/body"]["total"]
    path.write_text(json.dumps(older), encoding="utf-8")
    assert Judgement.read(path).scores["modes/body"] == Score(14.0, 0.4, 15.0)
    newer = real.to_json().replace('"schema": 1', '"schema": 99')
    path.write_text(newer, encoding="utf-8")
    with pytest.raises(ValueError, match="a later version of purrtrait"):
        Judgement.read(path)


@pytest.mark.parametrize(
    "damage",
    [
        "",
        [],
        {},
        {"schema": 1, "scores": {"frechet": {"odd": 1}}},
        {"scores": {"frechet": {"value": "much"}}},
        {"samples": "300"},
        {"reference": None},
        {"notes": 3},
        {"origin": None},
        {"origin": {"images_seen": "many"}},
        {"copying": None},
        {"copying": []},
        {"copying": {"edges": [0, 1], "samples": [1], "unseen": [1]}},
        {"copying": {"edges": [], "samples": [1], "unseen": [1], "threshold": [1]}},
        {"copying": {"edges": [0, 1], "samples": ["x"], "unseen": [1], "threshold": [1]}},
    ],
)
def test_a_judgement_that_no_report_could_show_is_refused(
    damage: object, real: Judgement, tmp_path: Path
) -> None:
    """The damaged fields in the place of those that were written, but for the first ones."""
    path = tmp_path / "scores.json"
    text = str(damage)
    if isinstance(damage, (dict, list)):
        whole = isinstance(damage, dict) and damage and "schema" not in damage
        text = json.dumps(json.loads(real.to_json()) | damage if whole else damage)
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match="delete it and evaluate again"):
        Judgement.read(path)


def test_every_score_has_a_meaning_and_a_row(real: Judgement) -> None:
    rows = real.rows()
    assert [row[0] for row in rows[1:]] == list(real.scores)
    assert {row[-1] for row in rows[1:]} <= {"lower", "higher", ""}
    assert set(real.scores) <= set(MEANINGS)
    assert len(real.scores) > len(METRICS)


class Knowing:
    """Names the parts of a pack's own pictures by looking them up, with a probability of 0.9."""

    def __init__(self, pack: Pack, accuracy: float = 1.0) -> None:
        self.labels = {p.tobytes(): row for p, row in zip(pack.images, pack.labels, strict=True)}
        self.values = pack.manifest.labels
        self.factors = tuple(Factor.judged(*part, accuracy, 500) for part in self.values.items())

    def __call__(self, pixels: np.ndarray) -> dict[str, Tensor]:
        blank = np.zeros(len(self.values), np.int16)
        found = torch.tensor(np.array([self.labels.get(p.tobytes(), blank) for p in pixels])).long()
        return {
            name: 0.9 * torch.nn.functional.one_hot(found[:, column], count).float()
            for column, (name, count) in enumerate(self.values.items())
        }


def named(
    pack: Pack, accuracy: float, monkeypatch: pytest.MonkeyPatch, count: int = 16
) -> parts.Parts:
    """The parts of some training pictures, by default as many as are held out."""
    knowing = Knowing(pack, accuracy)
    monkeypatch.setattr(factors, "namer", lambda pack, report, size: knowing)
    rows = pack.rows(TRAIN)[:count]
    return parts.judge(pack.images[rows], Reference(pack, Colours(), 16, count), silent)


def test_parts_are_those_that_the_pictures_show(
    kittens: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = named(kittens, 0.995, monkeypatch)
    train, held_out = kittens.rows(TRAIN)[:16], kittens.rows(HELD_OUT)
    assert len(held_out) == 16
    for column, name in enumerate(kittens.label_names):
        score = found.scores[f"modes/{name}"]
        assert score.value == len(set(kittens.labels[train, column]))
        assert score.floor == len(set(kittens.labels[held_out, column]))
        assert score.ceilings["noise"] == 1
        assert score.total == kittens.manifest.labels[name]
        assert found.scores[f"divergence/{name}"].total is None
        assert found.scores[f"confidence/{name}"].value == pytest.approx(0.9)
        assert (found.scores[f"divergence/{name}"].error or 0) > 0
        assert f"{name} 99.5%" in found.notes[0]
    assert found.scores["modes/all"].total == 15 * 16
    assert len(found.notes) == 1


def test_counts_of_more_samples_than_are_held_out_have_no_floor(
    kittens: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forty pictures show more than sixteen do, so that the sixteen are no floor for them."""
    few, many = (named(kittens, 0.995, monkeypatch, count) for count in (16, 40))
    assert few.scores.keys() == many.scores.keys()
    for name, score in many.scores.items():
        alike = name.startswith("confidence/")
        assert (score.floor is not None) == alike == bool(score.ceilings), name
        assert score.error is not None and few.scores[name].floor is not None
    assert many.scores["modes/all"].total == 15 * 16
    assert "16 are held out, and there are 40 samples" in many.notes[-1]
    assert "16 are held out" not in " ".join(few.notes)


def test_parts_that_are_named_badly_have_no_scores(
    kittens: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = named(kittens, 0.9, monkeypatch)
    assert "modes/fur" in found.scores
    assert not any("body" in name or "accessories" in name for name in found.scores)
    assert any(note.startswith("body is not scored") for note in found.notes)
    none = named(kittens, 0.4, monkeypatch)
    assert not none.scores and len(none.notes) == len(kittens.label_names)


def test_a_pack_without_labels_has_no_parts(pack: Pack, real: Judgement) -> None:
    assert not any("/" in name for name in real.scores)
    assert not real.notes or "part" not in " ".join(real.notes)


def test_scores_are_written_short() -> None:
    scores = {
        "frechet": Score(1234.5, 6.25, 28.64, {"noise": 2411.0}),
        "kernel": Score(-0.00113),
        "modes/body": Score(14.0, 0.4, 15.0, total=15),
        "unheard/of": Score(-0.0, math.inf),
    }
    made = Judgement("x", "h", "e", 1, 1, scores)
    assert made.rows()[1:] == [
        ("frechet", "1,234", "6.25", "28.6", "2,411 noise", "lower"),
        ("kernel", "-0.00113", "", "", "", "lower"),
        ("modes/body", "14 of 15", "0.4", "15", "", "higher"),
        ("unheard/of", "0", "inf", "", "", ""),
    ]
