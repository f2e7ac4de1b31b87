"""The main job on real photos; runs where PURRTRAIT_DATA names a folder of them."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

import purrtrait
from purrtrait.datasets.pack import Pack

DATA = os.environ.get("PURRTRAIT_DATA", "")
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not DATA, reason="PURRTRAIT_DATA names no folder of real photos"),
]


@pytest.fixture(scope="module")
def cats(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    """Four hundred cats of 64 px."""
    out = tmp_path_factory.mktemp("packs") / "cats-64"
    return purrtrait.prepare("folder", Path(DATA) / "cats64", out=out, size=64, count=400)


def test_cats_are_read_as_they_are(cats: Pack) -> None:
    assert cats.images.shape == (400, 64, 64, 3)
    assert not cats.manifest.quarantined
    assert cats.flip_natural
    assert 20 < cats.images.mean() < 235
    assert len(np.unique(cats.images[:, ::16, ::16].reshape(400, -1), axis=0)) > 390


@pytest.mark.parametrize(("recipe", "settings"), [("portrait", {}), ("dcgan", {"width": "32"})])
def test_train_resume_and_sample(
    recipe: str, settings: dict[str, str], cats: Pack, tmp_path: Path
) -> None:
    upkeep = {"previews": 9, "log_every_steps": 1}
    begun = purrtrait.train(
        recipe, cats.path, budget=192, seed=1, threads=1, settings=settings, upkeep=upkeep
    )
    assert begun.finished
    ended = purrtrait.resume(begun.run, budget=384)
    assert ended.finished
    assert ended.images_seen >= 384
    portraits = purrtrait.sample(ended.run, 5, seed=2)
    assert portraits.shape == (5, 64, 64, 3)
    assert len(np.unique(portraits.reshape(5, -1), axis=0)) == 5
    assert (begun.run / "report.html").stat().st_size > 10_000
    assert (begun.run / "film.mp4").stat().st_size > 500


def test_people_are_split_by_person(tmp_path: Path) -> None:
    archive = Path(DATA) / "lfw-deepfunneled.tgz"
    pack = purrtrait.prepare("lfw", archive, out=tmp_path / "pack", size=64)
    assert len(pack.images) == 12_033
    train, held_out = (
        {pack.manifest.groups[row] for row in pack.rows(split)} for split in ("train", "held-out")
    )
    assert not train & held_out
    assert len(pack.rows("held-out")) == 1_203
    # Aligned faces: the mean person is a face, light in the middle and sharp enough to have eyes.
    mean = pack.images[:].mean((0, 3))
    assert mean[20:50, 20:44].mean() > mean[:8].mean() + 10
    assert mean[24:28, 20:44].mean() < mean[36:40, 24:40].mean()


def test_cats_are_found_in_photos_of_whole_cats(tmp_path: Path) -> None:
    pack = purrtrait.prepare(
        "folder", Path(DATA) / "cat-photos", out=tmp_path / "pack", size=64, find="cats"
    )
    assert 70 <= len(pack.images) <= 110
    assert sum(pack.manifest.faces.values()) == 150
