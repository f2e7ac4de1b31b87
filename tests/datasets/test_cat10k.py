"""The CAT dataset in every shape in which people have it, and its missing halves."""

from __future__ import annotations

import logging
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from purrtrait.datasets import annotation, cat10k
from purrtrait.datasets.cat10k import parse_cat10k
from purrtrait.datasets.photo import Collection, Unreadable, Wanted
from purrtrait.images.align import CAT_POINTS

Noisy = Callable[..., Image.Image]

HEAD = " 10 10 20 10 15 18 6 6 8 2 11 5 19 5 22 2 24 -6 "


def parsed(source: Path, count: int | None = None, seed: int = 0) -> Collection:
    return parse_cat10k(Wanted(source, 32, count, seed))


def names(source: Path, count: int | None = None, seed: int = 0) -> list[str]:
    return [photo.name for photo in parsed(source, count, seed).photos]


def reasons(source: Path) -> dict[str, str]:
    """Why photos cannot be used."""
    taken = {}
    for photo in parsed(source).photos:
        try:
            photo.read()
        except Unreadable as error:
            taken[photo.name] = error.reason
    return taken


@pytest.fixture
def cats(tmp_path: Path, noisy: Noisy) -> Path:
    """Give seven unpacked folders of two cats each; the first cat in grey."""
    for number in range(14):
        folder = tmp_path / "cats" / f"CAT_{number // 2:02d}"
        folder.mkdir(parents=True, exist_ok=True)
        photo = folder / f"{number:08d}_000.jpg"
        noisy(seed=number).convert("RGB" if number else "L").save(photo)
        photo.with_name(photo.name + ".cat").write_text(f"9{HEAD}".replace("15", str(number), 1))
    return tmp_path / "cats"


@pytest.fixture
def downloaded(cats: Path, tmp_path: Path) -> Path:
    """Give the folder that holds the two archives."""
    folder = tmp_path / "downloaded"
    folder.mkdir()
    for name, parts in (("CAT_DATASET_01.zip", range(3)), ("CAT_DATASET_02.zip", range(3, 7))):
        with zipfile.ZipFile(folder / name, "w") as file:
            for part in parts:
                for path in sorted((cats / f"CAT_{part:02d}").iterdir()):
                    file.write(path, path.relative_to(cats))
    return folder


def test_archives_and_folders_give_the_same(cats: Path, downloaded: Path, tmp_path: Path) -> None:
    whole = Path(shutil.make_archive(str(tmp_path / "whole"), "gztar", cats))
    expected = {photo.name: photo for photo in parsed(cats).photos}
    assert len(expected) == 14
    for source in (cats, downloaded, whole):
        found = parsed(source)
        photos = list(found.photos)
        assert found.count == len(photos) == 14
        assert {photo.name: photo.face for photo in photos} == {
            name: photo.face for name, photo in expected.items()
        }
        assert {photo.read().shape for photo in photos} == {(30, 40, 3)}
        assert not any(photo.group for photo in photos)
    assert sorted(names(downloaded)) == names(downloaded) == names(cats)


def test_the_points_are_those_of_the_photo(downloaded: Path) -> None:
    for photo in parsed(downloaded).photos:
        assert photo.face is not None
        assert tuple(photo.face.points) == CAT_POINTS
        assert photo.face.points["left eye"] == (10.5, 10.5)
        assert photo.face.points["right ear outer"] == (24.5, 6.5)
        number = int(photo.name[7:15])
        assert photo.face.points["mouth"] == (number + 0.5, 18.5)


def test_one_archive_of_the_two(downloaded: Path) -> None:
    assert len(names(downloaded / "CAT_DATASET_02.zip")) == 8
    (downloaded / "CAT_DATASET_02.zip").unlink()
    assert len(names(downloaded)) == 6


def test_a_flat_folder(cats: Path, tmp_path: Path) -> None:
    flat = tmp_path / "flat"
    flat.mkdir()
    for path in cats.rglob("*.jpg*"):
        path.rename(flat / path.name)
    assert names(flat) == [f"{number:08d}_000.jpg" for number in range(14)]
    assert not reasons(flat)


def test_a_sample_is_of_annotated_photos_over_both_archives(downloaded: Path) -> None:
    everything = names(downloaded)
    few = names(downloaded, count=5, seed=1)
    assert len(few) == parsed(downloaded, count=5).count == 5
    assert few == [name for name in everything if name in few]
    assert few == names(downloaded, count=5, seed=1)
    assert any(few != names(downloaded, count=5, seed=seed) for seed in (2, 3, 4))


def test_names_stay_unique_when_the_archives_hold_the_same(downloaded: Path) -> None:
    shutil.copy(downloaded / "CAT_DATASET_01.zip", downloaded / "CAT_DATASET_02.zip")
    twice = names(downloaded)
    assert len(set(twice)) == 12
    assert twice[0] == "CAT_DATASET_01/CAT_00/00000000_000.jpg"
    assert twice[-1] == "CAT_DATASET_02/CAT_02/00000005_000.jpg"
    assert not reasons(downloaded)


def test_missing_and_stray_annotations_are_listed(cats: Path) -> None:
    """As in the archives, where 00000003_015 lacks its own and that of 00000003_019 is stray."""
    folder = cats / "CAT_01"
    (folder / "00000003_000.jpg.cat").rename(folder / "00000003_019.jpg.cat")
    found = parsed(cats)
    assert found.count == 15
    assert reasons(cats) == {
        "CAT_01/00000003_000.jpg": cat10k.LACKING,
        "CAT_01/00000003_019.jpg.cat": cat10k.STRAY,
    }
    # It is not taken for the one that is missing; a right one beside the photo is.
    (folder / "00000003_000.jpg.cat").write_text(f"9{HEAD}")
    assert reasons(cats) == {"CAT_01/00000003_019.jpg.cat": cat10k.STRAY}


def test_malformed_annotations_are_listed(cats: Path) -> None:
    texts = {"0": b"9 1 2", "2": b"nine", "4": b"9" + b" " * 9999 + HEAD.encode(), "6": b"\xff"}
    for number, text in texts.items():
        (cats / f"CAT_0{int(number) // 2}" / f"0000000{number}_000.jpg.cat").write_bytes(text)
    assert reasons(cats) == {
        "CAT_00/00000000_000.jpg": annotation.NOT_NINE,
        "CAT_01/00000002_000.jpg": annotation.NOT_NUMBERS,
        "CAT_02/00000004_000.jpg": "larger than 4,096 bytes",
        "CAT_03/00000006_000.jpg": annotation.NOT_NUMBERS,
    }


def test_the_fingerprint_notices_a_change_in_either_archive(downloaded: Path) -> None:
    seen = {parsed(downloaded).fingerprint, parsed(downloaded).fingerprint}
    for path in sorted(downloaded.iterdir()):
        with zipfile.ZipFile(path, "a") as file:
            file.writestr("CAT_00/more.jpg", b"")
        seen.add(parsed(downloaded).fingerprint)
    assert len(seen) == 3


def test_it_says_what_it_found(cats: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    (cats / "CAT_03" / "00000006_000.jpg.cat").unlink()
    parsed(cats)
    ((_, _, message),) = caplog.record_tuples
    assert message == f"13 annotated photos in {cats} (not read: 1 x has no annotation)"


def test_what_is_not_the_dataset_is_said_to_be_not(album: Path, tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"No annotated photo in .*\(not read: 10 x has no annotation\)"
    ):
        parsed(album)
    with pytest.raises(ValueError, match="There is no file or folder"):
        parsed(tmp_path / "gone")
