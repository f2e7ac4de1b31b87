"""Latents by seed: each row has a generator of its own, so that a seed is a portrait for good."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from purrtrait.types import Draw, Latents, Prior


def latents(
    count: int, size: int, prior: Prior, seed: int, temperature: float = 1.0, first: int = 0
) -> Latents:
    """Latents (count, size) of a prior, the rows ``first`` ... ``first + count - 1`` of a seed.

    Row i depends on (seed, i) alone, whatever the count. ``temperature`` multiplies them: below 1
    portraits are more alike and often better, above 1 more daring. ValueError if it is negative or
    no number.
    """
    if not 0 <= temperature < math.inf:
        raise ValueError(f"temperature is {temperature}; expected a number from 0, such as 0.8")
    rows = range(first, first + count)
    drawn = [Draw(seed, "sample", row).prior(prior, (1, size), "latents") for row in rows]
    return temperature * torch.cat([torch.empty(0, size), *drawn])


def converted(z: Latents, have: Prior, want: Prior) -> Latents:
    """Latents (B, Z) of one prior as those of another, number by number and in the same order.

    Between the standard normal and the uniform in [-1, 1): u = erf(z / sqrt(2)) and back.
    """
    return _CONVERSIONS[have, want](z)


def _uniform(z: Latents) -> Latents:
    return torch.erf(z / math.sqrt(2))


def _normal(z: Latents) -> Latents:
    # The ends of the range would be infinitely far out.
    return math.sqrt(2) * torch.erfinv(z.clamp(-1 + 1e-6, 1 - 1e-6))


_CONVERSIONS: dict[tuple[Prior, Prior], Callable[[Latents], Latents]] = {
    ("normal", "normal"): lambda z: z,
    ("uniform", "uniform"): lambda z: z,
    ("normal", "uniform"): _uniform,
    ("uniform", "normal"): _normal,
}
