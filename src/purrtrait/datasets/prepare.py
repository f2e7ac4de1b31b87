"""Turns photos into a pack: parse, cut out, screen, split, write."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from purrtrait.datasets import cut
from purrtrait.datasets.alike import difference_hash
from purrtrait.datasets.beside import NOTHING, Beside, contact_sheets, opened
from purrtrait.datasets.cut import Cut
from purrtrait.datasets.detect import FINDERS
from purrtrait.datasets.fill import WINDOW, ReportProgress, fill, no_report, without_copies
from purrtrait.datasets.manifest import Manifest, own_version, runs
from purrtrait.datasets.order import (
    Order,
    alignment,
    described_as,
    excluded,
    expect_order,
    flips,
    wanted_screens,
)
from purrtrait.datasets.pack import Pack
from purrtrait.datasets.photo import ParserEntry, Wanted
from purrtrait.datasets.room import expect_room
from purrtrait.datasets.screen import SCREENS
from purrtrait.datasets.split import split
from purrtrait.datasets.writer import PackWriter, reserved, row_files, write_manifest
from purrtrait.images.align import ALIGNMENTS

__all__ = ["Beside", "Order", "no_report", "prepare"]

CROP = "the middle square, averaged exactly when it is larger than the size, bicubic when smaller"
ALIGNED = "aligned as {}, in one resampling"
ROW_BYTES = 256  # of the manifest and the labels, for each photo
FEW = 500  # pictures: with fewer, a critic soon knows them all by heart

log = logging.getLogger(__name__)


def prepare(
    order: Order, out: Path, progress: ReportProgress = no_report, beside: Beside = NOTHING
) -> Pack:
    """Return the pack of ``order`` in the folder ``out``: made, or opened if it is there already.

    ``progress`` is told after each photo how many are done, and how many there are. ``beside`` says
    what else is written while the pack is made. Nothing is ever overwritten. ValueError says what
    stands in the way.
    """
    entry = expect_order(order)
    count = entry.default_count if order.count is None else order.count
    collection = entry.parse(Wanted(order.source, order.size, count, order.seed))
    described = described_as(order, entry, count, collection)
    if _occupied(out):
        return _the_same(out, described, beside)
    channels = 1 if order.grey else 3
    expect_room(
        out,
        collection.count * (order.size**2 * channels + ROW_BYTES),
        collection.memory_bytes + WINDOW * order.size**2 * 3,
    )
    cv2.setNumThreads(1)  # our own threads have a photo each
    align = alignment(order, entry)
    with reserved(out) as folder, opened(beside, order.size, order.seed, align) as writers:
        with row_files(folder, order.size, channels, len(collection.labels)) as writer:
            how = _cut(order, entry, writers)
            filled = fill(writer, collection, how, excluded(order), progress)
            _expect_some(writer, order)
            groups = filled.groups
            if entry.photographs:
                groups = without_copies(writer, filled, wanted_screens(order, entry))
            if beside.contact_sheet:
                contact_sheets(folder, writer.images(), filled.left_out)
            hashes = writer.finish()
        if len(groups) < FEW:
            log.warning("only %d pictures: faces are learnt from some thousands", len(groups))
        write_manifest(
            folder,
            Manifest(
                purrtrait_version=own_version(),
                order=described,
                size=order.size,
                channels=channels,
                crop=CROP if align == "none" else ALIGNED.format(align),
                flip_natural=flips(order, entry),
                credit=entry.credit,
                labels=collection.labels,
                photos=writer.names,
                split=runs(split(groups, order.split, order.seed)),
                images_sha256=hashes[0],
                labels_sha256=hashes[1],
                quarantined=writer.quarantined,
                groups=groups if len(set(groups)) < len(groups) else (),
                faces={} if order.find is None else dict(filled.faces),
            ),
        )
    return Pack.open(out)


def _cut(order: Order, entry: ParserEntry, beside: Sequence[cut.Beside]) -> Cut:
    """Say how portraits are cut out of the photos of an order."""
    align = ALIGNMENTS[alignment(order, entry)]
    faces: cut.Faces = cut.known
    shrink: cut.ShrinkTo = partial(cut.shrink_known, align, order.size)
    if order.find is not None:
        faces, shrink = partial(cut.found, FINDERS[order.find]), cut.shrink_searched
    return Cut(
        size=order.size,
        alignment=align,
        faces=faces,
        shrink=cut.as_it_is if beside else shrink,  # what is drawn beside shows the whole photo
        code=difference_hash if entry.photographs else _no_code,
        in_grey=order.grey,
        least=order.least,
        screens=[name for name in wanted_screens(order, entry) if name in SCREENS],
        beside=beside,
    )


def _no_code(pixels: np.ndarray) -> int:
    """Hash nothing, where no copies are looked for."""
    return 0


def _occupied(out: Path) -> bool:
    return out.exists() and not (out.is_dir() and not any(out.iterdir()))


def _the_same(out: Path, described: dict[str, object], beside: Beside) -> Pack:
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
    if beside:
        raise ValueError(
            f"{out} holds this very pack already, and what is wanted beside it is written only "
            f"while it is made. {advice}"
        )
    log.info("%s is already prepared", out)
    return pack


def _expect_some(writer: PackWriter, order: Order) -> None:
    if not writer.names:
        counted = ", ".join(f"{count} {reason}" for reason, count in writer.reasons().items())
        raise ValueError(
            f"None of the {len(writer.quarantined)} photos of {order.source or order.parser} can "
            f"be used ({counted}): expected at least one. No pack was written."
        )
