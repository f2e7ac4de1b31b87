"""Where one process trains, and what was asked for beside the recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from purrtrait.assemble import build
from purrtrait.config import Recipe
from purrtrait.datasets.pack import Pack
from purrtrait.training.run import Run
from purrtrait.types import Share


@dataclass(frozen=True)
class Request:
    """What is asked for beside the recipe, kept in the run folder.

    ``data`` is the pack's folder and ``pack`` its content hash; ``start_from`` says whose weights
    the training began with, if it was not its own.
    """

    data: str
    seed: int
    device: str
    threads: int
    upkeep: Mapping[str, Any] = field(default_factory=dict)
    pack: str = ""
    start_from: str = ""


@dataclass(frozen=True)
class Place:
    """Where one process trains: the open run, the pack, and its share of every batch."""

    run: Run
    recipe: Recipe
    request: Request
    pack: Pack
    share: Share
    device: torch.device
    memory_bytes: int = 0  # that training needs, as rehearsed

    @property
    def shape(self) -> build.Shape:
        """Size and channels of the pack's pictures."""
        return build.Shape(self.pack.size, self.pack.channels)
