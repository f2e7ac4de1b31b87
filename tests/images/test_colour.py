"""Grey is Pillow's grey."""

from __future__ import annotations

import numpy as np
from PIL import Image

from purrtrait.images.colour import grey


def test_grey_is_to_the_bit_what_pillow_computes() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    expected = np.asarray(Image.fromarray(pixels).convert("L"))
    assert np.array_equal(grey(pixels)[..., 0], expected)
    assert grey(pixels[None]).shape == (1, 200, 300, 1)
