"""Changes to pictures that let gradients through: what a critic sees instead of them.

Each change takes images (B, C, H, W) in [-1, 1], numbers (B, n) in [-1, 1), and, as ``on`` (B, 1),
1 for a picture that is changed and 0 for one that stays as it is. None of them cuts off values
above 1 or below -1: that would stop the gradient.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample, pad

from purrtrait.types import Images

Change: TypeAlias = Callable[[Images, Tensor, Tensor], Images]

BRIGHTNESS = 0.25  # added at the most; 2 is the way from black to white
SATURATION = 1.0  # distance from grey: times 0 to 2
CONTRAST = 0.5  # distance from the mean: times 0.5 to 1.5
SHIFT = 1 / 8  # of the width and of the height, in whole pixels
HOLE = 1 / 2  # side of the square that is cut out, as a share of the width
TURN = math.radians(10)
STRETCH = 1.1  # larger or smaller by at most this factor


class Kind(NamedTuple):
    """A change, and how many numbers it takes for each picture."""

    change: Change
    numbers: int


def colour(images: Images, numbers: Tensor, on: Tensor) -> Images:
    """Brightness, saturation and contrast of each picture, in this order."""
    brightness, saturation, contrast = (numbers * on)[:, :, None, None, None].unbind(1)
    images = images + BRIGHTNESS * brightness
    grey = images.mean(1, keepdim=True)
    images = torch.lerp(grey, images, 1 + SATURATION * saturation)
    middle = images.mean((1, 2, 3), keepdim=True)
    return torch.lerp(middle, images, 1 + CONTRAST * contrast)


def translation(images: Images, numbers: Tensor, on: Tensor) -> Images:
    """Each picture moved by whole pixels; what comes in from outside is mid-grey (0)."""
    count, _, height, width = images.shape
    sides = images.new_tensor([height, width])
    moved = (numbers * on * SHIFT * sides).round().long()  # (B, 2)
    margin = math.ceil(SHIFT * max(height, width))
    wide = pad(images, (margin,) * 4).permute(0, 2, 3, 1)
    down = torch.arange(height, device=images.device) + margin
    right = torch.arange(width, device=images.device) + margin
    rows = (down + moved[:, :1])[:, :, None]  # (B, H, 1)
    columns = (right + moved[:, 1:])[:, None, :]  # (B, 1, W)
    batch = torch.arange(count, device=images.device)[:, None, None]
    return wide[batch, rows, columns].permute(0, 3, 1, 2)


def cutout(images: Images, numbers: Tensor, on: Tensor) -> Images:
    """A square of each picture made mid-grey (0); its middle is anywhere in the picture."""
    height, width = images.shape[2:]
    rows, columns = (
        (torch.linspace(-1, 1, 2 * side + 1, device=images.device)[1::2] - middle).abs() < HOLE
        for side, middle in ((height, numbers[:, :1]), (width, numbers[:, 1:]))
    )  # (B, H) and (B, W): whether a row and a column meet the square
    hole = (rows[:, :, None] & columns[:, None, :])[:, None]  # (B, 1, H, W)
    return images * (1 - hole * on[:, :, None, None])


def geometric(images: Images, numbers: Tensor, on: Tensor) -> Images:
    """Each picture turned and scaled about its middle, in one bilinear resampling.

    What comes in from outside mirrors what is inside.
    """
    angle, scale = (numbers * on).unbind(1)
    grid = places(STRETCH**scale, TURN * angle, torch.zeros_like(numbers), images.shape)
    drawn = grid_sample(images, grid, padding_mode="reflection", align_corners=False)
    return drawn.contiguous(memory_format=torch.channels_last)


def places(scale: Tensor, angle: Tensor, moved: Tensor, shape: torch.Size) -> Tensor:
    """Where in its picture each pixel of a turned picture is looked up: (B, H, W, 2).

    What lies ``scale`` (B,) times as far from the middle, turned by ``angle`` (B,) radians, is
    drawn there, and then moved by ``moved`` (B, 2): right and down, in halves of a side. ``shape``
    is that of the images. The places are those of ``grid_sample`` with corners not aligned.
    """
    height, width = shape[2:]
    along, across = scale * angle.cos(), scale * angle.sin()
    # In units of half a side, so that a turn stays one where height and width differ.
    first = torch.stack([along, -across * height / width], 1)
    second = torch.stack([across * width / height, along], 1)
    matrix = torch.stack([first, second], 1)  # (B, 2, 2)
    start = -(matrix * moved[:, None]).sum(2, keepdim=True)
    return affine_grid(torch.cat([matrix, start], 2), list(shape), align_corners=False)


KINDS: dict[str, Kind] = {
    "colour": Kind(colour, 3),
    "translation": Kind(translation, 2),
    "cutout": Kind(cutout, 2),
    "geometric": Kind(geometric, 2),
}
