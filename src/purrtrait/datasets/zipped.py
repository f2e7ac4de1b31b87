"""Reads the files of a zip, one after another."""

from __future__ import annotations

import hashlib
import stat
import zipfile
from collections.abc import Iterator, Mapping, Sequence, Set
from functools import partial
from pathlib import Path

from purrtrait.datasets.member import (
    LINK,
    NO_FILE,
    Content,
    Found,
    Members,
    broken,
    captured,
    expect_within,
    sorted_out,
)
from purrtrait.datasets.photo import DAMAGED, Unreadable

ENCRYPTED = "locked with a password"
RARE = "packed by a method other than store and deflate"
LIES = "its size is not what the archive says"


def of_zip(path: Path, suffixes: Set[str]) -> Members:
    """Find the files of a zip, sorted by name."""
    digest = hashlib.sha256()
    found = []
    with _opened_zip(path) as archive:
        for info in archive.infolist():
            line = f"{info.filename}\0{info.file_size}\0{info.CRC}\n"
            digest.update(line.encode("utf-8", "surrogateescape"))
            found.append(_found_in_zip(info))
    numbers, refused = sorted_out(found, suffixes)
    contents = partial(_contents_of_zip, path, numbers)
    return Members(sorted(numbers), refused, digest.hexdigest(), contents)


def _opened_zip(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except Exception as error:  # what is no zip brings forth nearly every kind
        raise broken(path, 0, error) from error


def _found_in_zip(info: zipfile.ZipInfo) -> Found:
    if info.is_dir():
        return Found("", "")
    kind = stat.S_IFMT(info.external_attr >> 16)  # zero where the writer knew of no kinds
    refusals = (
        (ENCRYPTED, info.flag_bits & 1),
        (LINK, kind == stat.S_IFLNK),
        (NO_FILE, kind not in (0, stat.S_IFREG)),
        (RARE, info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)),
    )
    return Found(info.filename, next((reason for reason, holds in refusals if holds), ""))


def _contents_of_zip(
    path: Path, numbers: Mapping[str, int], chosen: Sequence[str], limit_bytes: int
) -> Iterator[tuple[str, Content]]:
    with _opened_zip(path) as archive:
        infos = archive.infolist()
        for name in chosen:
            yield name, captured(partial(_inflated, archive, infos[numbers[name]], limit_bytes))


def _inflated(archive: zipfile.ZipFile, info: zipfile.ZipInfo, limit_bytes: int) -> bytes:
    expect_within(info.file_size, limit_bytes)
    try:
        with archive.open(info) as file:
            data = file.read(limit_bytes + 1)
    except Exception as error:  # again of nearly every kind, but about this member alone
        raise Unreadable(DAMAGED) from error
    if len(data) != info.file_size:
        raise Unreadable(LIES)
    return data
