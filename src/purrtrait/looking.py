"""Looks into a checkpoint's networks: at the layers that draw one picture, and judge a real one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from purrtrait import judging, machine, wrapping
from purrtrait.assemble import build
from purrtrait.assemble.restored import stage_of
from purrtrait.datasets.pack import HELD_OUT, TRAIN, Pack
from purrtrait.evaluation.activity import Sheets, activities
from purrtrait.images import sheet
from purrtrait.images.resize import to_images, to_uint8
from purrtrait.networks.blocks import whole
from purrtrait.networks.resting import at_rest
from purrtrait.sampling import bundle
from purrtrait.sampling.latents import latents
from purrtrait.training import checkpoint
from purrtrait.training.checkpoint import Checkpoint
from purrtrait.training.state import load
from purrtrait.types import Batch, Critic, Draw, Generator, Images


@dataclass(frozen=True)
class Looked:
    """The pictures (H, W, C) uint8 that were looked at, and what the layers made of them."""

    pictures: Mapping[str, np.ndarray]
    layers: Mapping[str, Sheets]


def into(path: Path, against: Path | None = None, seed: int = 0, device: str = "auto") -> Looked:
    """What the layers of a run's generator and critic make of a picture drawn and of a real one.

    ``path`` is a run (its last checkpoint) or a checkpoint, ``against`` a pack in place of its own,
    whose first picture held out is the real one. The generator is the averaged one. ValueError
    where the checkpoint's stage draws nothing.
    """
    found = checkpoint.read(wrapping.checkpoint_folder(path))
    pack, where = judging.open_pack(path, against), machine.device(device)
    built = build.stage(stage_of(found), build.Shape(pack.size, pack.channels), 0, where)
    if not built.objective.artists:
        raise ValueError(
            f"the stage '{found.stage}' of {path} draws no portraits; name a checkpoint of one "
            "that does"
        )
    drawer, critic = built.objective.subject(), built.objective.players().get("critic")
    assert isinstance(drawer, Generator), "what draws is a generator"
    load(drawer, checkpoint.under(found.average(), f"{found.stage}/"))
    batch = _batch(found, pack, built, where)
    z = latents(1, drawer.latent_size, drawer.prior, seed).to(where)
    with torch.no_grad(), at_rest(drawer):
        drawn: Images = drawer(z, batch.prompt)
    layers = {"generator": activities(drawer, z, batch.prompt)}
    if isinstance(critic, Critic):
        load(critic, checkpoint.under(found.training(), "player/critic/"))
        layers["critic-real"] = activities(critic, batch.images, batch.given)
        layers["critic-drawn"] = activities(critic, drawn, batch.prompt)
    shown = {"real": whole(batch.images, batch.given), "drawn": whole(drawn, batch.prompt)}
    return Looked({name: to_uint8(images)[0] for name, images in shown.items()}, layers)


def write(looked: Looked, out: Path) -> None:
    """Write the pictures, and a sheet for each layer, numbered in the order of their use."""
    for name, picture in looked.pictures.items():
        sheet.write_png(out / f"{name}.png", picture)
    for name, sheets in looked.layers.items():
        for number, (layer, maps) in enumerate(sheets, 1):
            sheet.write_png(out / f"{name}-{number:02d}-{layer}.png", maps)


def _batch(found: Checkpoint, pack: Pack, built: build.Built, device: torch.device) -> Batch:
    """One picture of the pack as the checkpoint's stage sees it, on top of what lies below."""
    described = bundle.describe(found.path)["stages"][:-1]
    below = bundle.join(described, found.average(), device)
    rows = pack.rows(HELD_OUT) if len(pack.rows(HELD_OUT)) else pack.rows(TRAIN)
    images = to_images(pack.images[rows[:1]]).to(device)
    return built.level.cut(images, below, Draw(0, "activity", 0, device=device))
