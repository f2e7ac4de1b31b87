"""Where one process trains, and what was asked for beside the recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from purrtrait.assemble import build, options
from purrtrait.assemble.restored import NO_DENOISER, Denoiser
from purrtrait.config import Recipe
from purrtrait.datasets import manifest
from purrtrait.datasets.pack import Pack
from purrtrait.training import precision
from purrtrait.training.run import REQUEST, Run
from purrtrait.types import Share


@dataclass(frozen=True)
class Request:
    """What is asked for beside the recipe, kept in the run folder.

    ``data`` is the pack's folder and ``pack`` its content hash; ``start_from`` says whose weights
    the training began with, if it was not its own. ``precision`` is auto, full or mixed; runs that
    say nothing of it are full. ``denoise`` is the run whose denoiser cleans portraits in previews.
    """

    data: str
    seed: int
    device: str
    threads: int
    upkeep: Mapping[str, Any] = field(default_factory=dict)
    pack: str = ""
    start_from: str = ""
    precision: str = "full"
    denoise: str = ""


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
    denoiser: Denoiser = NO_DENOISER

    @property
    def precision(self) -> str:
        """The name of the precision in which players compute here: full or mixed."""
        return precision.chosen(self.request.precision, self.device)

    @property
    def shape(self) -> build.Shape:
        """Size and channels of the pack's pictures."""
        return build.Shape(self.pack.size, self.pack.channels)


def expect_precise(recipe: Recipe, request: Request, device: torch.device) -> None:
    """ValueError unless the precision is known, and right on the device for what a recipe pays."""
    name = precision.chosen(request.precision, device)
    paid = {one.value for one in options.listed(recipe) if one.path[-1] == "penalty"}
    if paid - {"none"}:
        precision.expect_sound(name, device)


def requested(run: Run) -> Request:
    """What was asked for when a run began; ValueError where that cannot be understood."""
    try:
        return Request(**run.request())
    except TypeError as error:
        raise ValueError(
            f"{run.path / REQUEST} says what this version does not know ({error}); go on with the "
            "version that wrote it, or begin a new run with --start-from this one's checkpoint"
        ) from None


def expect_own_pack(run: Run, request: Request, folder: str) -> None:
    """ValueError where a run's pack is gone, or the one in ``folder`` is another."""
    if folder == request.data and not (Path(folder) / manifest.FILE).is_file():
        raise ValueError(
            f"the pack {folder} that {run.path} was trained on is gone; name it with --data PACK, "
            "wherever it is now"
        )
    pack = Pack.open(Path(folder))
    if pack.content_hash != request.pack:
        raise ValueError(
            f"{folder} is not the pack that {run.path} was trained on (content "
            f"{pack.content_hash[:12]}, expected {request.pack[:12]}). Name the right one with "
            "--data, or begin a new run with --start-from"
        )
