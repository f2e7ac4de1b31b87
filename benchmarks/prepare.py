"""Measures how many photos a second become a pack, and what varied pictures cost a training.

Run ``python benchmarks/prepare.py --json out.json``. The photos are toy cats, written as files of
the CAT dataset and into an archive as LFW is; with ``--lfw ARCHIVE`` that archive is read instead.
Seconds on one machine vary from hour to hour; those of the processor vary less.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import resource
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import torch
from PIL import Image

import purrtrait
from purrtrait import machine
from purrtrait.assemble import build, options
from purrtrait.datasets.batches import Feed
from purrtrait.datasets.beside import Beside
from purrtrait.datasets.toys import toy_scene
from purrtrait.images.vary import VARIATIONS
from purrtrait.training.fit import fit
from purrtrait.training.state import State
from purrtrait.types import Batch, Draw, Progress

KILOBYTE = 1024  # the unit of ru_maxrss on Linux
SIZE = 64
LFW_SIDE = 250
CAT_SIDES = (500, 400)

Measured: TypeAlias = dict[str, float]


def measured(count: int, work: Callable[[], object]) -> Measured:
    """So many a second, on the clock and of the processor."""
    clock, processor = time.perf_counter(), time.process_time()
    work()
    seconds = time.perf_counter() - clock
    return {
        "count": count,
        "seconds": seconds,
        "a_second": count / seconds,
        "a_processor_second": count / (time.process_time() - processor),
    }


def lfw_archive(path: Path, count: int) -> None:
    """Write an archive in the layout of LFW, two photos a person."""
    with tarfile.open(path, "w:gz") as archive:
        for number in range(count):
            person = f"Person_{number // 2:05d}"
            picture = Image.fromarray(toy_scene(0, number).pixels()).resize((LFW_SIDE, LFW_SIDE))
            data = io.BytesIO()
            picture.save(data, "JPEG", quality=90)
            info = tarfile.TarInfo(f"lfw/{person}/{person}_{number % 2 + 1:04d}.jpg")
            info.size = data.tell()
            data.seek(0)
            archive.addfile(info, data)


def cat_folder(path: Path, count: int) -> None:
    """Write photos of 500 x 400 pixels with annotations, as in the CAT dataset."""
    path.mkdir()
    wide, high = CAT_SIDES
    for number in range(count):
        scene = toy_scene(0, number)
        picture = Image.fromarray(scene.pixels()).resize(CAT_SIDES)
        picture.save(path / f"{number:08d}.jpg", quality=90)
        points = scene.face().points.values()
        places = [(int(x * wide / scene.width), int(y * high / scene.height)) for x, y in points]
        line = " ".join(str(place) for point in places for place in point)
        (path / f"{number:08d}.jpg.cat").write_text(f"9 {line} ")


def prepared(folder: Path, lfw: Path | None, count: int) -> dict[str, Measured]:
    """Photos a second from an archive, and augmented files a second from a folder."""
    archive = lfw or folder / "lfw.tgz"
    if lfw is None:
        lfw_archive(archive, count)
    photos = 12_033 if lfw else count
    cat_folder(folder / "cats", count)
    beside = Beside(augmented=folder / "copies")
    return {
        "lfw, photos": measured(
            photos, lambda: purrtrait.prepare("lfw", archive, size=SIZE, out=folder / "lfw-pack")
        ),
        "cat10k, photos": measured(
            count,
            lambda: purrtrait.prepare("cat10k", folder / "cats", size=SIZE, out=folder / "plain"),
        ),
        "cat10k, 10 files of each photo": measured(
            10 * count,
            lambda: purrtrait.prepare(
                "cat10k", folder / "cats", size=SIZE, out=folder / "pack", beside=beside
            ),
        ),
    }


def step_and_variation(folder: Path, threads: int) -> dict[str, float]:
    """Seconds of a step of ``dcgan`` at 64 px, and what each variation adds to it."""
    torch.set_num_threads(threads)
    pack = purrtrait.prepare("kittens", size=SIZE, count=256, out=folder / "kittens")
    recipe, _ = options.override(options.find("dcgan"), {"pixels": "0"})
    stage, shape = recipe.stages[0], build.Shape(pack.size, pack.channels)
    built = build.stage(stage, shape, 0, torch.device("cpu"))
    feed = Feed(pack.images, pack.rows("train"), stage.batch, Draw(0, stage.name, 0))

    def batch(now: Progress) -> Batch:
        return built.level.cut(feed.portraits(now), None, feed.draw(now))

    state = State(built.objective, built.paces, batch, stage.half_life_images, len(feed))
    steps = fit(state, 10**9)
    next(steps)
    seconds = {"step of dcgan": fastest(lambda: next(steps), 5)}
    images, draw = feed.portraits(state.now), feed.draw(state.now)
    for name, variation in VARIATIONS.items():
        vary = variation()
        seconds[name] = fastest(lambda vary=vary: vary(images, draw), 20)  # type: ignore[misc]
    return seconds


def fastest(work: Callable[[], object], times: int) -> float:
    """Seconds that work takes when the least disturbs it."""
    found = []
    for _ in range(times):
        begun = time.perf_counter()
        work()
        found.append(time.perf_counter() - begun)
    return min(found)


def main() -> None:
    """Measure and print tables; with --json also write the numbers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--lfw", type=Path)
    parser.add_argument("--count", type=int, default=2_000)
    parser.add_argument("--threads", type=int, default=machine.threads())
    asked = parser.parse_args()
    load = os.getloadavg()[0]
    print(f"{machine.threads()} cores, load at the start {load:.2f}\n")
    with tempfile.TemporaryDirectory() as home:
        rows = prepared(Path(home), asked.lfw, asked.count)
        print("| job | number | a second | a second of the processor |\n|---|---|---|---|")
        for name, row in rows.items():
            print(
                f"| {name} | {row['count']:,} | {row['a_second']:,.0f} | "
                f"{row['a_processor_second']:,.0f} |"
            )
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KILOBYTE / 1e6
        print(f"\nat most {most:.0f} MB\n")
        seconds = step_and_variation(Path(home), asked.threads)
        print("| work on 64 pictures of 64 px | milliseconds | of a step |\n|---|---|---|")
        for name, value in seconds.items():
            print(f"| {name} | {1000 * value:.1f} | {value / seconds['step of dcgan']:.2%} |")
    if asked.json:
        facts = {"cores": machine.threads(), "threads": asked.threads, "load": load}
        asked.json.write_text(json.dumps({**facts, "prepare": rows, "seconds": seconds}, indent=1))


if __name__ == "__main__":
    main()
