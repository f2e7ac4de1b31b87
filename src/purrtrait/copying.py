"""Lays samples beside the training pictures that are nearest to them."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from purrtrait import config, judging, model, wrapping
from purrtrait.assemble import build
from purrtrait.datasets.pack import TRAIN, Pack
from purrtrait.evaluation import features
from purrtrait.evaluation.distances import nearest
from purrtrait.evaluation.pixels import Pixels
from purrtrait.evaluation.reference import Reference, Report, heard, silent
from purrtrait.files import replacing
from purrtrait.images import sheet
from purrtrait.images.resize import to_images
from purrtrait.sampling import bundle
from purrtrait.training import checkpoint
from purrtrait.training.state import below, load
from purrtrait.types import Critic

PAIRS_A_ROW = 8
SMALLEST = 64  # pixels: pictures are drawn at least as large


@dataclass(frozen=True)
class Pairs:
    """The chosen samples with the rows of their nearest training pictures, by what sees them."""

    pixels: np.ndarray  # (B, H, W, C) uint8
    numbers: np.ndarray  # of the samples, in the order in which they were drawn
    chosen_by: str
    rows: Mapping[str, np.ndarray]
    distances: Mapping[str, np.ndarray]


def pairs(
    path: Path,
    pack: Pack,
    count: int = 1024,
    best: int = 16,
    seed: int = 0,
    extractor_name: str = "efficientnet-lite0",
    report: Report = silent,
) -> Pairs:
    """The best of ``count`` samples by the critic, and the training pictures nearest to each.

    Where there is no critic (a bundle), the samples nearest to the training set are taken: copies
    would be among them. All training pictures are looked at.
    """
    drawn = model.load(path)
    pixels = judging.drawn(drawn, count, seed, report)
    reference = Reference(pack, Pixels(), pixels.shape[1], count)
    train = pack.rows(TRAIN)
    judge = critic(path)
    if judge is None:
        found, _ = nearest(features.extract(Pixels(), pixels), reference.features(train, report))
        order, chosen_by = found[:, 0].numpy(), "nearest to the training pictures"
    else:
        order, chosen_by = -verdicts(judge, pixels), "judged best by the critic"
    numbers = np.argsort(order, kind="stable")[:best]
    rows, distances = {}, {}
    for seen in (Pixels(), judging.extractor(extractor_name)):
        side = Reference(pack, seen, pixels.shape[1], count)
        own = features.extract(seen, pixels[numbers], heard(report, "features of the samples"))
        away, which = nearest(own, side.features(train, report))
        rows[seen.name], distances[seen.name] = train[which[:, 0].numpy()], away[:, 0].numpy()
    return Pairs(pixels[numbers], numbers, chosen_by, rows, distances)


def critic(path: Path) -> Callable[[torch.Tensor], torch.Tensor] | None:
    """The critic of a run or checkpoint, as it was; None for a bundle, which has none."""
    folder = wrapping.sampler_folder(path)
    if not (folder / checkpoint.FACTS).is_file():
        return None
    found, said = checkpoint.read(folder), bundle.describe(folder)
    recipe = config.loads(str(found.facts["recipe"]))
    stage = next(stage for stage in recipe.stages if stage.name == found.stage)
    shape = build.Shape(int(said["size"]), int(said["channels"]))
    objective = build.stage(stage, shape, 0, torch.device("cpu")).objective.eval()
    player = objective.players().get("critic")
    if not isinstance(player, Critic):
        return None
    load(player, below(found.training(), "player/critic/"))
    return player


@torch.no_grad()
def verdicts(critic: Callable[[torch.Tensor], torch.Tensor], pixels: np.ndarray) -> np.ndarray:
    """The critic's verdict (N,) on pictures (N, H, W, C) uint8."""
    found = [critic(to_images(some)) for some in np.array_split(pixels, len(pixels) // 64 + 1)]
    return torch.cat(found).numpy()


def write(made: Pairs, pack: Pack, out: Path) -> dict[str, Path]:
    """A grid of pairs (drawn, nearest real) for each space, and a table of distances."""
    files, photos = {}, pack.manifest.photos
    for name, rows in made.rows.items():
        real = features.reduced(pack.images[rows], made.pixels.shape[1])
        both = np.stack([made.pixels, real], 1).reshape(-1, *made.pixels.shape[1:])
        scale = max(1, SMALLEST // made.pixels.shape[1])
        files[name] = out / f"neighbours-{name}.png"
        sheet.write_png(files[name], sheet.grid(both, 2 * PAIRS_A_ROW, 2, scale))
    files["table"] = out / "neighbours.csv"
    with (
        replacing(files["table"]) as temporary,
        temporary.open("w", newline="", encoding="utf-8", errors="replace") as file,
    ):
        table = csv.writer(file)
        heads = [f"{name} {what}" for name in made.rows for what in ("photo", "distance")]
        table.writerow(["sample", *heads])
        for place, number in enumerate(made.numbers):
            cells = [
                cell
                for name, rows in made.rows.items()
                for cell in (photos[rows[place]], f"{made.distances[name][place]:.6g}")
            ]
            table.writerow([number, *cells])
    return files
