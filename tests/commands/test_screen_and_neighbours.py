"""Odd pictures are found and left out; samples stand beside their nearest training pictures."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

import helpers
import purrtrait
from purrtrait.__main__ import run
from purrtrait.datasets.pack import TRAIN, Pack
from purrtrait.images import sheet
from purrtrait.images.resize import to_images


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
    pack = purrtrait.prepare("folder", photos, size=16, out=tmp_path / "all", screens=())
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
    arguments += ["--screen", "none"]
    assert run([*arguments, "--out", str(tmp_path / "rest")]) == 0
    rest = Pack.open(tmp_path / "rest")
    assert len(rest.images) == 40
    assert {lost.name for lost in rest.manifest.quarantined} == {row["photo"] for row in rows[:3]}
    # The list belongs to the order: without it, or with another one, it is another pack.
    without = [text for text in arguments if text not in ("--exclude", str(names))]
    assert run([*without, "--out", str(tmp_path / "rest")]) == 2
    assert run([*arguments, "--out", str(tmp_path / "rest")]) == 0


def test_names_of_no_photo_are_said(
    photos: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "list.txt").write_text("# a comment\nnobody.png\n\n", encoding="utf-8")
    purrtrait.prepare("folder", photos, size=16, out=tmp_path / "p", exclude=tmp_path / "list.txt")
    assert "no photos have these 1 names in it: nobody.png" in caplog.text


def test_a_list_may_come_from_anywhere(photos: Path, tmp_path: Path) -> None:
    """A byte order mark, Windows' line ends, names that begin like a comment or with a space."""
    (photos / "noise.png").rename(photos / "#1.png")
    (photos / "black.png").rename(photos / " 2.png")
    text = "\ufeff./#1.png\r\n 2.png\r\n# stripes.png\r\nkitten-00.png  \r\n"
    (tmp_path / "list.txt").write_bytes(text.encode())
    pack = purrtrait.prepare(
        "folder", photos, size=16, out=tmp_path / "p", exclude=tmp_path / "list.txt"
    )
    assert {lost.name for lost in pack.manifest.quarantined} == {
        "#1.png",
        " 2.png",
        "kitten-00.png",
    }
    assert "stripes.png" in pack.manifest.photos


def test_a_name_like_a_comment_is_left_out_too(photos: Path, tmp_path: Path) -> None:
    (photos / "noise.png").rename(photos / "#noise.png")
    pack = purrtrait.prepare("folder", photos, size=16, out=tmp_path / "all", screens=())
    out = tmp_path / "odd"
    assert run(["screen", str(pack.path), "--count", "3", "--out", str(out)]) == 0
    rest = purrtrait.prepare(
        "folder", photos, size=16, out="rest", exclude=out / "exclude.txt", screens=()
    )
    assert len(rest.images) == 40 and "#noise.png" not in rest.manifest.photos


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


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "neighbours.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


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
    rows = table(out)
    assert len(rows) == 5
    train = kittens.rows(TRAIN)
    names = [kittens.manifest.photos[row] for row in train]
    drawn = purrtrait.load(trained).sample(40)
    seen, real = (to_images(some).flatten(1) for some in (drawn, kittens.images[train]))
    for row in rows:
        apart = (real - seen[int(row["sample"])]).square().sum(1).sqrt()
        assert row["pixels photo"] == names[int(apart.argmin())]
        assert float(row["pixels distance"]) == pytest.approx(float(apart.min()), rel=1e-4)


def test_the_best_are_those_of_the_critic(trained: Path, kittens: Pack, tmp_path: Path) -> None:
    """The critic is the one of the checkpoint: rebuilt here from its weights alone."""
    recipe = helpers.recipe("portrait", {"network.width": "8"})
    critic = helpers.state(recipe, kittens).objective.players()["critic"].eval()
    (last,) = (trained / "checkpoints").glob("*64")
    weights = load_file(last / "training.safetensors")
    start = "player/critic/"
    own = {k.removeprefix(start): v for k, v in weights.items() if k.startswith(start)}
    critic.load_state_dict(own)
    with torch.no_grad():
        verdicts = critic(to_images(purrtrait.load(trained).sample(40)))
    arguments = ["neighbours", str(trained), "--count", "40", "--best", "5", "--out", "pairs"]
    assert run([*arguments, "--extractor", "pixels"]) == 0
    shown = [int(row["sample"]) for row in table(Path("pairs"))]
    assert shown == verdicts.argsort(descending=True)[:5].tolist()


def test_neighbours_of_a_folder(photos: Path, tmp_path: Path) -> None:
    """Copies are found by name, mirrored ones too where a mirror image is natural."""
    pack = purrtrait.prepare("folder", photos, size=16, out=tmp_path / "p", split=0)
    drawn = tmp_path / "drawn"
    for row, pixels in enumerate(pack.images[1:4], 1):
        sheet.write_png(drawn / f"copy-{row}.png", pixels)
        sheet.write_png(drawn / f"mirrored-{row}.png", pixels[:, ::-1])
    arguments = [
        "neighbours",
        str(drawn),
        "--against",
        str(pack.path),
        "--out",
        str(tmp_path / "o"),
    ]
    assert run(arguments) == 0
    rows = {found["sample"]: found for found in table(tmp_path / "o")}
    assert len(rows) == 6
    for name, found in rows.items():
        for seen_by in ("pixels", "efficientnet-lite0"):
            assert found[f"{seen_by} photo"] == pack.manifest.photos[int(name[-5])], name
            assert float(found[f"{seen_by} distance"]) == pytest.approx(0, abs=1e-3)
            assert found[f"{seen_by} mirrored"] == ("yes" if name.startswith("m") else "no")
    with Image.open(tmp_path / "o" / "neighbours-pixels.png") as image:
        grid = np.asarray(image)
    cells = grid[2:66, 2:].reshape(64, -1, 3)
    for pair in range(6):  # to the left the sample, to the right what it is a copy of
        left, right = (cells[:, (2 * pair + side) * 66 :][:, :64] for side in (0, 1))
        assert np.array_equal(left, right)


def test_neighbours_of_pictures_of_another_kind(
    photos: Path, grey_kittens: Pack, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["neighbours", str(trained), "--against", str(grey_kittens.path)]) == 2
    assert "in grey; expected a pack of the same colours" in capsys.readouterr().err


def test_neighbours_of_what_is_no_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["neighbours", "nowhere"]) == 2
    assert "there is nothing at nowhere" in capsys.readouterr().err
    assert run(["neighbours", "kittens"]) == 2
    assert "name one with --against" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["screen", "neighbours"])
def test_a_wrong_extractor_leaves_no_folder(
    command: str, photos: Path, kittens: Pack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    about = {"screen": [str(kittens.path)], "neighbours": [str(photos), "--against"]}[command]
    about += [str(kittens.path)] * (command == "neighbours")
    mine = tmp_path / "mine"
    mine.mkdir()
    for out, stays in ((tmp_path / "new", False), (mine, True)):
        assert run([command, *about, "--extractor", "eyes", "--out", str(out)]) == 2
        assert "unknown extractor 'eyes'" in capsys.readouterr().err
        assert out.exists() is stays
