"""Screens portraits before they enter a pack: what is blank, blurred or badly lit stays out.

Every screen takes what a glance at a portrait gave and says whether the portrait fails. The limits
were set by looking at photos: see docs/preparing.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import cv2
import numpy as np

from purrtrait.images.colour import grey

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


def glance(pixels: np.ndarray) -> Glance:
    """Measure a portrait (H, W, 1 or 3) uint8."""
    luma = pixels if pixels.shape[-1] == 1 else grey(pixels)
    levels = luma[..., 0].astype(np.float32)
    spread = float(levels.std())
    laplacian = cv2.Laplacian(levels, cv2.CV_32F, borderType=cv2.BORDER_REPLICATE)
    return Glance(float(levels.mean()), spread, float(laplacian.std()) / max(spread, 1e-6))


def fault(seen: Glance, screens: Sequence[str]) -> str | None:
    """The reason of the first screen that a portrait fails, or None."""
    failed = (SCREENS[name].reason for name in screens if SCREENS[name].fails(seen))
    return next(failed, None)
