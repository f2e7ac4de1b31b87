"""Turns colour into grey."""

from __future__ import annotations

import numpy as np

# Rec. 601 luma in 65536ths, and half of one to round: to the bit what Pillow computes.
_RED, _GREEN, _BLUE, _ROUND = 19595, 38470, 7471, 0x8000


def grey(pixels: np.ndarray) -> np.ndarray:
    """Return the luma (Rec. 601) of pixels (..., 3) uint8 as (..., 1) uint8, as Pillow's "L"."""
    red, green, blue = (pixels[..., channel].astype(np.uint32) for channel in range(3))
    luma = (red * _RED + green * _GREEN + blue * _BLUE + _ROUND) >> 16
    return luma.astype(np.uint8)[..., None]
