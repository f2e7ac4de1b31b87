"""Draws onto a photo what its alignment saw: the points, the box and the rectangles."""

from __future__ import annotations

from typing import TypeAlias

import cv2
import numpy as np

from purrtrait.images.affine import Matrix, inverted, moved, shift
from purrtrait.images.align import (
    CAT_POINTS,
    Box,
    Face,
    Placement,
    Unalignable,
    centred,
    rectangles,
)

Colour: TypeAlias = tuple[int, int, int]
Outline: TypeAlias = tuple[np.ndarray, Colour]  # corners (4, 2) in the photo

GREEN, BLUE, RED = (0, 255, 0), (0, 0, 255), (255, 0, 0)
YELLOW, CYAN, MAGENTA, WHITE = (255, 255, 0), (0, 255, 255), (255, 0, 255), (255, 255, 255)
RECTANGLES: dict[str, Colour] = {"r0": GREEN, "r1": BLUE, "r2": RED, "r3": YELLOW, "r4": CYAN}
POINT = MAGENTA

WIDTHS = 250  # line widths along the photo's longer side
ARMS = 8  # line widths from end to end of a cross


def overlay(pixels: np.ndarray, face: Face, placement: Placement) -> np.ndarray:
    """Return the photo, uint8 (H, W, 3), with crosses at the points and lines around the face.

    With the nine points of a cat: the five rectangles of ``cat-generator``, r0 green, r1 blue,
    r2 red, r3 yellow, r4 cyan, and the portrait in white where it is not r4. Otherwise the box is
    green and the portrait cyan. ``pixels`` are the photo in its own size.
    """
    picture = np.array(pixels, order="C")
    width = max(1, round(max(pixels.shape[:2]) / WIDTHS))
    for corners, colour in _outlines(face, placement):
        cv2.polylines(picture, [_whole(corners)], True, colour, width)
    places = _whole(moved(shift(0, 0), list(face.points.values())))
    for place in places.tolist():
        cv2.drawMarker(picture, place, POINT, cv2.MARKER_CROSS, ARMS * width, width)
    return picture


def _outlines(face: Face, placement: Placement) -> list[Outline]:
    """What is drawn around the face, the most important last."""
    portrait = _corners(placement.box, placement.upright)
    if face.points.keys() >= set(CAT_POINTS):
        try:
            return [(portrait, WHITE), *_cat_outlines(face, placement)]
        except Unalignable:
            pass  # the portrait was placed without these points
    boxes = [] if face.box is None else [(_corners(face.box, shift(0, 0)), GREEN)]
    return [*boxes, (portrait, CYAN)]


def _cat_outlines(face: Face, placement: Placement) -> list[Outline]:
    upright = centred(face.points, *placement.canvas)
    found = rectangles(face.points, *placement.canvas)
    return [(_corners(found[name], upright), colour) for name, colour in RECTANGLES.items()]


def _corners(box: Box, upright: Matrix) -> np.ndarray:
    """Middles (4, 2), in the photo, of a rectangle's corner pixels; ``upright`` leads to it."""
    left, top, right, bottom = np.add(box, (0.5, 0.5, -0.5, -0.5))
    around = np.array([(left, top), (right, top), (right, bottom), (left, bottom)])
    return moved(inverted(upright), around)


def _whole(places: np.ndarray) -> np.ndarray:
    """Return the pixels (N, 2) that points lie in, as OpenCV counts them."""
    pixels: np.ndarray = np.floor(places).astype(np.int32)
    return pixels
