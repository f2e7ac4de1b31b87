"""Reads the pictures of a zip or tar, with their classes if it was packed for StyleGAN."""

from __future__ import annotations

import io
import json
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from functools import partial
from itertools import chain
from pathlib import PurePosixPath
from typing import Any

from purrtrait.datasets.archive import Content, Members, members, refusal
from purrtrait.datasets.folder import SUFFIXES, photo_of, sample
from purrtrait.datasets.pack import MOST_CLASSES
from purrtrait.datasets.photo import Collection, Photo, Picture, Shrink, Unreadable, Wanted, look

PICTURE_BYTES = 2**25  # no picture is larger, unpacked; a few are held at a time
CLASSES = "dataset.json"
CLASSES_BYTES = 2**24  # half a million pictures
LABEL = "class"

log = logging.getLogger(__name__)


def parse_archive(wanted: Wanted) -> Collection:
    """Find the pictures in a zip, sorted by name, or in a tar, in its order; or in a folder.

    ``count`` is the size of a sample, as of a folder. Refused members come last, unreadable.
    """
    assert wanted.source is not None, "the table says that this parser needs a source"
    found = members(wanted.source, SUFFIXES | {PurePosixPath(CLASSES).suffix})
    pictures = [name for name in found.names if PurePosixPath(name).suffix.lower() in SUFFIXES]
    if not pictures:
        raise ValueError(
            f"No picture in {wanted.source}{said_of(found.refused)}: expected files that end in "
            f"{' '.join(sorted(SUFFIXES))}."
        )
    classes = _classes(found, set(pictures))
    labels = {LABEL: max(classes.values()) + 1} if classes else {}
    chosen = sample(pictures, wanted)
    return Collection(
        count=len(chosen) + len(found.refused),
        fingerprint=found.fingerprint,
        photos=chain(_photos(found, chosen, classes), refused_photos(found.refused, labels)),
        labels=labels,
    )


def _photos(found: Members, chosen: Sequence[str], classes: Mapping[str, int]) -> Iterator[Photo]:
    for name, content in found.contents(chosen, PICTURE_BYTES):
        labels = {LABEL: classes[name]} if classes else {}
        yield Photo(name, partial(look_into, content), labels, group=photo_of(name))


def look_into(content: Content, shrink: Shrink) -> Picture:
    """Look at the picture whose file has this content, as a photo's ``look`` does."""
    return look(io.BytesIO(content()), shrink)


def refused_photos(refused: Mapping[str, str], labels: Iterable[str] = ()) -> Iterator[Photo]:
    """Photos that cannot be used, for the list of what was left out: reasons by their names.

    They have all ``labels`` that the other photos have, with 0 for what nobody will look at.
    """
    for name, reason in refused.items():
        yield Photo(name, partial(look_into, refusal(reason)), dict.fromkeys(labels, 0))


def said_of(refused: Mapping[str, str]) -> str:
    """Say in brackets how often files are not read for which reason; nothing if all are."""
    counted = Counter(refused.values()).most_common()
    said = ", ".join(f"{count} x {reason}" for reason, count in counted)
    return f" (not read: {said})" if said else ""


def _classes(found: Members, pictures: Set[str]) -> Mapping[str, int]:
    """Return the class of every picture, or nothing where the archive does not say it rightly."""
    if CLASSES not in found.names:
        return {}
    ((_, content),) = found.contents([CLASSES], CLASSES_BYTES)
    try:
        return _numbered(json.loads(content())["labels"] or [], pictures)
    except (Unreadable, ValueError, LookupError, TypeError, RecursionError) as error:
        log.warning(
            '%s is ignored, the pictures get no labels: expected {"labels": [["a.png", 6], ...]} '
            "with a class for every picture (%s)",
            CLASSES,
            error,
        )
        return {}


def _numbered(labels: Any, pictures: Set[str]) -> Mapping[str, int]:
    classes = {name: number for name, number in labels if name in pictures}
    if labels and len(classes) < len(pictures):
        raise ValueError(f"{len(classes)} of {len(pictures)} have one")
    if not all(type(number) is int and 0 <= number < MOST_CLASSES for number in classes.values()):
        raise ValueError(f"a class is not a whole number from 0 to {MOST_CLASSES - 1}")
    return classes
