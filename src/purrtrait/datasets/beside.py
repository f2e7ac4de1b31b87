"""What is written while a pack is made, beside it: debugging pictures, copies, contact sheets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count, permutations
from pathlib import Path

import numpy as np
from PIL import Image

from purrtrait.datasets.cut import Refused, Sitting, Witness
from purrtrait.datasets.photo import Unreadable
from purrtrait.datasets.writer import expect_new, occupied, reserved
from purrtrait.images import sheet
from purrtrait.images.affine import shift
from purrtrait.images.align import Placement
from purrtrait.images.colour import grey
from purrtrait.images.overlay import overlay
from purrtrait.images.resize import fit
from purrtrait.images.written import PLANS, Plan, Writer

CELL, SHOWN = 64, 128  # pixels: a contact sheet's pictures are at least and at most as wide
FORBIDDEN = re.compile(r'[<>:"|?*\x00-\x1f]')  # in names of files on Windows
WIDEST = 65_500  # pixels of a JPEG
LONGEST = 200  # bytes of a photo's name in that of its debugging picture
KEPT = 200  # portraits that the sheet of those kept shows, evenly chosen
COLUMNS = 20
# How portraits are augmented, by their alignment; all others as those of cat-generator.
PLANNED = {"face-generator": "face-generator", "torch-gan": "face-generator"}
KEPT_SHEET, LEFT_OUT_SHEET = "kept.png", "left-out.png"


@dataclass(frozen=True)
class Beside:
    """What else is wanted: nothing, unless it is named.

    ``debug``: a new folder for the photos with points and rectangles drawn in. ``augmented``: a new
    folder for the portraits and their augmented copies as files. ``contact_sheet``: two pictures in
    the pack, of what was kept and of what was left out. ``augmented_count``: how many files of each
    photo ``augmented`` gets, the first one as it is: 1 ... 1000, or None for the ancestors' number.
    """

    debug: Path | None = None
    augmented: Path | None = None
    contact_sheet: bool = False
    augmented_count: int | None = None

    def __post_init__(self) -> None:
        if self.augmented_count is not None and self.augmented is None:
            raise ValueError(
                f"Found {self.augmented_count} as the number of augmented files of each photo, and "
                "no folder for them: name one with --write-augmented."
            )


NOTHING = Beside()


@contextmanager
def debugging(beside: Beside) -> Iterator[Sequence[Witness]]:
    """Return what writes debugging pictures, if any; their folder appears whole or not at all."""
    if beside.debug is None:
        yield []
        return
    with reserved(expect_new(beside.debug)) as folder:
        yield [partial(_debug, folder)]


@contextmanager
def augmenting(beside: Beside, size: int, seed: int, alignment: str) -> Iterator[Sequence[Witness]]:
    """Return what writes augmented copies, if any; their folder appears whole or not at all."""
    if beside.augmented is None:
        yield []
        return
    with reserved(expect_new(beside.augmented)) as folder:
        files = _files_of_each(beside, alignment)
        yield [partial(_augmented, Writer(folder, size, _plan(alignment), seed, files))]


def _plan(alignment: str) -> Plan:
    return PLANS[PLANNED.get(alignment, "cat-generator")]


def _files_of_each(beside: Beside, alignment: str) -> int:
    """How many files each photo has among the augmented ones."""
    usual = _plan(alignment).count
    return usual if beside.augmented_count is None else beside.augmented_count


def expect_apart(out: Path, beside: Beside) -> None:
    """ValueError if one of the folders that are written is another one, or lies in it."""
    wanted = {"--out": out, "--debug": beside.debug, "--write-augmented": beside.augmented}
    folders = {name: path.absolute() for name, path in wanted.items() if path is not None}
    for (name, one), (other, two) in permutations(folders.items(), 2):
        if one == two or two in one.parents:
            raise ValueError(
                f"{name} {one} is, or lies in, {other} {two}: expected a folder of its own."
            )


def already(out: Path, beside: Beside, size: int, alignment: str) -> bool:
    """Whether all that is wanted beside the pack in ``out`` is there."""
    files = [out / KEPT_SHEET] * beside.contact_sheet
    files += [beside.debug] if beside.debug is not None else []
    if beside.augmented is not None:
        # The folder is whole: all photos have as many files as any, no more and no less.
        last = _files_of_each(beside, alignment) - 1
        here = beside.augmented / f"out_aug_{size}x{size}"
        if any(here.glob(f"*_{last + 1:03}.jpg")) or not any(here.glob(f"*_{last:03}.jpg")):
            return False
    return all(path.exists() for path in files)


def thumbnail(pixels: np.ndarray) -> np.ndarray:
    """Return what a contact sheet shows of a photo (H, W, 3) that is left out."""
    return fit(pixels, SHOWN)


def _augmented(writer: Writer, sitting: Sitting) -> None:
    """Write the portrait of the first face and its copies, which are numbered by the photo."""
    for _, place in sitting.places[:1]:
        writer.write(sitting.number, sitting.pixels(), place)


def _debug(folder: Path, sitting: Sitting) -> None:
    """Write the photo with lines around each of its faces, those that are refused too."""
    picture = sitting.pixels()
    for face, place in (*sitting.places, *sitting.others):
        picture = overlay(picture, face, place or _all_around(picture))
    if max(picture.shape[:2]) > WIDEST:
        raise Unreadable(f"wider or higher than the {WIDEST} pixels that a JPEG can have")
    written = FORBIDDEN.sub("_", Path(sitting.photo.name).stem)
    stem = written.encode("utf-8", "surrogateescape")[:LONGEST]
    name = f"{sitting.number:06d} {stem.decode('utf-8', 'ignore')}.jpg"
    Image.fromarray(picture).save(folder / name, quality=90)


def _all_around(pixels: np.ndarray) -> Placement:
    """Place a face that has no place so that its outline is drawn outside of the photo."""
    high, wide = pixels.shape[:2]
    far = max(high, wide)
    return Placement(shift(0, 0), (-far, -far, 2 * far, 2 * far), (wide, high))


def contact_sheets(folder: Path, images: np.ndarray, left_out: Sequence[Refused]) -> None:
    """Write the sheets of pictures (N, H, W, C) that stay and of those that are left out."""
    chosen = np.unique(np.linspace(0, len(images) - 1, KEPT).round().astype(int))
    scale = -(-CELL // images.shape[1])
    # One by one: a pack's pictures may be large, and they are read from the disk.
    shown = (images[row] for row in chosen.tolist())
    kept = np.stack([image if len(image) <= SHOWN else fit(image, SHOWN) for image in shown])
    sheet.write_png(folder / KEPT_SHEET, sheet.grid(kept, COLUMNS, scale=scale))
    if left_out:
        _write_left_out(folder / LEFT_OUT_SHEET, left_out, images.shape[-1])


def shown_of_refused(
    out: Path, beside: Beside, left_out: Sequence[Refused], channels: int
) -> Sequence[Path]:
    """Return what there is to be looked at where no pack ``out`` came of any photo.

    The sheet of what is left out is written beside where the pack would be, under a new name.
    """
    shown = [path for path in [beside.debug] if path is not None and occupied(path)]
    if beside.contact_sheet:
        names = (f"{out.name}-left-out-{number:02}.png" for number in count(1))
        path = next(path for path in map(out.with_name, names) if not path.exists())
        _write_left_out(path, left_out, channels)
        shown.append(path)
    return shown


def _write_left_out(path: Path, left_out: Sequence[Refused], channels: int) -> None:
    cells = [_captioned(refused, channels) for refused in left_out]
    sheet.write_png(path, sheet.grid(np.stack(cells), COLUMNS))


def _captioned(refused: Refused, channels: int) -> np.ndarray:
    """A photo that is left out, with the reason below it; an unreadable one is white."""
    pixels = refused.pixels
    if not pixels.size:
        pixels = np.full((SHOWN, SHOWN, 3), sheet.WHITE, np.uint8)
    picture = fit(pixels, SHOWN)
    if channels == 1 and picture.shape[-1] == 3:
        picture = grey(picture)
    return sheet.captioned(picture, refused.reason)
