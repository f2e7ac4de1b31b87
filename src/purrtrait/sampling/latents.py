"""Latents by seed: each row has a generator of its own, so that a seed is a portrait for good."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from purrtrait.types import Draw, Latents, Prior


def latents(
    count: int,
    size: int,
    prior: Prior,
    seed: int,
    temperature: float = 1.0,
    first: int = 0,
    truncation: float = math.inf,
) -> Latents:
    """Latents (count, size) of a prior, the rows ``first`` ... ``first + count - 1`` of a seed.

    Row i depends on (seed, i) alone, whatever the count. ``temperature`` and ``truncation`` are
    those of ``gathered``.
    """
    rows = range(first, first + count)
    drawn = [Draw(seed, "sample", row).prior(prior, (1, size), "latents") for row in rows]
    return gathered(torch.cat([torch.empty(0, size), *drawn]), prior, temperature, truncation)


def gathered(z: Latents, prior: Prior, temperature: float, truncation: float) -> Latents:
    """Latents (B, Z) of a prior, gathered about its middle: truncated, then multiplied.

    ``truncation`` is the threshold of ``truncated``, infinite for none; ``temperature`` multiplies
    what is left. Lower ones make portraits that are more alike, a temperature above 1 more daring
    ones. ValueError if either is negative or no number.
    """
    if not 0 <= temperature < math.inf:
        raise ValueError(f"temperature is {temperature}; expected a number from 0, such as 0.8")
    if not truncation >= 0:
        raise ValueError(f"truncation is {truncation}; expected a number from 0, such as 1")
    kept = z if math.isinf(truncation) else truncated(z, prior, truncation)
    return temperature * kept


def truncated(z: Latents, prior: Prior, threshold: float) -> Latents:
    """Latents (B, Z) as if each number had been drawn again until it was within a threshold.

    The truncation of Brock et al. 2019, "Large scale GAN training for high fidelity natural image
    synthesis" (BigGAN), section 3.1, without the drawing again. A normal number z stands for the
    uniform one u = Phi(z), and becomes the truncated normal Phi^-1(Phi(-t) + u (Phi(t) - Phi(-t)))
    = sqrt(2) erfinv(erf(t / sqrt(2)) erf(z / sqrt(2))). So the order of numbers stays, and a
    portrait moves towards the middle instead of becoming another one. A uniform number becomes
    min(t, 1) z by the same rule.
    """
    return _TRUNCATIONS[prior](z, threshold)


def _normal_within(z: Latents, threshold: float) -> Latents:
    # In single precision the error function is 1 from 4 on, and the tails would be lost.
    share = math.erf(threshold / math.sqrt(2)) * torch.erf(z.double() / math.sqrt(2))
    within = math.sqrt(2) * torch.erfinv(share)
    return within.clamp(-threshold, threshold).to(z.dtype)


def _uniform_within(z: Latents, threshold: float) -> Latents:
    return min(threshold, 1.0) * z


_TRUNCATIONS: dict[Prior, Callable[[Latents, float], Latents]] = {
    "normal": _normal_within,
    "uniform": _uniform_within,
}


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
