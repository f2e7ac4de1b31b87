"""Walks a model's latent space and shows what comes by: films, strips and directions."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from purrtrait.evaluation.reference import Report, silent
from purrtrait.files import replacing
from purrtrait.images import sheet
from purrtrait.images.resize import to_uint8
from purrtrait.model import DRAWN_AT_ONCE, Model
from purrtrait.sampling.directions import RESPONSES, Directions, Source, principal
from purrtrait.sampling.latents import latents
from purrtrait.sampling.walk import USUAL, Way, between, loop
from purrtrait.types import Latents, Sampler

COLUMNS = 8  # portraits in a row of a walk's strip, from one anchor towards the next
WIDEST, FILM = 64, 256  # pixels: portraits are drawn at least as large in strips, and in films
LATENTS = 1024  # of which directions are found, or twice as many as a latent has numbers
REACH, PLACES = 3.0, 7  # standard deviations to both sides, and portraits on the way


@dataclass(frozen=True)
class Walk:
    """Once round through some portraits: how long it takes, and how it goes (None: as usual)."""

    seconds: float = 12.0
    frames_per_second: float = 25.0
    way: Way | None = None

    @property
    def frames(self) -> int:
        """How many frames the film has."""
        return max(1, round(self.seconds * self.frames_per_second))


def rows(
    model: Model,
    count: int,
    seed: int,
    through: Sequence[str] = (),
    temperature: float = 1.0,
    truncation: float = math.inf,
) -> Latents:
    """The latents (K, Z) of the first portraits of a seed, or of those that are named instead.

    ``through`` are texts such as 7 or 7:12: the first portrait of seed 7, or number 12 of it.
    """
    if not through:
        return model.latents(count, seed, temperature, truncation=truncation)
    return torch.cat([row(model, text, temperature, truncation) for text in through])


def row(model: Model, text: str, temperature: float = 1.0, truncation: float = math.inf) -> Latents:
    """The latent (1, Z) of a portrait such as 7, the first of a seed, or 7:12, number 12 of it."""
    if not is_portrait(text):
        raise ValueError(
            f"'{text}' is no portrait; expected a seed such as 7, or number 12 of it as 7:12"
        )
    seed, _, number = text.partition(":")
    return model.latents(1, int(seed), temperature, int(number or 0), truncation)


def is_portrait(text: str) -> bool:
    """Whether a text such as 7 or 7:12 names a portrait of a seed."""
    return re.fullmatch(r"\d{1,18}(:\d{1,18})?", text, re.ASCII) is not None


def film(
    model: Model, anchors: Latents, walk: Walk, out: Path, report: Report = silent
) -> dict[str, Path]:
    """Write a walk through anchors (K, Z) as walk.gif, walk.mp4 and strip.png; gives their paths.

    The film begins again where it ends. The strip has a row for each part of the way.
    """
    way = walk.way or USUAL[model.sampler.prior]
    pixels = drawn(model, loop(anchors, walk.frames, way), report)
    # One after another: enlarged, all frames together would take a hundred times the memory.
    scale = sheet.enlargement(pixels.shape[1], FILM)
    made = {"gif": out / "walk.gif", "mp4": out / "walk.mp4", "strip": out / "strip.png"}
    pace = walk.frames_per_second
    report("films", 0, 2)
    sheet.write_gif(made["gif"], (sheet.upscale(frame, scale) for frame in pixels), pace)
    report("films", 1, 2)
    sheet.write_mp4(made["mp4"], (sheet.upscale(frame, scale) for frame in pixels), pace)
    report("films", 2, 2)
    shown = drawn(model, loop(anchors, COLUMNS * len(anchors), way))
    sheet.write_png(
        made["strip"], sheet.grid(shown, COLUMNS, scale=sheet.enlargement(shown.shape[1], WIDEST))
    )
    return made


def strip(model: Model, ends: tuple[Latents, Latents], count: int, way: Way | None) -> np.ndarray:
    """Portraits (count, H, W, C) uint8 from one latent (1, Z) to another."""
    return drawn(model, between(*ends, count, way or USUAL[model.sampler.prior]))


def write_strip(pictures: Sequence[np.ndarray], path: Path) -> Path:
    """Write pictures (H, W, C) uint8 side by side; gives the path."""
    pixels = np.stack(pictures)
    sheet.write_png(
        path, sheet.grid(pixels, len(pixels), scale=sheet.enlargement(pixels.shape[1], WIDEST))
    )
    return path


def directions(
    base: Sampler, source: Source, count: int, seed: int, device: torch.device
) -> Directions:
    """The principal directions of the lowest stage of a sampler."""
    size = base.latent_size
    if not 1 <= count <= size:
        raise ValueError(
            f"{count} directions are asked for, of latents with {size} numbers; expected 1 to "
            f"{size}"
        )
    response = RESPONSES[source](base)
    with torch.no_grad():
        z = latents(max(LATENTS, 2 * size), size, base.prior, seed)
        return principal(lambda some: response(some.to(device)), z, count, base.prior)


def labelled(model: Model, found: Directions, z: Latents, report: Report = silent) -> np.ndarray:
    """What changes along each direction: rows of the portraits ``z`` (B, Z), as one sheet.

    From -3 to 3 standard deviations, below each direction its share of all change. In a pyramid
    only the part of the lowest stage moves.
    """
    places, size = torch.linspace(-REACH, REACH, PLACES), found.vectors.shape[1]
    sheets: list[np.ndarray] = []
    for number, share in enumerate(found.shares.tolist()):
        moved = [found.along(some[None, :size], number, places) for some in z]
        rest = z[:, size:].repeat_interleave(PLACES, 0)
        pixels = drawn(model, torch.cat([torch.cat(moved), rest], 1))
        picture = sheet.grid(pixels, PLACES, scale=sheet.enlargement(pixels.shape[1], WIDEST))
        text = f"direction {number + 1}: {share:.1%} of the change; -3 ... 3 standard deviations"
        sheets.append(sheet.captioned(picture, text))
        report("directions", number + 1, len(found.shares))
    return np.concatenate(sheets)


def write_directions(
    model: Model, found: Directions, z: Latents, out: Path, report: Report = silent
) -> dict[str, Path]:
    """Write the sheet of ``labelled``, and the directions themselves (K, Z); gives their paths."""
    files = {"sheet": out / "directions.png", "vectors": out / "directions.npy"}
    sheet.write_png(files["sheet"], labelled(model, found, z, report))
    with replacing(files["vectors"]) as temporary, temporary.open("wb") as file:
        np.save(file, found.vectors.numpy(), allow_pickle=False)
    return files


def drawn(model: Model, z: Latents, report: Report = silent) -> np.ndarray:
    """Portraits (N, H, W, C) uint8 of latents (N, Z), so many at a time."""
    made: list[np.ndarray] = []
    for some in z.split(DRAWN_AT_ONCE):
        made.append(to_uint8(model.sampler(some.to(model.device))))
        report("portraits", sum(map(len, made)), len(z))
    return np.concatenate(made)
