"""Ranks the pictures of a pack by how odd they are, so that one can look and leave some out."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from purrtrait import encoding, judging, machine, model, wrapping
from purrtrait.critics import critic
from purrtrait.datasets.pack import Pack
from purrtrait.evaluation import features
from purrtrait.evaluation.oddity import oddity
from purrtrait.evaluation.ranking import ranked
from purrtrait.evaluation.reference import Report, heard, silent
from purrtrait.files import replacing
from purrtrait.images import sheet
from purrtrait.images.resize import to_images
from purrtrait.training import checkpoint
from purrtrait.types import Critic

COLUMNS = 8
AT_ONCE = 256  # pictures that are redrawn, or judged


@dataclass(frozen=True)
class Judge:
    """A critic that judges pictures (N, C, size, size), and what its user calls it."""

    name: str
    critic: Critic
    size: int
    channels: int


def screen(
    pack: Pack, extractor_name: str = "efficientnet-lite0", report: Report = silent
) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers (N,), the oddest first, and how odd each of them is; 1 is usual."""
    if len(pack.images) < 3:
        raise ValueError(f"{pack.path} has {len(pack.images)} pictures; expected at least 3")
    everything = np.arange(len(pack.images))
    told = heard(report, f"features of {pack.path.name}")
    seen = features.of_pack(judging.extractor(extractor_name), pack, everything, told)
    return _oddest_first(oddity(seen).numpy())


def screen_by(
    pair: encoding.Pair, pack: Pack, report: Report = silent
) -> tuple[np.ndarray, np.ndarray]:
    """The same, by how badly a pair of encoder and decoder redraws each picture.

    That is the root of the mean squared difference, over the median of all. An autoencoder that saw
    few pictures of a kind redraws them badly (Japkowicz et al. 1995, IJCAI). ValueError unless the
    pair draws pictures such as the pack's.
    """
    _expect_its_pictures(pair, pack)
    told, apart = heard(report, f"pictures of {pack.path.name} redrawn"), np.zeros(len(pack.images))
    for start in range(0, len(apart), AT_ONCE):
        some = np.asarray(pack.images[start : start + AT_ONCE])
        off = (pair.redraw(some).astype(np.float32) - some) / 255
        apart[start : start + AT_ONCE] = np.sqrt(np.square(off).mean((1, 2, 3)))
        told(min(start + AT_ONCE, len(apart)), len(apart))
    return _oddest_first(apart / max(float(np.median(apart)), 1e-12))


def judge_of(path: Path) -> Judge:
    """The critic in a run (its last checkpoint) or a checkpoint; ValueError where there is none."""
    folder, found = wrapping.sampler_folder(path), None
    if (folder / checkpoint.FACTS).is_file():
        found = critic(checkpoint.read(folder), machine.device())
    if found is None:
        raise ValueError(
            f"{path} has no critic to judge pictures; name a run in which one was trained, or one "
            "of its checkpoints (a bundle has none)"
        )
    about = model.load(folder, "cpu").about
    return Judge(str(path), found, int(about["size"]), int(about["channels"]))


def screen_judged(
    judge: Judge, pack: Pack, report: Report = silent
) -> tuple[np.ndarray, np.ndarray]:
    """The same, by the verdict of a critic: how far below the median of all it is.

    In units of the median distance from that median; 0 is usual. ValueError unless it judges
    pictures such as the pack's.
    """
    _expect_its_pictures(judge, pack)
    told = heard(report, f"pictures of {pack.path.name} judged")
    verdicts = np.zeros(len(pack.images))
    for start in range(0, len(verdicts), AT_ONCE):
        some = to_images(np.asarray(pack.images[start : start + AT_ONCE]))
        verdicts[start : start + AT_ONCE] = ranked(judge.critic, some).verdicts
        told(min(start + AT_ONCE, len(verdicts)), len(verdicts))
    below = np.median(verdicts) - verdicts
    return _oddest_first(below / max(float(np.median(np.abs(below))), 1e-12))


def _oddest_first(odd: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(-odd, kind="stable")
    return order, odd[order]


def _expect_its_pictures(one: encoding.Pair | Judge, pack: Pack) -> None:
    if list(pack.images.shape[1:]) != [one.size, one.size, one.channels]:
        raise ValueError(
            f"{one.name} knows pictures of {one.size} px with {one.channels} channels, those of "
            f"{pack.path} have {pack.size} px and {pack.channels}; expected a run that was trained "
            "on such pictures"
        )


def write(pack: Pack, order: np.ndarray, odd: np.ndarray, shown: int, out: Path) -> dict[str, Path]:
    """A grid of the oddest, all names with their oddity, and a list for ``prepare --exclude``."""
    files = {"grid": out / "oddest.png", "table": out / "oddity.csv", "names": out / "exclude.txt"}
    scale = sheet.enlargement(pack.size)
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
