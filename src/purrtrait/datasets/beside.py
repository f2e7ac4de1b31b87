"""What is written while a pack is made, beside it: debugging pictures, copies, contact sheets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from purrtrait.datasets import cut
from purrtrait.datasets.cut import Refused, Sitting
from purrtrait.datasets.writer import reserved
from purrtrait.images import sheet
from purrtrait.images.colour import grey
from purrtrait.images.overlay import overlay
from purrtrait.images.resize import fit
from purrtrait.images.written import PLANS, Writer

CELL = 64  # pixels: of a contact sheet's pictures, at least
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

    def __bool__(self) -> bool:
        """Whether anything is wanted."""
        return self != NOTHING


NOTHING = Beside()


@contextmanager
def opened(beside: Beside, size: int, seed: int, alignment: str) -> Iterator[list[cut.Beside]]:
    """Return what writes the single pictures wanted; folders appear whole or not at all."""
    with ExitStack() as folders:
        writers: list[cut.Beside] = []
        if beside.debug is not None:
            folder = folders.enter_context(reserved(_new(beside.debug)))
            writers.append(partial(_debug, folder))
        if beside.augmented is not None:
            folder = folders.enter_context(reserved(_new(beside.augmented)))
            plan = PLANS[PLANNED.get(alignment, "cat-generator")]
            writers.append(partial(_augmented, Writer(folder, size, plan, seed, plan.count)))
        yield writers


def _new(folder: Path) -> Path:
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise ValueError(
            f"{folder} is there already: nothing is overwritten. Choose another name, or delete it."
        )
    return folder


def _augmented(writer: Writer, sitting: Sitting) -> None:
    """Write the portrait of the first face and its copies, which are numbered by the photo."""
    for _, place in sitting.places[:1]:
        writer.write(sitting.number, sitting.picture.pixels, place)


def _debug(folder: Path, sitting: Sitting) -> None:
    """Write the photo with lines around each of its faces."""
    picture = sitting.picture.pixels
    for face, place in sitting.places:
        picture = overlay(picture, face, place)
    name = f"{sitting.number:06d} {Path(sitting.photo.name).stem}.jpg"
    Image.fromarray(picture).save(folder / name, quality=90)


def contact_sheets(folder: Path, images: np.ndarray, left_out: Sequence[Refused]) -> None:
    """Write the sheets of pictures (N, H, W, C) that stay and of those that are left out."""
    chosen = np.unique(np.linspace(0, len(images) - 1, KEPT).round().astype(int))
    scale = -(-CELL // images.shape[1])
    sheet.write_png(folder / KEPT_SHEET, sheet.grid(images[chosen], COLUMNS, scale=scale))
    cells = [_captioned(refused, images.shape[-1]) for refused in left_out]
    if cells:
        sheet.write_png(folder / LEFT_OUT_SHEET, sheet.grid(np.stack(cells), COLUMNS))


def _captioned(refused: Refused, channels: int) -> np.ndarray:
    """A photo that is left out, with the reason below it; an unreadable one is white."""
    side = 2 * CELL
    pixels = refused.pixels
    if not pixels.size:
        pixels = np.full((side, side, 3), sheet.WHITE, np.uint8)
    picture = fit(pixels, side)
    if channels == 1 and picture.shape[-1] == 3:
        picture = grey(picture)
    return sheet.captioned(picture, refused.reason)
