"""Masks by which pictures are spoilt: soft clouds and loose pixels.

The random numbers of a mask are the same for every process: a set of pictures shares its masks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import accumulate

import numpy as np
import torch
from torch import Tensor

from purrtrait.types import Draw, Share

WALKS = 1000
STEPS = 10_000  # of a walk, at the most
STEPS_A_PIXEL = 10  # more in small pictures would leave their clouds white all over
JUMP = 0.02  # chance that a step goes anywhere
BACK = 0.1  # chance that any other step goes back to where the walk came from
BLOCK = 1000  # steps whose random numbers are drawn at once
WAYS = 120  # a pixel has 3, 5 or 8 neighbours: all of them divide this evenly
STRIDE = 0.1  # by how much the chance of an empty pixel changes from pixel to pixel, at the most


def shared(draw: Draw, shape: Sequence[int], purpose: str) -> Tensor:
    """Uniform numbers in [0, 1) of ``shape``, on the CPU, that are the same for every process."""
    return replace(draw, share=Share(), device=torch.device("cpu")).uniform(shape, purpose)


@lru_cache(maxsize=4)
def walks(size: int) -> Tensor:
    """How often each of 1,000 random walks came by each pixel, (1000, size, size) in [0, 1].

    A walk starts anywhere and takes 10,000 steps, or 10 a pixel: anywhere, back, or to a neighbour.
    The pixel where it was most often has 1. The walks depend on the size alone.
    """
    draw, area = Draw(0, "clouds", 0), size * size
    beside, first = _beside(size), np.arange(WALKS) * area
    place = before = _below(area, draw.uniform((WALKS,), "starts"))
    counts = np.zeros(WALKS * area, np.int16)
    steps = min(STEPS, STEPS_A_PIXEL * area)
    for begun in range(0, steps, BLOCK):
        shape = (min(BLOCK, steps - begun), WALKS)
        kinds = draw.uniform(shape, f"kinds from {begun}").numpy()
        ways = draw.uniform(shape, f"ways from {begun}")
        jumps, backs = kinds < JUMP, kinds < JUMP + (1 - JUMP) * BACK
        anywhere, turns = _below(area, ways), _below(WAYS, ways)
        for jump, target, back, turn in zip(jumps, anywhere, backs, turns, strict=True):
            after = np.where(back, before, beside[place, turn])
            before, place = place, np.where(jump, target, after)
            counts[first + place] += 1
    visits = torch.from_numpy(counts).reshape(WALKS, size, size).float()
    return visits / visits.amax((1, 2), keepdim=True)


def _below(count: int, chances: Tensor) -> np.ndarray:
    """Whole numbers from 0 to ``count`` - 1, from numbers in [0, 1)."""
    numbers: np.ndarray = (chances.numpy() * count).astype(np.int64)
    return numbers


def _beside(size: int) -> np.ndarray:
    """The neighbours of each pixel (size * size, 120), each of them equally often."""
    rows, columns = np.divmod(np.arange(size * size), size)
    down, right = np.delete(np.indices((3, 3)).reshape(2, 9) - 1, 4, axis=1)
    r, c = rows[:, None] + down, columns[:, None] + right  # (size * size, 8)
    inside = (np.minimum(r, c) >= 0) & (np.maximum(r, c) < size)
    order = np.argsort(~inside, axis=1, kind="stable")  # those inside come first
    found = np.take_along_axis(r * size + c, order, 1)
    which = np.arange(WAYS) % inside.sum(1)[:, None]
    beside: np.ndarray = np.take_along_axis(found, which, 1)
    return beside


@lru_cache(maxsize=16)
def blurring(size: int, width: int) -> Tensor:
    """The matrix (size, size) that blurs each column of pictures by a bell; black lies outside.

    The bell is ``width`` pixels wide, its deviation a quarter of that; its middle has the weight 1.
    """
    bell = torch.exp(-((torch.arange(width) - (width - 1) / 2) / (width / 4)).square() / 2)
    places = torch.arange(size)
    offsets = places - places[:, None] + (width - 1) // 2
    weights: Tensor = torch.where(
        (offsets >= 0) & (offsets < width), bell[offsets.clamp(0, width - 1)], 0.0
    )
    return weights


def cloud(size: int, blur: int, draw: Draw, purpose: str) -> Tensor:
    """Soft shapes (size, size) in [0, 1], where the highest is 1: four walks a, b, c, d at random.

    a * 2 - b, limited to [0, 1]; then c * d * 2 is added, and the sum limited again; then all is
    blurred by a bell ``blur`` pixels wide, black being outside.
    """
    picked = (shared(draw, (4,), f"walks of {purpose}") * WALKS).long()
    a, b, c, d = walks(size)[picked]
    sharp = ((2 * a - b).clamp(0, 1) + 2 * c * d).clamp(0, 1)
    blurred = blurring(size, blur)
    soft = blurred @ sharp @ blurred.T  # the bell of two dimensions is a product of two
    # Never empty: where a is 1, the sharp mask is 1 as well.
    mask: Tensor = (soft / soft.max()).to(draw.device)
    return mask


def pixels(size: int, draw: Draw, purpose: str) -> Tensor:
    """Loose pixels (size, size) in [0, 1]: some are 0, half of the others 1.

    The chance of 0 wanders from pixel to pixel, row by row: up or down by an amount of the mask's
    own, within [0, 1].
    """
    start, stride = shared(draw, (2,), f"pace of {purpose}").tolist()
    signs, chances, values = shared(draw, (3, size * size), f"pixels of {purpose}")
    steps = (torch.where(signs < 0.5, -1, 1) * (STRIDE * stride)).tolist()
    empty = list(accumulate(steps[:-1], _within, initial=start))
    full = chances >= chances.new_tensor(empty)
    mask: Tensor = full * (2 * values).clamp_max(1)
    return mask.reshape(size, size).to(draw.device)


def _within(chance: float, step: float) -> float:
    return min(max(chance + step, 0.0), 1.0)
