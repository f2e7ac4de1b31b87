"""Odd pictures are found and left out; samples stand beside their nearest training pictures."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import purrtrait
from purrtrait.__main__ import run
from purrtrait.datasets.pack import TRAIN, Pack
from purrtrait.images import sheet


@pytest.fixture
def photos(kittens: Pack, tmp_path: Path) -> Path:
    """Forty kittens and three pictures that are none."""
    folder = tmp_path / "photos"
    for number, pixels in enumerate(kittens.images[:40]):
        sheet.write_png(folder / f"kitten-{number:02d}.png", pixels)
    noise = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    sheet.write_png(folder / "noise.png", noise)
    sheet.write_png(folder / "black.png", np.zeros((16, 16, 3), np.uint8))
    stripe = np.array([[[0] * 3, [255] * 3]], np.uint8)
    sheet.write_png(folder / "stripes.png", np.tile(stripe, (16, 8, 1)))
    return folder


def test_what_screen_finds_prepare_leaves_out(photos: Path, tmp_path: Path) -> None:
    pack = purrtrait.prepare("folder", photos, size=16, out=tmp_path / "all")
    out = tmp_path / "odd"
    assert run(["screen", str(pack.path), "--count", "3", "--out", str(out)]) == 0
    with (out / "oddity.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["photo"] for row in rows[:3]} == {"noise.png", "black.png", "stripes.png"}
    assert len(rows) == 43
    with Image.open(out / "oddest.png") as grid:
        assert grid.width > 64
    names = out / "exclude.txt"
    arguments = ["prepare", "folder", str(photos), "--size", "16", "--exclude", str(names)]
    assert run([*arguments, "--out", str(tmp_path / "rest")]) == 0
    rest = Pack.open(tmp_path / "rest")
    assert len(rest.images) == 40
    assert {lost.name for lost in rest.manifest.quarantined} == {row["photo"] for row in rows[:3]}
    # The list belongs to the order: without it, or with another one, it is another pack.
    assert run([*arguments[:-2], "--out", str(tmp_path / "rest")]) == 2
    assert run([*arguments, "--out", str(tmp_path / "rest")]) == 0


def test_names_of_no_photo_are_said(
    photos: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "list.txt").write_text("# a comment\nnobody.png\n\n", encoding="utf-8")
    purrtrait.prepare("folder", photos, size=16, out=tmp_path / "p", exclude=tmp_path / "list.txt")
    assert "1 names" in caplog.text
    assert "nobody.png" in caplog.text


def test_a_list_that_is_not_there_is_an_error_in_words(
    photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["prepare", "folder", str(photos), "--exclude", "nowhere.txt"]) == 2
    assert "nowhere.txt cannot be read" in capsys.readouterr().err


@pytest.fixture(scope="module")
def trained(kittens: Pack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("runs")
    settings = {"network.width": "8"}
    upkeep = {"previews": 0, "tensorboard": False}
    return purrtrait.train(
        "portrait",
        kittens.path,
        runs_folder=root,
        seed=1,
        budget=64,
        settings=settings,
        upkeep=upkeep,
    ).run


@pytest.mark.parametrize(("what", "words"), [("", "by the critic"), ("bundle", "nearest to")])
def test_neighbours(
    what: str,
    words: str,
    trained: Path,
    kittens: Pack,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "pairs"
    arguments = ["--against", str(kittens.path), "--count", "40", "--best", "5", "--out", str(out)]
    assert run(["neighbours", str(trained / what), "--extractor", "pixels", *arguments]) == 0
    assert words in capsys.readouterr().out
    with (out / "neighbours.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 5
    train = kittens.rows(TRAIN)
    names = [kittens.manifest.photos[row] for row in train]
    drawn = purrtrait.load(trained).sample(40)
    from purrtrait.evaluation.pixels import Pixels

    seen, real = Pixels()(drawn), Pixels()(kittens.images[train])
    for row in rows:
        apart = (real - seen[int(row["sample"])]).square().sum(1).sqrt()
        assert row["pixels photo"] == names[int(apart.argmin())]
        assert float(row["pixels distance"]) == pytest.approx(float(apart.min()), rel=1e-4)


def test_neighbours_of_what_is_no_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["neighbours", "nowhere"]) == 2
    assert "name one with --against" in capsys.readouterr().err
