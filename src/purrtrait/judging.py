"""Judges pictures against the held-out part of a pack, and says where the numbers stand."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from purrtrait import machine, model, shelf, wrapping
from purrtrait.assemble.restored import validator_of
from purrtrait.datasets.folder import parse_folder
from purrtrait.datasets.manifest import FILE as MANIFEST
from purrtrait.datasets.pack import Pack
from purrtrait.datasets.photo import Unreadable, Wanted
from purrtrait.evaluation import EXTRACTORS, features, report
from purrtrait.evaluation import judge as judges
from purrtrait.evaluation import judgement as judgements
from purrtrait.evaluation.features import Extractor
from purrtrait.evaluation.judgement import Judgement
from purrtrait.evaluation.reference import VERSION as METRICS_VERSION
from purrtrait.evaluation.reference import Report, silent
from purrtrait.evaluation.validity import expect_fit
from purrtrait.images import sheet
from purrtrait.images.colour import grey
from purrtrait.images.resize import fit
from purrtrait.sampling import bundle
from purrtrait.training import checkpoint
from purrtrait.training import run as runs
from purrtrait.types import Draw
from purrtrait.version import VERSION

log = logging.getLogger(__name__)

COUNT = judges.USUAL  # samples of an evaluation
FEWEST = judges.FEWEST
FILE = judgements.FILE
PAIRS_A_ROW = 4
GRID = "grid.png"  # of a folder that ``sample`` wrote
MARK = '<meta name="generator" content="purrtrait">'
SINGLE = re.compile(r"portrait-\d+\.png")  # what `sample` calls each portrait


def extractor(name: str) -> Extractor:
    """The extractor of a name; ValueError names the known ones."""
    if name not in EXTRACTORS:
        raise ValueError(f"unknown extractor '{name}'; known are {', '.join(EXTRACTORS)}")
    return EXTRACTORS[name]()


def evaluate(
    path: Path,
    against: Path | None = None,
    count: int = COUNT,
    seed: int = 0,
    extractor_name: str = "efficientnet-lite0",
    device: str = "auto",
    report: Report = silent,
    validator: Path | None = None,
) -> Judgement:
    """Judge what a run, checkpoint or bundle draws, or the pictures in a folder, against a pack.

    ``against`` is by default the pack that a run was trained on; ``validator`` is a run or
    checkpoint whose validator judges, too. The judgement says all that it takes to repeat it.
    """
    if count < FEWEST:
        raise ValueError(f"{count} samples are asked for; expected at least {FEWEST}")
    pack, known = open_pack(path, against), extractor(extractor_name)
    valid = None if validator is None else validator_of(validator, machine.device(device))
    if draws(path):
        folder = wrapping.sampler_folder(path)  # of a run that goes on training, the one moment
        drawer, moment = model.load(folder, device), _moment(folder)  # before it may be pruned
        size, channels = drawer.about["size"], drawer.about["channels"]
        expect_fit(valid, size, channels)
        judges.expect_comparable((size, size, channels), pack)
        judges.expect_held_out(pack)
        pixels = drawn(drawer, count, seed, report)
        origin = {"seed": seed, "recipe": drawer.about["recipe"], **moment}
        notes = _other_pack(drawer.about, pack)
    else:
        pixels, _ = pictures(path, pack, count)
        origin, notes = {}, ()
    made = judges.judge(pixels, pack, known, str(path), report, valid)
    origin |= {} if valid is None else {"validator": valid.fingerprint}
    identity = {"identity": known.identity, "purrtrait": VERSION, "torch": torch.__version__}
    origin |= {**identity, "metrics": METRICS_VERSION, "against": str(pack.path)}
    return replace(made, notes=(*notes, *made.notes), origin=origin)


def _other_pack(about: Mapping[str, Any], pack: Pack) -> tuple[str, ...]:
    """A note where a generator was trained on another pack than it is compared with."""
    trained, here = str(about.get("pack", "")), pack.content_hash
    if trained in {"", here}:
        return ()
    return (
        f"it was trained on another pack ({trained[:12]}) than it is compared with ({here[:12]}): "
        "if both are of the same photos, some of those held out here were trained on there, which "
        "flatters all scores, and copies of them are not found",
    )


def place(path: Path, out: Path | None) -> Path | None:
    """Where scores are written: where it is said, in a run's own folder, or nowhere."""
    if out is None:
        return path / FILE if (path / runs.REQUEST).is_file() else None
    if out.exists() and not out.is_file():
        raise ValueError(f"{out} is a folder; expected the name of a file, such as {FILE}")
    if out.exists():
        try:
            Judgement.read(out)
        except ValueError:
            raise ValueError(
                f"{out} is there, and holds no scores of this version; nothing is overwritten, "
                "choose another --out"
            ) from None
    return out


def page_place(page: Path | None) -> Path | None:
    """Where a page of scores is written; ValueError for what is no page, or something else's."""
    if page is None:
        return None
    if page.suffix != ".html" or page.is_dir():
        raise ValueError(f"--page {page}: expected the name of a file that ends in .html")
    if page.exists() and MARK not in page.read_text(encoding="utf-8", errors="replace"):
        raise ValueError(f"--page {page} is there, and no page of purrtrait's; expected another")
    return page


def show(judgement: Judgement, page: Path) -> None:
    """Write a judgement as a page of its own."""
    page.parent.mkdir(parents=True, exist_ok=True)
    report.write_judged(page, judgement)


