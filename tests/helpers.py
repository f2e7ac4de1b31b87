"""Small recipes and states for tests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from purrtrait.assemble import build, options
from purrtrait.config import Recipe
from purrtrait.datasets.batches import Feed
from purrtrait.datasets.pack import Pack
from purrtrait.images.resize import area, to_images
from purrtrait.training.state import State
from purrtrait.types import Batch, Features, Progress, Share

TINY = {"pixels": "0", "batch": "8", "network.width": "8"}


def recipe(name: str, settings: Mapping[str, str] | None = None) -> Recipe:
    """A shipped recipe, made small enough for a test."""
    return options.override(options.find(name), {**TINY, **(settings or {})})[0]


def state(made: Recipe, pack: Pack, seed: int = 0, share: Share = Share()) -> State:
    """The training state of a recipe's first stage on a pack."""
    stage = made.stages[0]
    built = build.stage(stage, build.Shape(pack.size, pack.channels), seed, torch.device("cpu"))
    feed = Feed(
        pack.images, pack.rows("train"), stage.batch, seed, stage.name, 0.5 * stage.flip, share
    )

    def batch(now: Progress) -> Batch:
        return built.level.cut(feed.portraits(now), None, feed.draw(now))

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
