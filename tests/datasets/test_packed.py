"""Pictures out of zips and tars, and the classes that StyleGAN's zips give them."""

from __future__ import annotations

import json
import logging
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from purrtrait.datasets import member
from purrtrait.datasets.packed import parse_archive
from purrtrait.datasets.photo import Collection, Unreadable, Wanted, decode


def parsed(source: Path, count: int | None = None, seed: int = 0) -> Collection:
    return parse_archive(Wanted(source, 32, count, seed))


def names(source: Path, count: int | None = None, seed: int = 0) -> list[str]:
    return [photo.name for photo in parsed(source, count, seed).photos]


@pytest.mark.parametrize("kind", ["zip", "tar", "gztar", "xztar"])
def test_an_archive_gives_the_pictures_of_its_folder(
    kind: str, album: Path, tmp_path: Path
) -> None:
    (album / "notes.txt").touch()
    packed = Path(shutil.make_archive(str(tmp_path / "packed"), kind, album))
    renamed = packed.rename(tmp_path / "photos")  # its suffix does not matter
    found = parsed(renamed)
    photos = list(found.photos)
    assert found.count == len(photos) == 10
    assert found.labels == {}
    assert {photo.name for photo in photos} == {photo.name for photo in parsed(album).photos}
    for photo in photos:
        assert np.array_equal(photo.read(), decode(album / photo.name))
        assert not photo.labels


def test_a_zip_is_sorted_and_a_tar_keeps_its_order(album: Path, tmp_path: Path) -> None:
    backwards = sorted(names(album), reverse=True)
    with zipfile.ZipFile(tmp_path / "zip", "w") as file:
        for name in backwards:
            file.write(album / name, name)
    assert names(tmp_path / "zip") == sorted(backwards)
    packed = Path(shutil.make_archive(str(tmp_path / "packed"), "tar", album))
    few = names(packed, count=4, seed=1)
    assert few == [name for name in names(packed) if name in few]


def test_a_sample_is_keyed_by_the_seed(album: Path, tmp_path: Path) -> None:
    packed = Path(shutil.make_archive(str(tmp_path / "packed"), "zip", album))
    few = names(packed, count=4, seed=1)
    assert len(few) == parsed(packed, count=4).count == 4
    assert few == names(packed, count=4, seed=1) == names(album, count=4, seed=1)
    assert any(few != names(packed, count=4, seed=seed) for seed in (2, 3, 4))
    assert names(packed, count=99) == names(packed)


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_what_is_refused_is_listed_with_its_reason(album: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "it", "w") as file:
        for name in ("a.png", "../b.png", "a.png"):
            file.write(album / "photo 1.png", name)
        file.writestr("broken.png", b"no picture")
    found = parsed(tmp_path / "it", count=2)
    reasons = {}
    for photo in found.photos:
        try:
            assert photo.read().shape == (30, 40, 3)
        except Unreadable as error:
            reasons[photo.name] = error.reason
    assert found.count == 4
    assert reasons == {
        "broken.png": "not a picture",
        "../b.png": member.OUTSIDE,
        "a.png (member 2)": member.AGAIN,
    }


def test_an_archive_without_pictures_says_what_it_holds_instead(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "it", "w") as file:
        file.writestr("notes.txt", b"")
        file.writestr("../a.png", b"")
        file.writestr("../b.png", b"")
    with pytest.raises(
        ValueError, match=r"No picture in .*\(not read: 2 x its name leads .*\.webp"
    ):
        parsed(tmp_path / "it")


def classes(album: Path, labels: object) -> Collection:
    """Pack the album with this ``dataset.json``, as StyleGAN's tool does."""
    text = labels if isinstance(labels, str) else json.dumps(labels)
    with zipfile.ZipFile(album.parent / "it.zip", "w") as file:
        for name in names(album):
            file.write(album / name, name)
        file.writestr("dataset.json", text)
    return parsed(album.parent / "it.zip")


def test_classes_of_a_stylegan_zip_are_labels(
    album: Path, caplog: pytest.LogCaptureFixture
) -> None:
    expected = {name: place % 4 for place, name in enumerate(names(album))}
    labels = [["elsewhere.png", 77], *([name, place] for name, place in expected.items())]
    found = classes(album, {"labels": labels})
    assert found.labels == {"class": 4}
    assert {photo.name: photo.labels["class"] for photo in found.photos} == expected
    assert not caplog.records


def test_photos_that_are_refused_have_the_labels_of_the_others(album: Path) -> None:
    classes(album, {"labels": [[name, 1] for name in names(album)]})
    with zipfile.ZipFile(album.parent / "it.zip", "a") as file:
        file.writestr("../out.png", b"")
    found = parsed(album.parent / "it.zip")
    assert [list(photo.labels) for photo in found.photos] == [["class"]] * 11


@pytest.mark.parametrize("labels", [None, []])
def test_a_stylegan_zip_without_classes(
    labels: object, album: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found = classes(album, {"labels": labels})
    assert found.count == 10
    assert found.labels == {}
    assert not caplog.records


@pytest.mark.parametrize(
    "labels",
    [
        "",
        "{",
        "[" * 10_000,
        '"labels"',
        "[]",
        "{}",
        '{"labels": ' + "9" * 5000 + "}",
        {"labels": 3},
        {"labels": [1, 2]},
        {"labels": [["photo 1.png", 0]]},
        {"labels": [[["photo 1.png"], 0]]},
        {"labels": {"ab": 1}},
        {"labels": [[f"photo {number}.png", 0] for number in range(10)]},
        *(
            {"labels": [[f"{'more/' * (n % 3 == 0)}photo {n}.png", value] for n in range(10)]}
            for value in (-1, 2**15, 0.5, True, "1", None, [0.5, 0.5])
        ),
        '{"labels": null}' + " " * 2**24,
    ],
    ids=lambda labels: str(labels)[:40],
)
def test_odd_labels_are_ignored_with_a_warning(
    labels: object, album: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found = classes(album, labels)
    assert found.labels == {}
    assert [photo.labels for photo in found.photos] == [{}] * 10
    ((_, level, message),) = caplog.record_tuples
    assert level == logging.WARNING
    assert message.startswith("dataset.json is ignored, the pictures get no labels")
