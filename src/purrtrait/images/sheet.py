"""Lays pictures out in sheets and writes them: grids, captions, png, gif and mp4."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from math import ceil, sqrt
from pathlib import Path

import av
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from purrtrait.files import replacing

WHITE = 255
STRIP = 16  # height of a caption in pixels
LEGIBLE = 64  # pixels: a panel's pictures are at least as wide, so that titles can be read
HUNDREDTHS = 100  # of a second: the unit of time in a GIF
SHORTEST = 2  # of them: what browsers show as it is meant
# The wheels of PyAV on PyPI hold libx264; a build without it may have one of the others.
_ENCODERS: dict[str, dict[str, str]] = {
    "libx264": {"crf": "18", "preset": "medium"},
    "libopenh264": {"b": "4000000"},
    "mpeg4": {"qscale": "3"},
}


def upscale(pixels: np.ndarray, scale: int) -> np.ndarray:
    """Pixels (..., H, W, C) with every pixel drawn ``scale`` times as wide and high."""
    return pixels.repeat(scale, axis=-3).repeat(scale, axis=-2)


def grid(
    pixels: np.ndarray, columns: int | None = None, padding: int = 2, scale: int = 1
) -> np.ndarray:
    """Pictures (N, H, W, C) uint8 in rows of ``columns`` (None: about a square) on white."""
    if len(pixels) == 0:
        raise ValueError("A sheet of no pictures cannot be drawn: give at least one.")
    pictures = upscale(pixels, scale)
    count, high, wide, channels = pictures.shape
    across = min(columns or ceil(sqrt(count)), count)
    down = ceil(count / across)
    cells = np.full((down * across, high + padding, wide + padding, channels), WHITE, np.uint8)
    cells[:count, padding:, padding:] = pictures
    rows = cells.reshape(down, across, high + padding, wide + padding, channels).swapaxes(1, 2)
    sheet = rows.reshape(down * (high + padding), across * (wide + padding), channels)
    return np.pad(sheet, ((0, padding), (0, padding), (0, 0)), constant_values=WHITE)


def captioned(image: np.ndarray, text: str) -> np.ndarray:
    """Return the image (H, W, C) with a line of text on a white strip below it.

    The strip's height does not depend on the text, so that the frames of a film stay alike; text
    wider than the image is drawn smaller, then cut off.
    """
    return np.concatenate([image, _line(text, *image.shape[1:])])


def panel(columns: Mapping[str, np.ndarray]) -> np.ndarray:
    """Columns of pictures (N, H, W, C) uint8 side by side, each below its title: (h, w, C).

    A row shows what belongs together. Small pictures are drawn larger, by a whole factor.
    ValueError when there are no columns or one differs in shape.
    """
    shapes = {title: pictures.shape for title, pictures in columns.items()}
    if len(set(shapes.values())) != 1:
        raise ValueError(
            f"A panel's columns are {shapes or 'none'}: give at least one, all of one shape."
        )
    return np.concatenate([_column(*column) for column in columns.items()], axis=1)


def _column(title: str, pictures: np.ndarray) -> np.ndarray:
    column = grid(pictures, 1, scale=ceil(LEGIBLE / pictures.shape[2]))
    return np.concatenate([_line(title, *column.shape[1:]), column])


def _line(text: str, wide: int, channels: int) -> np.ndarray:
    """A line of text on a white strip (STRIP, wide, channels)."""
    strip = Image.new("L", (wide, STRIP), WHITE)
    draw = ImageDraw.Draw(strip)
    sizes = (10, 9, 8, 7, 6)
    fonts = (ImageFont.load_default(size) for size in sizes)
    font = next((font for font in fonts if draw.textlength(text, font=font) <= wide - 4), None)
    draw.text((2, STRIP // 2), text, fill=0, font=font or ImageFont.load_default(6), anchor="lm")
    return np.asarray(strip)[..., None].repeat(channels, axis=-1)


def enlargement(side: int, least: int = LEGIBLE) -> int:
    """The largest whole factor by which ``side`` pixels stay within ``least``; at least 1."""
    return max(1, least // side)


def write_png(path: Path, image: np.ndarray) -> None:
    """Write an image (H, W, 1 or 3) uint8; the file appears whole or not at all."""
    with replacing(path) as temporary:
        _picture(image).save(temporary, format="PNG")


def write_gif(path: Path, frames: Iterable[np.ndarray], frames_per_second: float) -> None:
    """Write frames (H, W, C) as a GIF that repeats; equal neighbours become one longer frame.

    A GIF counts time in hundredths of a second, and browsers slow frames down that stand for fewer
    than two. So each frame begins at the hundredth that is nearest to its time, and of more than 50
    a second some are left out: a GIF takes as long as the frames do.
    """
    pictures = _timed(_alike(frames), frames_per_second)
    first = next(pictures)
    with replacing(path) as temporary:
        first.save(temporary, format="GIF", save_all=True, append_images=pictures, loop=0)


def _timed(frames: Iterator[np.ndarray], frames_per_second: float) -> Iterator[Image.Image]:
    """The frames that a GIF shows, each with its duration in milliseconds as Pillow reads it."""
    shown, begun, number = next(frames), 0, 0
    for number, frame in enumerate(frames, start=1):
        now = round(HUNDREDTHS * number / frames_per_second)
        if now - begun >= SHORTEST:
            yield _lasting(shown, now - begun)
            shown, begun = frame, now
    end = round(HUNDREDTHS * (number + 1) / frames_per_second)
    yield _lasting(shown, max(SHORTEST, end - begun))


def _lasting(frame: np.ndarray, hundredths: int) -> Image.Image:
    picture = _picture(frame)
    picture.info["duration"] = 10 * hundredths
    return picture


def write_mp4(path: Path, frames: Iterable[np.ndarray], frames_per_second: float) -> None:
    """Write frames (H, W, C) as an MP4 that browsers play (H.264, yuv420p, index in front)."""
    pictures = _alike(frames)
    first = _even(next(pictures))
    with (
        replacing(path) as temporary,
        av.open(str(temporary), "w", format="mp4", options={"movflags": "+faststart"}) as container,
    ):
        encoder = next(name for name in _ENCODERS if name in _encoders_here())
        rate = Fraction(frames_per_second).limit_denominator(1001)
        stream = container.add_stream(encoder, rate=rate, options=_ENCODERS[encoder])
        assert isinstance(stream, av.VideoStream), encoder
        stream.height, stream.width = first.shape[:2]
        stream.pix_fmt = "yuv420p"
        for picture in _chain(first, pictures):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def _encoders_here() -> set[str]:
    return {name for name in av.codecs_available if _encodes(name)}


def _encodes(name: str) -> bool:
    if name not in _ENCODERS:
        return False
    try:
        av.Codec(name, "w")
    except ValueError:  # av's own UnknownCodecError: it can only be read
        return False
    return True


def _chain(first: np.ndarray, others: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    yield first
    for other in others:
        yield _even(other)


def _even(image: np.ndarray) -> np.ndarray:
    """Return the image in colour with even sides, as yuv420p asks for: the edge is repeated."""
    high, wide, channels = image.shape
    colour = np.broadcast_to(image, (high, wide, 3)) if channels == 1 else image
    return np.pad(colour, ((0, high % 2), (0, wide % 2), (0, 0)), mode="edge")


def _alike(frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Return the frames as they come; ValueError when there is none or one differs in shape."""
    shape: tuple[int, ...] = ()
    for number, frame in enumerate(frames):
        shape = shape or frame.shape
        if frame.shape != shape:
            raise ValueError(
                f"Frame {number} of a film is {frame.shape}, the first one {shape}: "
                "give frames of one shape."
            )
        yield frame
    if not shape:
        raise ValueError("A film of no frames cannot be written: give at least one.")


def _picture(image: np.ndarray) -> Image.Image:
    """Return a Pillow picture of an image (H, W, 1 or 3)."""
    return Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
