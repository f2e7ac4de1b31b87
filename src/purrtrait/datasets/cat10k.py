"""Reads the CAT dataset of ten thousand cats, whose heads are annotated with nine points."""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from purrtrait.datasets.annotation import clipped, keypoints
from purrtrait.datasets.archive import Content, Members, checksum, members, refusal
from purrtrait.datasets.folder import SUFFIXES, sample
from purrtrait.datasets.offers import OFFERS
from purrtrait.datasets.packed import PICTURE_BYTES, look_into, refused_photos, said_of
from purrtrait.datasets.photo import Collection, Photo, Unreadable, Wanted
from purrtrait.images.align import Face

OFFICIAL = {
    archive.name: archive.checksum.partition(":")[2] for archive in OFFERS["cat10k"].archives
}
UNOFFICIAL = "not the official file (a part of it, or a changed copy?)"
ANNOTATION = ".cat"  # follows the whole name of the photo
ANNOTATION_BYTES = 4096  # many times a line of nineteen numbers

LACKING = "has no annotation"
STRAY = "an annotation without a photo"

log = logging.getLogger(__name__)


class _Part(NamedTuple):
    prefix: str  # sets the names of an archive apart from those of the other
    members: Members


def parse_cat10k(wanted: Wanted) -> Collection:
    """Find the annotated photos in the archives as downloaded, one of them, or an unpacked folder.

    The archives are looked for in the folder; else it may hold CAT_00 ... CAT_06 or the files
    themselves. ``face`` of a photo has the nine points, which ``adjust`` clips to its size.
    """
    assert wanted.source is not None, "the table says that this parser needs a source"
    parts = _parts(wanted.source)
    pairs = [(part, name) for part in parts for name in _annotated(part.members)]
    refused = {
        part.prefix + name: reason
        for part in parts
        for name, reason in _refused(part.members).items()
    }
    if not pairs:
        raise ValueError(
            f"No annotated photo in {wanted.source}{said_of(refused)}: expected a folder with "
            f"{' and '.join(OFFICIAL)}, or with their unpacked files NAME.jpg and NAME.jpg"
            f"{ANNOTATION}. Photos without annotations are read by the parser folder."
        )
    log.info("%d annotated photos in %s%s", len(pairs), wanted.source, said_of(refused))
    chosen = sample(pairs, wanted)
    photos = [_photos(part, [name for other, name in chosen if other is part]) for part in parts]
    return Collection(
        count=len(chosen) + len(refused),
        fingerprint=_fingerprint(parts),
        photos=chain(*photos, refused_photos(refused)),
    )


def _parts(source: Path) -> Sequence[_Part]:
    archives = [source / name for name in OFFICIAL if (source / name).is_file()]
    for path in archives:
        official = checksum(path, "md5") == OFFICIAL[path.name]
        log.info("%s: %s", path, "the official file" if official else UNOFFICIAL)
    suffixes = SUFFIXES | {ANNOTATION}
    found = {path.stem: members(path, suffixes) for path in archives or [source]}
    names = Counter(name for part in found.values() for name in (*part.names, *part.refused))
    alike = any(count > 1 for count in names.values())
    return [_Part(f"{stem}/" if alike else "", part) for stem, part in found.items()]


def _annotated(found: Members) -> Sequence[str]:
    names = set(found.names)
    return [name for name in found.names if name + ANNOTATION in names]


def _refused(found: Members) -> Mapping[str, str]:
    """Return the reasons against refused members, and files without their other half, by name."""
    photos = set(_annotated(found))
    halves = {
        name: STRAY if PurePosixPath(name).suffix.lower() == ANNOTATION else LACKING
        for name in found.names
        if name not in photos and name.removesuffix(ANNOTATION) not in photos
    }
    return {**found.refused, **halves}


def _photos(part: _Part, chosen: Sequence[str]) -> Iterator[Photo]:
    annotations = dict(
        part.members.contents([name + ANNOTATION for name in chosen], ANNOTATION_BYTES)
    )
    for name, content in part.members.contents(chosen, PICTURE_BYTES):
        yield _photo(part.prefix + name, content, annotations[name + ANNOTATION])


def _photo(name: str, content: Content, annotation: Content) -> Photo:
    try:
        face = Face(keypoints(annotation().decode("ascii", "replace")))
    except Unreadable as error:
        return Photo(name, partial(look_into, refusal(error.reason)))
    return Photo(name, partial(look_into, content), face=face, adjust=clipped)


def _fingerprint(parts: Sequence[_Part]) -> str:
    """Return one digest for all parts; of a single one its own."""
    if len(parts) == 1:
        return parts[0].members.fingerprint
    return hashlib.sha256(" ".join(part.members.fingerprint for part in parts).encode()).hexdigest()
