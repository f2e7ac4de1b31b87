"""A bundle that was never trained, made in a moment, for tests of where bundles go."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import save_file

from purrtrait.networks.dense import DenseGenerator
from purrtrait.sampling import bundle

SIZE, LATENT = 6, 5


def small(folder: Path, seed: int = 0) -> Path:
    """Write a bundle that draws portraits of 6 px into a new folder."""
    folder.mkdir(parents=True)
    torch.manual_seed(seed)
    drawer = {"size": SIZE, "channels": 3, "latent": LATENT, "width": 8}
    weights = DenseGenerator(SIZE, 3, LATENT, 8).state_dict()
    save_file({f"base/{name}": value for name, value in weights.items()}, folder / bundle.MODEL)
    stage = {
        "name": "base",
        "prefix": "base/",
        "level": {"name": "whole", "options": {"size": SIZE, "pixels": 0}},
        "drawer": {"name": "dense", "options": drawer},
    }
    said = {
        "schema": 1,
        "version": "0.1.0",
        "recipe": "small",
        "latent_size": LATENT,
        "prior": "uniform",
        "size": SIZE,
        "channels": 3,
        "stages": [stage],
        "pack": "",
        "credit": "nobody",
    }
    (folder / bundle.DESCRIPTION).write_text(json.dumps(said), encoding="utf-8")
    (folder / bundle.CARD).write_text("# A card", encoding="utf-8")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    """The files of a bundle, by name."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}
