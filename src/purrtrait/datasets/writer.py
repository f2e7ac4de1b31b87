"""Writes a pack row by row; it appears under its name whole or not at all."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from math import prod
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from filelock import FileLock, Timeout

from purrtrait.datasets.manifest import FILE, Manifest, Quarantined
from purrtrait.datasets.pack import IMAGES, LABELS

BLOCK_BYTES = 2**24  # that are moved at a time


class RowFile:
    """A standard npy file that grows: rows are appended, the header is set right at the end."""

    def __init__(self, file: BinaryIO, dtype: type[np.generic], row_shape: Sequence[int]) -> None:
        self.rows = 0
        self._file = file
        self._dtype = np.dtype(dtype)
        self._row_shape = tuple(row_shape)
        self._row_bytes = self._dtype.itemsize * prod(self._row_shape)
        self._digest = hashlib.sha256()
        self._header_bytes = file.write(self._header())

    def append(self, row: np.ndarray) -> None:
        """Write one row."""
        assert row.shape == self._row_shape, f"{row.shape} among rows of {self._row_shape}"
        data = row.astype(self._dtype, casting="same_kind").tobytes()
        self._file.write(data)
        self._digest.update(data)
        self.rows += 1

    def view(self) -> np.ndarray:
        """Return the rows so far (N, ...) as a map of the file, to be read."""
        return self._mapped("r")

    def keep(self, rows: np.ndarray) -> None:
        """Leave only these rows (N,), ascending; those behind move up."""
        if rows.size and self._row_shape[-1]:
            self._move_up(rows)
        self.rows = len(rows)
        self._file.truncate(self._header_bytes + self.rows * self._row_bytes)
        self._file.seek(0, os.SEEK_END)

    def _move_up(self, rows: np.ndarray) -> None:
        here = self._mapped("r+")
        self._digest = hashlib.sha256()
        step = max(1, BLOCK_BYTES // self._row_bytes)
        for start in range(0, len(rows), step):
            block = here[rows[start : start + step]]  # a copy, and no row moves down
            here[start : start + len(block)] = block
            self._digest.update(block.tobytes())
        here.flush()

    def _mapped(self, mode: Literal["r", "r+"]) -> np.memmap:
        self._file.flush()
        shape = (self.rows, *self._row_shape)
        return np.memmap(self._file, self._dtype, mode, self._header_bytes, shape)

    def finish(self) -> str:
        """Make the file complete and durable; gives the SHA-256 of the rows."""
        header = self._header()
        # numpy leaves room in the header for any number of rows.
        assert len(header) == self._header_bytes, "the header has outgrown its place"
        self._file.seek(0)
        self._file.write(header)
        _flush(self._file)
        return self._digest.hexdigest()

    def _header(self) -> bytes:
        buffer = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            buffer,
            {
                "descr": np.lib.format.dtype_to_descr(self._dtype),
                "fortran_order": False,
                "shape": (self.rows, *self._row_shape),
            },
        )
        return buffer.getvalue()


class PackWriter:
    """The rows of a pack in the making."""

    def __init__(self, images: RowFile, labels: RowFile) -> None:
        self.names: list[str] = []
        self.remarks: dict[str, str] = {}
        self.quarantined: list[Quarantined] = []
        self._images = images
        self._labels = labels

    def append(
        self, name: str, pixels: np.ndarray, labels: Sequence[int], remark: str = ""
    ) -> None:
        """Add the photo ``name``: pixels (H, W, C) uint8, labels in the pack's order.

        ``remark`` is what is odd about it, though it is used.
        """
        self._images.append(pixels)
        self._labels.append(np.asarray(labels, np.int16))
        self.names.append(name)
        if remark:
            self.remarks[name] = remark

    def quarantine(self, name: str, reason: str, copy_of: str = "") -> None:
        """Note that a photo is left out, as a copy of another one if it is."""
        self.quarantined.append(Quarantined(name, reason, copy_of))

    def images(self) -> np.ndarray:
        """Return the pictures so far (N, H, W, C), to be read."""
        return self._images.view()

    def keep(self, rows: np.ndarray) -> None:
        """Leave only these rows (N,), ascending."""
        if len(rows) < len(self.names):
            self.names = [self.names[row] for row in rows.tolist()]
            stay = set(self.names)
            self.remarks = {name: said for name, said in self.remarks.items() if name in stay}
            self._images.keep(rows)
            self._labels.keep(rows)

    def reasons(self) -> Mapping[str, int]:
        """How many photos were left out for each reason, the commonest first."""
        return dict(Counter(row.reason for row in self.quarantined).most_common())

    def finish(self) -> tuple[str, str]:
        """Return the SHA-256 of images and labels, both now complete on disk."""
        return self._images.finish(), self._labels.finish()


def occupied(folder: Path) -> bool:
    """Whether something is there that is not an empty folder."""
    return folder.exists() and not (folder.is_dir() and not any(folder.iterdir()))


def expect_new(folder: Path) -> Path:
    """The folder, which is new or empty; else ValueError."""
    if occupied(folder):
        raise ValueError(
            f"{folder} is there already, expected a new or an empty folder. Nothing is "
            "overwritten: choose another name, or delete it first."
        )
    return folder


@contextmanager
def reserved(target: Path) -> Iterator[Path]:
    """Return an empty temporary folder beside ``target``, that becomes ``target`` if all goes well.

    Whatever a killed predecessor left there is removed. ValueError if another process is at it.
    """
    target = Path(os.path.abspath(target))  # noqa: PTH100 - so that ".." does not stay in it
    if target == Path.cwd():
        raise ValueError(
            f"{target} is the folder that you are in: expected the name of one to be made in it."
        )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(
            f"The folder {target.parent} cannot be made ({error.strerror}): choose another --out."
        ) from None
    temporary = target.with_name(f".{target.name}.partial")
    lock = FileLock(target.with_name(f".{target.name}.lock"), timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise ValueError(
            f"Another process is preparing {target}: wait for it, or choose another name."
        ) from error
    try:
        _remove(temporary)
        temporary.mkdir()
        yield temporary
        _publish(temporary, target)
    finally:
        _remove(temporary)
        # Windows does not remove an open file; there the lock does it itself.
        with suppress(OSError):
            Path(lock.lock_file).unlink()
        lock.release()


@contextmanager
def row_files(folder: Path, size: int, channels: int, label_count: int) -> Iterator[PackWriter]:
    """Return a writer of rows into the files of a pack in ``folder``."""
    with (folder / IMAGES).open("w+b") as images, (folder / LABELS).open("w+b") as labels:
        yield PackWriter(
            RowFile(images, np.uint8, (size, size, channels)),
            RowFile(labels, np.int16, (label_count,)),
        )
    if label_count == 0:
        (folder / LABELS).unlink()


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write ``manifest.json``, durably."""
    with (folder / FILE).open("wb") as file:
        file.write(manifest.to_json().encode("utf-8"))
        _flush(file)


def _publish(temporary: Path, target: Path) -> None:
    if target.is_dir():
        target.rmdir()  # an empty folder that waited for the pack; OSError for any other
    temporary.rename(target)
    with suppress(OSError):  # a folder can be flushed on POSIX only
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def _flush(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
