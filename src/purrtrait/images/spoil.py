"""Spoils pictures in four ways, so that a validator learns what a face is without any generator.

The ways are those of cat-generator: two pictures mixed, one picture warped, one stamped with a
shifted copy of itself, and a texture that is no picture at all. Every function takes a set of
portraits (B, C, H, W) in [-1, 1] and gives one of that shape and range. A set shares its masks;
``purpose`` tells two sets that are spoilt with the same draw apart.

There, each picture was brightened afterwards until its brightest value was white. Few real ones
are so bright: a validator learns that above all, and then finds mixtures, which are duller, the
better the more they are mixed. Here only a texture, which would be brighter than white, is scaled.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from purrtrait.images import masks
from purrtrait.types import Draw, Images

Technique: TypeAlias = Callable[[Images, Draw, str], Images]

SOFT = 4  # pixels by which a cloud is blurred
BLURRED = 10  # pixels by which two of the three clouds of a texture are blurred
SHIFTS = 10  # a stamp is shifted by 1 to so many pixels along either axis
AMPLITUDES = (2, 5)  # pixels by which a warp moves at the most: least and greatest of a set
AGAIN = 0.33  # chance that a second set is mixed in


def spoilt(images: Images, draw: Draw, purpose: str = "spoilt") -> Images:
    """The set spoilt by one technique; in a third of all cases a second such set is mixed in."""
    chance = masks.shared(draw, (1,), f"second set of {purpose}").item()
    return (combined if chance < AGAIN else spoilt_once)(images, draw, purpose)


def spoilt_once(images: Images, draw: Draw, purpose: str) -> Images:
    """The set spoilt by one technique, any of them equally often."""
    number = int(masks.shared(draw, (1,), f"technique of {purpose}") * len(TECHNIQUES))
    return list(TECHNIQUES.values())[number](images, draw, purpose)


def combined(images: Images, draw: Draw, purpose: str) -> Images:
    """Two sets, each spoilt by one technique, of different pictures and mixed."""
    first = spoilt_once(images, draw, f"first set of {purpose}")
    second = spoilt_once(images.roll(min(2, len(images) - 1), 0), draw, f"second set of {purpose}")
    return _mixed(first, second, draw, purpose)


def mix(images: Images, draw: Draw, purpose: str) -> Images:
    """Each picture with another one of the set showing through a mask."""
    return _mixed(images, images.roll(1, 0), draw, purpose)


def warp(images: Images, draw: Draw, purpose: str) -> Images:
    """Each picture warped smoothly, by up to 2 ... 5 pixels of its own along either axis."""
    field = 2 * _clouds(images, (SOFT, SOFT), draw, purpose) - 1
    least, greatest = AMPLITUDES
    amplitudes = _whole(draw, (len(images),), f"amplitudes of {purpose}", least, greatest)
    return warped(images, field, amplitudes)


def stamp(images: Images, draw: Draw, purpose: str) -> Images:
    """Each picture with itself, shifted by 1 ... 10 pixels around its edges, behind a cloud."""
    (mask,) = _clouds(images, (SOFT,), draw, purpose)
    shifts = _whole(draw, (len(images), 2), f"shifts of {purpose}", 1, SHIFTS)
    return blended(shifted(images, shifts), images, mask)


def texture(images: Images, draw: Draw, purpose: str) -> Images:
    """Clouds on a plain colour; nothing of the pictures but their shape.

    Of clouds a, b and c, the channel with the number k = 1, 2, ... is base + a * b + c, where b and
    c are shifted around their edges by k times a shift of the picture's own; the brightest value
    becomes white.
    """
    count, channels, height, width = images.shape
    first, *others = _clouds(images, (BLURRED, BLURRED, SOFT), draw, purpose)
    steps = _whole(draw, (count, 2), f"shifts of {purpose}", 1, min(height, width))
    numbers = torch.arange(1, channels + 1, device=images.device)
    shifts = (steps[:, None] * numbers[:, None]).flatten(0, 1)  # (B * C, 2)
    both = torch.stack(others).expand(count * channels, 2, height, width)
    second, third = shifted(both, -shifts).unflatten(0, (count, channels)).unbind(2)
    base = draw.uniform((count, channels, 1, 1), f"colours of {purpose}")
    light: Tensor = base + first * second + third
    return 2 * light / light.amax((1, 2, 3), keepdim=True) - 1


TECHNIQUES: dict[str, Technique] = {"mix": mix, "warp": warp, "stamp": stamp, "random": texture}


def blended(first: Images, second: Images, mask: Tensor) -> Images:
    """The first pictures where the mask (H, W) is 1, the second ones where it is 0."""
    return torch.lerp(second, first, mask).clamp(-1, 1)


def warped(images: Images, field: Tensor, amplitudes: Tensor) -> Images:
    """Each pixel taken from elsewhere, bilinearly; beyond the edge it is repeated.

    ``field`` (2, H, W) says how far down and to the right, in units of ``amplitudes`` (B,) pixels.
    """
    height, width = images.shape[2:]
    rows, columns = (torch.arange(side, device=images.device) for side in (height, width))
    down, right = (amplitudes[:, None, None] * way for way in field)  # (B, H, W)
    places = torch.stack(
        [(columns + right) / (width - 1), (rows[:, None] + down) / (height - 1)], 3
    )
    found = grid_sample(images, 2 * places - 1, padding_mode="border", align_corners=True)
    return found.clamp(-1, 1)


def shifted(images: Images, shifts: Tensor) -> Images:
    """Each picture moved down and to the right by ``shifts`` (B, 2) pixels, around the edges."""
    height, width = images.shape[2:]
    rows, columns = (
        (torch.arange(side, device=images.device) - moved[:, None]) % side
        for side, moved in ((height, shifts[:, 0]), (width, shifts[:, 1]))
    )  # (B, H) and (B, W): where each row and each column comes from
    own = torch.arange(len(images), device=images.device)[:, None, None]
    found = images.permute(0, 2, 3, 1)[own, rows[:, :, None], columns[:, None, :]]
    return found.permute(0, 3, 1, 2)


def _mixed(first: Images, second: Images, draw: Draw, purpose: str) -> Images:
    size = first.shape[-1]
    kind = masks.shared(draw, (1,), f"kind of mask of {purpose}").item()
    if kind < 0.5:
        mask = masks.pixels(size, draw, purpose)
    else:
        mask = masks.cloud(size, SOFT, draw, purpose)
    return blended(first, second, mask)


def _clouds(images: Images, blurs: tuple[int, ...], draw: Draw, purpose: str) -> Tensor:
    """Clouds (n, H, W) of the pictures' size."""
    size = images.shape[-1]
    return torch.stack(
        [
            masks.cloud(size, blur, draw, f"cloud {number} of {purpose}")
            for number, blur in enumerate(blurs)
        ]
    )


def _whole(draw: Draw, shape: tuple[int, ...], purpose: str, least: int, most: int) -> Tensor:
    """Whole numbers from ``least`` to ``most``."""
    return draw.uniform(shape, purpose, least, most + 1).long()
