"""Reads Labeled Faces in the Wild, and LFWcrop: photos that are named after the person in them."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import Path, PurePosixPath

from purrtrait.datasets.archive import Members, checksum, members
from purrtrait.datasets.folder import SUFFIXES, sample
from purrtrait.datasets.packed import PICTURE_BYTES, look_into, refused_photos, said_of
from purrtrait.datasets.photo import Collection, Photo, Wanted

OFFICIAL = {
    # md5 of the archive: which alignment of the photos it is
    "68331da3eb755a505a502b5aacb3c201": "deep-funneled",
    "1b42dfed7d15c9b2dd63d5e5840c86ad": "funneled",
    "a17d05bd522c52d84eca14327a23d494": "original",
}
FOREIGN = "not named as the photos of LFW are"

_NAMED = re.compile(r"(.+)_[0-9]{4}")  # the person, and the photo's number

CROPPED = (".pgm", ".ppm")  # of LFWcrop, whose pictures are faces already

log = logging.getLogger(__name__)


def parse_lfw(wanted: Wanted) -> Collection:
    """Find the photos of LFW in its archive, its folder or the folder around it.

    Each is named Name_Surname_0001.jpg, whatever the folder; the person is its group.
    """
    assert wanted.source is not None, "the table says that this parser needs a source"
    found = members(wanted.source, SUFFIXES)
    people = {name: _person(name) for name in found.names if _person(name)}
    if len(set(people.values())) < 2:
        raise ValueError(
            f"{wanted.source} is not LFW{said_of(found.refused)}: expected the archive "
            "lfw-deepfunneled.tgz, lfw-funneled.tgz or lfw.tgz, or the folder that it unpacks to, "
            "with photos of many people such as Name_Surname/Name_Surname_0001.jpg (LFWcrop: "
            "Name_Surname_0001.pgm). Pictures with other names are read by the parser folder."
        )
    counted = f"{len(people):,} photos of {len(set(people.values())):,} people"
    log.info("%s: %s", _recognised(wanted.source), counted)
    refused = {**found.refused, **{name: FOREIGN for name in found.names if name not in people}}
    chosen = sample(list(people), wanted)
    return Collection(
        count=len(chosen) + len(refused),
        fingerprint=found.fingerprint,
        photos=chain(_photos(found, chosen), refused_photos(refused)),
        align="none" if all(name.lower().endswith(CROPPED) for name in people) else "",
    )


def _photos(found: Members, chosen: Sequence[str]) -> Iterator[Photo]:
    for name, content in found.contents(chosen, PICTURE_BYTES):
        yield Photo(name, partial(look_into, content), group=_person(name))


def _person(name: str) -> str:
    """Return who is in the photo; nobody if it is not named so."""
    named = _NAMED.fullmatch(PurePosixPath(name).stem)
    return named[1] if named else ""


def _recognised(source: Path) -> str:
    if source.is_dir():
        return f"the folder {source}"
    alignment = OFFICIAL.get(checksum(source, "md5"))
    if alignment is None:
        return f"{source}, not an official file of LFW (a subset, or a changed copy?)"
    return f"{source}, the official {alignment} archive"
