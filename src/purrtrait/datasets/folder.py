"""Reads any folder of pictures, nested or not."""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from purrtrait.datasets.photo import Collection, Photo, Wanted, look
from purrtrait.types import Draw

JPEG = frozenset({".jpg", ".jpeg", ".jfif", ".jpe"})
SUFFIXES = JPEG | {".png", ".webp", ".bmp", ".pgm", ".ppm", ".gif"}
OTHERS = frozenset({".heic", ".heif", ".avif", ".tif", ".tiff"})  # pictures that are not read
# A folder with these is one of our own: a pack, a run, a checkpoint or bundle, an arena, samples.
OWN = (
    frozenset({"manifest.json", "images.npy"}),
    frozenset({"run.json", "recipe.toml"}),
    frozenset({"sampler.json", "model.safetensors"}),
    frozenset({"arena.json", "recipes"}),
)
SAMPLES = re.compile(r"portrait-0+\.png|verdicts_\d+\.csv")  # beside which there are others
COPY = re.compile(r"((?:.*/)?\d{6})_\d{3}\.jpg", re.DOTALL)  # as images.written names them

log = logging.getLogger(__name__)

Item = TypeVar("Item")


@dataclass(frozen=True)
class Entry:
    """A file below a folder; ``name`` is its path relative to the folder, POSIX."""

    name: str
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
    found = files_below(root, SUFFIXES | OTHERS)
    entries = [entry for entry in found if entry.path.suffix.lower() in SUFFIXES]
    if len(entries) < len(found):
        log.warning(
            "%d files in %s are pictures of kinds that are not read (HEIC, AVIF, TIFF): save them "
            "as JPEG or PNG",
            len(found) - len(entries),
            root,
        )
    if not entries:
        raise ValueError(
            f"No picture in {root} or the folders in it: expected files that end in "
            f"{' '.join(sorted(SUFFIXES))}. Name the folder that holds them."
        )
    chosen = sample(entries, wanted)
    return Collection(
        count=len(chosen),
        fingerprint=fingerprint(entries),
        photos=(
            Photo(entry.name, partial(look, entry.path), group=photo_of(entry.name))
            for entry in chosen
        ),
    )


def photo_of(name: str) -> str:
    """The group of a picture: for an augmented copy, IIIIII_AAA.jpg, what its copies share.

    Copies of a photo must not be divided between training and scores. Empty for all others.
    """
    found = COPY.fullmatch(name)
    return found[1] if found else ""


def _expect_folder(root: Path) -> None:
    if not root.exists():
        raise ValueError(f"There is no folder {root}: check the path.")
    if not root.is_dir():
        raise ValueError(
            f"{root} is a file, expected a folder of pictures: use the parser archive if it is "
            f"one, or name the folder {root.parent} that it lies in."
        )


def files_below(root: Path, suffixes: Set[str]) -> list[Entry]:
    """List the files below a folder whose names end in one of ``suffixes``, sorted by name.

    Each comes once: what was seen under another name (a link, a loop) is passed over, as one photo
    under two names could end in both splits. Hidden files are passed over too.
    """
    return sorted(_walk(root, "", suffixes, set()), key=lambda entry: entry.name)


def _walk(
    folder: Path, prefix: str, suffixes: Set[str], seen: set[tuple[int, int]]
) -> Iterator[Entry]:
    if _again(folder.stat(), seen):
        return
    for entry in _entries(folder, prefix):
        if entry.name.startswith(".") or (entry.is_symlink() and not Path(entry.path).exists()):
            continue  # hidden, or a link to nothing
        name = prefix + entry.name
        if entry.is_dir():
            yield from _walk(Path(entry.path), name + "/", suffixes, seen)
        elif entry.is_file() and Path(entry.name).suffix.lower() in suffixes:
            # Not entry.stat(): on Windows it does not know the file's number.
            status = Path(entry.path).stat()
            if not _again(status, seen):
                yield Entry(name, Path(entry.path), status.st_size, status.st_mtime_ns)


def _entries(folder: Path, prefix: str) -> list[os.DirEntry[str]]:
    """List a folder; links last, so that a picture goes by its own name rather than a link's.

    Nothing where it is of our own making, whose contact sheets, previews and portraits are no
    photos, or may not be read. ValueError where that is the folder that was named.
    """
    try:
        with os.scandir(folder) as found:
            listed = sorted(found, key=lambda entry: (entry.is_symlink(), entry.name))
    except PermissionError as error:
        if not prefix:
            raise ValueError(
                f"The folder {folder} may not be read: change its permissions, or move it."
            ) from error
        log.warning("left out: the folder %s may not be read", prefix)
        return []
    names = {entry.name for entry in listed}
    own = any(names >= files for files in OWN)
    drawn = prefix and any(map(SAMPLES.fullmatch, names))
    return [] if own or drawn else listed


def _again(status: os.stat_result, seen: set[tuple[int, int]]) -> bool:
    """Whether this file or folder was seen before; remembers it."""
    key = (status.st_dev, status.st_ino)
    before = key in seen
    seen.add(key)
    return before


def sample(found: Sequence[Item], wanted: Wanted) -> Sequence[Item]:
    """Draw as many as are wanted, keyed by the seed, in the order in which they were found."""
    if wanted.count is None or wanted.count >= len(found):
        return found
    order = Draw(wanted.seed, "prepare", 0).permutation(len(found), "sample")
    return [found[row] for row in sorted(order[: wanted.count])]


def fingerprint(entries: Sequence[Entry]) -> str:
    """Return a digest of names, sizes and times: cheap, and different when a file is."""
    digest = hashlib.sha256()
    for entry in entries:
        line = f"{entry.name}\0{entry.size_bytes}\0{entry.modified_nanoseconds}\n"
        digest.update(line.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()
