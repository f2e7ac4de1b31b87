"""Every parser of the table keeps the same promises."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from purrtrait.datasets import PARSERS
from purrtrait.datasets.photo import Collection, Wanted
from purrtrait.datasets.prepare import Order, prepare
from purrtrait.images.align import ALIGNMENTS

COUNT = 8


def cats(album: Path, folder: Path) -> Path:
    """Ten photos whose cats are annotated: all around the middle."""
    points = ((15, 12), (25, 12), (20, 20), (10, 8), (11, 3), (14, 6), (26, 6), (29, 3), (30, 8))
    line = " ".join(str(number) for point in points for number in point)
    for place, picture in enumerate(sorted(album.rglob("*.png"))):
        Image.open(picture).save(folder / f"{place}.jpg")
        (folder / f"{place}.jpg.cat").write_text(f"9 {line} ")
    return folder


def people(album: Path, folder: Path) -> Path:
    """Ten square photos of five people."""
    for place, picture in enumerate(sorted(album.rglob("*.png"))):
        home = folder / f"Person_{place // 2}"
        home.mkdir(exist_ok=True)
        square = Image.open(picture).resize((50, 50))
        square.save(home / f"Person_{place // 2}_{place + 1:04d}.jpg")
    return folder


def parquet(album: Path, folder: Path) -> Path:
    """Ten photos in a dataset of Hugging Face."""
    library = pytest.importorskip("datasets")
    pictures = [str(path) for path in sorted(album.rglob("*.png"))]
    table = library.Dataset.from_dict({"image": pictures})
    table = table.cast_column("image", library.Image()).map(lambda row: row)
    table.to_parquet(str(folder / "train.parquet"))
    return folder


def itself(album: Path, folder: Path) -> Path:
    return album


SOURCES = {"cat10k": cats, "lfw": people, "huggingface": parquet}


@pytest.fixture
def sources(album: Path, tmp_path: Path) -> Callable[[str], Path | None]:
    """Give a source for each parser that needs one."""

    def made(name: str) -> Path | None:
        folder = tmp_path / f"source of {name}"
        folder.mkdir(exist_ok=True)
        if not PARSERS[name].needs_source:
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what the library of datasets warns of
            return SOURCES.get(name, itself)(album, folder)

    return made


Sources = Callable[[str], Path | None]


def parsed(name: str, source: Path | None, seed: int = 0) -> Collection:
    return PARSERS[name].parse(Wanted(source, 16, COUNT, seed))


@pytest.mark.parametrize("name", PARSERS)
def test_a_collection_is_what_it_says(name: str, sources: Sources) -> None:
    found = parsed(name, sources(name))
    photos = list(found.photos)
    assert len(photos) == found.count == COUNT
    assert len({photo.name for photo in photos}) == COUNT
    assert found.fingerprint
    assert found.memory_bytes >= 0
    for photo in photos:
        pixels = photo.read()
        assert pixels.dtype == np.uint8
        assert pixels.ndim == 3
        assert pixels.shape[2] == 3
        assert np.array_equal(photo.read(), pixels)
        assert list(photo.labels) == list(found.labels)
        assert all(0 <= value < found.labels[label] for label, value in photo.labels.items())
        known = photo.face.points if photo.face else {}
        assert known.keys() == PARSERS[name].knows


@pytest.mark.parametrize("name", PARSERS)
def test_the_same_seed_gives_the_same_photos(name: str, sources: Sources) -> None:
    source = sources(name)

    def everything(seed: int) -> list[bytes]:
        return [photo.read().tobytes() for photo in parsed(name, source, seed).photos]

    assert everything(4) == everything(4)
    assert any(everything(4) != everything(seed) for seed in (5, 6, 7))


@pytest.mark.parametrize("name", PARSERS)
def test_a_pack_of_it_says_whose_pictures_and_whether_they_flip(
    name: str, sources: Sources, tmp_path: Path
) -> None:
    entry = PARSERS[name]
    assert ALIGNMENTS[entry.align].needs <= entry.knows
    source = sources(name)
    pack = prepare(Order(name, size=16, count=5, source=source), tmp_path / "pack")
    assert pack.images.shape == (5, 16, 16, 3)
    assert pack.manifest.credit == entry.credit != ""
    assert pack.flip_natural is entry.flip_natural
    assert pack.labels.shape == (5, len(pack.manifest.labels))
    turned = not entry.flip_natural
    order = Order(name, size=16, count=5, source=source, flip_natural=turned)
    assert prepare(order, tmp_path / "turned").flip_natural is turned


def test_the_credits_name_the_artists() -> None:
    assert "David Revoy, CC-BY-4.0" in PARSERS["kittens"].credit
    assert "Pablo Stanley" in PARSERS["people"].credit
    assert not PARSERS["kittens"].flip_natural
    assert not PARSERS["people"].flip_natural
