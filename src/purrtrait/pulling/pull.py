"""Pulls trained bundles: by name from a catalogue, from an address, or from a hub repository."""

from __future__ import annotations

import hashlib
import shutil
import time
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from purrtrait import shelf
from purrtrait.datasets.archive import checksum
from purrtrait.datasets.download import Advice, Pause, ReportBytes, fetch_one
from purrtrait.datasets.offers import Archive
from purrtrait.pulling import catalogue
from purrtrait.pulling.catalogue import Catalogue
from purrtrait.pulling.unpack import FILES
from purrtrait.pulling.wanted import expect_private, find
from purrtrait.sampling import bundle

CATALOGUE_BYTES = 2**24  # at the most
DOWNLOADS = ".downloads"  # beside the bundles: what has arrived of them so far


class Pulled(NamedTuple):
    """The folder of a bundle, and the SHA-256 of what was fetched for it, by file."""

    path: Path
    sha256: dict[str, str]


def pull(
    source: str,
    known: Catalogue,
    to: Path | None,
    progress: ReportBytes,
    pause: Pause = time.sleep,
) -> Pulled:
    """Fetch a bundle into ``to``/NAME; by default to where bundles are found by name.

    ``source`` is a name in the catalogue ``known``, the address of an archive, or a repository of
    the hub. A bundle appears whole, checked and such that it can be opened, or not at all; nothing
    is overwritten. ValueError says what stands in the way, and what can be done by hand.
    """
    entry = known.bundles.get(source)
    if to is None and source in shelf.shipped() and not (entry and entry.urls):
        return Pulled(shelf.shipped()[source], {})
    wanted = find(source, known)
    if to is None and wanted.name in shelf.shipped():
        raise ValueError(
            f"a bundle named {wanted.name} comes with purrtrait, and is what that name means; put "
            "this one somewhere else with --to FOLDER"
        )
    root = to or shelf.folder()
    target = root / wanted.name
    downloads = root / DOWNLOADS / hashlib.sha256(source.encode()).hexdigest()[:16]
    shelf.expect_free(target)
    ours = [downloads, downloads.parent] + ([] if root.exists() else [root])
    try:
        fetched = [
            fetch_one(one, downloads, _advice(one, target), progress, pause)
            for one in wanted.archives
        ]
    except BaseException:
        _remove_empty(*ours)  # what has arrived stays, to be continued
        raise
    sums = {file.name: checksum(file, "sha256") for file in fetched}
    try:
        with shelf.placing(target) as folder:
            wanted.place(fetched, folder)
            _expect_whole(folder, wanted.name)
    finally:
        shutil.rmtree(downloads, ignore_errors=True)
        _remove_empty(*ours[1:])
    return Pulled(target, sums)


def catalogued(source: str | None, progress: ReportBytes, pause: Pause = time.sleep) -> Catalogue:
    """The catalogue in a file or at an address; that of purrtrait where none is named."""
    if source is None:
        return catalogue.read(catalogue.OWN, str(catalogue.OWN))
    if "://" not in source:
        return catalogue.read(Path(source), source)
    expect_private(source)
    with TemporaryDirectory() as folder:
        wanted = Archive("catalogue", "", (source,), CATALOGUE_BYTES)
        advice = Advice("", "fetch the catalogue by hand, and name the file with --catalogue.")
        return catalogue.read(fetch_one(wanted, Path(folder), advice, progress, pause), source)


def _expect_whole(folder: Path, name: str) -> None:
    """ValueError unless a bundle can be opened, and draws what it says."""
    try:
        bundle.verify(folder)
    except ValueError as error:  # which names a folder that will be gone
        raise ValueError(str(error).replace(str(folder), name)) from None


def _advice(wanted: Archive, target: Path) -> Advice:
    known = f" (its {wanted.checksum.replace(':', ' is ')})" if wanted.checksum else ""
    return Advice(
        "Remove it to fetch the right one.",
        f"get it by hand from {wanted.mirrors[0]}{known}, and make the folder {target} with the "
        f"bundle's files in it: {', '.join(FILES)}.",
    )


def _remove_empty(*folders: Path) -> None:
    """Remove folders, the innermost first, up to one in which something is."""
    with suppress(OSError):
        for folder in folders:
            folder.rmdir()
