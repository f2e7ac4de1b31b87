"""Levels: how a batch of the pack is cut for one stage, and how its drawings become portraits."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from annotated_types import Ge
from torch import Tensor

from purrtrait.images.resize import area, enlarge
from purrtrait.sampling.latents import converted
from purrtrait.types import Batch, Chance, Count, Draw, Generator, Images, Latents, Prior, Sampler


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


class Refined:
    """The sampler of a pyramid: the portraits of the stage below, enlarged, and a drawn detail.

    A latent row is the row of the sampler below and then the refiner's own. It follows the prior
    of the sampler below; the refiner's part is converted to what the refiner expects.
    """

    def __init__(self, drawer: Generator, below: Sampler, size: int) -> None:
        self.drawer = drawer
        self.below = below
        self.size = size
        self.latent_size: int = below.latent_size + drawer.latent_size
        self.prior: Prior = below.prior

    @torch.no_grad()
    def __call__(self, z: Latents) -> Images:
        """Portraits (B, C, size, size) in [-1, 1] for latents (B, Z)."""
        under, own = z.split([self.below.latent_size, self.drawer.latent_size], 1)
        return self.refine(self.below(under), converted(own, self.prior, self.drawer.prior))

    @torch.no_grad()
    def refine(self, portraits: Images, noise: Latents) -> Images:
        """Smaller portraits (B, C, S, S), refined with the refiner's own latents (B, F)."""
        coarse = enlarge(portraits, self.size)
        refined: Images = coarse + self.drawer(noise, coarse)
        return refined.clamp(-1, 1)


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


class Detail:
    """What a picture loses when it is reduced and enlarged again: fine = coarse + detail.

    A level of LAPGAN's pyramid (Denton et al. 2015, equations 5 and 6). Reals are true details of
    their own coarse pictures; fakes are asked for on the coarse picture of another photo, and some
    on what the stage below draws, whose faults the refiner so gets to know. With ``coarse`` of the
    same size as ``pixels`` nothing is lost: reals are whole pictures, and fakes are changes of
    what the stage below draws.

    Args:
        size: width and height of the pack's pictures
        coarse: width and height of what the stage below draws
        pixels: width and height of the refined pictures; 0 is the size of the pack
        chained: share of the fakes on what the stage below draws, 0 to 1
        reduced_from: what coarse pictures are reduced from: the pack's pictures, or the fine ones
    """

    def __init__(
        self,
        size: int,
        coarse: Count,
        pixels: Annotated[int, Ge(0)] = 0,
        chained: Chance = 0.5,
        reduced_from: Literal["pack", "fine"] = "pack",
    ) -> None:
        self.size = pixels or size
        if not coarse <= self.size <= size:
            raise ValueError(
                f"pictures of {coarse} px cannot be refined to {self.size} px with a pack of "
                f"{size} px; expected sizes that do not fall, none of them above the pack's. "
                "Prepare the pack with a larger --size, or set coarse and pixels"
            )
        self.coarse = coarse
        self.chained = chained
        self.reduced_from = reduced_from

    def cut(self, images: Images, below: Sampler | None, draw: Draw) -> Batch:
        """True details (B, C, size, size) with their coarse pictures, and prompts for fakes."""
        fine = area(images, self.size)
        whole = images if self.reduced_from == "pack" else fine
        coarse = _laid(enlarge(area(whole, self.coarse), self.size))
        return Batch(_laid(fine) - coarse, draw, coarse, self._prompt(coarse, below, draw))

    def join(self, drawer: Generator, below: Sampler | None) -> Sampler:
        """What is below, refined."""
        return Refined(drawer, _there(below), self.size)

    def _prompt(self, coarse: Images, below: Sampler | None, draw: Draw) -> Images:
        """Coarse pictures (B, C, size, size): those of others, and some from below.

        The rows from below are spread evenly, and neighbours swap the rest: so processes whose
        shares of a batch are even see what one process would see.
        """
        count = len(coarse)
        prompt = coarse[[min(row ^ 1, count - 1) for row in range(count)]]
        chosen = spread(count, self.chained)
        if chosen:
            sampler = _there(below)
            shape = (len(chosen), sampler.latent_size)
            z = draw.prior(sampler.prior, shape, "latents of the coarse")
            prompt[chosen] = enlarge(sampler(z), self.size)
        return prompt


def spread(count: int, share: float) -> list[int]:
    """The rows, of ``count``, that are chosen where a share of all is spread evenly."""
    return [row for row in range(count) if int((row + 1) * share) > int(row * share)]


def _laid(images: Images) -> Tensor:
    return images.contiguous(memory_format=torch.channels_last)


def _there(below: Sampler | None) -> Sampler:
    if below is None:
        raise ValueError(
            "this stage refines what the stage below draws, and there is none; give the recipe a "
            "stage that draws whole pictures before it"
        )
    return below
