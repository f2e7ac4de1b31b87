"""How far a drawn picture is from the true one, each (B,): pure functions of both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias

from torch import Tensor
from torch.nn.functional import binary_cross_entropy

from purrtrait.types import Images

Likeness: TypeAlias = Literal["squares", "sizes"]
NARROWED = 1e-6  # by so much drawn pictures are kept from black and from white


def squares(drawn: Images, true: Images) -> Tensor:
    """Mean squared difference of pictures in [-1, 1], as if they were in [0, 1]; (B,)."""
    return ((drawn - true) / 2).square().flatten(1).mean(1)


def sizes(drawn: Images, true: Images) -> Tensor:
    """Mean absolute difference of pictures in [-1, 1], as if they were in [0, 1]; (B,)."""
    return ((drawn - true) / 2).abs().flatten(1).mean(1)


LIKENESSES: Mapping[Likeness, Callable[[Images, Images], Tensor]] = {
    "squares": squares,
    "sizes": sizes,
}


def cross_entropy(drawn: Images, true: Images) -> Tensor:
    """Binary cross entropy of pictures in [-1, 1] read as chances, mean over the values; (B,).

    With q and p the drawn and the true value in [0, 1]: -p log q - (1 - p) log(1 - q), in nats. It
    is lowest where q = p, and not 0 there. Its slope grows as 1 / q and 1 / (1 - q), which ends
    where float32 no longer tells q from 0 or 1: hence q is narrowed to [1e-6, 1 - 1e-6], linearly,
    so that a network is never thrown by a value that lies at the edge.
    """
    chances = NARROWED + (1 - 2 * NARROWED) * (drawn + 1) / 2
    losses = binary_cross_entropy(chances, (true + 1) / 2, reduction="none")
    return losses.flatten(1).mean(1)
