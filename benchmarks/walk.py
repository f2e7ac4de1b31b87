"""Measures `walk`: a film of 300 portraits of 64 px, drawn and written as a GIF and an MP4.

Run ``python benchmarks/walk.py --json out.json``. Networks are those of the recipes before any
training, which cost what they cost afterwards. Beside the seconds on the clock stand those of the
processor, which other work lengthens less. It fails where a film takes more than 20 seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from purrtrait import machine, walking
from purrtrait.assemble import build, options
from purrtrait.assemble.arithmetic import counted
from purrtrait.model import Model
from purrtrait.types import Generator
from purrtrait.walking import Walk

CPU = torch.device("cpu")
SIZE, CHANNELS = 64, 3
ANCHORS = 6
CASES = ("portrait", "torch-gan", "cat-gan")
FRAMES, MOST_SECONDS = 300, 20.0


@dataclass
class Clock:
    """Notes the time on the wall and of the processor whenever a part of the work is done."""

    marks: list[tuple[str, float, float]] = field(default_factory=list)

    def note(self, part: str) -> None:
        """A part of the work is done."""
        self.marks.append((part, time.perf_counter(), time.process_time()))

    def report(self, what: str, done: int, total: int) -> None:
        """What a film says of its progress: portraits, then the GIF, then the MP4."""
        if (what, done) == ("portraits", total):
            self.note("drawing")
        elif (what, done) in {("films", 1), ("films", 2)}:
            self.note({1: "GIF", 2: "MP4"}[done])

    def seconds(self) -> dict[str, float]:
        """What each part took, and the whole."""
        facts: dict[str, float] = {}
        parts = [*pairwise(self.marks), (self.marks[0], ("whole", *self.marks[-1][1:]))]
        for (_, wall, processor), (part, wall_then, processor_then) in parts:
            facts[f"{part} seconds"] = wall_then - wall
            facts[f"{part} processor seconds"] = processor_then - processor
        return facts


def untrained(name: str) -> Model:
    """The model of a recipe as it is before training."""
    stage = options.find(name).stages[0]
    built = build.stage(stage, build.Shape(SIZE, CHANNELS), 0, CPU)
    drawer = built.objective.eval().requires_grad_(False).subject()
    assert isinstance(drawer, Generator)
    about = {"size": SIZE, "channels": CHANNELS, "recipe": name}
    return Model(built.level.join(drawer, None), about, CPU)


def measured(model: Model, walk: Walk) -> dict[str, float]:
    """What a film takes, and what drawing its portraits counts."""
    anchors, clock = walking.rows(model, ANCHORS, 0), Clock()
    one = counted(lambda: model.draw(anchors)) / ANCHORS
    with TemporaryDirectory() as folder:
        clock.note("begun")
        walking.film(model, anchors, walk, Path(folder), clock.report)
        clock.note("strip")
    return clock.seconds() | {"frames": walk.frames, "GFLOP a portrait": one / 1e9}


def main() -> None:
    """Measure and print; with --json also write the numbers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument(
        "--seconds", type=float, default=FRAMES / 25, help="of the film, 25 frames each"
    )
    parser.add_argument("--only", help="one of the cases, by a part of its name")
    parser.add_argument("--threads", type=int, default=machine.threads())
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    facts: dict[str, Any] = {
        "torch": torch.__version__,
        "threads": given.threads,
        "load": os.getloadavg()[0],
    }
    for name in CASES:
        if (given.only or "") in name:
            facts[name] = measured(untrained(name), Walk(given.seconds))
            print(f"{name}: " + ", ".join(f"{k} {v:.3g}" for k, v in facts[name].items()))
    if given.json:
        given.json.write_text(json.dumps(facts, indent=1))
    slow = [name for name in CASES if name in facts and _slow(facts[name])]
    if slow:
        sys.exit(f"expected at most {MOST_SECONDS:.0f} s for {FRAMES} frames: {', '.join(slow)}")


def _slow(film: dict[str, float]) -> bool:
    """Whether a film took more seconds than its frames may; a short one may take as many."""
    return film["whole seconds"] > MOST_SECONDS * max(1.0, film["frames"] / FRAMES)


if __name__ == "__main__":
    main()
