"""Batches of a pack: which pictures come at which place on the clock, and with which randomness."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from purrtrait.images.resize import to_images
from purrtrait.images.vary import Variation, as_they_are
from purrtrait.types import Draw, Images, Progress, Share


class Feed:
    """The pictures of some rows of a pack, in a new order each time round, without end.

    A pure function of the place on the clock: (seed, stage, images seen) say which rows come, and
    (seed, stage, position) the batch's randomness; seed, stage, share and device are those of
    ``origin``. ``rows`` are row numbers of ``images``, a uint8
    array (N, H, W, C); ``batch`` counts the global batch, of which this process takes its share.
    ``variation`` changes the share, once it is mirrored, with the batch's randomness. A round is
    every row once or, where ``round_images`` are fewer, so many of them, drawn anew each time.
    """

    def __init__(
        self,
        images: np.ndarray,
        rows: np.ndarray,
        batch: int,
        origin: Draw,
        mirror: float = 0.0,
        variation: Variation = as_they_are,
        round_images: int = 0,
    ) -> None:
        expect_shared(batch, origin.share)
        if not len(rows):
            raise ValueError("the pack has no training pictures; prepare one with more --count")
        self.images = images
        self.rows = rows
        self.batch = batch
        self.origin = origin
        self.mirror = mirror
        self.variation = variation
        self.round_images = min(round_images or len(rows), len(rows))
        self.order = lru_cache(maxsize=2)(self._order)

    def __len__(self) -> int:
        """Pictures in a round."""
        return self.round_images

    def draw(self, now: Progress) -> Draw:
        """The randomness of the batch at this position."""
        return replace(self.origin, position=now.position)

    def portraits(self, now: Progress) -> Images:
        """This process's share of the pictures at this place: (B, C, H, W) in [-1, 1]."""
        share = self.origin.share
        picked = self.picked(now.images_seen)[share.of(self.batch // share.ranks)]
        images = to_images(self.images[picked]).to(self.origin.device)
        draw = self.draw(now)
        return self.variation(self._mirrored(images, draw), draw)

    def picked(self, images_seen: int) -> np.ndarray:
        """The row numbers of the global batch that follows so many images."""
        places = np.arange(images_seen, images_seen + self.batch)
        rounds, within = np.divmod(places, len(self))
        return np.concatenate([self.order(int(r))[within[rounds == r]] for r in np.unique(rounds)])

    def _order(self, number: int) -> np.ndarray:
        draw = Draw(self.origin.seed, self.origin.stage, number)
        order: np.ndarray = self.rows[draw.permutation(len(self.rows), "order of the round")]
        return order[: len(self)]

    def _mirrored(self, images: Images, draw: Draw) -> Images:
        chance: Tensor = draw.uniform((len(images), 1, 1, 1), "mirror")
        # With probability 0 nothing is mirrored and the layout in memory stays as it is.
        return (
            images
            if self.mirror == 0
            else torch.where(chance < self.mirror, images.flip(3), images)
        )


def expect_shared(batch: int, share: Share) -> None:
    """ValueError unless the processes can have equal shares of a batch."""
    if batch % share.ranks:
        raise ValueError(
            f"a batch of {batch} cannot be shared by {share.ranks} processes; "
            f"choose a multiple of {share.ranks} with --set batch=..."
        )
