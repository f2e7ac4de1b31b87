"""Finds the latents of photos with a run's encoder, and draws the photos anew from them."""

from __future__ import annotations

import csv
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from purrtrait import critics, machine, model, wrapping
from purrtrait.datasets import manifest
from purrtrait.datasets.folder import parse_folder
from purrtrait.datasets.pack import HELD_OUT, Pack
from purrtrait.datasets.photo import Photo, Unreadable, Wanted, drawn, look
from purrtrait.evaluation.reference import Report, silent
from purrtrait.files import replacing
from purrtrait.images import sheet
from purrtrait.images.colour import grey
from purrtrait.images.resize import fit, to_images
from purrtrait.model import Model
from purrtrait.training import checkpoint
from purrtrait.types import Encoder, Latents

log = logging.getLogger(__name__)

SMALLEST = 64  # pixels: pictures are drawn at least as large


@dataclass(frozen=True)
class Pictures:
    """Pictures (N, H, W, C) uint8 as a model would draw them, and the names of their photos."""

    pixels: np.ndarray
    names: Sequence[str]


@dataclass(frozen=True)
class Pair:
    """A run's encoder as it was at the checkpoint, and the model that draws from its latents."""

    name: str
    encoder: Encoder
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
            mean, _ = self.encoder(some.to(self.model.device))
            found.append(mean.cpu())
            report("pictures", start + len(some), len(pixels))
        return torch.cat(found)

    def redraw(self, pixels: np.ndarray) -> np.ndarray:
        """Pictures (N, H, W, C) uint8, decoded from their likeliest latents."""
        rows = self.encode(pixels).split(model.DRAWN_AT_ONCE)
        return np.concatenate([self.model.draw(z) for z in rows])


def opened(path: Path, device: str = "auto") -> Pair:
    """The pair in a run (its last checkpoint) or a checkpoint; ValueError where none encodes."""
    folder = wrapping.checkpoint_folder(path)
    players = critics.players(checkpoint.read(folder), machine.device(device))
    match players.get("encoder"):
        case Encoder() as encoder:
            return Pair(str(path), encoder, model.load(folder, device))
        case _:
            raise ValueError(
                f"{path} has no encoder to find latents with (its players are "
                f"{', '.join(players)}); name a run of a recipe that trains one, such as vae or "
                "vae-gan"
            )


def every_row(pack: Pack) -> np.ndarray:
    """All rows of a pack."""
    return np.arange(len(pack.images))


def held_out(pack: Pack) -> np.ndarray:
    """The rows of a pack that no training saw, or all where none is held out."""
    rows = pack.rows(HELD_OUT)
    return rows if len(rows) else every_row(pack)


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
        temporary.open("w", newline="", encoding="utf-8") as text,
    ):
        table = csv.writer(text)
        table.writerow(["photo", *range(latents.shape[1])])
        for name, row in zip(names, latents.tolist(), strict=True):
            table.writerow([name, *(f"{number:.7g}" for number in row)])
    return files


@dataclass(frozen=True)
class Redrawn:
    """A sheet (h, w, C) uint8 with a row for the originals and one for each pair.

    ``squares`` has each pair's mean squared difference from the originals, of values in [0, 1].
    """

    rows: np.ndarray
    squares: dict[str, float]


def redrawn(pairs: Sequence[Pair], originals: np.ndarray) -> Redrawn:
    """What each pair makes of pictures (N, H, W, C) uint8; ValueError unless it draws such ones."""
    rows, squares = [_row("original", originals)], dict[str, float]()
    for pair in pairs:
        if (pair.size, pair.channels) != originals.shape[2:]:
            raise ValueError(
                f"{pair.name} draws pictures of {pair.size} px with {pair.channels} channels, the "
                f"first run of {originals.shape[2]} px with {originals.shape[3]}; expected runs "
                "that draw the same"
            )
        pixels = pair.redraw(originals)
        rows.append(_row(pair.name, pixels))
        apart = (pixels.astype(np.float64) - originals) / 255
        squares[pair.name] = float(np.square(apart).mean())
    return Redrawn(np.concatenate(rows), squares)


def _row(name: str, pixels: np.ndarray) -> np.ndarray:
    scale = max(1, SMALLEST // pixels.shape[2])
    return sheet.captioned(sheet.grid(pixels, len(pixels), scale=scale), name)
