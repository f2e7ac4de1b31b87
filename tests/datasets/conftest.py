"""Pictures that the tests draw themselves, and folders of them."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from purrtrait.datasets import kittens
from purrtrait.datasets.pack import Pack
from purrtrait.datasets.prepare import Order, prepare


@pytest.fixture(scope="session", autouse=True)
def parts_read_once() -> Iterator[None]:
    """Let the tests share the parts of kittens and people: reading them takes seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kittens, "_reduced", lru_cache(maxsize=None)(kittens._reduced))
        yield


@pytest.fixture
def noisy() -> Callable[..., Image.Image]:
    """Give a maker of RGB pictures of noise: (width, height, seed)."""

    def make(width: int = 40, height: int = 30, seed: int = 0) -> Image.Image:
        numbers = np.random.default_rng(seed)
        return Image.fromarray(numbers.integers(0, 256, (height, width, 3), dtype=np.uint8))

    return make


@pytest.fixture
def jpeg(noisy: Callable[..., Image.Image]) -> bytes:
    """Give the bytes of a sound JPEG file."""
    buffer = io.BytesIO()
    noisy(60, 60).save(buffer, "JPEG")
    return buffer.getvalue()


@pytest.fixture
def album(tmp_path: Path, noisy: Callable[..., Image.Image]) -> Path:
    """Give a folder of ten different pictures, some of them in a folder below."""
    folder = tmp_path / "album"
    (folder / "more").mkdir(parents=True)
    for number in range(10):
        place = folder / "more" if number % 3 == 0 else folder
        noisy(seed=number).save(place / f"photo {number}.png")
    return folder


@pytest.fixture
def kitten_pack(tmp_path: Path) -> Pack:
    """Give a pack of 40 kittens at 16 px."""
    return prepare(Order("kittens", size=16, count=40), tmp_path / "kittens")
