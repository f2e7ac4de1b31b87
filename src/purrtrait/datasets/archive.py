"""Reads the files of a folder, a zip or a tar where they are: nothing is unpacked to disk.

An archive may have been written by anybody: names that lead elsewhere, links and sizes that lie are
refused one by one, and no more is held in memory than the member that is read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence, Set
from functools import partial
from pathlib import Path

from purrtrait.datasets.folder import files_below, fingerprint
from purrtrait.datasets.member import Content, Members, expect_within, refusal, start_of
from purrtrait.datasets.photo import CANNOT_OPEN, Unreadable
from purrtrait.datasets.tarred import of_tar
from purrtrait.datasets.zipped import of_zip

__all__ = ["Content", "Members", "checksum", "members", "refusal"]


def members(source: Path, suffixes: Set[str]) -> Members:
    """Find the files whose names end in one of ``suffixes``; sorted, but those of a tar.

    ``source`` is a folder or an archive, which is known by its content. ValueError if it is neither
    or broken.
    """
    if source.is_dir():
        return _of_folder(source, suffixes)
    if not source.exists():
        raise ValueError(f"There is no file or folder {source}: check the path.")
    of_archive = of_zip if start_of(source).startswith(b"PK") else of_tar
    return of_archive(source, suffixes)


def checksum(path: Path, algorithm: str) -> str:
    """Return the digest of a file, such as its ``md5``, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def _of_folder(root: Path, suffixes: Set[str]) -> Members:
    entries = files_below(root, suffixes)
    names = [entry.name for entry in entries]
    return Members(names, {}, fingerprint(entries), partial(_contents_of_folder, root))


def _contents_of_folder(
    root: Path, chosen: Sequence[str], limit_bytes: int
) -> Iterator[tuple[str, Content]]:
    for name in chosen:
        yield name, partial(_read, root / name, limit_bytes)


def _read(path: Path, limit_bytes: int) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(limit_bytes + 1)
    except OSError as error:
        raise Unreadable(CANNOT_OPEN) from error
    expect_within(len(data), limit_bytes)
    return data
