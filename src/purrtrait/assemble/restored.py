"""Players of earlier trainings as they were then: among them validators, and denoisers."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from purrtrait import config
from purrtrait.assemble import build, pyramid
from purrtrait.config import Recipe, Stage
from purrtrait.evaluation.validity import Validator
from purrtrait.files import reason
from purrtrait.images.resize import to_images, to_uint8
from purrtrait.sampling import bundle
from purrtrait.training import checkpoint
from purrtrait.training import run as runs
from purrtrait.training.checkpoint import Checkpoint
from purrtrait.training.state import load
from purrtrait.types import Critic, Objective, Retoucher


def players(found: Checkpoint, device: torch.device) -> dict[str, nn.Module]:
    """The players of a checkpoint as they were then, in evaluation mode."""
    objective, _ = _built(found, device)
    weights = found.training()
    for name, player in objective.players().items():
        load(player, checkpoint.under(weights, f"player/{name}/"))
    return dict(objective.players())


def validator(found: Checkpoint, device: torch.device) -> Validator | None:
    """The validator of a checkpoint, with its averaged weights; None if its stage has none."""
    if "validator" not in stage_of(found).players:
        return None
    objective, shape = _built(found, device)
    network = objective.players()["validator"]
    assert isinstance(network, Critic), "a validator judges"
    load(network, checkpoint.under(found.average(), f"{found.stage}/"))
    return Validator(network, shape.size, shape.channels, found.weights)


def stage_of(found: Checkpoint) -> Stage:
    """The stage of a checkpoint, as its recipe has it."""
    recipe = config.loads(str(found.facts["recipe"]))
    return next(stage for stage in recipe.stages if stage.name == found.stage)


def _built(found: Checkpoint, device: torch.device) -> tuple[Objective, build.Shape]:
    """The objective of a checkpoint's stage, in evaluation mode, without its weights."""
    said = bundle.describe(found.path)
    try:
        shape = build.Shape(int(said["size"]), int(said["channels"]))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{found.path / bundle.DESCRIPTION} does not say size and channels ({reason(error)}): "
            "it is damaged. Use another checkpoint"
        ) from None
    objective = build.stage(stage_of(found), shape, 0, device).objective
    return objective.eval().requires_grad_(False), shape


def validator_of(path: Path, device: torch.device) -> Validator:
    """The validator of a checkpoint, or of the last stage of a run that has one; or ValueError."""
    if (path / checkpoint.FACTS).is_file():
        known = [checkpoint.read(path)]
    else:
        known = list(runs.open_run(path).latest_of_each().values())
    made = [one for found in known if (one := validator(found, device))]
    if not made:
        raise ValueError(
            f"{path} has no validator; train one with `purrtrait train validator`, and name its "
            "folder, or a run of cat-generator that has trained its own"
        )
    return made[-1]


@dataclass(frozen=True)
class Denoiser:
    """Networks that clean pictures of one size, each those of the one before."""

    size: int
    networks: Sequence[Retoucher]
    device: torch.device = torch.device("cpu")

    def cleaned(self, portraits: np.ndarray) -> Iterator[np.ndarray]:
        """Portraits (N, H, W, C) uint8, cleaned once, then again by each further network."""
        images = to_images(portraits).to(self.device)
        for network in self.networks:
            images = network(images)
            yield to_uint8(images)


NO_DENOISER = Denoiser(0, ())


def denoiser(path: Path, sizes: Collection[int], channels: int, device: torch.device) -> Denoiser:
    """The denoiser of a run; ValueError unless it cleans portraits of one of these sizes."""
    last = runs.open_run(path).latest()
    made = list(players(last, device).values()) if last else []
    found = [player for player in made if isinstance(player, Retoucher)]
    if last is None or not found or len(found) < len(made):
        raise ValueError(
            f"{path} is no run of a denoiser; train one with `purrtrait train denoiser`, and name "
            "its folder"
        )
    said = bundle.describe(last.path)
    if said["size"] not in sizes or said["channels"] != channels:
        drawn = ", ".join(map(str, sizes)) or "no"
        raise ValueError(
            f"the denoiser {path} cleans pictures of {said['size']} px with {said['channels']} "
            f"channels, but portraits of {drawn} px with {channels} are drawn; train one for those "
            "(--set pixels=...)"
        )
    return Denoiser(said["size"], found, device)


def denoiser_of(asked: str, recipe: Recipe, shape: build.Shape, device: torch.device) -> Denoiser:
    """The denoiser of the run that is asked for, if any; it fits a stage of the recipe."""
    if not asked:
        return NO_DENOISER
    drawing = [n for n in range(len(recipe.stages)) if pyramid.draws(recipe, n)]
    sizes = {build.level(recipe.stages[number], shape).size: None for number in drawing}
    return denoiser(Path(asked), sizes, shape.channels, device)
