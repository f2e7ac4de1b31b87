"""Writes what the critics chose: a sheet for every set and stage, and a table of all verdicts.

The files have the names that the samplers of cat-generator and face-generator gave them.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from purrtrait import choosing, copying
from purrtrait.choosing import Asked, Drawn, Pyramid
from purrtrait.datasets.pack import Pack
from purrtrait.evaluation.judge import expect_comparable
from purrtrait.evaluation.reference import Report, silent
from purrtrait.files import replacing
from purrtrait.images import sheet
from purrtrait.images.resize import enlarge, to_uint8
from purrtrait.types import Images

TRAINSET = "trainset"
COLUMNS = 8
LARGE, SMALL = 64, 32  # pixels: pictures in sheets of few and of many are drawn at least as large
MANY = 256  # portraits, which stand in rows of 16; more of them in rows of 32


@dataclass(frozen=True)
class Gallery:
    """Where the sheets of a pyramid's portraits are written, beside pictures of a pack."""

    pyramid: Pyramid
    pack: Pack
    asked: Asked
    out: Path
    report: Report = silent

    def run(self, number: int) -> dict[str, Path]:
        """Draw a run, judge it and write its files; gives those that one looks at first."""
        asked, run = self.asked, f"{number + 1:04d}"
        made = choosing.drawn(self.pyramid, asked, number, self.report)
        pixels = to_uint8(made.portraits)
        expect_comparable(pixels.shape[1:], self.pack)
        self._many(run, pixels)
        real = choosing.trainset(self.pack, asked, number, pixels.shape[1])
        pictures = {name: made.portraits[rows] for name, rows in made.sets.items()}
        files = self._base(run, {TRAINSET: real, **pictures})
        if asked.neighbours:
            best = pixels[made.sets["best"][: asked.neighbours]]
            found = copying.nearest_pixels(self.pack, best, self.report)
            files["neighbours"] = self.out / f"best_{run}_neighbours_base.jpg"
            _write(files["neighbours"], copying.grid(best, found, self.pack))
        files |= self._stages(run, made, real)
        return files | {"verdicts": _table(self.out / f"verdicts_{run}.csv", made)}

    def _many(self, run: str, pixels: np.ndarray) -> None:
        """All that were drawn, and the first of them."""
        scale = max(1, SMALL // pixels.shape[1])
        for count in {min(MANY, len(pixels)), len(pixels)}:
            columns = 16 if count <= MANY else 32
            path = self.out / f"random{count}_{run}_base.jpg"
            _write(path, sheet.grid(pixels[:count], columns, scale=scale))

    def _base(self, run: str, pictures: Mapping[str, Images]) -> dict[str, Path]:
        """The sets as the lowest stage draws them."""
        stems = {TRAINSET: f"trainset_s1_{run}_base"}
        return {
            name: self._sheet(stems.get(name, f"{name}_{run}_base"), images)
            for name, images in pictures.items()
        }

    def _stages(self, run: str, made: Drawn, real: Images) -> dict[str, Path]:
        """The sets as each of the higher stages refines them."""
        # A portrait that is in several sets is refined once.
        rows = torch.cat(list(made.sets.values())).unique()
        places = {name: torch.searchsorted(rows, some) for name, some in made.sets.items()}
        chosen, own = made.portraits[rows], torch.arange(len(real))
        files: dict[str, Path] = {}
        sizes: list[str] = []
        for stage, name in list(enumerate(self.pyramid.names))[1:]:
            coarse = real
            real = self._refined(stage, made, own, real)
            chosen = self._refined(stage, made, rows, chosen)
            size = real.shape[-1]
            self._given(run, stage, enlarge(coarse, size))
            sizes.append(f"{size}_{name}" if str(size) in sizes else str(size))
            stem = f"trainset_s{2 * stage + 2}_c2f_{sizes[-1]}_{run}"
            files[TRAINSET] = self._sheet(stem, real)
            for kept, place in places.items():
                files[kept] = self._sheet(f"{kept}_{run}_c2f_{sizes[-1]}", chosen[place])
        return files

    def _refined(self, stage: int, made: Drawn, rows: Tensor, coarse: Images) -> Images:
        return choosing.refined(self.pyramid, stage, self.asked, made, rows, coarse, self.report)

    def _given(self, run: str, stage: int, enlarged: Images) -> None:
        """The training pictures that a stage refines, in its size."""
        size = enlarged.shape[-1]
        first = (f"trainset_s2_up{size}_{run}", f"trainset_s3_up{size}norm_{run}")
        later = (f"trainset_s{2 * stage + 1}_up{size}_{run}_base",)
        for stem in first if stage == 1 else later:
            self._sheet(stem, enlarged)

    def _sheet(self, stem: str, images: Images) -> Path:
        path, scale = self.out / f"{stem}.jpg", max(1, LARGE // images.shape[-1])
        _write(path, sheet.grid(to_uint8(images), COLUMNS, scale=scale))
        return path


def _write(path: Path, pixels: np.ndarray) -> None:
    """Write a sheet (H, W, 1 or 3) uint8 as a JPEG of the best quality, colours at full size."""
    picture = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    with replacing(path) as temporary:
        picture.save(temporary, format="JPEG", quality=100, subsampling=0)


def _table(path: Path, made: Drawn) -> Path:
    """A line for each portrait: its number, its row of the seed, its verdict, and its sets."""
    members = {name: set(rows.tolist()) for name, rows in made.sets.items()}
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["number", "seed row", "verdict", "sets"])
        for number, verdict in enumerate(made.ranking.verdicts.tolist()):
            sets = " ".join(name for name, some in members.items() if number in some)
            table.writerow([number, made.first + number, f"{verdict:.6g}", sets])
    return path
