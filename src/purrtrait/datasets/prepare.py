"""Turns photos into a pack: parse, cut out, screen, split, write."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from purrtrait.datasets import cut
from purrtrait.datasets.alike import difference_hash
from purrtrait.datasets.beside import (
    NOTHING,
    Beside,
    already,
    augmenting,
    contact_sheets,
    debugging,
    expect_apart,
    shown_of_refused,
    thumbnail,
)
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
    seeks_copies,
    wanted_screens,
)
from purrtrait.datasets.pack import HELD_OUT, Pack
from purrtrait.datasets.photo import Collection, ParserEntry, Wanted
from purrtrait.datasets.room import expect_room
from purrtrait.datasets.screen import SCREENS
from purrtrait.datasets.split import split
from purrtrait.datasets.writer import (
    PackWriter,
    occupied,
    reserved,
    row_files,
    write_manifest,
)
from purrtrait.images.align import ALIGNMENTS

__all__ = ["Beside", "Order", "no_report", "prepare"]

CROP = "the middle square, averaged exactly when it is larger than the size, bicubic when smaller"
ALIGNED = "aligned as {}, in one resampling"
ROW_BYTES = 256  # of the manifest and the labels, for each photo
CHANGED = "the photos, or the list of them, have changed since"
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
    align = alignment(order, entry, collection)
    expect_apart(out, beside)
    if occupied(out):
        return _the_same(out, described, already(out, beside, order.size, align))
    channels = 1 if order.grey else 3
    expect_room(
        out,
        collection.count * (order.size**2 * channels + ROW_BYTES),
        collection.memory_bytes + WINDOW * order.size**2 * 3,
    )
    with (
        _one_thread(),
        reserved(out) as folder,
        augmenting(beside, order.size, order.seed, align) as copiers,
    ):
        # Debugging pictures are wanted most when no photo can be used: they stay even then.
        with (
            debugging(beside) as painters,
            row_files(folder, order.size, channels, len(collection.labels)) as writer,
        ):
            shown = thumbnail if beside.contact_sheet else cut.nothing
            how = replace(_cut(order, entry, align), witnesses=[*painters, *copiers], shown=shown)
            filled = fill(writer, collection, how, how.unwanted, progress)
            if writer.names:
                groups = filled.groups
                if seeks_copies(order, entry):
                    groups = without_copies(writer, filled, wanted_screens(order, entry))
                if beside.contact_sheet:
                    contact_sheets(folder, writer.images(), filled.left_out)
                faces = {} if order.find is None else dict(filled.faces)
                made = _manifest(order, entry, collection, described, writer, groups, faces)
                write_manifest(folder, made)
        if not writer.names:
            to_look_at = shown_of_refused(out, beside, filled.left_out, channels)
            raise _none_usable(writer, order, to_look_at)
    return Pack.open(out)


def _manifest(
    order: Order,
    entry: ParserEntry,
    collection: Collection,
    described: Mapping[str, object],
    writer: PackWriter,
    groups: Sequence[str],
    faces: Mapping[str, int],
) -> Manifest:
    """Say everything about a pack whose rows are written, ``groups`` being what each belongs to."""
    align = alignment(order, entry, collection)
    images_sha256, labels_sha256 = writer.finish()
    sides = split(groups, order.split, order.seed)
    _warn_of(order, groups, sides)
    return Manifest(
        purrtrait_version=own_version(),
        order=described,
        size=order.size,
        channels=1 if order.grey else 3,
        crop=CROP if align == "none" else ALIGNED.format(align),
        flip_natural=flips(order, entry),
        credit=entry.credit,
        labels=collection.labels,
        photos=writer.names,
        split=runs(sides),
        images_sha256=images_sha256,
        labels_sha256=labels_sha256,
        quarantined=writer.quarantined,
        groups=groups if len(set(groups)) < len(groups) else (),
        faces=faces,
        remarks=writer.remarks,
    )


@contextmanager
def _one_thread() -> Iterator[None]:
    """Have OpenCV work in the thread that calls it: our own threads have a photo each."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def _warn_of(order: Order, groups: Sequence[str], sides: Sequence[str]) -> None:
    """Say what may surprise in a pack that is sound."""
    if len(groups) < FEW:
        log.warning("only %d pictures: faces are learnt from some thousands", len(groups))
    if order.split > 0 and HELD_OUT not in sides:
        name, count = Counter(groups).most_common(1)[0]
        shown = name.encode("utf-8", "replace").decode()  # not all names are Unicode
        log.warning(
            "nothing is held out, so that there will be no scores: the %d pictures are of %d "
            "groups that are never divided, of which %s has %d",
            *(len(groups), len(set(groups)), shown, count),
        )


def _cut(order: Order, entry: ParserEntry, align: str) -> Cut:
    """Say how portraits are cut out of the photos of an order."""
    faces: cut.Faces = cut.known
    shrink: cut.ShrinkTo = partial(cut.shrink_known, ALIGNMENTS[align], order.size)
    if order.find is not None:
        faces, shrink = partial(cut.found, FINDERS[order.find]), cut.shrink_searched
    return Cut(
        size=order.size,
        alignment=ALIGNMENTS[align],
        faces=faces,
        shrink=shrink,
        code=difference_hash if seeks_copies(order, entry) else _no_code,
        in_grey=order.grey,
        unwanted=excluded(order),
        least=order.least,
        screens=[name for name in wanted_screens(order, entry) if name in SCREENS],
    )


def _no_code(pixels: np.ndarray) -> int:
    """Hash nothing, where no copies are looked for."""
    return 0


def _the_same(out: Path, described: Mapping[str, object], complete: bool) -> Pack:
    """Return the pack at ``out`` if it was made from the same order; else ValueError.

    ``complete`` says whether all that is wanted beside it is there.
    """
    advice = "Nothing is overwritten: choose another name, or delete it first."
    try:
        pack = Pack.open(out)
    except ValueError as error:
        raise ValueError(f"{out} is there already and cannot be used. {error} {advice}") from error
    there = pack.manifest.order
    different = [
        CHANGED
        if name == "fingerprint"
        else f"{name} is {there.get(name)!r} there and {described.get(name)!r} here"
        for name in {**described, **there}
        if there.get(name) != described.get(name)
    ]
    if different:
        raise ValueError(f"{out} holds a different pack: {'; '.join(different)}. {advice}")
    if not complete:
        raise ValueError(
            f"{out} holds this very pack already, and what is wanted beside it is written only "
            f"while it is made. {advice}"
        )
    log.info("%s is already prepared", out)
    return pack


def _none_usable(writer: PackWriter, order: Order, shown: Sequence[Path]) -> ValueError:
    """Say why no photo can be used, and where that can be looked at."""
    counted = ", ".join(f"{count} {reason}" for reason, count in writer.reasons().items())
    where = " and ".join(map(str, shown))
    return ValueError(
        f"None of the {len(writer.quarantined)} photos of {order.source or order.parser} can be "
        f"used ({counted}): expected at least one. No pack was written. "
        + (f"Look at {where}." if shown else "To look at them, add --contact-sheet.")
    )
