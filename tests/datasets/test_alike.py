"""Copies are known again after re-encoding; others are not accused."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter

from purrtrait.datasets import alike
from purrtrait.datasets.alike import difference_hash, families, superfluous
from purrtrait.images.colour import grey

SIZE = 48


def scene(seed: int) -> Image.Image:
    """Draw a picture of soft blobs, as smooth as a photo of a face."""
    numbers = np.random.default_rng(seed)
    small = Image.fromarray(numbers.integers(0, 256, (7, 7, 3), dtype=np.uint8))
    return small.resize((SIZE, SIZE), Image.Resampling.BICUBIC)


def encoded(image: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=60)
    return Image.open(buffer)


def resized(image: Image.Image) -> Image.Image:
    return image.resize((31, 31)).resize((SIZE, SIZE), Image.Resampling.BICUBIC)


COPIES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "equal": Image.Image.copy,
    "encoded again": encoded,
    "resized": resized,
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(0.8),
    "a little blurred": lambda image: image.filter(ImageFilter.GaussianBlur(0.7)),
}


def stack(images: list[Image.Image]) -> np.ndarray:
    return np.stack([np.asarray(image.convert("RGB")) for image in images])


def found(images: np.ndarray) -> list[int]:
    return [
        int(row)
        for row in families(images, [difference_hash(grey(image)[..., 0]) for image in images])
    ]


@pytest.mark.parametrize("kind", COPIES)
def test_a_copy_is_of_the_family_of_its_photo(kind: str) -> None:
    images = stack([scene(0), scene(1), COPIES[kind](scene(0)), scene(2)])
    assert found(images) == [0, 1, 0, 3]


def test_other_photos_are_not_accused(monkeypatch: pytest.MonkeyPatch) -> None:
    images = stack([scene(seed) for seed in range(60)])
    assert found(images) == list(range(60))
    # Nor would they be if the hash let everything through: the correlation decides.
    monkeypatch.setattr(alike, "BITS", 64)
    assert found(images) == list(range(60))


def test_a_family_is_named_by_its_first_member() -> None:
    images = stack([scene(row % 5) for row in range(20)])
    assert found(images) == [row % 5 for row in range(20)]


def test_a_film_is_not_one_family_link_by_link() -> None:
    frames = [scene(0)]
    for number in range(1, 40):
        share = number / 40
        mixed = (1 - share) * np.asarray(scene(0), float) + share * np.asarray(scene(1), float)
        frames.append(Image.fromarray(mixed.astype(np.uint8)))
    assert len(set(found(stack(frames)))) > 2


def test_pictures_with_like_hashes_are_compared_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []

    def counted(one: np.ndarray, other: np.ndarray) -> bool:
        compared.append(1)
        return False

    monkeypatch.setattr(alike, "_correlate", counted)
    images = stack([scene(seed) for seed in range(80)])
    assert families(images, [0] * 80).tolist() == list(range(80))
    assert len(compared) < 80


def test_blank_portraits_are_alike_only_when_they_are_equal() -> None:
    images = np.zeros((3, 16, 16, 3), np.uint8)
    images[1] = 9
    assert found(images) == [0, 1, 0]


def test_the_hash_is_the_signs_of_64_differences() -> None:
    ramp = np.broadcast_to(np.linspace(0, 255, 72).astype(np.uint8)[None, :], (64, 72))
    assert difference_hash(ramp) == 2**64 - 1
    assert difference_hash(ramp[:, ::-1]) == 0
    upper = ramp.copy()
    upper[32:] = upper[32:, ::-1]
    assert difference_hash(upper) == (2**32 - 1) << 32


def test_the_best_of_a_family_stays() -> None:
    images = np.stack([np.full((8, 8, 1), level, np.uint8) for level in (1, 1, 2, 1)])
    quality = [(64.0, 0.3), (200.0, 0.2), (200.0, 0.4), (200.0, 0.4)]
    assert superfluous(images, [0, 1, 2, 3], quality, "alike") == {0: 2, 1: 2, 3: 2}
    # Equal pixels: the first stays, whatever the photos were.
    assert superfluous(images, [0, 1, 2, 3], quality, "equal") == {1: 0, 3: 0}
