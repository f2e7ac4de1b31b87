"""Draws portraits: each is cut, turned and scaled out of its photo in one step.

OpenCV would divide even pictures as small as these among threads of its own: whoever has threads or
processes for that calls ``cv2.setNumThreads(1)`` first.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, sqrt
from typing import NamedTuple, TypeAlias

import cv2
import numpy as np
from PIL import Image

from purrtrait.images.affine import Matrix, composed, inverted, moved, scaling, shift
from purrtrait.images.align import Placement
from purrtrait.images.resize import fit

GREY = (128, 128, 128)
STAY = shift(0, 0)
FACTORS = (8, 4, 2)  # a JPEG can be decoded at 1 / these of its sides
ENOUGH = 2  # decoded pixels along a portrait's pixel that make it sharp
FINEST = 4  # photo pixels along a portrait's pixel from which whole blocks are averaged first
PROBES = 64  # along each side of what a median colour is taken from


def shrink_for(side: float, size: int) -> int:
    """By how much (1, 2, 4, 8) a photo may be smaller, ``side`` of its pixels becoming ``size``."""
    return next((factor for factor in FACTORS if side / factor >= ENOUGH * size), 1)


def draw(pixels: np.ndarray, placement: Placement, size: int, shrunk: int = 1) -> np.ndarray:
    """Return the portrait, uint8 (size, size, 3), that ``placement`` cuts out of a photo.

    ``pixels``, uint8 (H, W, 3), is the photo decoded at 1 / ``shrunk`` of its sides, rounded up;
    the placement speaks of the whole photo. With the filter ``area``, a square of whole pixels that
    is only cut out becomes what ``resize.fit`` makes of it; see ``warp`` for all others. With
    ``bicubic`` it is Pillow's, and the square lies in the photo.
    """
    return _FILTERS[placement.filter](pixels, placement, size, shrunk)


def warp(
    pixels: np.ndarray,
    placement: Placement,
    size: int,
    shrunk: int = 1,
    extra: Matrix = STAY,
) -> np.ndarray:
    """Return the portrait as ``draw`` does, with ``extra`` moving its pixels, resampled once.

    ``extra`` is a matrix (2, 3) in pixels of the portrait. Each pixel is the mean of k x k samples,
    interpolated bilinearly, that are at most one photo pixel apart.
    """
    matrix = composed(extra, composed(placement.matrix(size), scaling(shrunk)))
    part, onto = _needed(pixels, matrix, size)
    finer = max(1, ceil(_coarseness(onto) - 1e-6))
    border = _BORDERS[placement.border]
    samples = _sampled(part, composed(scaling(finer), onto), size * finer, border.mode)
    level = composed(scaling(finer), composed(extra, placement.cut(size)))
    border.finish(samples, level, _Source(pixels, placement, shrunk))
    return cv2.resize(samples, (size, size), interpolation=cv2.INTER_AREA)


def _coarseness(matrix: Matrix) -> float:
    """Pixels that ``matrix`` comes from along each one that it leads to."""
    return 1 / sqrt(abs(np.linalg.det(matrix[:, :2])))


def _needed(pixels: np.ndarray, matrix: Matrix, size: int) -> tuple[np.ndarray, Matrix]:
    """Cut out what the portrait is drawn from, averaged in blocks where it is much finer.

    So memory and time hang on the portrait, and sides stay below OpenCV's limit of 32,767 pixels.
    """
    block = max(1, int(_coarseness(matrix) / FINEST))
    corners = moved(inverted(matrix), _corners(size))
    most = np.array(pixels.shape[1::-1])
    start = np.clip(np.floor(corners.min(0)) - 2 * block, 0, most - 1).astype(int)
    stop = np.clip(np.ceil(corners.max(0)) + 2 * block, start + 1, most).astype(int)
    part = pixels[start[1] : stop[1], start[0] : stop[0]]
    return _blocks(part, block), composed(matrix, composed(shift(*start), scaling(block)))


def _blocks(pixels: np.ndarray, block: int) -> np.ndarray:
    """Average blocks of pixels; the last ones repeat the edge."""
    if block == 1:
        return pixels
    high, wide = pixels.shape[:2]
    rows, columns = -(-high // block), -(-wide // block)
    down, right = rows * block - high, columns * block - wide
    whole = cv2.copyMakeBorder(pixels, 0, down, 0, right, cv2.BORDER_REPLICATE)
    return cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA)


def _sampled(pixels: np.ndarray, matrix: Matrix, side: int, border: int) -> np.ndarray:
    # OpenCV has the middle of the first pixel at (0, 0).
    by_middles = composed(shift(-0.5, -0.5), composed(matrix, shift(0.5, 0.5)))
    return cv2.warpAffine(
        pixels,
        by_middles,
        (side, side),
        flags=cv2.INTER_LINEAR,
        borderMode=border,
        borderValue=GREY,
    )


def _corners(side: int) -> np.ndarray:
    return np.array([(0, 0), (side, 0), (0, side), (side, side)])


class _Source(NamedTuple):
    pixels: np.ndarray
    placement: Placement
    shrunk: int


def _as_it_is(samples: np.ndarray, level: Matrix, source: _Source) -> None:
    """Leave the samples to what OpenCV puts around the photo."""


def _with_median(samples: np.ndarray, level: Matrix, source: _Source) -> None:
    """Paint the samples outside of the canvas; ``level`` leads from the level frame to samples."""
    canvas, side = source.placement.canvas, len(samples)
    back = inverted(level)
    if _inside(moved(back, _corners(side)), canvas).all():
        return
    rows, columns = np.indices((side, side)) + 0.5
    places = moved(back, np.stack([columns.ravel(), rows.ravel()], 1))
    samples[~_inside(places, canvas).reshape(side, side)] = _median(source)


def _inside(places: np.ndarray, canvas: tuple[int, int]) -> np.ndarray:
    # As exact as the arithmetic is: a box that ends with the canvas does not leave it.
    within = np.logical_and(places > -1e-6, places < np.array(canvas) + 1e-6)
    inside: np.ndarray = np.all(within, axis=1)
    return inside


def _median(source: _Source) -> np.ndarray:
    """Return the median colour (3,) of the part of the box that lies on the canvas."""
    placement = source.placement
    edges = np.array(placement.box).reshape(2, 2)
    start, stop = np.clip(edges, 0, placement.canvas)
    shares = (np.arange(PROBES) + 0.5) / PROBES
    across, down = np.meshgrid(*(start + shares[:, None] * (stop - start)).T)
    places = moved(inverted(placement.upright), np.stack([across.ravel(), down.ravel()], 1))
    most = np.array(source.pixels.shape[1::-1]) - 1
    columns, rows = np.clip(places // source.shrunk, 0, most).astype(int).T
    middle: np.ndarray = np.median(source.pixels[rows, columns], axis=0)
    return middle.round().astype(np.uint8)


class _Border(NamedTuple):
    """What OpenCV puts around the photo, and what is painted over its samples in place."""

    mode: int
    finish: Callable[[np.ndarray, Matrix, _Source], None]


_BORDERS = {
    "edge": _Border(cv2.BORDER_REPLICATE, _as_it_is),
    "grey": _Border(cv2.BORDER_CONSTANT, _as_it_is),
    "median": _Border(cv2.BORDER_REPLICATE, _with_median),
}


def _area(pixels: np.ndarray, placement: Placement, size: int, shrunk: int) -> np.ndarray:
    edges = _edges(placement, shrunk)
    level = np.array(placement.box)
    limits, canvas = np.tile(pixels.shape[1::-1], 2), np.tile(placement.canvas, 2)
    exact = _only_cuts(placement) and (edges == edges.round()).all()
    if not exact or not ((edges >= 0) & (edges <= limits) & (level >= 0) & (level <= canvas)).all():
        return warp(pixels, placement, size, shrunk)
    left, top, right, bottom = edges.astype(int)
    return fit(pixels[top:bottom, left:right], size)


def _bicubic(pixels: np.ndarray, placement: Placement, size: int, shrunk: int) -> np.ndarray:
    assert _only_cuts(placement), "Pillow cuts and scales, but does not turn"
    left, top, right, bottom = _edges(placement, shrunk).tolist()
    picture = Image.fromarray(pixels)
    box = (left, top, right, bottom)
    return np.asarray(picture.resize((size, size), Image.Resampling.BICUBIC, box=box))


def _only_cuts(placement: Placement) -> bool:
    return bool((placement.upright[:, :2] == STAY[:, :2]).all())


def _edges(placement: Placement, shrunk: int) -> np.ndarray:
    """Left, top, right and bottom in the decoded photo, where the placement only cuts."""
    edges: np.ndarray = (np.array(placement.box) - np.tile(placement.upright[:, 2], 2)) / shrunk
    return edges


_Filter: TypeAlias = Callable[[np.ndarray, Placement, int, int], np.ndarray]
_FILTERS: dict[str, _Filter] = {"area": _area, "bicubic": _bicubic}
