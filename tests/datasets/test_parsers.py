"""Every parser of the table keeps the same promises."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from purrtrait.datasets import PARSERS
from purrtrait.datasets.photo import Collection, Wanted
from purrtrait.datasets.prepare import Order, prepare


def parsed(name: str, album: Path, size: int = 16, seed: int = 0) -> Collection:
    source = album if PARSERS[name].needs_source else None
    return PARSERS[name].parse(Wanted(source, size, 8, seed))


@pytest.mark.parametrize("name", PARSERS)
def test_a_collection_is_what_it_says(name: str, album: Path) -> None:
    found = parsed(name, album)
    photos = list(found.photos)
    assert len(photos) == found.count == 8
    assert len({photo.name for photo in photos}) == 8
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


@pytest.mark.parametrize("name", PARSERS)
def test_the_same_seed_gives_the_same_photos(name: str, album: Path) -> None:
    def everything(seed: int) -> list[bytes]:
        return [photo.read().tobytes() for photo in parsed(name, album, seed=seed).photos]

    assert everything(4) == everything(4)
    assert any(everything(4) != everything(seed) for seed in (5, 6, 7))


@pytest.mark.parametrize("name", PARSERS)
def test_a_pack_of_it_says_whose_pictures_and_whether_they_flip(
    name: str, album: Path, tmp_path: Path
) -> None:
    entry = PARSERS[name]
    source = album if entry.needs_source else None
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
