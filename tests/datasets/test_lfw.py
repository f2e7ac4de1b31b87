"""LFW from its archive, its folder or around it, and LFWcrop: who is in which photo."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from purrtrait.datasets import lfw
from purrtrait.datasets.archive import checksum
from purrtrait.datasets.lfw import parse_lfw
from purrtrait.datasets.photo import Collection, Unreadable, Wanted, decode
from purrtrait.datasets.prepare import Order, prepare
from purrtrait.images.resize import fit

Noisy = Callable[..., Image.Image]

PHOTOS = {
    "Ada_Lovelace_0001": "Ada_Lovelace",
    "Ada_Lovelace_0002": "Ada_Lovelace",
    "Émilie_du_Châtelet_0001": "Émilie_du_Châtelet",
    "Prince_0011": "Prince",
}


def parsed(source: Path, count: int | None = None, seed: int = 0) -> Collection:
    return parse_lfw(Wanted(source, 32, count, seed))


@pytest.fixture
def wild(tmp_path: Path, noisy: Noisy) -> Path:
    """Give a folder that holds ``lfw`` as its archive unpacks."""
    for seed, (name, person) in enumerate(PHOTOS.items()):
        folder = tmp_path / "wild" / "lfw" / person
        folder.mkdir(parents=True, exist_ok=True)
        noisy(seed=seed).save(folder / f"{name}.jpg")
    return tmp_path / "wild"


@pytest.fixture
def cropped(tmp_path: Path, noisy: Noisy) -> Path:
    """Give the folder of LFWcrop, one photo in colour."""
    folder = tmp_path / "lfwcrop_grey" / "faces"
    folder.mkdir(parents=True)
    for name in PHOTOS:
        noisy().convert("L").save(folder / f"{name}.pgm")
    noisy().save(folder / "Prince_0012.ppm")
    (folder.parent / "people.txt").touch()
    return folder


def groups(source: Path) -> dict[str, str]:
    return {Path(photo.name).stem: photo.group for photo in parsed(source).photos}


@pytest.mark.parametrize("kind", ["gztar", "tar", "zip"])
def test_archive_folder_and_the_one_above_agree(kind: str, wild: Path, tmp_path: Path) -> None:
    packed = Path(shutil.make_archive(str(tmp_path / "packed"), kind, wild))
    for source in (packed, wild, wild / "lfw"):
        assert groups(source) == PHOTOS
        assert {photo.read().shape for photo in parsed(source).photos} == {(30, 40, 3)}
    names = {photo.name for photo in parsed(packed).photos}
    assert names == {photo.name for photo in parsed(wild).photos}
    assert "lfw/Prince/Prince_0011.jpg" in names


def test_cropped_photos_lie_flat_and_are_grey_or_coloured(cropped: Path) -> None:
    for source in (cropped, cropped.parent):
        assert groups(source) == {**PHOTOS, "Prince_0012": "Prince"}
    pixels = {photo.name: photo.read() for photo in parsed(cropped).photos}
    assert (pixels["Prince_0011.pgm"] == pixels["Prince_0011.pgm"][..., :1]).all()
    assert (pixels["Prince_0012.ppm"] != pixels["Prince_0012.ppm"][..., :1]).any()


def test_a_sample_is_keyed_by_the_seed(cropped: Path) -> None:
    few = [photo.name for photo in parsed(cropped, count=3, seed=1).photos]
    assert len(few) == parsed(cropped, count=3).count == 3
    assert few == sorted(few)
    assert few == [photo.name for photo in parsed(cropped, count=3, seed=1).photos]


def test_other_pictures_are_listed_and_not_taken(wild: Path, noisy: Noisy) -> None:
    noisy().save(wild / "lfw" / "Prince" / "holiday.jpg")
    found = parsed(wild)
    *photos, stranger = found.photos
    assert found.count == 5
    assert stranger.name == "lfw/Prince/holiday.jpg"
    with pytest.raises(Unreadable, match=lfw.FOREIGN):
        stranger.read()
    assert all(photo.group for photo in photos)


def test_it_says_which_archive_it_is(
    wild: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    packed = Path(shutil.make_archive(str(tmp_path / "packed"), "gztar", wild))
    parsed(packed)
    monkeypatch.setitem(lfw.OFFICIAL, checksum(packed, "md5"), "funneled")
    parsed(packed)
    parsed(wild)
    said = [message for _, _, message in caplog.record_tuples]
    assert said == [
        f"{packed}, not an official file of LFW (a subset, or a changed copy?): "
        "4 photos of 3 people",
        f"{packed}, the official funneled archive: 4 photos of 3 people",
        f"the folder {wild}: 4 photos of 3 people",
    ]


def test_what_is_not_lfw_is_said_to_be_not(album: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"album is not LFW: expected .*Name_Surname_0001\.jpg"):
        parsed(album)
    for number, path in enumerate(sorted(album.rglob("*.png"))):
        path.rename(album / f"cat_{number:04d}.png")  # of one person, if it were LFW
    with pytest.raises(ValueError, match="is not LFW: expected"):
        parsed(album)
    with pytest.raises(ValueError, match="There is no file or folder"):
        parsed(tmp_path / "lfw.tgz")


def test_faces_of_lfwcrop_are_not_cropped_again(cropped: Path, wild: Path, tmp_path: Path) -> None:
    order = Order("lfw", size=16, source=cropped, screens=())
    pack = prepare(order, tmp_path / "pack")
    for row, name in zip(pack.images, pack.manifest.photos, strict=True):
        assert np.array_equal(row, fit(decode(cropped / name), 16))
    assert parsed(wild).align == ""
