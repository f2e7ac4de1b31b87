"""A pack: pictures of one size in one memory-mapped array, and what is known about them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from purrtrait.datasets.manifest import Manifest

IMAGES = "images.npy"
LABELS = "labels.npy"
MOST_CLASSES = 2**15  # that labels of 16 bits tell apart
TRAIN = "train"
HELD_OUT = "held-out"


@dataclass(frozen=True, eq=False)
class Pack:
    """An opened pack; nothing of it is in memory but its manifest.

    ``images`` (N, H, W, C) uint8 and ``labels`` (N, L) int16 are maps of files and cannot be
    written to; without labels L is 0.
    """

    path: Path
    manifest: Manifest
    images: np.ndarray
    labels: np.ndarray

    @classmethod
    def open(cls, path: Path) -> Pack:
        """Open the pack in the folder ``path``; ValueError if it is none, damaged or too new."""
        manifest = Manifest.read(path)
        count, size = len(manifest.photos), manifest.size
        images = _mapped(path / IMAGES, np.uint8, (count, size, size, manifest.channels))
        labels = np.zeros((count, 0), np.int16)
        if manifest.labels:
            labels = _mapped(path / LABELS, np.int16, (count, len(manifest.labels)))
        if sum(rows for _, rows in manifest.split) != count:
            raise ValueError(f"The split in {path} does not cover its {count} rows: {_AGAIN}")
        return cls(path, manifest, images, labels)

    @property
    def size(self) -> int:
        """Side of the pictures in pixels."""
        return self.manifest.size

    @property
    def channels(self) -> int:
        """3 for colour, 1 for grey."""
        return self.manifest.channels

    @property
    def flip_natural(self) -> bool:
        """Whether a mirror image is as likely as the picture itself."""
        return self.manifest.flip_natural

    @property
    def label_names(self) -> tuple[str, ...]:
        """The names of the columns of ``labels``."""
        return tuple(self.manifest.labels)

    def rows(self, split: str) -> np.ndarray:
        """Return the row numbers (int64, ascending) of ``train`` or ``held-out``."""
        if split not in (TRAIN, HELD_OUT):
            raise ValueError(f"A pack has no split {split!r}: expected {TRAIN!r} or {HELD_OUT!r}.")
        names = [name for name, _ in self.manifest.split]
        lengths = [rows for _, rows in self.manifest.split]
        return np.flatnonzero(np.repeat([name == split for name in names], lengths))

    @property
    def content_hash(self) -> str:
        """One SHA-256 for all that training depends on: pictures, labels, split, flipping."""
        manifest = self.manifest
        parts = [
            manifest.images_sha256,
            manifest.labels_sha256,
            list(self.images.shape),
            manifest.split,
            manifest.flip_natural,
        ]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def verify(self) -> None:
        """Read everything and compare with the manifest; ValueError if a byte has changed."""
        expected = {IMAGES: self.manifest.images_sha256, LABELS: self.manifest.labels_sha256}
        for (name, digest), array in zip(expected.items(), (self.images, self.labels), strict=True):
            found = array_sha256(array)
            if found != digest:
                raise ValueError(
                    f"{self.path / name} has changed: its SHA-256 is {found}, the manifest says "
                    f"{digest}. {_AGAIN}"
                )


_AGAIN = "Delete the pack and prepare it again."
_BLOCK_BYTES = 2**24


def array_sha256(array: np.ndarray) -> str:
    """SHA-256 of an array's bytes, read block by block."""
    digest = hashlib.sha256()
    rows = max(1, _BLOCK_BYTES // max(1, array[:1].nbytes))
    for start in range(0, len(array), rows):
        digest.update(np.ascontiguousarray(array[start : start + rows]).tobytes())
    return digest.hexdigest()


def _mapped(path: Path, dtype: type[np.generic], shape: tuple[int, ...]) -> np.ndarray:
    try:
        array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(
            f"{path} is missing or cut off ({error}): expected an array of {shape}. {_AGAIN}"
        ) from error
    if array.shape != shape or array.dtype != dtype:
        raise ValueError(
            f"{path} holds {array.dtype} {array.shape}, the manifest says "
            f"{np.dtype(dtype)} {shape}. {_AGAIN}"
        )
    return array
