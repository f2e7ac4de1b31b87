"""What the network that names parts learns from: spoilt pictures, mixed ones, and nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, one_hot, pad

from purrtrait.datasets.pack import TRAIN, Pack
from purrtrait.evaluation.features import reduced
from purrtrait.images.resize import to_images
from purrtrait.types import Draw, Images

BATCH = 64
BLANKS = 8  # of them show nothing
MIXED = 4  # and so many are made of two pictures
SPOILT = 0.5  # share of the others that are blurred, and of those that are noised
NOISE = 0.15  # largest standard deviation of that noise
COARSEST = 8  # pixels: side of the largest spots where nothing is shown


@dataclass(frozen=True)
class Lessons:
    """The training pictures of a pack at ``size`` pixels, as batches with what to say of them."""

    pack: Pack
    size: int

    def batch(self, number: int) -> tuple[Images, list[Tensor]]:
        """Images (B, C, size, size), and for each part the probabilities (B, values) to be given.

        Samples are not crisp, so about half of the pictures are somewhat blurred and half noised.
        Samples lie between real pictures: where two are laid together, each counts for its share of
        the surface (after Zhang et al. 2018, "mixup"). And for what shows no part at all every
        value is equally likely: so taught, a network does not see parts in noise (Hendrycks et al.
        2019, "Deep anomaly detection with outlier exposure").
        """
        draw = Draw(0, "namer", number)
        rows = self.pack.rows(TRAIN)
        picked = np.sort(rows[draw.permutation(len(rows), "rows")[: BATCH - BLANKS]])
        shown = spoilt(to_images(reduced(self.pack.images[picked], self.size)), draw)
        labels = torch.from_numpy(self.pack.labels[picked].astype(np.int64))
        share = shares(len(shown), self.size, draw)
        images = torch.lerp(shown, shown.flip(0), share)
        means = share.mean((1, 2, 3))[:, None]
        targets = []
        for column, count in enumerate(self.pack.manifest.labels.values()):
            own = one_hot(labels[:, column], count).float()
            nothing = torch.full((BLANKS, count), 1 / count)
            targets.append(torch.cat([torch.lerp(own, own.flip(0), means), nothing]))
        return torch.cat([images, blank(self.size, self.pack.channels, draw)]), targets


def shares(count: int, size: int, draw: Draw) -> Tensor:
    """How much of another picture there is, (count, 1, size, size): smooth spots in the last."""
    mixed = min(MIXED, count // 2)
    spots = draw.uniform((mixed, 1, 4, 4), "mixed", -1, 2).clamp(0, 1)
    there = interpolate(spots, size=(size, size), mode="bilinear")
    return torch.cat([torch.zeros(count - mixed, 1, size, size), there])


def spoilt(images: Images, draw: Draw) -> Images:
    """Half of the images blurred, half of them noised, more or less."""
    one_each = (len(images), 1, 1, 1)
    soft = avg_pool2d(pad(images, (1, 1, 1, 1), mode="replicate"), 3, 1)
    blur = draw.uniform(one_each, "blur") * (draw.uniform(one_each, "blurred") < SPOILT)
    deviation = draw.uniform(one_each, "deviation") * (draw.uniform(one_each, "noised") < SPOILT)
    noise = NOISE * deviation * draw.normal(images.shape, "noise")
    return torch.lerp(images, soft, blur) + noise


def blank(size: int, channels: int, draw: Draw) -> Images:
    """Images (BLANKS, C, size, size) of spots of 1, 2, 4 or 8 pixels on a ground of one colour."""
    ground = draw.uniform((BLANKS, channels, 1, 1), "ground", -1, 1)
    strength = draw.uniform((BLANKS, 1, 1, 1), "strength", 0, 2)
    spots = [
        interpolate(
            draw.uniform((2, channels, -(-size // side), -(-size // side)), f"spots {side}", -1, 1),
            size=(size, size),
            mode="bilinear",
        )
        for side in (1, 2, 4, COARSEST)
    ]
    return (ground + strength * torch.cat(spots)).clamp(-1, 1)
