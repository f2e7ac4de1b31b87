"""What a parser yields, and the decoder that turns any picture file into RGB pixels.

A parser looks at a source quickly and says what it found (a ``Collection``); its photos are read
one by one, later, by whoever needs the pixels.
"""

from __future__ import annotations

import struct
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, NamedTuple, TypeAlias

import numpy as np
from PIL import Image, UnidentifiedImageError

from purrtrait.images.align import Face

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


class Picture(NamedTuple):
    """Pixels uint8 (H, W, 3) of a photo of ``width`` and ``height``.

    Their sides are 1 / ``shrunk`` of the photo's own, rounded up.
    """

    pixels: np.ndarray
    width: int
    height: int
    shrunk: int = 1


Shrink: TypeAlias = Callable[[int, int], int]  # (width, height) of a photo -> 1, 2, 4 or 8


def whole(width: int, height: int) -> int:
    """Ask for a photo in its own size."""
    return 1


def unchanged(face: Face, width: int, height: int) -> Face:
    """Take a face as it is said to be."""
    return face


@dataclass(frozen=True)
class Photo:
    """One picture of a source; ``look`` gives its pixels or raises ``Unreadable``.

    ``look`` is told the largest factor by which the picture may be smaller than the photo, once its
    size is known; where the file's format allows it (JPEG), it is then decoded at that size, which
    takes a fraction of the time. ``labels`` are small numbers that are known about it, by name;
    ``face`` says where in the photo its face is, once ``adjust`` was told the photo's width and
    height. Photos of one ``group`` (a person's) are never divided between training and scores; an
    empty one is the photo's own.
    """

    name: str
    look: Callable[[Shrink], Picture]
    labels: Mapping[str, int] = field(default_factory=dict)
    face: Face | None = None
    adjust: Callable[[Face, int, int], Face] = unchanged
    group: str = ""

    def read(self) -> np.ndarray:
        """Pixels uint8 (H, W, 3) in the photo's own size, or ``Unreadable``."""
        return self.look(whole).pixels


def drawn(draw: Callable[[], np.ndarray]) -> Callable[[Shrink], Picture]:
    """Look at pixels that are drawn and never smaller."""

    def look_at(shrink: Shrink) -> Picture:
        pixels = draw()
        return Picture(pixels, pixels.shape[1], pixels.shape[0])

    return look_at


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
    ``memory_bytes`` is what the parser holds while the photos are read. ``align`` names the
    alignment that suits these photos, where it is not that of the parser.
    """

    count: int
    fingerprint: str
    photos: Iterator[Photo]
    labels: Mapping[str, int] = field(default_factory=dict)
    memory_bytes: int = 0
    align: str = ""


Parser: TypeAlias = Callable[[Wanted], Collection]


@dataclass(frozen=True)
class ParserEntry:
    """A row of the table of parsers.

    ``default_count`` of None means all photos of the source; ``flip_natural`` says whether a mirror
    image is as likely as the picture; ``credit`` names whose pictures these are. ``align`` is the
    alignment that suits them, and ``knows`` names the points of a face that come with them.
    ``screens`` are what they have to pass if nothing else is asked for. Among ``photographs`` there
    may be copies, which are looked for; drawings are alike by nature.
    """

    parse: Parser
    needs_source: bool
    default_count: int | None
    flip_natural: bool
    credit: str
    align: str = "none"
    knows: frozenset[str] = frozenset()
    screens: tuple[str, ...] = ()
    photographs: bool = False


MOST_PIXELS = 2**26  # that are decoded; of a JPEG, which can be decoded smaller, not of the file
LARGE_PIXELS = 2**23  # with its copies, such a picture takes about 100 MB
_LARGE_ONE = threading.Lock()
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
SHRUNK = ("JPEG", "MPO")  # a JPEG of several pictures goes by that name
LYING = 4  # orientations above it exchange width and height


def decode(source: Path | BinaryIO) -> np.ndarray:
    """Return the picture in a file as uint8 (H, W, 3) RGB; see ``look``."""
    return look(source, whole).pixels


def look(source: Path | BinaryIO, shrink: Shrink) -> Picture:
    """Return the picture in a file, RGB, turned upright by its EXIF, on white.

    Of an animation the first frame. Colour profiles are not applied. Raises ``Unreadable``.
    """
    try:
        return _decode(source, shrink)
    except Unreadable:
        raise
    except UnidentifiedImageError as error:
        raise Unreadable(NOT_A_PICTURE) from error
    except Image.DecompressionBombError as error:
        raise Unreadable(TOO_MANY_PIXELS) from error
    except Exception as error:  # Pillow's decoders let nearly every kind of exception through
        missing = isinstance(error, OSError) and error.errno is not None
        raise Unreadable(CANNOT_OPEN if missing else DAMAGED) from error


def _decode(source: Path | BinaryIO, shrink: Shrink) -> Picture:
    # Above Pillow's limit there is first a warning and, at twice the limit, an error. Between the
    # two we count ourselves, as a JPEG may be decoded smaller than it is.
    with _filtered("ignore", Image.DecompressionBombWarning):
        opened = Image.open(source, formats=FORMATS)
    with opened:
        sides = opened.size
        shrunk = _shrunk(opened, shrink) if opened.format in SHRUNK else 1
        with _room_for(opened.width * opened.height):
            opened.load()
            orientation = _orientation(opened)  # a PNG may hold it behind its pixels
            colour = _colour(opened)
            turn = _TURNS.get(orientation)
            turned = colour if turn is None else colour.transpose(turn)
            pixels = np.array(turned, dtype=np.uint8)
    return Picture(pixels, *_upright(sides, orientation), shrunk)


def _room_for(pixels: int) -> AbstractContextManager[object]:
    """Refuse a picture of too many pixels; of large ones only one is decoded at a time."""
    if pixels > MOST_PIXELS:
        raise Unreadable(TOO_MANY_PIXELS)
    return _LARGE_ONE if pixels > LARGE_PIXELS else nullcontext()


def _upright(sides: tuple[int, int], orientation: int) -> tuple[int, int]:
    return sides[::-1] if orientation > LYING else sides


def _shrunk(image: Image.Image, shrink: Shrink) -> int:
    """Have a JPEG decoded at a fraction of its sides; the factor that came of it."""
    wide, high = image.size
    factor = shrink(*_upright(image.size, _orientation(image)))
    assert factor in (1, 2, 4, 8), f"a photo cannot be decoded at 1 / {factor}"
    if factor == 1 or min(wide, high) < factor:
        return 1
    image.draft(image.mode, (wide // factor, high // factor))
    assert image.size == (-(-wide // factor), -(-high // factor)), f"{image.size} at 1 / {factor}"
    return factor


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
            told = int(image.getexif().get(_ORIENTATION, _UPRIGHT))
            return told if told in _TURNS else _UPRIGHT
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
