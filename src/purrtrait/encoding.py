"""Finds the latents of photos with a run's encoder, and draws the photos anew from them."""

from __future__ import annotations

import csv
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch

from purrtrait import model, wrapping
from purrtrait.assemble import restored
from purrtrait.datasets import manifest
from purrtrait.datasets.folder import parse_folder
from purrtrait.datasets.pack import HELD_OUT, Pack
from purrtrait.datasets.photo import Photo, Unreadable, Wanted, drawn, look
from purrtrait.evaluation.reference import Report, silent
from purrtrait.files import replacing
from purrtrait.images.colour import grey
from purrtrait.images.resize import fit, to_images
from purrtrait.model import Model
from purrtrait.training import checkpoint
from purrtrait.types import Coder, Encoder, Images, Latents

log = logging.getLogger(__name__)

Encode: TypeAlias = Callable[[Images], Latents]  # portraits to their likeliest latents


@dataclass(frozen=True)
class Pictures:
    """Pictures (N, H, W, C) uint8 as a model would draw them, and the names of their photos."""

    pixels: np.ndarray
    names: Sequence[str]


@dataclass(frozen=True)
class Pair:
    """A run's encoder as it was at the checkpoint, and the model that draws from its latents."""

    name: str
    encoder: Encode
    model: Model

    @property
    def size(self) -> int:
        """Width and height of the pictures in pixels."""
        return int(self.model.about["size"])

    @property
    def channels(self) -> int:
        """1 (grey) or 3 (colour)."""
        return int(self.model.about["channels"])

    @torch.no_grad()
    def encode(self, pixels: np.ndarray, report: Report = silent) -> Latents:
        """The likeliest latents (N, Z) of pictures (N, H, W, C) uint8, on the CPU."""
        found: list[Latents] = []
        for start in range(0, len(pixels), model.DRAWN_AT_ONCE):
            some = to_images(pixels[start : start + model.DRAWN_AT_ONCE])
            found.append(self.encoder(some.to(self.model.device)).cpu())
            report("pictures", start + len(some), len(pixels))
        return torch.cat(found)

    def redraw(self, pixels: np.ndarray, report: Report = silent) -> np.ndarray:
        """Pictures (N, H, W, C) uint8, decoded from their likeliest latents."""
        rows = self.encode(pixels, report).split(model.DRAWN_AT_ONCE)
        return np.concatenate([self.model.draw(z) for z in rows])


def opened(path: Path, device: str = "auto") -> Pair:
    """The pair in a run (its last checkpoint) or a checkpoint; ValueError where none encodes."""
    folder = wrapping.sampler_folder(path)
    if not (folder / checkpoint.FACTS).is_file():
        raise ValueError(
            f"{path} is a bundle, which draws and has no encoder; name the run that it was made "
            "of, or one of its checkpoints"
        )
    drawer = model.load(folder, device)
    encode = encoder(folder, drawer)
    if encode is None:
        raise ValueError(
            f"{path} has no encoder to find latents with (its recipe is {drawer.about['recipe']}); "
            "name a run of a recipe that trains one: vae, vae-gan, vae-logistics; or, where an "
            "earlier stage has one, a checkpoint of that stage, in the run's checkpoints/"
        )
    return Pair(str(path), encode, drawer)


def encoder(folder: Path, drawer: Model) -> Encode | None:
    """What finds latents in the checkpoint that a model is from; None where nothing does."""
    if not (folder / checkpoint.FACTS).is_file():
        return None
    for player in restored.players(checkpoint.read(folder), drawer.device).values():
        match player:
            case Coder(latent_size=drawer.sampler.latent_size):
                return player
            case Encoder(latent_size=drawer.sampler.latent_size):
                return lambda images: player(images)[0]
    return None


def every_row(pack: Pack) -> np.ndarray:
    """All rows of a pack."""
    return np.arange(len(pack.images))


def held_out(pack: Pack) -> np.ndarray:
    """The rows of a pack that no training saw, or all, with a warning, where none is held out."""
    rows = pack.rows(HELD_OUT)
    if not len(rows):
        log.warning("%s holds no picture out: those that trainings see are taken", pack.path)
        return every_row(pack)
    return rows


def strange(paths: Sequence[Path], pairs: Sequence[Pair]) -> list[str]:
    """A line for each pack of which a pair may have been trained on what is held out."""
    packs = [path for path in paths if (path / manifest.FILE).is_file()]
    return [
        f"{pair.name} was not trained on {path}: it may know pictures that are held out there"
        for path in packs
        for pair in pairs
        if pair.model.about["pack"] != Pack.open(path).content_hash
    ]


def pictures(
    paths: Sequence[Path],
    pair: Pair,
    rows: Callable[[Pack], np.ndarray] = every_row,
    count: int | None = None,
) -> Pictures:
    """The first ``count`` pictures (None: all) of photos, folders and packs, as the pair sees them.

    Of each the middle square is taken; of a pack the ``rows`` that are said. What cannot be read is
    left out, with a warning; ValueError where nothing is left.
    """
    found: list[np.ndarray] = []
    names: list[str] = []
    for photo in (photo for path in paths for photo in _photos(path, pair.size, rows)):
        if len(found) == count:
            break
        try:
            found.append(_shaped(photo.read(), pair))
        except Unreadable as error:
            log.warning("left out: %s (%s)", photo.name, error.reason)
            continue
        names.append(photo.name)
    if not found:
        raise ValueError(
            f"no picture in {', '.join(map(str, paths))} can be read; name photos, folders or a "
            "pack"
        )
    return Pictures(np.stack(found), names)


def _photos(path: Path, size: int, rows: Callable[[Pack], np.ndarray]) -> Iterable[Photo]:
    if (path / manifest.FILE).is_file():
        pack = Pack.open(path)
        return (
            Photo(pack.manifest.photos[row], drawn(partial(pack.images.__getitem__, row)))
            for row in rows(pack)
        )
    if path.is_file():
        return [Photo(path.name, partial(look, path))]
    return parse_folder(Wanted(path, size, None, 0)).photos


def _shaped(pixels: np.ndarray, pair: Pair) -> np.ndarray:
    """One picture (size, size, C) of the pair's size and colours."""
    fitted = fit(pixels, pair.size)
    if pair.channels == 1:
        return grey(fitted) if fitted.shape[-1] > 1 else fitted
    return np.broadcast_to(fitted, (*fitted.shape[:2], pair.channels))


def write(latents: Latents, names: Sequence[str], out: Path) -> dict[str, Path]:
    """Write latents (N, Z) as an array, and as a table with a line for each photo."""
    files = {"array": out / "latents.npy", "table": out / "latents.csv"}
    with replacing(files["array"]) as temporary, temporary.open("wb") as file:
        np.save(file, latents.numpy())
    with (
        replacing(files["table"]) as temporary,
        temporary.open("w", newline="", encoding="utf-8", errors="surrogateescape") as text,
    ):
        table = csv.writer(text)
        table.writerow(["photo", *range(latents.shape[1])])
        for name, row in zip(names, latents.tolist(), strict=True):
            table.writerow([name, *(f"{number:.7g}" for number in row)])
    return files
