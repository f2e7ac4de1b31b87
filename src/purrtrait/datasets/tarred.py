"""Reads the files of a tar, compressed or not, from front to back."""

from __future__ import annotations

import gzip
import hashlib
import io
import lzma
import tarfile
from collections.abc import Callable, Container, Iterator, Mapping, Sequence, Set
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
    start_of,
)

HEADER_BYTES = 2**20  # more than all headers of a member, long names included
_UNPACKERS: Mapping[bytes, Callable[[Path], io.BufferedIOBase]] = {
    b"\x1f\x8b": gzip.GzipFile,
    b"\xfd7zXZ\x00": lzma.LZMAFile,
}
_END = bytes(tarfile.BLOCKSIZE)  # the block that ends a tar


class _Forward(io.RawIOBase):
    """A file that is read from front to back, and at most ``allowed`` bytes of it.

    A header can tell ``tarfile`` to go back, or to read without end. ``latest`` was read last.
    """

    def __init__(self, file: io.BufferedIOBase) -> None:
        super().__init__()
        self._file = file
        self.allowed = HEADER_BYTES
        self.latest = b""

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= self.allowed:
            raise tarfile.ReadError(f"a header asks for {size} bytes")
        self.allowed -= size
        self.latest = self._file.read(size)
        return self.latest

    def seek(self, place: int, whence: int = io.SEEK_SET) -> int:
        assert whence == io.SEEK_SET
        if place < self.tell():
            raise tarfile.ReadError("a header leads back")
        return self._file.seek(place)

    def tell(self) -> int:
        return self._file.tell()


def of_tar(path: Path, suffixes: Set[str]) -> Members:
    """Find the files of a tar, in its order."""
    status = path.stat()
    digest = hashlib.sha256(f"{status.st_size} {status.st_mtime_ns}\n".encode())
    found = []
    for _, info, _ in _walk_tar(path, (), 0):
        digest.update(f"{info.name}\0{info.size}\n".encode("utf-8", "surrogateescape"))
        found.append(_found_in_tar(info))
    numbers, refused = sorted_out(found, suffixes)
    contents = partial(_contents_of_tar, path, numbers)
    return Members(list(numbers), refused, digest.hexdigest(), contents)


def _found_in_tar(info: tarfile.TarInfo) -> Found:
    if info.isdir():
        return Found("", "")
    if info.issym() or info.islnk():
        return Found(info.name, LINK)
    return Found(info.name, "" if info.isreg() and not info.issparse() else NO_FILE)


def _contents_of_tar(
    path: Path, numbers: Mapping[str, int], chosen: Sequence[str], limit_bytes: int
) -> Iterator[tuple[str, Content]]:
    names = {numbers[name]: name for name in chosen}
    for number, _, content in _walk_tar(path, names, limit_bytes):
        if number in names:
            yield names.pop(number), content
        if not names:
            return


def _walk_tar(
    path: Path, chosen: Container[int], limit_bytes: int
) -> Iterator[tuple[int, tarfile.TarInfo, Content]]:
    """Go through the members once; the contents of those whose numbers are ``chosen`` are read."""
    number = 0
    try:
        with _unpacked(path) as file:
            forward = _Forward(file)
            archive = tarfile.TarFile(fileobj=forward)
            while (info := archive.next()) is not None:
                read = partial(_bytes_of, info, forward, limit_bytes)
                yield number, info, captured(read) if number in chosen else bytes
                number += 1
                # It would remember every member.
                archive.members = []  # type: ignore[attr-defined]
                archive.pax_headers = {}
                forward.allowed = HEADER_BYTES
            if forward.latest != _END:
                raise tarfile.ReadError("its end is missing")
    except Exception as error:  # tarfile and the unpackers let nearly every kind through
        raise broken(path, number, error) from error


def _unpacked(path: Path) -> io.BufferedIOBase:
    start = start_of(path)
    for mark, unpack in _UNPACKERS.items():
        if start.startswith(mark):
            return unpack(path)
    return path.open("rb")


def _bytes_of(info: tarfile.TarInfo, forward: _Forward, limit_bytes: int) -> bytes:
    expect_within(info.size, limit_bytes)
    forward.allowed = info.size
    forward.seek(info.offset_data)
    data = forward.read(info.size)
    if len(data) < info.size:
        raise tarfile.ReadError("unexpected end of data")
    return data
