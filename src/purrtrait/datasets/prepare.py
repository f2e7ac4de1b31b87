"""Turns photos into a pack: parse, decode, fit, split, write."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TypeAlias

import numpy as np

from purrtrait.datasets.manifest import Manifest, own_version, runs
from purrtrait.datasets.order import Order, described_as, excluded, expect_order, flips
from purrtrait.datasets.pack import HELD_OUT, TRAIN, Pack
from purrtrait.datasets.photo import Collection, Photo, Unreadable, Wanted
from purrtrait.datasets.room import expect_room
from purrtrait.datasets.writer import PackWriter, reserved, row_files, write_manifest
from purrtrait.images.colour import grey
from purrtrait.images.resize import fit
from purrtrait.types import Draw

__all__ = ["Order", "no_report", "prepare"]

EXCLUDED = "named in the list of photos to leave out"
LEAST_SIDE = 8  # a photo whose shorter side has fewer pixels shows nothing
TOO_SMALL = f"too small: its shorter side is under {LEAST_SIDE} pixels"
CROP = "the middle square, averaged exactly when it is larger than the size, bicubic when smaller"
THREADS = min(4, os.cpu_count() or 1)
WINDOW = 4 * THREADS  # photos between the parser and the file at any time
ROW_BYTES = 256  # of the manifest and the labels, for each photo
NAMED = 10  # names that a warning lists

log = logging.getLogger(__name__)

ReportProgress: TypeAlias = Callable[[int, int], None]


def no_report(done: int, total: int) -> None:
    """Report no progress."""


def prepare(order: Order, out: Path, progress: ReportProgress = no_report) -> Pack:
    """Return the pack of ``order`` in the folder ``out``: made, or opened if it is there already.

    ``progress`` is told after each photo how many are done, and how many there are. Nothing is ever
    overwritten. ValueError says what stands in the way.
    """
    entry = expect_order(order)
    count = entry.default_count if order.count is None else order.count
    collection = entry.parse(Wanted(order.source, order.size, count, order.seed))
    described = described_as(order, entry, count, collection)
    if _occupied(out):
        return _the_same(out, described)
    channels = 1 if order.grey else 3
    expect_room(
        out,
        collection.count * (order.size**2 * channels + ROW_BYTES),
        collection.memory_bytes + WINDOW * order.size**2 * 3,
    )
    with reserved(out) as folder:
        with row_files(folder, order.size, channels, len(collection.labels)) as writer:
            _fill(writer, order, collection, progress)
            _expect_some(writer, order)
            hashes = writer.finish()
        write_manifest(
            folder,
            Manifest(
                purrtrait_version=own_version(),
                order=described,
                size=order.size,
                channels=channels,
                crop=CROP,
                flip_natural=flips(order, entry),
                credit=entry.credit,
                labels=collection.labels,
                photos=writer.names,
                split=runs(_split(len(writer.names), order)),
                images_sha256=hashes[0],
                labels_sha256=hashes[1],
                quarantined=writer.quarantined,
            ),
        )
    return Pack.open(out)


def _fill(
    writer: PackWriter, order: Order, collection: Collection, progress: ReportProgress
) -> None:
    work = partial(_row, size=order.size, in_grey=order.grey)
    names: set[str] = set()
    unwanted = excluded(order)
    # Closed at once when something goes wrong, so that no thread reads on.
    with closing(_in_order(work, collection.photos)) as rows:
        for done, (photo, row) in enumerate(rows, 1):
            assert photo.name not in names, f"two photos are named {photo.name}"
            names.add(photo.name)
            progress(done, collection.count)
            if photo.name in unwanted:
                row.cancel()
                writer.quarantine(photo.name, EXCLUDED)
                continue
            try:
                pixels = row.result()
            except Unreadable as error:
                writer.quarantine(photo.name, error.reason)
            else:
                labels = [photo.labels[name] for name in collection.labels]
                writer.append(photo.name, pixels, labels)
    if unwanted:
        log.info("%s leaves out %d photos", order.exclude, len(unwanted & names))
    if strangers := sorted(unwanted - names):
        shown = ", ".join(strangers[:NAMED]) + ", ..." * (len(strangers) > NAMED)
        log.warning("no photos have these %d names in it: %s", len(strangers), shown)


def _row(photo: Photo, size: int, in_grey: bool) -> np.ndarray:
    pixels = photo.read()
    if min(pixels.shape[:2]) < LEAST_SIDE:
        raise Unreadable(TOO_SMALL)
    fitted = fit(pixels, size)
    return grey(fitted) if in_grey else fitted


def _in_order(
    work: Callable[[Photo], np.ndarray], photos: Iterator[Photo]
) -> Generator[tuple[Photo, Future[np.ndarray]], None, None]:
    """Each photo with its row in the making, in the parser's order, a window at a time."""
    waiting: deque[tuple[Photo, Future[np.ndarray]]] = deque()
    pool = ThreadPoolExecutor(THREADS, thread_name_prefix="decode")
    try:
        for photo in photos:
            waiting.append((photo, pool.submit(work, photo)))
            if len(waiting) == WINDOW:
                yield waiting.popleft()
        while waiting:
            yield waiting.popleft()
    finally:
        pool.shutdown(cancel_futures=True)


def _split(rows: int, order: Order) -> list[str]:
    """Return the split of each row; a row is a photo, and at least one is left to train on."""
    held_out = min(round(order.split * rows), rows - 1)
    chosen = set(Draw(order.seed, "prepare", 0).permutation(rows, "split")[:held_out].tolist())
    return [HELD_OUT if row in chosen else TRAIN for row in range(rows)]


def _occupied(out: Path) -> bool:
    return out.exists() and not (out.is_dir() and not any(out.iterdir()))


def _the_same(out: Path, described: dict[str, object]) -> Pack:
    """Return the pack at ``out`` if it was made from the same order; else ValueError."""
    advice = "Nothing is overwritten: choose another name, or delete it first."
    try:
        pack = Pack.open(out)
    except ValueError as error:
        raise ValueError(f"{out} is there already and cannot be used. {error} {advice}") from error
    there = pack.manifest.order
    different = [
        f"{name} is {there.get(name)!r} there and {described.get(name)!r} here"
        for name in {**described, **there}
        if there.get(name) != described.get(name)
    ]
    if different:
        raise ValueError(f"{out} holds a different pack: {'; '.join(different)}. {advice}")
    return pack


def _expect_some(writer: PackWriter, order: Order) -> None:
    if not writer.names:
        counted = ", ".join(f"{count} {reason}" for reason, count in writer.reasons().items())
        raise ValueError(
            f"None of the {len(writer.quarantined)} photos of {order.source or order.parser} can "
            f"be used ({counted}): expected at least one. No pack was written."
        )
