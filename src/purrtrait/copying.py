"""Lays samples beside the training pictures that are nearest to them."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from purrtrait import judging, machine, model, wrapping
from purrtrait.critics import critic
from purrtrait.datasets.pack import TRAIN, Pack
from purrtrait.evaluation import features
from purrtrait.evaluation.distances import nearest
from purrtrait.evaluation.features import Extractor
from purrtrait.evaluation.judge import expect_comparable
from purrtrait.evaluation.ranking import ranked
from purrtrait.evaluation.reference import Reference, Report, silent
from purrtrait.files import replacing
from purrtrait.images import sheet
from purrtrait.images.resize import to_images
from purrtrait.training import checkpoint
from purrtrait.types import Critic

PAIRS_A_ROW = 8
SEARCHED_AT_ONCE = 1024  # pictures of either side: at 64 px they take 50 MB


@dataclass(frozen=True)
class Near:
    """The training pictures nearest to some samples, as one extractor sees them.

    ``rows`` (B,) of the pack, whether each is nearer when it is ``turned`` (mirrored, where that is
    natural), and ``distances`` (B,).
    """

    seen_by: str
    rows: np.ndarray
    turned: np.ndarray
    distances: np.ndarray

    def of(self, numbers: np.ndarray) -> Near:
        """Those of some of the samples, by their numbers."""
        parts = self.rows[numbers], self.turned[numbers], self.distances[numbers]
        return Near(self.seen_by, *parts)


@dataclass(frozen=True)
class Pairs:
    """Chosen samples (B, H, W, C) uint8 with their names, and their nearest training pictures."""

    pixels: np.ndarray
    names: Sequence[str]
    chosen: str
    near: Sequence[Near]


def pairs(
    path: Path,
    pack: Pack,
    count: int = 1024,
    best: int = 16,
    seed: int = 0,
    extractor_name: str = "efficientnet-lite0",
    device: str = "auto",
    report: Report = silent,
) -> Pairs:
    """The best of ``count`` samples by the critic, and the training pictures nearest to each.

    ``path`` is a run, a checkpoint, a bundle or a folder of pictures. Where there is no critic (in
    a bundle or a folder), the samples nearest to the training pictures are taken: copies would be
    among them. All training pictures are looked at, pixel by pixel and as the extractor sees them.
    """
    other, judge = judging.extractor(extractor_name), None
    if judging.draws(path):
        folder = wrapping.sampler_folder(path)
        pixels = judging.drawn(model.load(folder, device), count, seed, report)
        names = [str(number) for number in range(count)]
        judge = _critic(folder, machine.device(device))
    else:
        pixels, names = judging.pictures(path, pack, count, 1)
    expect_comparable(pixels.shape[1:], pack)
    if judge is None:
        everyone = nearest_pixels(pack, pixels, report)
        numbers = np.argsort(everyone.distances, kind="stable")[:best]
        found, by = [everyone.of(numbers)], "nearest to the training pictures"
    else:
        numbers = ranked(judge, to_images(pixels)).best(best).numpy()
        found, by = [nearest_pixels(pack, pixels[numbers], report)], "judged best by the critic"
    chosen = pixels[numbers]
    if other.name != found[0].seen_by:
        found.append(near(other, pack, chosen, report))
    return Pairs(
        chosen,
        [names[number] for number in numbers],
        f"{len(numbers)} of {len(pixels)}, {by}",
        found,
    )


def near(seen: Extractor, pack: Pack, pixels: np.ndarray, report: Report) -> Near:
    """The training picture nearest to each of pictures (B, H, W, C) uint8, of all there are."""
    rows = pack.rows(TRAIN)
    train = Reference(pack, seen, pixels.shape[1], len(pixels)).features(rows, report)
    views = (pixels, pixels[:, :, ::-1]) if pack.flip_natural else (pixels,)
    found = [nearest(features.extract(seen, view), train) for view in views]
    distances, turned = torch.cat([away for away, _ in found], 1).min(1)
    which = torch.cat([index for _, index in found], 1).gather(1, turned[:, None])[:, 0]
    return Near(seen.name, rows[which.numpy()], turned.numpy() == 1, distances.numpy())


def _critic(folder: Path, device: torch.device) -> Critic | None:
    """The critic of a checkpoint; None for a bundle, which has none."""
    if not (folder / checkpoint.FACTS).is_file():
        return None
    return critic(checkpoint.read(folder), device)


def nearest_pixels(pack: Pack, pixels: np.ndarray, report: Report = silent) -> Near:
    """The training picture nearest to each of pictures (B, H, W, C) uint8, pixel by pixel.

    All training pictures are looked at, in the size of those given, so many at a time.
    """
    rows, size = pack.rows(TRAIN), pixels.shape[1]
    views = (pixels, pixels[:, :, ::-1]) if pack.flip_natural else (pixels,)
    blocks = torch.as_tensor(rows).split(SEARCHED_AT_ONCE)
    found = []
    for number, block in enumerate(blocks, 1):
        reals = to_images(features.reduced(pack.images[block.numpy()], size)).flatten(1)
        for view in views:
            distances, index = _nearest_of(view, reals)
            found.append((distances, block[index]))
        report("nearest training pictures", number, len(blocks))
    away, which = (torch.stack(part) for part in zip(*found, strict=True))
    least = away.argmin(0, keepdim=True)  # of (blocks * views, B)
    turned = least[0] % len(views) == 1
    return Near(
        "pixels",
        which.gather(0, least)[0].numpy(),
        turned.numpy(),
        away.gather(0, least)[0].numpy(),
    )


def _nearest_of(pixels: np.ndarray, reals: Tensor) -> tuple[Tensor, Tensor]:
    """Distance (B,) and number (B,) of the real (M, F) nearest to each picture, some at a time."""
    parts = [
        nearest(to_images(pixels[start : start + SEARCHED_AT_ONCE]).flatten(1), reals)
        for start in range(0, len(pixels), SEARCHED_AT_ONCE)
    ]
    distances, index = (torch.cat(part)[:, 0] for part in zip(*parts, strict=True))
    return distances, index


def grid(pixels: np.ndarray, found: Near, pack: Pack) -> np.ndarray:
    """Pictures (B, H, W, C) uint8, each before the training picture that was found for it."""
    size = pixels.shape[1]
    real = features.reduced(pack.images[found.rows], size)
    real = np.where(found.turned[:, None, None, None], real[:, :, ::-1], real)
    both = np.stack([pixels, real], 1).reshape(-1, *pixels.shape[1:])
    return sheet.grid(both, 2 * PAIRS_A_ROW, 2, sheet.enlargement(size))


def write(made: Pairs, pack: Pack, out: Path) -> dict[str, Path]:
    """A grid of pairs (drawn, nearest real) for each extractor, and a table of distances."""
    files = {}
    for found in made.near:
        files[found.seen_by] = out / f"neighbours-{found.seen_by}.png"
        sheet.write_png(files[found.seen_by], grid(made.pixels, found, pack))
    files["table"] = out / "neighbours.csv"
    with (
        replacing(files["table"]) as temporary,
        temporary.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file,
    ):
        table = csv.writer(file)
        heads = ("photo", "mirrored", "distance")
        table.writerow(
            ["sample", *(f"{near.seen_by} {head}" for near in made.near for head in heads)]
        )
        table.writerows(
            _line(made, pack.manifest.photos, place) for place in range(len(made.names))
        )
    return files


def _line(made: Pairs, photos: Sequence[str], place: int) -> list[str]:
    cells = [made.names[place]]
    for near in made.near:
        turned = "yes" if near.turned[place] else "no"
        cells += [photos[near.rows[place]], turned, f"{near.distances[place]:.6g}"]
    return cells
