"""The critic whose branches look at a picture through spatial transformers of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from purrtrait.networks.stack import Stack, StackedCritic, heuristic, pictures
from purrtrait.networks.transformer import SLOPE, Motion, SpatialTransformer
from purrtrait.types import Amount, Count

PlanName: TypeAlias = Literal[
    "four-branches",
    "plain",
    "one-transformer",
    "pooled",
    "wide-branches",
    "two-pools",
    "wide-trunk",
]


def transforming(
    size: int,
    channels: int,
    plan: PlanName = "four-branches",
    width: Count = 64,
    slope: Amount = SLOPE,
) -> StackedCritic:
    """cat-generator's critic: the picture is turned upright, then seen by four branches.

    Spatial transformers cannot be differentiated twice: gradient penalties need another critic, or
    the plan `plain`.

    Args:
        size: width and height of the pictures, at least 8
        channels: 1 (grey) or 3 (colour)
        plan: four-branches, or one of cat-generator's drafts: plain (convolutions only),
            one-transformer, pooled, wide-branches, two-pools or wide-trunk
        width: maps of the first convolution of four-branches; all others keep their proportion
        slope: of the leaky rectifiers within the spatial transformers
    """
    return StackedCritic(PLANS[plan](pictures(size, channels, width / 64), slope), heuristic)


@dataclass(frozen=True)
class Plan:
    """Two convolutions (the trunk), moving branches and one of large convolutions, dense layers.

    Each moving branch has convolutions of ``maps``. ``pools`` is 0, 1 (after the last convolution
    of every branch) or 2 (after each). After the first transformer the share ``dropped`` of the
    values is dropped. Where the branches meet stand the convolutions ``joined``.
    """

    trunk: int = 64
    moving: int = 3
    motions: tuple[Motion, ...] = ("rotation", "scale", "translation")
    maps: tuple[int, int] = (64, 64)
    pools: int = 0
    dropped: float = 0.0
    joined: tuple[int, ...] = ()
    units: tuple[int, ...] = (256,)

    def __call__(self, images: Stack, slope: float) -> Stack:
        """The chain of layers over pictures, up to the verdict."""
        upright = _moved(images, ("rotation",), slope)
        if self.dropped:
            upright = upright.drop(self.dropped)
        trunk = upright.convolve(self.trunk).convolve(self.trunk)

        def moving(maps: Stack) -> Stack:
            return self._convolved(_moved(maps, self.motions, slope), self.maps, (3, 3))

        def large(maps: Stack) -> Stack:
            return self._convolved(maps, (128, 128), (5, 7))

        whole = trunk.join(*[moving] * self.moving, large)
        for maps in self.joined:
            whole = whole.convolve(maps)
        return _judged(whole, self.units)

    def _convolved(self, stack: Stack, maps: tuple[int, int], sides: tuple[int, int]) -> Stack:
        first = stack.convolve(maps[0], sides[0])
        second = (first.pool() if self.pools > 1 else first).convolve(maps[1], sides[1])
        return second.pool() if self.pools else second


def _plain(images: Stack, slope: float) -> Stack:
    small = images.convolve(128).convolve(128).pool()
    return _judged(small.convolve(256).convolve(1024).pool(), (1024, 1024))


def _moved(stack: Stack, motions: tuple[Motion, ...], slope: float) -> Stack:
    layer = SpatialTransformer(stack.maps, stack.size, motions, slope)
    return stack.then(layer, stack.maps, stack.size)


def _judged(stack: Stack, units: tuple[int, ...]) -> Stack:
    flat = stack.drop_maps().flat()
    for count in units:
        flat = flat.dense(count).drop()
    return flat


# Only the first is known layer by layer. Of the others a line or two is handed down; we chose where
# the pools stand, the sides of plain's convolutions (3 px) and the dropout between dense layers.
PLANS: Mapping[PlanName, Callable[[Stack, float], Stack]] = {
    "four-branches": Plan(),
    "plain": _plain,
    "one-transformer": Plan(moving=1, motions=("scale", "translation"), pools=1, joined=(256,)),
    "pooled": Plan(dropped=0.2, pools=1),
    "wide-branches": Plan(maps=(128, 128), pools=1),
    "two-pools": Plan(maps=(256, 64), pools=2, units=(1024, 1024)),
    "wide-trunk": Plan(trunk=128, maps=(256, 64), units=(512,)),
}
