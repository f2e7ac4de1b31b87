"""Writes down how training goes: scores.jsonl, the log, TensorBoard and preview grids."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

import numpy as np
from torch.utils.tensorboard import SummaryWriter

from purrtrait.images import sheet
from purrtrait.training.run import Run
from purrtrait.types import Progress

log = logging.getLogger(__name__)

# Every score that can be logged, with what it says; docs/scores.md is held to this table.
SCORES = {
    "critic/game": "what the critic loses in the game, mean over the batch",
    "critic/penalty": "what the critic paid for being steep when that was last due, weighted",
    "critic/order": "share of pairs in which the real is judged above the fake, 0 to 1",
    "critic/noise": "standard deviation of the noise on all that the critic sees",
    "critic/augmentation": "chance with which a picture is changed before the critic sees it",
    "critic/decay": "what the critic pays for the size of its weights",
    "critic/lr": "the critic's learning rate",
    "generator/game": "what the generator loses in the game, mean over the batch",
    "generator/decay": "what the generator pays for the size of its weights",
    "generator/lr": "the generator's learning rate",
    "verdict/real": "the critic's mean verdict on reals; unbounded, higher is more real",
    "verdict/fake": "the critic's mean verdict on fakes",
    "verdict/answer": "mean verdict on the fakes that the generator answers for, after the critic",
    "verdict/distance": "mean verdict on reals less that on fakes; of a WGAN, W1 up to scale",
    "score/frechet": "distance of portraits to held-out pictures, in features; 0 is alike",
    "score/precision": "share of portraits that lie among held-out pictures, 0 to 1",
    "score/recall": "share of held-out pictures that lie among the portraits, 0 to 1",
    "score/density": "how many held-out pictures' neighbourhoods a portrait lies in, over 5",
    "score/coverage": "share of held-out pictures in whose neighbourhood a portrait lies, 0 to 1",
    "score/diversity": "mean distance between portraits over that between held-out pictures",
    "score/duplicates": "share of portraits that are nearly the same as another one, 0 to 1",
    "score/order-train": "share of pairs in which the critic puts a training picture above a fake",
    "score/order-held-out": "the same for held-out pictures; if lower, it knows its own by heart",
    "speed/images_per_second": "real pictures a second since the line before (TensorBoard only)",
}


class Writer(Protocol):
    """What we use of TensorBoard."""

    def add_scalar(self, tag: str, value: float, step: int) -> None:
        """One number."""

    def add_image(self, tag: str, image: np.ndarray, step: int, *, dataformats: str) -> None:
        """One picture."""


class Silent:
    """A writer for those who do not want TensorBoard."""

    def add_scalar(self, tag: str, value: float, step: int) -> None:
        """Nothing."""

    def add_image(self, tag: str, image: np.ndarray, step: int, *, dataformats: str) -> None:
        """Nothing."""


@contextmanager
def events(run: Run, purge_from: int) -> Iterator[Writer]:
    """A TensorBoard writer; what a killed run wrote after ``purge_from`` images is hidden."""
    writer = SummaryWriter(str(run.path / "tensorboard"), purge_step=purge_from)
    try:
        yield writer
    finally:
        writer.close()


@contextmanager
def no_events(run: Run, purge_from: int) -> Iterator[Writer]:
    """No TensorBoard."""
    yield Silent()


@contextmanager
def log_file(run: Run) -> Iterator[None]:
    """Everything that purrtrait logs goes to the run's log.txt too."""
    handler = logging.FileHandler(run.path / "log.txt", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S"))
    root = logging.getLogger("purrtrait")
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        root.setLevel(level)
        root.removeHandler(handler)
        handler.close()


class Recorder:
    """Writes one stage of a run down, on the schedule of its upkeep."""

    def __init__(self, run: Run, stage: str, writer: Writer, begun: Progress) -> None:
        self.run = run
        self.stage = stage
        self.writer = writer
        self.last = (time.monotonic(), begun.images_seen)
        run.previews.mkdir(exist_ok=True)

    def scores(self, now: Progress) -> None:
        """A line of the log and of scores.jsonl, and TensorBoard's scalars."""
        clock, seen = self.last
        self.last = (time.monotonic(), now.images_seen)
        speed = (now.images_seen - seen) / max(self.last[0] - clock, 1e-9)
        row = {
            "stage": self.stage,
            "images_seen": now.images_seen,
            "steps": now.steps,
            "round": now.round,
            "moves": dict(now.moves),
            "scores": dict(now.scores),
        }
        with self.run.scores.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        for name, value in {**now.scores, "speed/images_per_second": speed}.items():
            self.writer.add_scalar(f"{self.stage}/{name}", value, now.images_seen)
        log.debug("%s", line(self.stage, now, speed))

    def incident(self, now: Progress, words: str) -> None:
        """A line of incidents.jsonl, and of the log."""
        row = {"stage": self.stage, "images_seen": now.images_seen, "words": words}
        with self.run.incidents.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        log.warning("%s", words)

    def history(self, name: str) -> list[dict[str, float]]:
        """The scores of this stage so far, oldest first, wherever there is one of that name."""
        rows = self.run.rows(self.run.scores)
        return [r["scores"] for r in rows if r["stage"] == self.stage and name in r["scores"]]

    def preview(self, now: Progress, draw: Callable[[], np.ndarray], extra: int) -> None:
        """The grid of the fixed latents (N, H, W, C), and the first of them one by one."""
        portraits = draw()
        grid = sheet.grid(portraits)
        name = f"{self.stage}-{now.images_seen:09d}"
        sheet.write_png(self.run.previews / f"{name}.png", grid)
        for number, portrait in enumerate(portraits[:extra]):
            folder = self.run.previews / "single"
            folder.mkdir(exist_ok=True)
            sheet.write_png(folder / f"{number:03d}-{name}.png", portrait)
        self.writer.add_image(f"{self.stage}/previews", grid, now.images_seen, dataformats="HWC")


def line(stage: str, now: Progress, speed: float) -> str:
    """One line of the log."""
    scores = "  ".join(f"{name} {value:.4g}" for name, value in now.scores.items())
    moves = ", ".join(f"{player} {count}" for player, count in now.moves.items())
    return (
        f"{stage}: {now.images_seen} images, step {now.steps}, round {now.round} "
        f"(moves: {moves}), {speed:.0f} images/s  {scores}"
    )
