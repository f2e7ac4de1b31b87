"""Bundles: a trained sampler as model.safetensors, sampler.json and a model card, and no more."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from purrtrait.networks import GENERATORS
from purrtrait.networks.blocks import channels_last
from purrtrait.sampling import LEVELS
from purrtrait.types import Generator, Sampler

SCHEMA = 1
MODEL = "model.safetensors"
DESCRIPTION = "sampler.json"
CARD = "README.md"


def build(described: Mapping[str, Any]) -> Generator:
    """A generator from its name and options in sampler.json; ValueError if it is unknown."""
    name = described["name"]
    if name not in GENERATORS:
        raise ValueError(
            f"the bundle holds a generator '{name}', which this version does not know (it knows "
            f"{', '.join(GENERATORS)}); install the version that wrote it or a later one"
        )
    return GENERATORS[name](**described["options"])


def describe(path: Path) -> dict[str, Any]:
    """What sampler.json in a bundle or checkpoint says; ValueError if that cannot be read."""
    try:
        said: dict[str, Any] = json.loads((path / DESCRIPTION).read_text(encoding="utf-8"))
        schema = int(said["schema"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} is neither a bundle nor a checkpoint: {DESCRIPTION} cannot be read ({error})"
        ) from None
    if schema > SCHEMA:
        raise ValueError(
            f"{path} has schema {schema}, written by purrtrait {said['version']}; this "
            f"version reads up to {SCHEMA}. Install that version or a later one"
        )
    return said


def load(path: Path, device: torch.device = torch.device("cpu")) -> Sampler:
    """The sampler of a bundle or checkpoint folder, in evaluation mode, weights channels-last."""
    said = describe(path)
    try:
        weights = load_file(path / MODEL)
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path / MODEL} cannot be read as safetensors: {error}") from None
    try:
        sampler = join(said["stages"], weights, device)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path / DESCRIPTION} does not describe a sampler ({error!r}); it is damaged, or was "
            "written by another version"
        ) from None
    assert sampler is not None, "sampler.json lists at least one stage"
    return sampler


def join(
    stages: Sequence[Mapping[str, Any]], weights: Mapping[str, torch.Tensor], device: torch.device
) -> Sampler | None:
    """The sampler of the pyramid that these stages make, one on top of the other; None for none."""
    sampler: Sampler | None = None
    for stage in stages:
        drawer = build(stage["drawer"])
        fill(drawer, weights, stage["prefix"])
        channels_last(drawer.to(device)).eval().requires_grad_(False)
        level = LEVELS[stage["level"]["name"]](**stage["level"]["options"])
        sampler = level.join(drawer, sampler)
    return sampler


def fill(module: nn.Module, weights: Mapping[str, torch.Tensor], prefix: str) -> None:
    """Copy the weights under a prefix into a module; ValueError if they do not fit."""
    own = {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}
    try:
        module.load_state_dict(own)
    except RuntimeError as error:
        raise ValueError(
            f"the weights in {MODEL} do not fit what {DESCRIPTION} describes: "
            f"{str(error).splitlines()[0]}"
        ) from None


def write(path: Path, checkpoint: Path, card: str) -> None:
    """Make a bundle of a checkpoint: its averaged weights, its description and a model card."""
    path.mkdir(parents=True, exist_ok=True)
    for name in (MODEL, DESCRIPTION):
        temporary = path / f".{name}.part"
        temporary.write_bytes((checkpoint / name).read_bytes())
        temporary.replace(path / name)
    (path / CARD).write_text(card, encoding="utf-8")
