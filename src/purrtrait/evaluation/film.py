"""Makes a film of a training: its previews one after another, with the image count drawn in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import repeat
from math import ceil
from pathlib import Path

import numpy as np
from PIL import Image

from purrtrait.images import sheet

WIDEST_UNSCALED = 320  # pixels: narrower grids are drawn larger
FASTEST, SLOWEST = 25.0, 1.0  # frames a second: browsers show a faster GIF slowly
HOLD_SECONDS = 1.5


def frames(previews: Sequence[tuple[int, Path]]) -> Iterator[np.ndarray]:
    """One frame (H, W, 3) uint8 for each preview, all of one size, each with its count below.

    ``previews`` are (images seen, path of a PNG) in order. Grids that are small are drawn larger by
    a whole factor; those that are smaller than the largest are put on white. ValueError if there is
    no preview, or one cannot be read.
    """
    if not previews:
        raise ValueError(
            "There are no previews to make a film of: train with more than 0 portraits in a "
            "preview, and for long enough that one is written."
        )
    wide, high = np.max([_size(path) for _, path in previews], axis=0).tolist()
    scale = max(1, ceil(WIDEST_UNSCALED / wide))
    for images_seen, path in previews:
        pixels = _pixels(path)
        missing = ((0, high - pixels.shape[0]), (0, wide - pixels.shape[1]), (0, 0))
        grid = np.pad(pixels, missing, constant_values=sheet.WHITE)
        picture = sheet.upscale(grid, scale)
        yield np.concatenate([picture, _footer(f"{images_seen:,} images", picture.shape[1])])


def film(previews: Sequence[tuple[int, Path]], gif: Path, mp4: Path, seconds: float = 8.0) -> None:
    """Write the previews as a GIF and an MP4 that last about ``seconds`` and then a little longer.

    The last frame stays for about a second and a half. No fewer than one and no more than 25 frames
    are shown in a second, so a film of very few or very many previews is shorter or longer.
    """
    if not seconds > 0:
        raise ValueError(f"A film of {seconds} seconds cannot be made: give more than 0.")
    pace = min(FASTEST, max(SLOWEST, len(previews) / seconds))
    sheet.write_gif(gif, _held(previews, pace), pace)
    sheet.write_mp4(mp4, _held(previews, pace), pace)


def _footer(text: str, wide: int) -> np.ndarray:
    """The text on a white strip (H, wide, 3); on wide films its letters are larger."""
    factor = max(1, round(wide / WIDEST_UNSCALED))
    nothing = np.zeros((0, ceil(wide / factor), 3), np.uint8)
    return sheet.upscale(sheet.captioned(nothing, text), factor)[:, :wide]


def _held(previews: Sequence[tuple[int, Path]], pace: float) -> Iterator[np.ndarray]:
    """The frames, the last one repeated: it stays so much longer."""
    for frame in frames(previews):
        yield frame
    yield from repeat(frame, ceil(HOLD_SECONDS * pace))


def _size(path: Path) -> tuple[int, int]:
    """Width and height in pixels, from the head of the file."""
    with _opened(path) as image:
        return image.size


def _pixels(path: Path) -> np.ndarray:
    """The picture as (H, W, 3) uint8."""
    with _opened(path) as image:
        return np.asarray(image.convert("RGB"))


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    try:
        with Image.open(path, formats=("PNG",)) as image:
            yield image
    except OSError as error:  # not there, no PNG, or cut off
        raise ValueError(
            f"The preview {path} cannot be read ({error}): delete it, to make a film of the rest."
        ) from error
