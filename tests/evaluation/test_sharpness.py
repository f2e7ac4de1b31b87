"""Sharpness, beside OpenCV's Laplacian and what blur and noise must do to it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from purrtrait.datasets.pack import Pack
from purrtrait.evaluation.sharpness import sharpness
from purrtrait.images.resize import to_images


@pytest.mark.parametrize("channels", [1, 3])
def test_it_is_that_of_opencv(channels: int, kittens: Pack) -> None:
    pixels = kittens.images[:5][..., :channels]
    for picture, found in zip(pixels, sharpness(to_images(pixels)), strict=True):
        grey = picture[..., 0].astype(np.float64)
        if channels == 3:
            grey = picture.astype(np.float64) @ [0.299, 0.587, 0.114]
        laplacian = cv2.Laplacian(grey, cv2.CV_64F, borderType=cv2.BORDER_REPLICATE)
        assert found.item() == pytest.approx(laplacian.std(), rel=1e-4)


def test_blur_lowers_it_and_noise_raises_it(kittens: Pack) -> None:
    pixels = kittens.images[:20]
    blurred = np.stack([cv2.blur(picture, (3, 3)) for picture in pixels])
    noise = np.random.default_rng(0).integers(0, 256, pixels.shape, dtype=np.uint8)
    soft, usual, hard = (sharpness(to_images(some)) for some in (blurred, pixels, noise))
    assert (soft < usual).all()
    assert (usual < hard).all()


def test_a_plain_picture_has_none() -> None:
    assert sharpness(torch.full((2, 3, 8, 8), 0.3)).abs().max() < 1e-3
