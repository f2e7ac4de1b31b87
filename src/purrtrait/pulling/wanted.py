"""What is fetched for a bundle: of a name in a catalogue, of an address, or of a repository."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from purrtrait.datasets.download import private
from purrtrait.datasets.offers import Archive
from purrtrait.pulling.catalogue import NAME, Catalogue
from purrtrait.pulling.unpack import FILES, LARGEST_BYTES, Place, gather, unpack
from purrtrait.sampling import bundle
from purrtrait.words import lookup

UNCHECKED = "unchecked"
MOST_BYTES = 2**31  # of an archive
HUB = "https://huggingface.co"
HUB_VARIABLE = "HF_ENDPOINT"  # names another host with the same addresses
ENDINGS = re.compile(r"\.(zip|tar|tgz|tar\.gz|tar\.xz)$", re.IGNORECASE)
EXPECTED = (
    "expected a name of the catalogue, https://.../NAME.zip#sha256=..., or "
    "hub:OWNER/NAME@REVISION#sha256=..."
)


@dataclass(frozen=True)
class Wanted:
    """A bundle's name, what is fetched for it, and how that becomes a bundle's folder."""

    name: str
    archives: tuple[Archive, ...]
    place: Place


def find(source: str, known: Catalogue) -> Wanted:
    """What a source means; ValueError says what was expected."""
    place, _, fragment = source.partition("#")
    if place.startswith("hub:"):
        return _of_hub(place, _checksum(source, fragment))
    if "://" in place:
        return _of_address((place,), _checksum(source, fragment))
    if not re.fullmatch(NAME, source):
        raise ValueError(f"{source} says nothing that can be pulled; {EXPECTED}")
    entry = lookup(known.bundles, "bundle", source)
    if not entry.urls:
        raise ValueError(
            f"the catalogue names '{source}' without an address to fetch it from; `purrtrait pull` "
            "lists what is here already"
        )
    (archive,) = _of_address(entry.urls, f"sha256:{entry.sha256}").archives
    most = entry.size_bytes or MOST_BYTES
    return Wanted(source, (replace(archive, most_bytes=most),), unpack)


def _checksum(source: str, fragment: str) -> str:
    """The checksum that stands behind an address as ``algorithm:digits``, empty for unchecked."""
    if found := re.fullmatch(r"sha256=([0-9a-fA-F]{64})", fragment):
        return f"sha256:{found[1].lower()}"
    if fragment == UNCHECKED:
        return ""
    raise ValueError(
        f"{source} names no checksum to know the right file by; add #sha256= and its 64 digits, "
        f"from whoever offers it, or #{UNCHECKED} to take whatever comes"
    )


def _of_address(urls: Sequence[str], checksum: str) -> Wanted:
    """The archive at an address; its name is that of the file."""
    for url in urls:
        if not re.match(r"https?://[^/]", url):
            raise ValueError(f"{url} is no address of a file; {EXPECTED}")
        if not checksum:
            expect_private(url)
    file = unquote(PurePosixPath(urlsplit(urls[0]).path).name)
    name = ENDINGS.sub("", file)
    if name == file or not re.fullmatch(NAME, name):
        raise ValueError(f"{urls[0]} names no archive; expected one such as https://.../NAME.zip")
    return Wanted(name, (Archive(file, checksum, tuple(urls), MOST_BYTES),), unpack)


def _of_hub(place: str, checksum: str) -> Wanted:
    """The files of a bundle in a repository of the hub; the checksum is that of its weights."""
    found = re.fullmatch(rf"hub:({NAME})/({NAME})(?:@({NAME}))?", place)
    if not found:
        raise ValueError(f"{place} is no repository of the hub; {EXPECTED}")
    owner, name, revision = found.groups()
    root = os.environ.get(HUB_VARIABLE, HUB).rstrip("/")
    expect_private(root)
    sums = {bundle.MODEL: checksum}
    address = f"{root}/{owner}/{name}/resolve/{revision or 'main'}"
    parts = (
        Archive(file, sums.get(file, ""), (f"{address}/{file}",), LARGEST_BYTES[file])
        for file in FILES
    )
    return Wanted(name, tuple(parts), gather)


def expect_private(address: str) -> None:
    """ValueError unless nobody on the way can change what comes from an address unchecked."""
    if not private(address):
        raise ValueError(
            f"{address} is not encrypted, so that what comes from there may be anybody's; expected "
            "https://..., or a checksum"
        )
