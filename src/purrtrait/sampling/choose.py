"""Best of k: a refiner draws several details for a portrait, and its critic chooses one."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

import torch
from torch import Tensor

from purrtrait.sampling.latents import converted, gathered
from purrtrait.sampling.levels import Refined
from purrtrait.types import Draw, Images, Latents, Logits, Prior

Judge: TypeAlias = Callable[[Images], Logits]

AT_ONCE = 64  # refinements: at 32 px the widest refiner's maps take 130 MB


def indifferent(portraits: Images) -> Logits:
    """Verdicts (B,) of nobody: the first of several portraits stays."""
    return portraits.new_zeros(len(portraits))


def candidates(
    own: Latents,
    prior: Prior,
    k: int,
    draws: Sequence[Draw],
    temperature: float = 1.0,
    truncation: float = math.inf,
) -> Tensor:
    """``k`` rows of latents for each portrait, (B, k, F), of which its ``own`` (B, F) is the first.

    The others come from a draw for each portrait, of a ``temperature`` and a ``truncation``.
    Candidate j of a portrait depends on its draw and j alone: a larger k adds to those of a smaller
    one.
    """
    more = [draw.prior(prior, (k - 1, own.shape[1]), "candidates") for draw in draws]
    others = gathered(torch.stack(more), prior, temperature, truncation)
    return torch.cat([own[:, None], others], 1)


@torch.no_grad()
def best_of(refined: Refined, judge: Judge, portraits: Images, latents: Tensor) -> Images:
    """Smaller portraits (B, C, S, S), each refined as its judge likes best: (B, C, F, F).

    ``latents`` (B, k, N) are k times the refiner's own part of a latent row for each portrait, in
    the prior of the whole sampler; of equal verdicts the first counts. Memory is bounded: so many
    are refined at a time.
    """
    rows = max(1, AT_ONCE // latents.shape[1])
    parts = zip(portraits.split(rows), latents.split(rows), strict=True)
    return torch.cat([_favourites(refined, judge, *part) for part in parts])


def _favourites(refined: Refined, judge: Judge, portraits: Images, latents: Tensor) -> Images:
    tries = [_favourite(refined, judge, portraits, some) for some in latents.split(AT_ONCE, 1)]
    favourites, verdicts = (torch.stack(found, 1) for found in zip(*tries, strict=True))
    best: Images = favourites[torch.arange(len(portraits)), verdicts.argmax(1)]
    return best


def _favourite(
    refined: Refined, judge: Judge, portraits: Images, latents: Tensor
) -> tuple[Images, Logits]:
    """The favourite of each portrait (B, C, F, F), and the verdict on it (B,)."""
    count, k, _ = latents.shape
    noise = converted(latents.flatten(0, 1), refined.prior, refined.drawer.prior)
    drawn = refined.refine(portraits.repeat_interleave(k, 0), noise)  # (B * k, C, F, F)
    verdicts, best = judge(drawn).view(count, k).max(1)
    return drawn.unflatten(0, (count, k))[torch.arange(count), best], verdicts
