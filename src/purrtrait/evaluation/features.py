"""Turns pictures into features, in which scores compare them; those of a pack are kept on disk."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from purrtrait.datasets.pack import Pack
from purrtrait.files import replacing
from purrtrait.images.resize import area, to_images, to_uint8
from purrtrait.types import Features

log = logging.getLogger(__name__)

FOLDER = "features"  # in a pack
BATCH = 64  # pictures at a time: at 128 px their largest maps take 130 MB

Report = Callable[[int, int], None]


class Extractor(Protocol):
    """Pictures in, features out.

    ``name`` labels every result; ``identity`` says all that the numbers depend on (weights, size,
    normalisation), so that features kept on disk are never mixed up.
    """

    name: str
    identity: str

    def __call__(self, pixels: np.ndarray) -> Features:
        """Features (B, F) float32, on the CPU, of pixels (B, H, W, C) uint8 with C 1 or 3."""
        ...


def unheard(done: int, total: int) -> None:
    """Report to nobody."""


def batches(count: int) -> Iterator[slice]:
    """So many pictures, BATCH at a time."""
    return (slice(start, start + BATCH) for start in range(0, count, BATCH))


def reduced(pixels: np.ndarray, size: int) -> np.ndarray:
    """Pixels (N, H, W, C) uint8, averaged by area to ``size`` where they are larger."""
    return pixels if pixels.shape[1] == size else to_uint8(area(to_images(pixels), size))


def rows_of(pack: Pack, rows: np.ndarray, size: int) -> np.ndarray:
    """Pictures (N, S, S, C) uint8 of some rows of a pack, at ``size`` pixels."""
    some = _Rows(pack.images, rows)
    return np.concatenate([reduced(some[part], size) for part in batches(len(rows))])


@contextmanager
def keeping(pack: Pack) -> Iterator[None]:
    """Something is kept in a pack's folder, if that can be written to; a warning says if not."""
    try:
        yield
    except OSError as error:
        log.warning(
            "%s: what was found of its pictures is not kept (%s)", pack.path, error.strerror
        )


def extract(
    extractor: Extractor,
    pixels: np.ndarray | _Rows,
    report: Report = unheard,
    size: int | None = None,
) -> Features:
    """Features (N, F) of pixels (N, H, W, C) uint8, at ``size`` or as they are, batch by batch.

    ``report`` is told how many pictures are done, and how many there are.
    """
    if not len(pixels):
        raise ValueError("there are no pictures to take features of; expected at least one")
    found = []
    for part in batches(len(pixels)):
        some = pixels[part]
        found.append(extractor(reduced(some, size or some.shape[1])))
        report(min(part.stop, len(pixels)), len(pixels))
    return torch.cat(found)


def of_pack(
    extractor: Extractor,
    pack: Pack,
    rows: np.ndarray,
    report: Report = unheard,
    size: int | None = None,
) -> Features:
    """Features (len(rows), F) of some rows of a pack, at ``size`` pixels or as they are.

    Each is taken once, when it is first asked for, and kept in the pack's folder, under a name
    that follows from the pack's content and the extractor's identity. Where nothing can be written
    there, it is taken each time.
    """
    side = size or pack.size
    path = pack.path / FOLDER / f"{extractor.name}-{_key(extractor, pack, side)}.npy"
    kept = _read(path, len(pack.images))
    missing = rows if kept is None else rows[np.isnan(kept[rows, 0])]
    if not len(missing):
        assert kept is not None, "no rows were asked for"
        return torch.from_numpy(kept[rows])
    found = extract(extractor, _Rows(pack.images, missing), report, side).numpy()
    if kept is None:
        kept = np.full((len(pack.images), found.shape[1]), np.nan, np.float32)
    kept[missing] = found
    with keeping(pack):
        _write(path, kept)
    return torch.from_numpy(kept[rows])


class _Rows:
    """Some rows of an array on disk, read when they are looked at."""

    def __init__(self, images: np.ndarray, rows: np.ndarray) -> None:
        self.images = images
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, some: slice) -> np.ndarray:
        read: np.ndarray = self.images[self.rows[some]]
        return read


def _key(extractor: Extractor, pack: Pack, size: int) -> str:
    parts = json.dumps([extractor.identity, pack.content_hash, size])
    return hashlib.sha256(parts.encode()).hexdigest()[:16]


def _read(path: Path, count: int) -> np.ndarray | None:
    """The features on disk, NaN where a row was not asked for yet; None where there are none."""
    try:
        kept: np.ndarray = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    whole = kept.dtype == np.float32 and kept.ndim == 2 and len(kept) == count
    return kept if whole else None


def _write(path: Path, features: np.ndarray) -> None:
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.save(file, features, allow_pickle=False)
