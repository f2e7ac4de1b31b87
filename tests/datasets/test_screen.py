"""Each screen lets ordinary portraits pass and stops what it is named after."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from purrtrait.datasets.screen import SCREENS, Glance, fault, glance
from purrtrait.images.colour import grey


def ordinary(size: int = 64) -> np.ndarray:
    """Return kitten-like pixels: smooth areas, edges, and a little grain."""
    numbers = np.random.default_rng(3)
    image = np.full((size, size, 3), 90.0)
    image[size // 4 : size // 2, size // 4 :] = 200
    image[size // 2 :, : size // 3] = 30
    return np.clip(image + numbers.normal(0, 8, image.shape), 0, 255).astype(np.uint8)


FAULTY = {
    "blank": np.full((64, 64, 3), 120, np.uint8),
    "dark": (ordinary() // 16),
    "light": np.clip(ordinary().astype(int) // 8 + 228, 0, 255).astype(np.uint8),
    "flat": (ordinary() // 10 + 110),
    "blurred": cv2.GaussianBlur(ordinary(), (0, 0), 4),
}


def seen(pixels: np.ndarray) -> Glance:
    return glance(grey(pixels)[..., 0])


def test_every_screen_is_tried_here() -> None:
    assert FAULTY.keys() == SCREENS.keys()


@pytest.mark.parametrize("name", SCREENS)
def test_a_screen_stops_what_it_is_named_after(name: str) -> None:
    assert fault(seen(FAULTY[name]), [name]) == SCREENS[name].reason
    assert fault(seen(FAULTY[name]), []) is None
    assert fault(seen(ordinary()), [name]) is None


def test_light_and_contrast_do_not_change_detail() -> None:
    image = ordinary()
    dim = (image.astype(int) // 2 + 40).astype(np.uint8)
    assert seen(dim).detail == pytest.approx(seen(image).detail, rel=0.03)
    softer = [seen(cv2.GaussianBlur(image, (0, 0), width)).detail for width in (0.5, 1, 2, 4)]
    assert softer == sorted(softer, reverse=True)


def test_noise_has_the_detail_of_the_kernel() -> None:
    # The Laplacian of independent values has their variance times 4^2 + 4.
    noise = np.random.default_rng(0).integers(0, 256, (400, 400), dtype=np.uint8)
    assert glance(noise).detail == pytest.approx(np.sqrt(20), rel=0.02)
