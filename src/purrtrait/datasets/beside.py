"""What is written while a pack is made, beside it: debugging pictures, copies, contact sheets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import permutations
from pathlib import Path

import numpy as np
from PIL import Image

from purrtrait.datasets.cut import Refused, Sitting, Witness
from purrtrait.datasets.writer import expect_new, reserved
from purrtrait.images import sheet
from purrtrait.images.colour import grey
from purrtrait.images.overlay import overlay
from purrtrait.images.resize import fit
from purrtrait.images.written import PLANS, Writer

CELL, SHOWN = 64, 128  # pixels: a contact sheet's pictures are at least and at most as wide
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
    the pack, of what was kept and of what was left out.
    """

    debug: Path | None = None
    augmented: Path | None = None
    contact_sheet: bool = False


NOTHING = Beside()


@contextmanager
def opened(beside: Beside, size: int, seed: int, alignment: str) -> Iterator[list[Witness]]:
    """Return what writes the single pictures wanted; folders appear whole or not at all."""
    with ExitStack() as folders:
        writers: list[Witness] = []
        if beside.debug is not None:
            folder = folders.enter_context(reserved(expect_new(beside.debug)))
            writers.append(partial(_debug, folder))
        if beside.augmented is not None:
            folder = folders.enter_context(reserved(expect_new(beside.augmented)))
            plan = PLANS[PLANNED.get(alignment, "cat-generator")]
            writers.append(partial(_augmented, Writer(folder, size, plan, seed, plan.count)))
        yield writers


def expect_apart(out: Path, beside: Beside) -> None:
    """ValueError if one of the folders that are written is another one, or lies in it."""
    wanted = {"--out": out, "--debug": beside.debug, "--write-augmented": beside.augmented}
    folders = {name: path.absolute() for name, path in wanted.items() if path is not None}
    for (name, one), (other, two) in permutations(folders.items(), 2):
        if one == two or two in one.parents:
            raise ValueError(
                f"{name} {one} is, or lies in, {other} {two}: expected a folder of its own."
            )


def already(out: Path, beside: Beside) -> bool:
    """Whether all that is wanted beside the pack in ``out`` is there."""
    files = [out / KEPT_SHEET] * beside.contact_sheet
    files += [path for path in (beside.debug, beside.augmented) if path is not None]
    return all(path.exists() for path in files)


def thumbnail(pixels: np.ndarray) -> np.ndarray:
    """Return what a contact sheet shows of a photo (H, W, 3) that is left out."""
    return fit(pixels, SHOWN)


def _augmented(writer: Writer, sitting: Sitting) -> None:
    """Write the portrait of the first face and its copies, which are numbered by the photo."""
    for _, place in sitting.places[:1]:
        writer.write(sitting.number, sitting.pixels, place)


def _debug(folder: Path, sitting: Sitting) -> None:
    """Write the photo with lines around each of its faces."""
    picture = sitting.pixels
    for face, place in sitting.places:
        picture = overlay(picture, face, place)
    stem = Path(sitting.photo.name).stem.encode("utf-8", "surrogateescape")[:LONGEST]
    name = f"{sitting.number:06d} {stem.decode('utf-8', 'ignore')}.jpg"
    Image.fromarray(picture).save(folder / name, quality=90)


def contact_sheets(folder: Path, images: np.ndarray, left_out: Sequence[Refused]) -> None:
    """Write the sheets of pictures (N, H, W, C) that stay and of those that are left out."""
    chosen = np.unique(np.linspace(0, len(images) - 1, KEPT).round().astype(int))
    scale = -(-CELL // images.shape[1])
    kept = np.stack(
        [image if len(image) <= SHOWN else fit(image, SHOWN) for image in images[chosen]]
    )
    sheet.write_png(folder / KEPT_SHEET, sheet.grid(kept, COLUMNS, scale=scale))
    cells = [_captioned(refused, images.shape[-1]) for refused in left_out]
    if cells:
        sheet.write_png(folder / LEFT_OUT_SHEET, sheet.grid(np.stack(cells), COLUMNS))


def _captioned(refused: Refused, channels: int) -> np.ndarray:
    """A photo that is left out, with the reason below it; an unreadable one is white."""
    pixels = refused.pixels
    if not pixels.size:
        pixels = np.full((SHOWN, SHOWN, 3), sheet.WHITE, np.uint8)
    picture = fit(pixels, SHOWN)
    if channels == 1 and picture.shape[-1] == 3:
        picture = grey(picture)
    return sheet.captioned(picture, refused.reason)
