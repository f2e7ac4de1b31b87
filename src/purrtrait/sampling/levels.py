"""Levels: how a batch of the pack is cut for one stage, and how its drawings become portraits."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Ge

from purrtrait.images.resize import area
from purrtrait.types import Batch, Draw, Generator, Images, Latents, Prior, Sampler


class Drawn:
    """The sampler of one generator: portraits are what it draws, shown within [-1, 1]."""

    def __init__(self, drawer: Generator) -> None:
        self.drawer = drawer
        self.latent_size: int = drawer.latent_size
        self.prior: Prior = drawer.prior

    @torch.no_grad()
    def __call__(self, z: Latents) -> Images:
        """Portraits (B, C, H, W) in [-1, 1] for latents (B, Z)."""
        return self.drawer(z).clamp(-1, 1)


class Whole:
    """The whole picture, reduced by exact area averaging where the pack is larger.

    Args:
        size: width and height of the pack's pictures
        pixels: width and height of what the stage sees and draws; 0 is the size of the pack
    """

    def __init__(self, size: int, pixels: Annotated[int, Ge(0)] = 0) -> None:
        if pixels > size:
            raise ValueError(
                f"the pack's pictures are {size} px wide, the recipe draws {pixels} px. Prepare "
                f"the pack with --size {pixels}, or draw smaller ones with --set pixels={size}"
            )
        self.size = pixels or size
        self.coarse = 0

    def cut(self, images: Images, below: Sampler | None, draw: Draw) -> Batch:
        """The pictures (B, C, size, size) as they are; nothing is conditioned on anything."""
        return Batch(area(images, self.size), draw)

    def join(self, drawer: Generator, below: Sampler | None) -> Sampler:
        """What the drawer draws are the portraits."""
        return Drawn(drawer)
