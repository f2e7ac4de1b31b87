"""Finds portraits that show the same photo twice: equal ones, and such as differ by a re-encoding.

Portraits whose difference hashes (64 bits: is each of 8 x 8 places darker than its neighbour to the
right?) differ in few bits are candidates; the correlation of their grey decides.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from purrtrait.images.colour import grey

COPIES: dict[str, str] = {
    # name of a screen: what it leaves out
    "equal": "the same pixels as another one",
    "alike": "the same photo as another one, which is better",
}
BITS = 8  # of 64 in which the hashes of candidates may differ
CORRELATION = 0.97  # of the grey of two portraits above which they are one photo
CELLS = 2**17  # comparisons at a time, of 8 bytes each: they stay in the cache


def difference_hash(luma: np.ndarray) -> int:
    """Return 64 bits of a portrait's grey (H, W) uint8, nearly the same after re-encoding."""
    small = cv2.resize(luma, (9, 8), interpolation=cv2.INTER_AREA)
    bits = np.packbits(small[:, 1:] > small[:, :-1])
    return int.from_bytes(bits.tobytes(), "big")


def families(images: np.ndarray, hashes: Sequence[int]) -> np.ndarray:
    """Return for each portrait the first row (N,) int64 of those that are the same photo.

    ``images`` (N, H, W, C) uint8 may be a map of a file: only candidates are read.
    """
    codes = np.asarray(hashes, np.uint64)
    first = np.arange(len(codes))
    rows_at_once = max(1, CELLS // max(1, len(codes)))
    for start in range(0, len(codes), rows_at_once):
        block = codes[start : start + rows_at_once, None]
        apart = np.bitwise_count(block ^ codes[None, start:])  # (block, rest)
        rows, others = np.nonzero(apart <= BITS)
        rows, others = rows[rows < others] + start, others[rows < others] + start
        for row, other in zip(rows.tolist(), others.tolist(), strict=True):
            if _root(first, row) != _root(first, other) and _same(images[row], images[other]):
                _join(first, row, other)
    return np.array([_root(first, row) for row in range(len(first))], np.int64)


def superfluous(
    images: np.ndarray, family: Sequence[int], quality: Sequence[tuple[float, float]], screen: str
) -> dict[int, int]:
    """Return each row (of one family) that a screen leaves out, and the row that stays instead.

    ``quality`` is the number of photo pixels along each portrait's side, and its sharpness.
    """
    if screen == "alike":
        best = max(family, key=lambda row: (*quality[row], -row))
        return {row: best for row in family if row != best}
    seen: dict[bytes, int] = {}
    firsts = {row: seen.setdefault(images[row].tobytes(), row) for row in family}
    return {row: first for row, first in firsts.items() if row != first}


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether the grey of two portraits correlates; blank ones are the same when they are equal."""
    if np.array_equal(one, other):
        return True
    pair = np.stack([_grey(one).ravel(), _grey(other).ravel()]).astype(np.float64)
    pair -= pair.mean(1, keepdims=True)
    lengths = np.sqrt((pair**2).sum(1)).prod()
    return bool(lengths > 0 and (pair[0] * pair[1]).sum() > CORRELATION * lengths)


def _grey(pixels: np.ndarray) -> np.ndarray:
    luma: np.ndarray = pixels[..., 0] if pixels.shape[-1] == 1 else grey(pixels)[..., 0]
    return luma


def _root(first: np.ndarray, row: int) -> int:
    while first[row] != row:
        first[row] = first[first[row]]
        row = int(first[row])
    return row


def _join(first: np.ndarray, row: int, other: int) -> None:
    """Make two families one, named by its first row."""
    roots = sorted((_root(first, row), _root(first, other)))
    first[roots[1]] = roots[0]
