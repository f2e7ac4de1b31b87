"""Finds portraits that show the same photo twice: equal ones, and such as differ by a re-encoding.

Portraits whose difference hashes (64 bits: is each of 8 x 8 places darker than its neighbour to the
right?) differ in few bits are candidates; the correlation of their grey decides.
"""

from __future__ import annotations

import hashlib
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
SMALL = 16  # pixels: the side at which candidates are compared first, all at once
NEARLY = 0.95  # of their correlation there, above which the portraits themselves are compared


def difference_hash(luma: np.ndarray) -> int:
    """Return 64 bits of a portrait's grey (H, W) uint8, nearly the same after re-encoding."""
    small = cv2.resize(luma, (9, 8), interpolation=cv2.INTER_AREA)
    bits = np.packbits(small[:, 1:] > small[:, :-1])
    return int.from_bytes(bits.tobytes(), "big")


def families(images: np.ndarray, hashes: Sequence[int]) -> np.ndarray:
    """Return for each portrait the first row (N,) int64 that shows the same photo, or its own.

    ``images`` (N, H, W, C) uint8 may be a map of a file. A portrait is compared with the first one
    of each family, so that a film's frames do not become one family link by link.
    """
    count = len(hashes)
    first, firsts = np.arange(count), np.empty(count, np.int64)
    codes, small = np.empty(count, np.uint64), np.empty((count, SMALL**2), np.float16)
    equal: dict[bytes, int] = {}  # what shows the very same pixels
    known = 0
    for row, code in enumerate(np.asarray(hashes, np.uint64)):
        image = images[row]
        digest = hashlib.blake2b(image.tobytes(), digest_size=16).digest()
        near = np.flatnonzero(np.bitwise_count(codes[:known] ^ code) <= BITS)
        codes[known], small[known] = code, _small(image)
        alike = near[small[near].astype(np.float32) @ small[known].astype(np.float32) > NEARLY]
        same = (firsts[place] for place in alike if _correlate(image, images[firsts[place]]))
        found = equal.get(digest, -1)
        found = next(same, -1) if found < 0 else found
        first[row] = row if found < 0 else found
        equal.setdefault(digest, int(first[row]))
        if found < 0:
            firsts[known] = row
            known += 1
    return first


def _small(image: np.ndarray) -> np.ndarray:
    """Return a portrait's small grey (SMALL^2,), of mean 0 and length 1; of a blank one zeros."""
    small = cv2.resize(_grey(image), (SMALL, SMALL), interpolation=cv2.INTER_AREA)
    return _normal(small)


def _normal(levels: np.ndarray) -> np.ndarray:
    flat = levels.astype(np.float32).ravel()
    flat -= flat.mean()
    length = float(np.linalg.norm(flat))
    return flat / length if length > 0 else flat


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


def _correlate(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether the grey of two portraits correlates as it does in copies."""
    return float(_normal(_grey(one)) @ _normal(_grey(other))) > CORRELATION


def _grey(pixels: np.ndarray) -> np.ndarray:
    luma: np.ndarray = pixels[..., 0] if pixels.shape[-1] == 1 else grey(pixels)[..., 0]
    return luma
