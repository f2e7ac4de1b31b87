"""Exact nearest training pictures, pixel by pixel, at the size of what was drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import purrtrait
from purrtrait import copying
from purrtrait.datasets.pack import TRAIN, Pack
from purrtrait.evaluation.features import reduced
from purrtrait.images import sheet
from purrtrait.images.resize import to_images
from purrtrait.types import Images


@pytest.fixture
def pictures() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), dtype=np.uint8)


@pytest.mark.parametrize("at_once", [1, 7, 1024])
def test_all_training_pictures_are_searched(
    at_once: int, pictures: np.ndarray, kittens: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "SEARCHED_AT_ONCE", at_once)
    heard: list[tuple[int, int]] = []
    held: list[int] = []

    def counting(some: np.ndarray) -> Images:
        held.append(len(some))
        return to_images(some)

    monkeypatch.setattr(copying, "to_images", counting)
    found = copying.nearest_pixels(kittens, pictures, lambda _, *done: heard.append(done))
    rows = kittens.rows(TRAIN)
    reals = to_images(reduced(kittens.images[rows], 8)).flatten(1)
    mirrored = to_images(reduced(kittens.images[rows], 8)[:, :, ::-1]).flatten(1)
    views = [reals, mirrored] if kittens.flip_natural else [reals]
    apart = torch.stack([torch.cdist(to_images(pictures).flatten(1), v) for v in views])
    assert found.distances == pytest.approx(apart.amin((0, 2)).numpy(), rel=1e-5)
    assert found.rows.tolist() == rows[apart.amin(0).argmin(1)].tolist()
    assert heard[-1][0] == heard[-1][1]
    assert max(held) == min(at_once, len(rows)), "no more of either side are numbers at a time"


def test_copies_are_found_mirrored_too(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (9, 8, 8, 3), dtype=np.uint8)
    for number, pixels in enumerate(noise):
        sheet.write_png(tmp_path / "photos" / f"{number}.png", pixels)
    out = tmp_path / "pack"
    pack = purrtrait.prepare("folder", tmp_path / "photos", size=8, out=out, split=0, screens=())
    assert pack.flip_natural
    both = np.concatenate([pack.images[2:4], pack.images[2:4, :, ::-1]])
    found = copying.nearest_pixels(pack, both)
    assert found.rows.tolist() == [2, 3, 2, 3]
    assert found.turned.tolist() == [False, False, True, True]
    assert found.distances.tolist() == [0, 0, 0, 0]
    cells = copying.grid(both, found, pack)[2:66, 2:].reshape(64, -1, 3)
    for pair in range(4):  # to the left the copy, to the right what it is a copy of
        left, right = (cells[:, (2 * pair + side) * 66 :][:, :64] for side in (0, 1))
        assert np.array_equal(left, right)
