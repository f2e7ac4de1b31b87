"""Walks through the latent space: rows on the way from one latent to the next, and round a loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from purrtrait.types import Latents, Prior

Way: TypeAlias = Literal["lerp", "slerp"]

TINY = 1e-6  # a length, or the sine of an angle, that says nothing of a direction


def lerp(first: Latents, last: Latents, share: Tensor) -> Latents:
    """Rows (B, Z) on straight lines, ``share`` (B, 1) in [0, 1] of the way on."""
    return first + share * (last - first)


def slerp(first: Latents, last: Latents, share: Tensor) -> Latents:
    """Rows (B, Z) on arcs about the origin, ``share`` (B, 1) in [0, 1] of the way on.

    The direction turns at constant speed (Shoemake 1985, "Animating rotation with quaternion
    curves", SIGGRAPH); the length grows evenly. So normal latents keep the length that their prior
    expects, which lines cut short. Rows that point the same way or just opposite ways, and the
    origin, have no one shortest arc between them: there it is the line.
    """
    lengths = first.norm(dim=1, keepdim=True), last.norm(dim=1, keepdim=True)
    heads = first / lengths[0].clamp_min(TINY), last / lengths[1].clamp_min(TINY)
    angle = torch.acos((heads[0] * heads[1]).sum(1, keepdim=True).clamp(-1, 1))
    sine = angle.sin()
    turned = ((1 - share) * angle).sin() * heads[0] + (share * angle).sin() * heads[1]
    arc = lerp(*lengths, share) * turned / sine.clamp_min(TINY)
    straight = (sine < TINY) | (torch.minimum(*lengths) < TINY)
    return torch.where(straight, lerp(first, last, share), arc)


WAYS: dict[Way, Callable[[Latents, Latents, Tensor], Latents]] = {"lerp": lerp, "slerp": slerp}
USUAL: dict[Prior, Way] = {"normal": "slerp", "uniform": "lerp"}


def loop(anchors: Latents, frames: int, way: Way) -> Latents:
    """Rows (frames, Z) once round through the ``anchors`` (K, Z), and on to where it began.

    Every part of the way, from one anchor to the next, takes the same time, at constant speed. Row
    0 is the first anchor, and would be row ``frames`` too. Where K divides ``frames``, every anchor
    is among the rows. ValueError without an anchor or a frame.
    """
    count = len(anchors)
    if min(count, frames) < 1:
        raise ValueError(f"a walk of {frames} frames through {count} portraits; expected 1 or more")
    place = count * torch.arange(frames)  # in units of 1 / frames of a part: whole numbers
    part, share = place // frames, (place % frames).double()[:, None] / frames
    ends = anchors.double()
    return WAYS[way](ends[part], ends[(part + 1) % count], share).float()


def between(first: Latents, last: Latents, count: int, way: Way) -> Latents:
    """Rows (count, Z) from ``first`` (1, Z) to ``last`` (1, Z), both among them, evenly spaced.

    ValueError for fewer than two rows.
    """
    if count < 2:
        raise ValueError(f"{count} portraits from one to another; expected at least 2")
    share = torch.arange(count).double()[:, None] / (count - 1)
    return WAYS[way](first.double(), last.double(), share).float()
