"""Ranks the pictures of a pack by how odd they are, so that one can look and leave some out."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from purrtrait import judging
from purrtrait.datasets.pack import Pack
from purrtrait.evaluation import features
from purrtrait.evaluation.oddity import oddity
from purrtrait.evaluation.reference import Report, heard, silent
from purrtrait.files import replacing
from purrtrait.images import sheet

SMALLEST = 64  # pixels: pictures are drawn at least as large
COLUMNS = 8


def screen(
    pack: Pack, extractor_name: str = "efficientnet-lite0", report: Report = silent
) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers (N,), the oddest first, and how odd each of them is; 1 is usual."""
    if len(pack.images) < 3:
        raise ValueError(f"{pack.path} has {len(pack.images)} pictures; expected at least 3")
    everything = np.arange(len(pack.images))
    told = heard(report, f"features of {pack.path.name}")
    seen = features.of_pack(judging.extractor(extractor_name), pack, everything, told)
    odd = oddity(seen).numpy()
    order = np.argsort(-odd, kind="stable")
    return order, odd[order]


def write(pack: Pack, order: np.ndarray, odd: np.ndarray, shown: int, out: Path) -> dict[str, Path]:
    """A grid of the oddest, all names with their oddity, and a list for ``prepare --exclude``."""
    files = {"grid": out / "oddest.png", "table": out / "oddity.csv", "names": out / "exclude.txt"}
    scale = max(1, SMALLEST // pack.size)
    cells = [
        sheet.captioned(sheet.upscale(pack.images[row], scale), f"{place} ({value:.2f})")
        for place, (row, value) in enumerate(zip(order[:shown], odd, strict=False), 1)
    ]
    sheet.write_png(files["grid"], sheet.grid(np.stack(cells), COLUMNS))
    photos = pack.manifest.photos
    with (
        replacing(files["table"]) as temporary,
        temporary.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file,
    ):
        table = csv.writer(file)
        table.writerow(["rank", "photo", "oddity"])
        rows = enumerate(zip(order, odd, strict=True), 1)
        table.writerows([place, photos[row], f"{value:.4f}"] for place, (row, value) in rows)
    head = (
        "# The oddest pictures first. Look at oddest.png, delete the lines of what may stay,\n"
        "# and give this file to: purrtrait prepare ... --exclude exclude.txt\n"
    )
    marks = ("./" * photos[row].startswith("#") for row in order[:shown])
    names = "".join(f"{m}{photos[row]}\n" for m, row in zip(marks, order, strict=False))
    with replacing(files["names"]) as temporary:
        temporary.write_text(head + names, encoding="utf-8", errors="surrogateescape")
    return files
