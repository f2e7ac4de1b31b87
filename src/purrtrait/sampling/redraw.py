"""Finds latents by descent: portraits with their graph, and rows that go down a cost."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from purrtrait.images.resize import enlarge
from purrtrait.sampling.latents import converted
from purrtrait.sampling.levels import Drawn, Refined
from purrtrait.types import Images, Latents, Sampler

RATE = 0.05  # of Adam at the start, in standard deviations of a latent's number


def traced(sampler: Sampler, z: Latents) -> Images:
    """What a sampler draws, with the graph back to its latents (B, Z): (B, C, H, W).

    Values outside [-1, 1] stay at the last stage, or nothing could pull them back. ValueError for a
    sampler through which no gradient can be followed.
    """
    match sampler:
        case Drawn(drawer=drawer):
            drawn: Images = drawer(z)
            return drawn
        case Refined(drawer=drawer, below=below):
            under, own = z.split([below.latent_size, drawer.latent_size], 1)
            coarse = enlarge(traced(below, under).clamp(-1, 1), sampler.size)
            detail: Images = drawer(converted(own, sampler.prior, drawer.prior), coarse)
            return coarse + detail
        case _:
            raise ValueError(
                "no gradient can be followed through this sampler; expected portraits that are "
                "drawn by a generator, and refined by others or not"
            )


def descended(
    cost: Callable[[Latents], Tensor],
    starts: Latents,
    steps: int,
    report: Callable[[int, int], None],
) -> tuple[Latents, Tensor]:
    """The best that each row (B, Z) was on its way down its own cost, and what it cost then: (B,).

    Adam (Kingma and Ba 2015, ICLR), whose rate falls evenly to nothing. ``cost`` gives one number
    for each row (B,) that depends on that row alone. ``report`` is told how many steps are done,
    and how many there are.
    """
    z = starts.clone().requires_grad_()
    adam = torch.optim.Adam([z], RATE)
    fall = torch.optim.lr_scheduler.LambdaLR(adam, lambda step: 1 - step / steps)
    best, least = starts.clone(), starts.new_full((len(starts),), math.inf)

    def looked(costs: Tensor) -> None:
        better = costs.detach() < least
        best[better], least[better] = z.detach()[better], costs.detach()[better]

    for step in range(steps):
        costs = cost(z)
        looked(costs)
        (z.grad,) = torch.autograd.grad(costs.sum(), z)
        adam.step()
        fall.step()
        report(step + 1, steps)
    with torch.no_grad():
        looked(cost(z))
    return best, least
