"""The command that shows what pictures are spoilt to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import helpers
from purrtrait.__main__ import run
from purrtrait.datasets.pack import TRAIN, Pack
from purrtrait.images.resize import fit

SHEETS = {"mix.png", "warp.png", "stamp.png", "random.png", "combined.png"}


def rows(path: Path, count: int) -> np.ndarray:
    """The cells of a sheet, (rows, count, 64, 64, C), without their margins."""
    with Image.open(path) as image:
        pixels = np.asarray(image)
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    assert pixels.shape[:2] == (2 + 66 * 5, 2 + 66 * count)
    cells = pixels[2:, 2:].reshape(5, 66, count, 66, -1).swapaxes(1, 2)
    return cells[:, :, :64, :64]


@pytest.mark.parametrize("grey", [False, True])
def test_the_pictures_stand_above_four_sets(
    grey: bool, kittens: Pack, grey_kittens: Pack, tmp_path: Path
) -> None:
    pack, out = grey_kittens if grey else kittens, tmp_path / "out"
    assert run(["spoil", str(pack.path), "--count", "3", "--out", str(out)]) == 0
    assert helpers.files(out) == SHEETS
    known = {pixels.tobytes() for pixels in pack.images[pack.rows(TRAIN)]}
    for name in SHEETS:
        found = rows(out / name, 3)
        originals = found[0, :, ::4, ::4]
        assert {pixels.tobytes() for pixels in originals} <= known
        assert len({pixels.tobytes() for pixels in originals}) == 3
        assert len({row.tobytes() for row in found}) == 5


def test_the_same_seed_is_the_same_sheet(kittens: Pack, tmp_path: Path) -> None:
    made = {}
    for out, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        assert run(["spoil", str(kittens.path), "--seed", seed, "--out", out]) == 0
        made[out] = [(tmp_path / out / name).read_bytes() for name in sorted(SHEETS)]
    assert made["a"] == made["b"]
    assert not set(made["a"]) & set(made["c"])


def test_pictures_are_reduced_before(kittens: Pack) -> None:
    arguments = ["spoil", str(kittens.path), "--count", "2", "--size", "8"]
    assert run([*arguments, "--out", "small"]) == 0
    originals = rows(Path("small/mix.png"), 2)[0, :, ::8, ::8]
    smaller = [fit(pixels, 8).astype(int) for pixels in kittens.images]
    for pixels in originals.astype(int):
        assert min(np.abs(pixels - other).max() for other in smaller) <= 1


def test_a_new_folder_is_named_after_the_pack(
    kittens: Pack, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["spoil", str(kittens.path), "--json"]) == 0
    assert f"samples/{kittens.path.name}-spoilt-01/mix.png" in capsys.readouterr().out


@pytest.mark.parametrize("asked", [["--size", "17"], ["--count", "81"]])
def test_more_than_there_is_is_refused_in_words(
    asked: list[str], kittens: Pack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["spoil", str(kittens.path), *asked, "--out", str(tmp_path / "out")]) == 2
    assert "holds 80 training pictures of 16 px" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_nothing_is_overwritten(
    kittens: Pack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.txt").touch()
    assert run(["spoil", str(kittens.path), "--out", str(tmp_path)]) == 2
    assert "nothing is overwritten" in capsys.readouterr().err
    assert helpers.files(tmp_path) == {"mine.txt"}
