"""Changes the size of pictures (exact area averaging, bicubic upwards) and the range of numbers.

Area averaging is the box filter whose edges may fall inside a pixel: each new pixel is the mean of
the old surface under it. Along one side of ``source`` pixels that becomes ``target`` pixels, cut
both into source * target equal slices: all overlaps are whole numbers of slices, so the filter is
a matrix of integers divided by ``source``.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from purrtrait.types import Images

HALF = 127.5  # grey levels from black to the middle


def overlaps(source: int, target: int) -> np.ndarray:
    """Count the slices shared (target, source), whole numbers; each row adds up to ``source``."""
    new = np.arange(target)[:, None] * source
    old = np.arange(source)[None, :] * target
    shared = np.minimum(new + source, old + target) - np.maximum(new, old)
    counts: np.ndarray = np.maximum(shared, 0)
    return counts


@lru_cache(maxsize=64)
def _weights(source: int, target: int) -> np.ndarray:
    return overlaps(source, target) / source


def area(images: Images, size: int | tuple[int, int]) -> Images:
    """Average images (B, C, H, W) to ``size``, one side or (height, width); differentiable."""
    height, width = (size, size) if isinstance(size, int) else size
    _expect_sides(height, width)
    high, wide = images.shape[-2:]
    if high % height == 0 and wide % width == 0:
        # Whole blocks: the same mean without matrices, and channels-last images stay so.
        return functional.avg_pool2d(images, (high // height, wide // width))
    down = _matrix(high, height, images)
    across = _matrix(wide, width, images)
    return down @ images @ across.mT  # (h, H) (B, C, H, W) (W, w) -> (B, C, h, w)


def enlarge(images: Images, size: int) -> Images:
    """Images (B, C, h, w) at ``size`` x ``size``, bilinear, corner pixels onto corner pixels."""
    if images.shape[-2:] == (size, size):
        return images
    return functional.interpolate(images, (size, size), mode="bilinear", align_corners=True)


def _matrix(source: int, target: int, like: Tensor) -> Tensor:
    return torch.as_tensor(_weights(source, target), dtype=like.dtype, device=like.device)


def _expect_sides(height: int, width: int) -> None:
    if min(height, width) < 1:
        raise ValueError(
            f"A picture cannot become {height} x {width} pixels: give sides of at least 1."
        )


def area_sums(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Integer pixels (H, W, C), averaged down and multiplied by H * W: (height, width, C) int64.

    In integers nothing is rounded, so the answer is the same on every machine, whatever order a
    library adds up in. The sides must not grow.
    """
    high, wide = pixels.shape[:2]
    rows = sums_down(pixels, high, height, 0, height)  # (height, W, C)
    return sums_down(rows.swapaxes(0, 1), wide, width, 0, width).swapaxes(0, 1)


def cut_out(source: int, target: int, first: int, last: int) -> tuple[int, int]:
    """Return the old pixels, from and to, that new pixels ``first`` ... ``last - 1`` lie on."""
    return first * source // target, -(-last * source // target)


def sums_down(pixels: np.ndarray, source: int, target: int, first: int, last: int) -> np.ndarray:
    """Average integer pixels (h, W, C) to rows ``first`` ... ``last - 1``, times ``source``.

    ``source`` rows would become ``target``; ``pixels`` holds just the old rows of ``cut_out``.
    """
    assert 1 <= target <= source, "sums_down only reduces"
    edges = np.arange(first, last + 1) * source
    start = cut_out(source, target, first, last)[0]
    whole, part = edges // target - start, (edges % target)[:, None, None]
    sums = np.add.reduceat(pixels, whole[:-1], axis=0, dtype=np.int64)
    # reduceat ends each sum at the next edge, and the last one only at the end of the array.
    sums[-1] -= pixels[whole[-1] :].sum(axis=0, dtype=np.int64)
    # An edge may cut an old row: its upper share belongs to the new row above.
    cut = part * pixels[np.minimum(whole, len(pixels) - 1)]
    result: np.ndarray = sums * target - cut[:-1] + cut[1:]
    return result


def fit(pixels: np.ndarray, size: int) -> np.ndarray:
    """Return the middle square of ``pixels`` (H, W, C) uint8 as ``size`` x ``size`` x C uint8.

    Down by exact area averaging, up by bicubic interpolation; rounded to nearest, halves up.
    """
    _expect_sides(size, size)
    high, wide = pixels.shape[:2]
    side = min(high, wide)
    top, left = (high - side) // 2, (wide - side) // 2
    square = pixels[top : top + side, left : left + side]
    if side < size:
        return _bicubic(square, size)
    if side == size:
        return square
    surface = side * side
    levels: np.ndarray = (2 * area_sums(square, size, size) + surface) // (2 * surface)
    return levels.astype(np.uint8)


def _bicubic(square: np.ndarray, size: int) -> np.ndarray:
    channels = [
        Image.fromarray(square[..., channel]).resize((size, size), Image.Resampling.BICUBIC)
        for channel in range(square.shape[-1])
    ]
    return np.stack([np.asarray(channel) for channel in channels], axis=-1)


def to_uint8(images: Images) -> np.ndarray:
    """Images (B, C, H, W) of [-1, 1], clamped and rounded, as pixels (B, H, W, C) uint8."""
    levels = ((images.detach().float() + 1) * HALF).round().clamp(0, 255)
    return levels.to(torch.uint8).permute(0, 2, 3, 1).contiguous().cpu().numpy()


def rounded(images: Images) -> Images:
    """Images in [-1, 1] at the nearest of a picture's 256 values; averaged ones lie between."""
    return ((images + 1) * HALF).round() / HALF - 1


def to_images(pixels: np.ndarray) -> Images:
    """Pixels (B, H, W, C) uint8 as float32 images (B, C, H, W) in [-1, 1], channels last."""
    # A copy: torch refuses to share memory that may only be read, as a pack's is.
    levels = torch.from_numpy(np.array(pixels, order="C"))
    return (levels.float() / HALF - 1).permute(0, 3, 1, 2)
