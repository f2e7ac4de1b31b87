"""Critics of faces: convolutions and dense layers side by side, one verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias

from purrtrait.networks.stack import Stack, StackedCritic, gauss005, pictures
from purrtrait.types import Count

PlanName: TypeAlias = Literal["pooled", "shallow", "strided", "deep"]
DenseBranch: TypeAlias = Literal["dense", "none"]
Branch: TypeAlias = Callable[[Stack], Stack]


def two_branch(
    size: int, channels: int, beside: DenseBranch = "dense", width: Count = 128
) -> StackedCritic:
    """face-generator's critic at 16 px: strided convolutions, and a dense branch beside them.

    Args:
        size: width and height of the pictures, at least 8
        channels: 1 (grey) or 3 (colour)
        beside: what stands beside the convolutions: dense, or none
        width: maps of the first convolution; all other maps and units keep their proportion
    """
    images = pictures(size, channels, width / 128)
    return StackedCritic(images.join(_narrowing, *BESIDE[beside]), gauss005)


def three_branch(
    size: int, channels: int, plan: PlanName = "pooled", width: Count = 64
) -> StackedCritic:
    """face-generator's critic at 32 px: fine and coarse convolutions, and a dense branch.

    Args:
        size: width and height of the pictures, at least 8
        channels: 1 (grey) or 3 (colour)
        plan: pooled, or one of the older ones for 16 px: shallow (fewer layers), strided (strides
            of 2 in place of pools) or deep (one more stride)
        width: maps of the first fine convolution; all other maps and units keep their proportion
    """
    images = pictures(size, channels, width / 64)
    return StackedCritic(images.join(*PLANS[plan], _all).dense(1024).drop(), gauss005)


def averaging(size: int, channels: int, width: Count = 64) -> StackedCritic:
    """face-generator's last critic: four convolutions, each averaged to half its size.

    Args:
        size: width and height of the pictures, at least 16
        channels: 1 (grey) or 3 (colour)
        width: maps of the first convolution; all other maps and units keep their proportion
    """
    stack = pictures(size, channels, width / 64, 16)
    for maps in (64, 128, 256, 512):
        stack = stack.convolve(maps).drop_maps(0.2).average()
    return StackedCritic(stack.flat().dense(512).drop().dense(512).drop(), gauss005)


def _narrowing(maps: Stack) -> Stack:
    small = maps.convolve(128).convolve(128).average()
    return _flat(small.convolve(512, stride=2).convolve(1024, stride=2)).dense(1024)


def _beside(maps: Stack) -> Stack:
    return maps.flat().dense(128).drop().dense(128)


def _fine(maps: Stack) -> Stack:
    return _flat(maps.convolve(64).convolve(64).pool()).dense(1024)


def _coarse(maps: Stack) -> Stack:
    small = maps.convolve(32, 5).convolve(32, 5).pool()
    smaller = small.convolve(54, 5).convolve(54, 5).pool()
    return _flat(smaller).dense(1024).drop().dense(1024)


def _shallow(maps: Stack) -> Stack:
    return _flat(maps.convolve(32, 5).convolve(64, 5).pool()).dense(1024)


def _all(maps: Stack) -> Stack:
    return maps.flat().dense(1024).drop().dense(1024)


def _strided(side: int, first: int, second: int, *strided: int) -> Branch:
    def branch(maps: Stack) -> Stack:
        stack = maps.convolve(first, side).convolve(second, side)
        for wanted in strided:
            stack = stack.convolve(wanted, side, stride=2)
        return _flat(stack).dense(1024)

    return branch


def _flat(maps: Stack) -> Stack:
    return maps.drop_maps().flat()


BESIDE: Mapping[DenseBranch, tuple[Branch, ...]] = {"dense": (_beside,), "none": ()}

# Fine and coarse branch. What is handed down of `strided` and `deep` is only that they are deeper
# and have strides of 2, and of `shallow` nothing about dropout: the rest is our choice.
PLANS: Mapping[PlanName, tuple[Branch, Branch]] = {
    "pooled": (_fine, _coarse),
    "shallow": (_fine, _shallow),
    "strided": (_strided(3, 64, 64, 128), _strided(5, 32, 64, 128)),
    "deep": (_strided(3, 64, 64, 128, 256), _strided(5, 32, 64, 128, 256)),
}
