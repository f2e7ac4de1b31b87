"""Small recipes and states for tests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from purrtrait.assemble import build, options
from purrtrait.assemble import pyramid as assembled
from purrtrait.config import Recipe
from purrtrait.datasets.batches import Feed
from purrtrait.datasets.pack import Pack
from purrtrait.images.resize import area, to_images
from purrtrait.training.state import State
from purrtrait.types import Batch, Draw, Features, Progress, Share

CPU = torch.device("cpu")
TINY = {"pixels": "0", "batch": "8", "network.width": "8"}


def recipe(name: str, settings: Mapping[str, str] | None = None) -> Recipe:
    """A shipped recipe, made small enough for a test; all its stages at 16 px."""
    return options.override(options.find(name), {**tiny(name), **(settings or {})})[0]


def tiny(name: str) -> dict[str, str]:
    """What makes a shipped recipe small enough for a test, as far as it has such options."""
    found, known = options.find(name), {**TINY, "coarse": "16"}
    return {key: text for key, text in known.items() if options.has(found, key)}


def state(
    made: Recipe, pack: Pack, seed: int = 0, share: Share = Share(), number: int = 0
) -> State:
    """The training state of a recipe's stage on a pack; what is below it was never trained."""
    stage, shape, here = made.stages[number], build.Shape(pack.size, pack.channels), CPU
    built = build.stage(stage, shape, seed, here)
    below = assembled.below(made, number, shape, here)
    origin = Draw(seed, stage.name, 0, share)
    feed = Feed(pack.images, pack.rows("train"), stage.batch, origin, 0.5 * stage.flip)

    def batch(now: Progress) -> Batch:
        return built.level.cut(feed.portraits(now), below, feed.draw(now))

    return State(built.objective, built.paces, batch, stage.half_life_images, len(feed))


def bits(tensors: Mapping[str, Tensor]) -> dict[str, bytes]:
    """Tensors as bytes, so that equal means equal to the last bit."""
    return {name: value.contiguous().numpy().tobytes() for name, value in tensors.items()}


def files(folder: Path) -> set[str]:
    """Everything below a folder, as relative names."""
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


class Colours:
    """A quick extractor for tests: means and spreads of colour in the quarters of a picture."""

    name = "colours"
    identity = "colours 3"

    def __call__(self, pixels: np.ndarray) -> Features:
        """Features (B, 24) of pixels (B, H, W, 3) uint8."""
        images = to_images(pixels)
        means = area(images, 2)
        spreads = (area(images.square(), 2) - means.square()).clamp_min(0).sqrt()
        return torch.cat([means, spreads], 1).flatten(1)


PYRAMID = {
    "base.pixels": "8",
    "refine-32.coarse": "8",
    "refine-32.pixels": "16",
    "batch": "8",
    "network.width": "8",
    "latent": "6",
}


def pyramid(settings: Mapping[str, str] | None = None) -> Recipe:
    """A pyramid from 8 to 16 px, small enough for a test."""
    both = {**PYRAMID, "budget": "64", **(settings or {})}
    return options.override(options.find("lapgan"), both)[0]
