"""The plainest extractor: the pixels themselves, averaged to 16 x 16."""

from __future__ import annotations

import numpy as np

from purrtrait.images.resize import area, to_images
from purrtrait.types import Features

SIZE = 16  # pixels: below that faces lose their parts, above it noise counts for more


class Pixels:
    """Grey levels in [-1, 1] of a picture averaged (smaller ones: repeated) to 16 x 16 px.

    Euclidean distances between them are those of the pictures, whatever a network makes of them.
    """

    name = "pixels"
    identity = f"pixels {SIZE}"

    def __call__(self, pixels: np.ndarray) -> Features:
        """Features (B, 768) of pixels (B, H, W, C) uint8; grey ones are repeated in 3 channels."""
        images = area(to_images(pixels), SIZE)
        features: Features = images.expand(-1, 3, -1, -1).flatten(1)
        return features


def mirrored(features: Features) -> Features:
    """The features (N, 768) of the same pictures mirrored, left for right."""
    turned: Features = features.unflatten(1, (-1, SIZE)).flip(-1).flatten(1)
    return turned
