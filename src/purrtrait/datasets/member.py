"""What the files of a folder, a zip or a tar have in common: names, refusals, contents."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import NamedTuple, TypeAlias

from purrtrait.datasets.photo import Unreadable

OUTSIDE = "its name leads out of the archive"
AGAIN = "a second file of the same name"
LINK = "a link inside an archive"
NO_FILE = "not an ordinary file"

Content: TypeAlias = Callable[[], bytes]  # raises Unreadable


@dataclass(frozen=True)
class Members:
    """The files of a folder or an archive: ``names`` are relative POSIX paths, each one once.

    ``refused`` says of every other file why it is not read. ``contents`` takes names, in their
    order here, and a limit in bytes, and reads one after another; asked for, the content of a
    larger or a damaged file raises ``Unreadable``. ``fingerprint`` changes when a file does.
    """

    names: Sequence[str]
    refused: Mapping[str, str]
    fingerprint: str
    contents: Callable[[Sequence[str], int], Iterator[tuple[str, Content]]]


class Found(NamedTuple):
    """A member of an archive, and why it is refused, if it is."""

    name: str  # as the archive has it; empty for a folder
    refusal: str  # empty if there is none


def start_of(path: Path) -> bytes:
    """The first bytes of a file, which tell its kind; ValueError if it cannot be opened."""
    try:
        with path.open("rb") as file:
            return file.read(6)
    except OSError as error:
        raise broken(path, 0, error) from error


def broken(path: Path, read: int, error: Exception) -> ValueError:
    """What is said of an archive that fails after so many members."""
    if read == 0:
        return ValueError(
            f"{path} cannot be read as an archive ({error}): expected a whole .zip, .tar, .tar.gz "
            "or .tar.xz file. If it was one, fetch it again."
        )
    return ValueError(
        f"{path} is damaged or cut off after the first {read:,} of its files and folders "
        f"({error}); the rest is lost. Fetch it again, or unpack what comes out of it and name "
        "that folder instead."
    )


def refusal(reason: str) -> Content:
    """Content that cannot be had."""
    return partial(_refuse, reason)


def _refuse(reason: str) -> bytes:
    raise Unreadable(reason)


def captured(read: Callable[[], bytes]) -> Content:
    """Read now; what is wrong with this one file is said when its content is asked for."""
    try:
        return partial(bytes, read())
    except Unreadable as error:
        return refusal(error.reason)


def expect_within(size_bytes: int, limit_bytes: int) -> None:
    """Refuse what is larger than the limit."""
    if size_bytes > limit_bytes:
        raise Unreadable(f"larger than {limit_bytes:,} bytes")


_ABSOLUTE = re.compile(r"/|[A-Za-z]:/")
_HIDDEN = re.compile(r"(^|/)(\.|__MACOSX/)")


def _plain(raw: str) -> tuple[str, str]:
    """Return the relative POSIX path of a member; if it is none, with the reason against it."""
    path = raw.replace("\\", "/")
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if _ABSOLUTE.match(path) or ".." in parts:
        return path, OUTSIDE
    return "/".join(parts), ""


def sorted_out(found: Iterable[Found], suffixes: Set[str]) -> tuple[dict[str, int], dict[str, str]]:
    """Return the numbers of the members to read and the reasons against others, by name."""
    numbers: dict[str, int] = {}
    refused: dict[str, str] = {}
    for number, (raw, reason) in enumerate(found):
        name, outside = _plain(raw)
        hidden = not outside and _HIDDEN.search(name)
        if hidden or PurePosixPath(name).suffix.lower() not in suffixes:
            continue
        if name in numbers or name in refused:
            refused[f"{name} (member {number})"] = AGAIN
        elif outside or reason:
            refused[name] = outside or reason
        else:
            numbers[name] = number
    return numbers, refused
