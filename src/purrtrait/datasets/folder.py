"""Reads any folder of pictures, nested or not."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from purrtrait.datasets.photo import Collection, Photo, Wanted, decode
from purrtrait.types import Draw

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".pgm", ".ppm", ".gif"})


@dataclass(frozen=True)
class _Entry:
    name: str  # relative to the folder, POSIX
    path: Path
    size_bytes: int
    modified_nanoseconds: int


def parse_folder(wanted: Wanted) -> Collection:
    """Find the pictures below a folder, sorted by relative path.

    When ``count`` is below what there is, it is a sample keyed by the seed, in the same order.
    """
    assert wanted.source is not None, "the table says that this parser needs a source"
    root = wanted.source
    _expect_folder(root)
    entries = sorted(_walk(root, "", set()), key=lambda entry: entry.name)
    if not entries:
        raise ValueError(
            f"No picture in {root} or the folders in it: expected files that end in "
            f"{' '.join(sorted(SUFFIXES))}. Name the folder that holds them."
        )
    chosen = _sample(entries, wanted)
    return Collection(
        count=len(chosen),
        fingerprint=_fingerprint(entries),
        photos=(Photo(entry.name, partial(decode, entry.path)) for entry in chosen),
    )


def _expect_folder(root: Path) -> None:
    if not root.exists():
        raise ValueError(f"There is no folder {root}: check the path.")
    if not root.is_dir():
        raise ValueError(
            f"{root} is a file, expected a folder of pictures: unpack it first if it is an "
            f"archive, or name the folder {root.parent} that it lies in."
        )


def _walk(folder: Path, prefix: str, seen: set[tuple[int, int]]) -> Iterator[_Entry]:
    """Every picture once: what was seen under another name (a link, a loop) is passed over.

    One photo under two names could end in both splits.
    """
    if _again(folder.stat(), seen):
        return
    for entry in _entries(folder):
        if entry.name.startswith(".") or (entry.is_symlink() and not Path(entry.path).exists()):
            continue  # hidden, or a link to nothing
        name = prefix + entry.name
        if entry.is_dir():
            yield from _walk(Path(entry.path), name + "/", seen)
        elif entry.is_file() and Path(entry.name).suffix.lower() in SUFFIXES:
            # Not entry.stat(): on Windows it does not know the file's number.
            status = Path(entry.path).stat()
            if not _again(status, seen):
                yield _Entry(name, Path(entry.path), status.st_size, status.st_mtime_ns)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """List a folder; links last, so that a picture goes by its own name rather than a link's."""
    try:
        with os.scandir(folder) as found:
            return sorted(found, key=lambda entry: (entry.is_symlink(), entry.name))
    except PermissionError as error:
        raise ValueError(
            f"The folder {folder} may not be read: change its permissions, or move it elsewhere."
        ) from error


def _again(status: os.stat_result, seen: set[tuple[int, int]]) -> bool:
    """Whether this file or folder was seen before; remembers it."""
    key = (status.st_dev, status.st_ino)
    before = key in seen
    seen.add(key)
    return before


def _sample(entries: list[_Entry], wanted: Wanted) -> list[_Entry]:
    if wanted.count is None or wanted.count >= len(entries):
        return entries
    order = Draw(wanted.seed, "prepare", 0).permutation(len(entries), "sample")
    return [entries[row] for row in sorted(order[: wanted.count])]


def _fingerprint(entries: list[_Entry]) -> str:
    """Return a digest of names, sizes and times: cheap, and different when a file is."""
    digest = hashlib.sha256()
    for entry in entries:
        line = f"{entry.name}\0{entry.size_bytes}\0{entry.modified_nanoseconds}\n"
        digest.update(line.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()
