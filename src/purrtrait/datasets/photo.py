"""What a parser yields, and the decoder that turns any picture file into RGB pixels.

A parser looks at a source quickly and says what it found (a ``Collection``); its photos are read
one by one, later, by whoever needs the pixels.
"""

from __future__ import annotations

import struct
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, TypeAlias

import numpy as np
from PIL import Image, UnidentifiedImageError

# Named, so that a file that lies about its name never reaches the decoders of rarer formats.
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "PPM", "GIF")

NOT_A_PICTURE = "not a picture"
DAMAGED = "damaged or cut off"
CANNOT_OPEN = "the file cannot be opened"
TOO_MANY_PIXELS = "too many pixels"
NOT_FINITE = "holds numbers that are not finite"


class Unreadable(Exception):  # noqa: N818 - it is said of a photo, not of the program
    """A photo that cannot be used; ``reason`` says why in plain words that stay the same."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Photo:
    """One picture of a source; ``read`` gives uint8 (H, W, 3) or raises ``Unreadable``.

    ``labels`` are small numbers that are known about it, by name.
    """

    name: str
    read: Callable[[], np.ndarray]
    labels: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Wanted:
    """What a parser is asked for: photos of ``source`` for a pack of ``size`` pixels.

    ``count`` is the most photos wanted (None: all there are); ``seed`` keys whatever is random.
    """

    source: Path | None
    size: int
    count: int | None
    seed: int


@dataclass(frozen=True)
class Collection:
    """What a parser found: how many photos, and an iterator that makes them one after another.

    ``fingerprint`` changes when the source does; ``labels`` is the number of values of each label;
    ``memory_bytes`` is what the parser holds while the photos are read.
    """

    count: int
    fingerprint: str
    photos: Iterator[Photo]
    labels: Mapping[str, int] = field(default_factory=dict)
    memory_bytes: int = 0


Parser: TypeAlias = Callable[[Wanted], Collection]


@dataclass(frozen=True)
class ParserEntry:
    """A row of the table of parsers.

    ``default_count`` of None means all photos of the source; ``flip_natural`` says whether a mirror
    image is as likely as the picture; ``credit`` names whose pictures these are.
    """

    parse: Parser
    needs_source: bool
    default_count: int | None
    flip_natural: bool
    credit: str


_WARNINGS = threading.Lock()  # the list of warning filters is shared by all threads

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ORIENTATION = 0x0112  # the EXIF tag
_UPRIGHT = 1


def decode(source: Path | BinaryIO) -> np.ndarray:
    """Return the picture in a file as uint8 (H, W, 3) RGB, turned upright by its EXIF, on white.

    Of an animation the first frame. Colour profiles are not applied. Raises ``Unreadable``.
    """
    try:
        return _decode(source)
    except Unreadable:
        raise
    except UnidentifiedImageError as error:
        raise Unreadable(NOT_A_PICTURE) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise Unreadable(TOO_MANY_PIXELS) from error
    except Exception as error:  # Pillow's decoders let nearly every kind of exception through
        missing = isinstance(error, OSError) and error.errno is not None
        raise Unreadable(CANNOT_OPEN if missing else DAMAGED) from error


def _decode(source: Path | BinaryIO) -> np.ndarray:
    # Above Pillow's limit there is first a warning and, at twice the limit, an error: we want one
    # answer for both.
    with _filtered("error", Image.DecompressionBombWarning):
        opened = Image.open(source, formats=FORMATS)
    with opened:
        opened.load()
        turn = _TURNS.get(_orientation(opened))
        colour = _colour(opened)
    turned = colour if turn is None else colour.transpose(turn)
    return np.array(turned, dtype=np.uint8)


@contextmanager
def _filtered(action: str, category: type[Warning]) -> Iterator[None]:
    with _WARNINGS, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.filterwarnings(action, category=category)  # type: ignore[arg-type]
        yield


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation; a picture with a damaged EXIF is taken as upright."""
    with _filtered("ignore", UserWarning):
        try:
            return int(image.getexif().get(_ORIENTATION, _UPRIGHT))
        except (OSError, SyntaxError, ValueError, LookupError, TypeError, struct.error):
            return _UPRIGHT


def _colour(image: Image.Image) -> Image.Image:
    """Turn the picture into RGB: deep greys scaled to 8 bits, transparent ones put on white."""
    if image.mode == "F" or image.mode.startswith("I"):
        return Image.fromarray(_levels(np.asarray(image))).convert("RGB")
    if image.has_transparency_data:
        clear = image.convert("RGBA")
        ground = Image.new("RGBA", clear.size, (255, 255, 255, 255))
        return Image.alpha_composite(ground, clear).convert("RGB")
    return image.convert("RGB")


def _levels(deep: np.ndarray) -> np.ndarray:
    """Grey of 16-bit integers, or of floats in 0 ... 1, as 0 ... 255 rounded to nearest."""
    white = 1.0 if deep.dtype.kind == "f" else 65535.0
    if not np.isfinite(deep).all():
        raise Unreadable(NOT_FINITE)
    levels = np.clip(deep.astype(np.float64) / white, 0, 1) * 255 + 0.5
    return levels.astype(np.uint8)