def put(judgement: Judgement, path: Path, out: Path | None) -> None:
    """Put a judgement where ``place`` says, if anywhere; a run's own into its report, too."""
    file = place(path, out)
    if file and out is None:
        enter(judgement, runs.Run(path))
    elif file:
        keep(judgement, file)


def keep(judgement: Judgement, path: Path) -> None:
    """Write a judgement to a file, as a whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    runs.write_text(path, judgement.to_json())


def enter(judgement: Judgement, run: runs.Run) -> None:
    """Put a judgement of a run into its folder and its report, with the closest neighbours."""
    shown, folder = run.path / judgements.NEIGHBOURS, judgement.origin.get("checkpoint", "")
    try:
        pictures = closest(judgement, run.checkpoints / folder)
    except ValueError as error:  # a run that trains on has removed the checkpoint
        log.warning("no neighbours are shown: %s", error)
        shown.unlink(missing_ok=True)
    else:
        scale = sheet.enlargement(pictures.shape[1])
        sheet.write_png(shown, sheet.grid(pictures, 2 * PAIRS_A_ROW, 2, scale))
    keep(judgement, run.path / FILE)
    wrapping.wrap_report(run)


def closest(judgement: Judgement, folder: Path) -> np.ndarray:
    """The samples nearest to training pictures, each before that picture: (2 N, H, W, C) uint8."""
    found, origin = judgement.copying["closest"], judgement.origin
    drawer, pack = model.load(folder, "cpu"), Pack.open(Path(origin["against"]))
    latents = drawer.latents(judgement.samples, origin["seed"])
    samples = drawer.draw(latents[[one["sample"] for one in found]])
    rows = np.array([one["row"] for one in found])
    reals = features.reduced(pack.images[rows], samples.shape[1])
    return np.stack([samples, reals], 1).reshape(-1, *samples.shape[1:])


def open_pack(path: Path, against: Path | None) -> Pack:
    """The pack that is named, or the one that a run, or a run that a folder lies in, has seen."""
    if against is not None:
        return Pack.open(against)
    there = path.resolve()
    for folder in (there, *there.parents[:2]):  # a run's checkpoints lie two folders below it
        if (folder / runs.REQUEST).is_file():
            data = Path(runs.Run(folder).request()["data"])
            if not (data / MANIFEST).is_file():
                raise ValueError(
                    f"the pack {data} that {path} was trained on is gone; name it with "
                    "--against PACK, wherever it is now"
                )
            return Pack.open(data)
    if not shelf.found(path).exists():
        raise ValueError(
            f"there is nothing at {path}; expected a run, a checkpoint, a bundle or a folder of "
            f"pictures{shelf.hint(path)}"
        )
    raise ValueError(f"{path} is no run, which would know its pack: name one with --against PACK")


def draws(path: Path) -> bool:
    """Whether a path means something that draws, and not only pictures."""
    place = shelf.found(path)
    return any((place / file).is_file() for file in (runs.REQUEST, bundle.DESCRIPTION))


def _moment(folder: Path) -> Mapping[str, Any]:
    """Which checkpoint it was, where it was one."""
    if not (folder / checkpoint.FACTS).is_file():
        return {}
    found = checkpoint.read(folder)
    return {
        "checkpoint": folder.name,
        "images_seen": found.images_seen,
        "weights": found.facts["sha256"][bundle.MODEL],
    }


def drawn(drawer: model.Model, count: int, seed: int, report: Report = silent) -> np.ndarray:
    """Portraits (count, H, W, C) uint8 of a seed."""
    z = drawer.latents(count, seed)
    made: list[np.ndarray] = []
    for rows in z.split(model.DRAWN_AT_ONCE):
        made.append(drawer.draw(rows))
        report("samples", sum(map(len, made)), count)
    return np.concatenate(made)


def pictures(
    path: Path, pack: Pack, count: int, fewest: int = FEWEST
) -> tuple[np.ndarray, list[str]]:
    """Up to ``count`` pictures of a folder, cut and resized as the pack's were; and their names.

    Of a folder that ``sample`` wrote, the single portraits: a grid of them is none.
    """
    photos = list(parse_folder(Wanted(path, pack.size, None, 0)).photos)
    singles = [photo for photo in photos if SINGLE.fullmatch(photo.name)]
    if singles and any(photo.name == GRID for photo in photos):
        photos = singles
    read: dict[int, np.ndarray] = {}
    small = 0
    for place in Draw(0, "evaluate", 0).permutation(len(photos), "pictures").tolist():
        if len(read) == count:
            break
        try:
            raw = photos[place].read()
        except Unreadable as error:
            log.warning("left out: %s (%s)", photos[place].name, error.reason)
            continue
        small += min(raw.shape[:2]) < pack.size
        pixels = fit(raw, pack.size)
        read[place] = grey(pixels) if pack.channels == 1 else pixels
    if small:
        log.warning(
            "%d of %d pictures in %s are smaller than %d px and were enlarged, which scores take "
            "for blur; a pack of their size is fairer (--against)",
            small,
            len(read),
            path,
            pack.size,
        )
    found, names = [read[place] for place in sorted(read)], [photos[p].name for p in sorted(read)]
    if len(found) < fewest:
        raise ValueError(
            f"{path} holds {len(found)} pictures that can be read; expected at least {fewest}"
        )
    return np.stack(found), names


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows of texts as lines: the first column to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if place in (0, len(row) - 1) else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
