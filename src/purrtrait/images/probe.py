"""A picture that no portrait looks like: a critic should judge it worst."""

from __future__ import annotations

import torch

from purrtrait.types import Draw, Images

EVERY = 4  # pixels from one crossing of the grid to the next


def sanity(size: int, channels: int, draw: Draw) -> Images:
    """Noise with a bright diagonal and grey dots at the crossings of a grid, as (1, C, S, S).

    In numbers from 0 to 1: the noise is uniform below 0.5, the diagonal 1 and every fourth crossing
    of rows and columns 0.5, both in the first channel only. The picture itself is in [-1, 1].
    """
    picture = draw.uniform((1, channels, size, size), "sanity probe", 0.0, 0.5)
    picture[:, 0, EVERY - 1 :: EVERY, EVERY - 1 :: EVERY] = 0.5
    diagonal = torch.arange(size)
    picture[:, 0, diagonal, diagonal] = 1.0
    return 2 * picture - 1
