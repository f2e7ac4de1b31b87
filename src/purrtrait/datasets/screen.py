"""Screens portraits before they enter a pack: what is blank, blurred or badly lit stays out.

Every screen takes what a glance at a portrait gave and says whether the portrait fails. The limits
were set by looking at photos: see docs/preparing.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import cv2
import numpy as np

BLANK_LEVELS = 4.0  # a standard deviation of grey below it: nothing is to be seen
DARK_LEVELS, LIGHT_LEVELS = 12.0, 232.0  # means of grey, of 0 ... 255
FLAT_LEVELS = 12.0  # a standard deviation of grey below it: fog, or night
BLURRED = 0.2  # detail below it, see ``Glance``


class Glance(NamedTuple):
    """What is measured of a portrait.

    ``mean`` and ``spread`` (standard deviation) of its grey, in levels of 0 ... 255; ``detail`` is
    the standard deviation of its Laplacian over that of its grey, which for smooth pictures is
    near 0 and for noise near 4.5: blur lowers it, light and contrast do not matter.
    """

    mean: float
    spread: float
    detail: float


class Screen(NamedTuple):
    """Whether a portrait fails, and what is then said of it."""

    fails: Callable[[Glance], bool]
    reason: str


SCREENS: dict[str, Screen] = {
    # name: whether a portrait fails, and the reason
    "blank": Screen(lambda seen: seen.spread < BLANK_LEVELS, "blank"),
    "dark": Screen(lambda seen: seen.mean < DARK_LEVELS, "too dark"),
    "light": Screen(lambda seen: seen.mean > LIGHT_LEVELS, "too light"),
    "flat": Screen(lambda seen: seen.spread < FLAT_LEVELS, "hardly any contrast"),
    "blurred": Screen(lambda seen: seen.detail < BLURRED, "blurred"),
}


def glance(luma: np.ndarray) -> Glance:
    """Measure a portrait's grey (H, W) uint8."""
    mean, spread = _moments(luma)
    laplacian = cv2.Laplacian(luma, cv2.CV_16S, borderType=cv2.BORDER_REPLICATE)
    return Glance(mean, spread, _moments(laplacian)[1] / max(spread, 1e-6))


def _moments(levels: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation."""
    mean, spread = cv2.meanStdDev(levels)
    return float(mean[0, 0]), float(spread[0, 0])


def fault(seen: Glance, screens: Sequence[str]) -> str | None:
    """The reason of the first screen that a portrait fails, or None."""
    failed = (SCREENS[name].reason for name in screens if SCREENS[name].fails(seen))
    return next(failed, None)
