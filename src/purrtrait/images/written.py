"""Writes the portrait of each photo with augmented copies of it, as cat-generator did.

The light is changed in the photo's own pixels; flip, scale, turn and translation are then one
transform together with the one that cuts out the portrait, so that pixels are resampled once. What
comes in from beyond the portrait is the photo as far as there is one, and then its border.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import cos, radians, sin
from pathlib import Path

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from purrtrait.images import warp
from purrtrait.images.affine import Matrix, Point, composed, inverted, moved, shift
from purrtrait.images.align import Placement
from purrtrait.images.vary import CATS, PEOPLE, Ranges
from purrtrait.types import Draw

WHITE = 255
QUALITY = 95  # of JPEG
POOL = 2**22  # numbers that noise is cut from, 16 MB
MOST = 1000  # portraits of a photo that three digits can number
RIM = 2  # pixels around a portrait, of its own and of the photo, that may take part in it


@dataclass(frozen=True)
class Plan:
    """How the copies of a portrait are changed, and how many portraits a photo has in all.

    Turns are whole degrees, and translations whole pixels of the photo: at most ``translation``
    along either axis. ``middle`` says what point of the level frame everything turns about.
    """

    ranges: Ranges
    translation: int
    middle: Callable[[Placement], Point]
    count: int


def middle_of_crop(placement: Placement) -> Point:
    """Return the middle of the portrait."""
    left, top, right, bottom = placement.box
    return (left + right) / 2, (top + bottom) / 2


def middle_of_photo(placement: Placement) -> Point:
    """Return the middle of the whole photo."""
    width, height = placement.canvas
    return width / 2, height / 2


PLANS: dict[str, Plan] = {
    "cat-generator": Plan(CATS, translation=4, middle=middle_of_crop, count=10),
    "face-generator": Plan(PEOPLE, translation=5, middle=middle_of_photo, count=20),
}


@dataclass(frozen=True)
class Change:
    """What is done to a copy: mirrored, its light times a factor, then scaled, turned and moved.

    The turn is in degrees, the move in photo pixels to the right and down.
    """

    mirrored: bool
    brightness: float
    scale: float
    degrees: int
    move: tuple[int, int]

    def matrix(self, middle: Point) -> Matrix:
        """What it does to the level frame, about ``middle``."""
        along = self.scale * cos(radians(self.degrees))
        across = self.scale * sin(radians(self.degrees))
        side = -1 if self.mirrored else 1
        x, y = middle
        turn = np.array([[side * along, -across, x], [side * across, along, y]])
        return composed(shift(*self.move), composed(turn, shift(-x, -y)))


def changes(plan: Plan, draw: Draw, count: int) -> list[Change]:
    """Draw what is done to ``count`` copies of a photo; the first are the same for any count."""
    return [_change(plan, row) for row in draw.uniform((count, 6), "changes").tolist()]


def _change(plan: Plan, shares: Sequence[float]) -> Change:
    flip, brightness, scale, turn, right, down = shares
    return Change(
        mirrored=flip < 0.5,
        brightness=_between(plan.ranges.brightness, brightness),
        scale=_between(plan.ranges.scale, scale),
        degrees=_whole(int(plan.ranges.degrees), turn),
        move=(_whole(plan.translation, right), _whole(plan.translation, down)),
    )


def _between(limits: tuple[float, float], share: float) -> float:
    low, high = limits
    return low + share * (high - low)


def _whole(most: int, share: float) -> int:
    """One of -most ... most, each as likely where the share is uniform in [0, 1)."""
    return int(share * (2 * most + 1)) - most


def copies(
    pixels: np.ndarray, placement: Placement, size: int, plan: Plan, draw: Draw, count: int
) -> Iterator[np.ndarray]:
    """Draw a photo's portrait and ``count - 1`` augmented ones, each uint8 (size, size, 3).

    ``pixels``, uint8 (H, W, 3), is the photo in its own size. Copy k follows from ``draw`` and k.
    """
    yield warp.draw(pixels, placement, size)
    cut, middle = placement.cut(size), plan.middle(placement)
    back = inverted(cut)
    for number, change in enumerate(changes(plan, draw, count - 1), 1):
        extra = composed(cut, composed(change.matrix(middle), back))
        part, placed = _needed(pixels, placement, size, extra)
        grain = noise(part.shape, draw, f"noise of copy {number}")
        weights = change.brightness, WHITE * plan.ranges.noise
        # Cut off at 0 and 255, and rounded to nearest.
        lit = cv2.addWeighted(part, weights[0], grain, weights[1], 0, dtype=cv2.CV_8U)
        yield warp.warp(lit, placed, size, extra=extra)


def _needed(
    pixels: np.ndarray, placement: Placement, size: int, extra: Matrix
) -> tuple[np.ndarray, Placement]:
    """Cut out of a photo what a copy of its portrait, and the portrait itself, are drawn from.

    (The border may take its colour from the portrait.)
    """
    near, far = -RIM, size + RIM
    corners = np.array([(near, near), (far, near), (near, far), (far, far)])
    portrait = placement.matrix(size)
    froms = [moved(inverted(matrix), corners) for matrix in (portrait, composed(extra, portrait))]
    most = np.array(pixels.shape[1::-1])
    start = np.clip(np.floor(np.min(froms, (0, 1))) - RIM, 0, most - 1).astype(int)
    stop = np.clip(np.ceil(np.max(froms, (0, 1))) + RIM, start + 1, most).astype(int)
    upright = composed(placement.upright, shift(*start))
    return pixels[start[1] : stop[1], start[0] : stop[0]], replace(placement, upright=upright)


def noise(shape: tuple[int, ...], draw: Draw, purpose: str) -> np.ndarray:
    """Standard normal noise float32 (H, W, C): each row is cut out of a fixed pool, anywhere.

    To draw the numbers anew would take several times as long as all the rest of a copy.
    """
    high, wide, channels = shape
    starts = draw.uniform((high,), purpose, high=POOL - wide * channels).numpy().astype(int)
    rows: np.ndarray = sliding_window_view(_pool(), wide * channels)[starts]
    return rows.reshape(shape)


@lru_cache(maxsize=1)
def _pool() -> np.ndarray:
    pool: np.ndarray = Draw(0, "written copies", 0).normal((POOL,), "pool of noise").numpy()
    return pool


@dataclass(frozen=True)
class Writer:
    """Writes the portraits of photos below ``folder``, from as many threads as one likes.

    For a size of 64 pixels those that are not augmented go into ``out_unaug_64x64``, and all into
    ``out_aug_64x64``. ``IIIIII_AAA.jpg`` is portrait AAA of ``count`` of photo IIIIII; 000 is the
    one that is not augmented. All follow from ``seed`` and the number of the photo.
    """

    folder: Path
    size: int
    plan: Plan
    seed: int
    count: int

    def __post_init__(self) -> None:
        if not 1 <= self.count <= MOST:
            raise ValueError(
                f"Found {self.count} portraits of each photo, expected 1 to {MOST}: "
                "ask for fewer, their names have three digits."
            )
        for kind in ("unaug", "aug"):
            self.home(kind).mkdir(parents=True, exist_ok=True)

    def home(self, kind: str) -> Path:
        """The folder of ``unaug`` or ``aug``."""
        return self.folder / f"out_{kind}_{self.size}x{self.size}"

    def write(self, number: int, pixels: np.ndarray, placement: Placement) -> None:
        """Write the portraits of a photo, uint8 (H, W, 3) in its own size, by its number."""
        draw = Draw(self.seed, "written copies", number)
        drawn = copies(pixels, placement, self.size, self.plan, draw, self.count)
        for copy, portrait in enumerate(drawn):
            name, picture = f"{number:06}_{copy:03}.jpg", jpeg(portrait)
            (self.home("aug") / name).write_bytes(picture)
            if copy == 0:
                (self.home("unaug") / name).write_bytes(picture)


def jpeg(pixels: np.ndarray) -> bytes:
    """Encode pixels uint8 (H, W, 3), RGB."""
    turned = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    done, encoded = cv2.imencode(".jpg", turned, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    assert done, "OpenCV encodes any picture as JPEG"
    return encoded.tobytes()
