"""Draws smooth shapes where an affine transform takes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import TypeAlias

import cv2
import numpy as np

from purrtrait.images.affine import Matrix, Point, composed, moved, shift

Colour: TypeAlias = tuple[int, int, int]
Shape: TypeAlias = np.ndarray  # (N, 2), in coordinates of its own

FRACTION_BITS = 4  # OpenCV takes places in 16ths of a pixel
AROUND = np.radians(np.linspace(-90, 270, 64, endpoint=False))  # clockwise from the top
MIRROR = np.array([-1.0, 1.0])


@dataclass(frozen=True, eq=False)
class Brush:
    """Draws shapes onto ``canvas``, uint8 (H, W, 3), where ``pose`` takes them."""

    canvas: np.ndarray
    pose: Matrix

    def at(self, right: float, down: float) -> Brush:
        """The same brush with another origin."""
        return Brush(self.canvas, composed(self.pose, shift(right, down)))

    def fill(self, colour: Colour, *shapes: Shape) -> None:
        """Fill shapes; where two of them overlap, neither is seen."""
        cv2.fillPoly(self.canvas, self._placed(shapes), colour, cv2.LINE_AA, FRACTION_BITS)

    def lines(self, colour: Colour, width: float, *curves: Shape) -> None:
        """Draw along curves; ``width`` is in the shapes' coordinates, and at least a pixel."""
        pixels = max(1, round(width * sqrt(np.linalg.det(self.pose[:, :2]))))
        placed = self._placed(curves)
        cv2.polylines(self.canvas, placed, False, colour, pixels, cv2.LINE_AA, FRACTION_BITS)

    def _placed(self, shapes: Sequence[Shape]) -> list[np.ndarray]:
        # OpenCV has the middle of the first pixel at (0, 0).
        places = (moved(self.pose, shape) - 0.5 for shape in shapes)
        return [np.rint(place * 2**FRACTION_BITS).astype(np.int32) for place in places]


def blend(first: Colour, second: Colour, share: float) -> Colour:
    """Go ``share`` (0 ... 1) of the way from the first colour to the second."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def oval(x: float, y: float, wide: float, high: float) -> Shape:
    """An ellipse about (x, y) with these half axes."""
    ring = np.stack([np.cos(AROUND[::2]), np.sin(AROUND[::2])], 1)
    shape: Shape = ring * (wide, high) + (x, y)
    return shape


def bow(start: Point | np.ndarray, end: Point | np.ndarray, bulge: float) -> Shape:
    """A curve from point to point, that bends to the left by ``bulge`` of their distance."""
    first, last = np.array(start, float), np.array(end, float)
    along = last - first
    top = (first + last) / 2 + 2 * bulge * np.array([along[1], -along[0]])
    share = np.linspace(0, 1, 8)[:, None]
    curve: Shape = (1 - share) ** 2 * first + 2 * share * (1 - share) * top + share**2 * last
    return curve


def leaf(start: Point, end: Point, width: float, bulge: float = 0.0) -> Shape:
    """A stripe that is pointed at both ends; ``width`` and ``bulge`` are shares of its length."""
    return np.concatenate([bow(start, end, bulge + width / 2), bow(end, start, width / 2 - bulge)])


def both(*shapes: Shape) -> list[Shape]:
    """Shapes of the right half, and their mirror images."""
    return [shape * side for shape in shapes for side in (1, MIRROR)]
