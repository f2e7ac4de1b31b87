"""Fills a pack with the portraits of photos, in the photos' order, and leaves out copies."""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from purrtrait import machine
from purrtrait.datasets.alike import COPIES, families, superfluous
from purrtrait.datasets.cut import Pieces, Refused
from purrtrait.datasets.photo import Collection, Photo
from purrtrait.datasets.split import joined
from purrtrait.datasets.writer import PackWriter

THREADS = min(4, machine.threads() + 1)  # one more than cores: some wait for the disk
WINDOW = 4 * THREADS  # photos between the parser and the file at any time
NAMED = 10  # names that a warning lists
SHOWN = 400  # photos that are left out and kept in mind, to be shown

log = logging.getLogger(__name__)

ReportProgress: TypeAlias = Callable[[int, int], None]
CutOut: TypeAlias = Callable[[int, Photo], Pieces]


def no_report(done: int, total: int) -> None:
    """Report no progress."""


@dataclass
class Filled:
    """What is known about the rows of a pack in the making.

    ``groups``: what each row belongs to; ``quality``: photo pixels along its side, and sharpness;
    ``codes``: its hash. ``faces`` counts photos by the number of faces in them. ``left_out`` are
    the first of those that are, with what they look like.
    """

    groups: list[str] = field(default_factory=list)
    quality: list[tuple[float, float]] = field(default_factory=list)
    codes: list[int] = field(default_factory=list)
    faces: Counter[str] = field(default_factory=Counter)
    left_out: list[Refused] = field(default_factory=list)

    def note(self, photo: Photo, pieces: Pieces) -> None:
        """Remember what came of a photo."""
        for row in pieces.rows:
            self.groups.append(photo.group or photo.name)
            self.quality.append((row.side, row.detail))
            self.codes.append(row.code)
        if pieces.faces is not None:
            self.faces[str(pieces.faces) if pieces.faces < 2 else "more"] += 1
        self.left_out += pieces.refused[: max(0, SHOWN - len(self.left_out))]


def fill(
    writer: PackWriter,
    collection: Collection,
    cut_out: CutOut,
    unwanted: AbstractSet[str],
    progress: ReportProgress,
) -> Filled:
    """Write the portraits of all photos, and say what is known about them.

    Of the ``unwanted`` names, which ``cut_out`` leaves out, those that are nobody's are told.
    """
    filled = Filled()
    names: set[str] = set()
    # Closed at once when something goes wrong, so that no thread reads on.
    with closing(_in_order(cut_out, collection.photos)) as photos:
        for done, (photo, work) in enumerate(photos, 1):
            assert photo.name not in names, f"two photos are named {photo.name}"
            names.add(photo.name)
            progress(done, collection.count)
            pieces = work.result()
            names.update(row.name for row in pieces.rows)
            names.update(refused.name for refused in pieces.refused)
            for refused in pieces.refused:
                writer.quarantine(refused.name, refused.reason)
            for row in pieces.rows:
                labels = [photo.labels[name] for name in collection.labels]
                writer.append(row.name, row.pixels, labels, row.remark)
            filled.note(photo, pieces)
    if unwanted:
        log.info("the list of what to leave out names %d photos", len(unwanted & names))
    if strangers := sorted(unwanted - names):
        shown = ", ".join(strangers[:NAMED]) + ", ..." * (len(strangers) > NAMED)
        log.warning("no photos have these %d names in it: %s", len(strangers), shown)
    return filled


def _in_order(
    work: CutOut, photos: Iterator[Photo]
) -> Generator[tuple[Photo, Future[Pieces]], None, None]:
    """Each photo with what is being cut from it, in the parser's order, a window at a time."""
    waiting: deque[tuple[Photo, Future[Pieces]]] = deque()
    pool = ThreadPoolExecutor(THREADS, thread_name_prefix="decode")
    try:
        for number, photo in enumerate(photos):
            waiting.append((photo, pool.submit(work, number, photo)))
            if len(waiting) == WINDOW:
                yield waiting.popleft()
        while waiting:
            yield waiting.popleft()
    finally:
        pool.shutdown(cancel_futures=True)


def without_copies(writer: PackWriter, filled: Filled, screens: Sequence[str]) -> list[str]:
    """Look for portraits of the same photo; return the group of each row that stays.

    Copies are left out where a screen asks for it; those that stay are of one group.
    """
    images = writer.images()
    family = families(images, filled.codes)
    groups = joined(filled.groups, family.tolist())
    lost: dict[int, tuple[int, str]] = {}
    for screen in (name for name in screens if name in COPIES):
        for members in _families(family).values():
            here = [row for row in members if row not in lost]
            for row, kept in superfluous(images, here, filled.quality, screen).items():
                lost[row] = kept, COPIES[screen]
    for row, (_, reason) in lost.items():
        writer.quarantine(writer.names[row], reason, writer.names[_staying(row, lost)])
        if len(filled.left_out) < SHOWN:
            filled.left_out.append(Refused(writer.names[row], reason, images[row].copy()))
    stay = np.array([row for row in range(len(family)) if row not in lost], np.int64)
    del images  # or the file could not be cut to its length
    writer.keep(stay)
    return [groups[row] for row in stay.tolist()]


def _staying(row: int, lost: Mapping[int, tuple[int, str]]) -> int:
    """The row that stays instead: the one kept for it may have been left out for a better one."""
    while row in lost:
        row = lost[row][0]
    return row


def _families(family: np.ndarray) -> Mapping[int, list[int]]:
    """Rows by their family, where it has at least two."""
    members: dict[int, list[int]] = {}
    for row, name in enumerate(family.tolist()):
        members.setdefault(name, []).append(row)
    return {name: rows for name, rows in members.items() if len(rows) > 1}
