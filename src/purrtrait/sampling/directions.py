"""Principal directions of a generator's latents: along which of them most of it changes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn

from purrtrait.images.resize import area
from purrtrait.sampling.levels import Drawn
from purrtrait.types import Generator, Latents, Prior, Sampler

Response: TypeAlias = Callable[[Latents], Tensor]  # latents (N, Z) to numbers (N, F)
Source: TypeAlias = Literal["first-layer", "portraits"]

DEVIATIONS: dict[Prior, float] = {"normal": 1.0, "uniform": 3**-0.5}  # of one number of a latent
LIMITS: dict[Prior, float] = {"normal": math.inf, "uniform": 1.0}  # no number lies beyond
COARSE = 16  # pixels: what changes between smaller blocks is no trait of a face
NOTHING = 1e-12  # share of all change that is rounding
AT_ONCE = 64  # portraits


@dataclass(frozen=True)
class Directions:
    """Unit vectors (K, Z) in the latent space, and the shares (K,) of all change along them.

    The first has the largest share. ``deviation`` is the standard deviation of latents along each,
    ``limit`` the size that none of their numbers exceeds.
    """

    vectors: Tensor
    shares: Tensor
    deviation: float
    limit: float

    def along(self, z: Latents, number: int, deviations: Tensor) -> Latents:
        """The row (1, Z), moved to so many standard deviations (D,) along a direction: (D, Z).

        Where that leads out of the prior's range, a number stays at its end (or as far out as it
        was).
        """
        vector = self.vectors[number]
        rest = z - (z @ vector)[:, None] * vector
        moved = rest + self.deviation * deviations[:, None] * vector
        limit = z.abs().clamp_min(self.limit)
        return torch.minimum(torch.maximum(moved, -limit), limit)


def principal(response: Response, z: Latents, count: int, prior: Prior) -> Directions:
    """The ``count`` directions along which a response to latents changes most.

    Principal components of the response to latents ``z`` (N, Z), and for each of them the direction
    that the latents themselves have with it, by least squares (Härkönen et al. 2020, "GANSpace",
    NeurIPS, section 2.2). The latents are made exactly uncorrelated first: of a linear response
    z @ W the directions are then the left singular vectors of W, whatever the sample. ValueError
    where fewer directions change anything: the others would be noise.
    """
    rows = _uncorrelated(z.double())
    deviation = DEVIATIONS[prior]
    found = response((deviation * rows).to(z.dtype)).cpu().double()  # MPS has no such numbers
    found -= found.mean(0)
    # Of N x N numbers: a layer may have many more units than there are latents.
    values, components = torch.linalg.eigh(found @ found.T)
    values, components = values.flip(0)[:count], components.flip(1)[:, :count]  # (K,), (N, K)
    shares = values / found.square().sum().clamp_min(1e-300)
    changing = int((shares > NOTHING).sum())
    if changing < count:
        raise ValueError(
            f"{count} directions are asked for, and only {changing} change anything; expected at "
            "most as many (--count)"
        )
    # The components are orthonormal, and so the least squares are a product.
    vectors = nn.functional.normalize(components.T @ rows)  # (K, Z)
    # The sign of a component is nobody's choice; this one does not depend on the machine.
    peaks = vectors.gather(1, vectors.abs().argmax(1, keepdim=True))
    return Directions((vectors * peaks.sign()).float(), shares.float(), deviation, LIMITS[prior])


def _uncorrelated(z: Tensor) -> Tensor:
    """Rows (N, Z) with mean 0, variance 1 and no correlation, changed as little as that takes."""
    centred = z - z.mean(0)
    values, axes = torch.linalg.eigh(centred.T @ centred / len(z))
    if values[0] <= 1e-9 * values[-1]:
        raise ValueError(
            f"{len(z)} latents of {z.shape[1]} numbers do not show all directions; expected more"
        )
    uncorrelated: Tensor = centred @ (axes / values.sqrt()) @ axes.T
    return uncorrelated


@torch.no_grad()
def first_layer(sampler: Sampler) -> Response:
    """What the first layer of a generator makes of latents, every unit of it.

    The first layer is the first module with weights that comes to its end. ValueError where the
    sampler is not one generator.
    """
    match sampler:
        case Drawn(drawer=drawer):
            return _first_layer(drawer)
        case _:
            raise ValueError(
                "these portraits are not drawn by one generator, whose first layer could be "
                "looked into; take the directions of the portraits themselves (--of portraits)"
            )


def _first_layer(drawer: Generator) -> Response:
    seen: list[tuple[nn.Module, torch.Size]] = []

    def note(module: nn.Module, given: tuple[Tensor, ...], out: Tensor) -> None:
        seen.append((module, given[0].shape[1:]))

    weighted = [module for module in drawer.modules() if any(True for _ in module.parameters())]
    hooks = [module.register_forward_hook(note) for module in weighted]
    some = next(drawer.parameters())
    drawer(some.new_zeros(1, drawer.latent_size))
    for hook in hooks:
        hook.remove()
    layer, shape = seen[0]
    assert shape.numel() == drawer.latent_size, "the first layer hears all of a latent"
    return lambda z: layer(z.to(some).view(-1, *shape)).flatten(1)


def portraits(sampler: Sampler) -> Response:
    """The portraits themselves, averaged to 16 x 16 px."""

    def response(z: Latents) -> Tensor:
        return torch.cat([area(sampler(rows), COARSE).flatten(1) for rows in z.split(AT_ONCE)])

    return response


RESPONSES: dict[Source, Callable[[Sampler], Response]] = {
    "first-layer": first_layer,
    "portraits": portraits,
}
