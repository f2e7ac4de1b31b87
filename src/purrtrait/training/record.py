"""Writes down how training goes: scores.jsonl, the log, TensorBoard and preview grids."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from torch.utils.tensorboard import SummaryWriter

from purrtrait.images import sheet
from purrtrait.training.run import SINGLE, Run
from purrtrait.types import Progress

log = logging.getLogger(__name__)

# Every score that can be logged, with what it says; docs/scores.md is held to this table.
SCORES = {
    "critic/game": "what the critic loses in the game, mean over the batch",
    "critic/penalty": "what the critic paid for being steep when that was last due, weighted",
    "critic/order": "share of pairs in which the real is judged above the fake, 0 to 1",
    "critic/accuracy": "share of verdicts on the right side of 0, over reals and fakes, 0 to 1",
    "balance/critic": "share of the critic's turns so far in which it was let step, 0 to 1",
    "balance/critic-skipped": "turns of the critic so far in which it was not let step",
    "balance/generator": "share of the generator's turns so far in which it was let step, 0 to 1",
    "balance/generator-skipped": "turns of the generator so far in which it was not let step",
    "balance/decoder": "share of the decoder's turns so far in which the game moved it, 0 to 1",
    "balance/decoder-skipped": "turns of the decoder so far in which the game did not move it",
    "balance/l2": "coefficient of half the sum of squares of the critic's weights, as adapted",
    "critic/l2": "what the critic pays for it",
    "critic/noise": "standard deviation of the noise on all that the critic sees",
    "critic/augmentation": "chance with which a picture is changed before the critic sees it",
    "critic/gradient": "length of the critic's gradient, before decay and clamp",
    "critic/decay": "what the critic pays for the size of its weights",
    "critic/lr": "the critic's learning rate",
    "generator/game": "what the generator loses in the game, mean over the batch",
    "generator/gradient": "length of the generator's gradient, before decay and clamp",
    "generator/decay": "what the generator pays for the size of its weights",
    "generator/lr": "the generator's learning rate",
    "encoder/reconstruction": "how unlikely pictures are when decoded, in nats a picture",
    "encoder/divergence": "divergence (KL) of the pictures' latents from the prior, nats a picture",
    "encoder/gradient": "length of the encoder's gradient, before decay and clamp",
    "encoder/decay": "what the encoder pays for the size of its weights",
    "encoder/lr": "the encoder's learning rate",
    "decoder/reconstruction": "the same number as encoder/reconstruction",
    "decoder/game": "what the decoder loses in the game, mean over the batch",
    "decoder/factor": "by what the game's gradient at the decoded pictures is multiplied; with "
    "equal weights it grows without limit where the gradient of a fooled critic vanishes",
    "decoder/share": "share of the game's in the gradients at the decoded pictures, 0 to 1",
    "latent/bound": "lower bound on the log likelihood of pictures, in nats a picture",
    "latent/weight": "coefficient with which the divergence counts",
    "held-out/encoder/reconstruction": "encoder/reconstruction on pictures held out",
    "held-out/encoder/divergence": "encoder/divergence on pictures held out",
    "held-out/decoder/reconstruction": "decoder/reconstruction on pictures held out",
    "held-out/latent/bound": "latent/bound on pictures held out",
    "coder/difference": "how far decoded pictures are from their originals, of numbers in [0, 1]",
    "coder/gradient": "length of the coder's gradient, before decay and clamp",
    "coder/decay": "what the coder pays for the size of its weights",
    "coder/lr": "the coder's learning rate",
    "decoder/difference": "the same number: coder and decoder go down it together",
    "decoder/gradient": "length of the decoder's gradient, before decay and clamp",
    "decoder/decay": "what the decoder pays for the size of its weights",
    "decoder/lr": "the decoder's learning rate",
    "first/difference": "cross entropy of pictures cleaned once against the clean ones, in nats",
    "first/gradient": "length of the first network's gradient, before decay and clamp",
    "first/decay": "what the first network pays for the size of its weights",
    "first/lr": "the first network's learning rate",
    "second/change": "cross entropy of the second's picture against the one that it drew after",
    "second/game": "what the second loses before the critic, weighted",
    "third/change": "cross entropy of the third's picture against the one that it drew after",
    "third/game": "what the third loses before the critic, weighted",
    "third/gradient": "length of the third network's gradient, before decay and clamp",
    "third/decay": "what the third network pays for the size of its weights",
    "third/lr": "the third network's learning rate",
    "second/gradient": "length of the second network's gradient, before decay and clamp",
    "second/decay": "what the second network pays for the size of its weights",
    "second/lr": "the second network's learning rate",
    "second/difference": "cross entropy of pictures cleaned twice against the clean ones, in nats",
    "held-out/coder/difference": "coder/difference on pictures held out",
    "held-out/decoder/difference": "decoder/difference on pictures held out",
    "held-out/first/difference": "first/difference on pictures held out, noise and all",
    "held-out/second/difference": "second/difference on pictures held out",
    "validator/cross-entropy": "what the validator loses: real pictures against spoilt ones, nats",
    "validator/right-real": "share of real pictures that the validator takes for real, 0 to 1",
    "validator/right-spoilt": "share of spoilt pictures that it takes for spoilt, 0 to 1",
    "validator/accuracy": "the mean of both",
    "validator/gradient": "length of the validator's gradient, before decay and clamp",
    "validator/decay": "what the validator pays for the size of its weights",
    "validator/lr": "the validator's learning rate",
    "held-out/validator/cross-entropy": "validator/cross-entropy on pictures held out",
    "held-out/validator/right-real": "validator/right-real on pictures held out",
    "held-out/validator/right-spoilt": "validator/right-spoilt on pictures held out",
    "held-out/validator/accuracy": "validator/accuracy on pictures held out",
    "verdict/real": "the critic's mean verdict on reals; unbounded, higher is more real",
    "verdict/fake": "the critic's mean verdict on fakes",
    "verdict/loss-real": "cross entropy of the verdicts on reals, in nats; 0.693 is a guess",
    "verdict/loss-fake": "cross entropy of the verdicts on fakes, in nats; 0.693 is a guess",
    "verdict/answer": "mean verdict on the fakes that the generator answers for, after the critic",
    "verdict/distance": "mean verdict on reals less that on fakes; of a WGAN, W1 up to scale",
    "score/frechet": "distance of portraits to held-out pictures, in features of "
    "EfficientNet-Lite0; 0 is alike",
    "score/precision": "share of portraits that lie among held-out pictures, in features of "
    "EfficientNet-Lite0, 0 to 1",
    "score/recall": "share of held-out pictures that lie among the portraits, in features of "
    "EfficientNet-Lite0, 0 to 1",
    "score/density": "how many held-out pictures' neighbourhoods a portrait lies in, over 5, in "
    "features of EfficientNet-Lite0",
    "score/coverage": "share of held-out pictures in whose neighbourhood a portrait lies, in "
    "features of EfficientNet-Lite0, 0 to 1",
    "score/diversity": "mean distance between portraits over that between held-out pictures, in "
    "features of EfficientNet-Lite0",
    "score/duplicates": "share of portraits that are nearly the same as another one, in features "
    "of EfficientNet-Lite0, 0 to 1",
    "score/order-train": "share of pairs in which the critic puts a training picture above a fake",
    "score/order-held-out": "the same for held-out pictures; if lower, it knows its own by heart",
    "score/accuracy-held-out": "critic/accuracy on as many held-out pictures and portraits",
    "score/refinement": "of several refinements of a held-out picture, how far the nearest is off",
    "average/critic/game": "moving average of critic/game over some hundred steps",
    "average/generator/game": "moving average of generator/game",
    "average/decoder/game": "moving average of decoder/game",
    "average/second/game": "moving average of second/game",
    "average/third/game": "moving average of third/game",
    "average/critic/gradient": "moving average of critic/gradient",
    "average/generator/gradient": "moving average of generator/gradient",
    "average/encoder/gradient": "moving average of encoder/gradient",
    "average/decoder/gradient": "moving average of decoder/gradient",
    "average/coder/gradient": "moving average of coder/gradient",
    "average/first/gradient": "moving average of first/gradient",
    "average/second/gradient": "moving average of second/gradient",
    "average/third/gradient": "moving average of third/gradient",
    "average/validator/gradient": "moving average of validator/gradient",
    "probe/real": "where a real picture stands among portraits, as the critic ranks them, 0 to 1",
    "probe/sanity": "where noise with a pattern stands among portraits; 0, the worst, is right",
    "validator/all": "what the validator of an earlier stage thinks of the portraits that the "
    "critic ranks at a preview; 1 is real",
    "validator/best": "what it thinks of the sixth of them that the critic likes best",
    "validator/worst": "what it thinks of the sixth that the critic likes least",
    "speed/images_per_second": "real pictures a second since the line before (TensorBoard only)",
}


# By which scores checkpoints can be compared, in words.
BEST = {
    "score/frechet": "Frechet distance to held-out pictures",
    "score/refinement": "least distance of refinements to the truth",
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
def events(run: Run, stage: str, purge_from: int) -> Iterator[Writer]:
    """A TensorBoard writer of a stage; what a kill left behind after ``purge_from`` is hidden."""
    writer = SummaryWriter(str(run.path / "tensorboard" / stage), purge_step=purge_from)
    try:
        yield writer
    finally:
        writer.close()


@contextmanager
def no_events(run: Run, stage: str, purge_from: int) -> Iterator[Writer]:
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


@dataclass(frozen=True)
class Preview:
    """What is to be looked at: the main picture, the portraits (N, H, W, C) in it, and others.

    ``sheets`` are further pictures by name, ``scores`` what was found while making them.
    """

    grid: np.ndarray
    portraits: np.ndarray
    sheets: Mapping[str, np.ndarray]
    scores: Mapping[str, float]


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

    def preview(self, now: Progress, seen: Preview, extra: int) -> None:
        """The main picture, the others in folders of their own, and the first portraits singly."""
        self.picture(now, "", seen.grid)
        for title, picture in seen.sheets.items():
            self.picture(now, title, picture)
        folder, name = self.run.previews / SINGLE, self._name(now)
        for number, portrait in enumerate(seen.portraits[:extra]):
            folder.mkdir(exist_ok=True)
            sheet.write_png(folder / f"{number:03d}-{name}.png", portrait)

    def picture(self, now: Progress, title: str, picture: np.ndarray) -> None:
        """A picture (h, w, C) in the folder of its title; without one it is the preview itself."""
        folder = self.run.previews / title
        folder.mkdir(exist_ok=True)
        sheet.write_png(folder / f"{self._name(now)}.png", picture)
        tag = f"{self.stage}/{title or 'previews'}"
        self.writer.add_image(tag, picture, now.images_seen, dataformats="HWC")

    def _name(self, now: Progress) -> str:
        return f"{self.stage}-{now.images_seen:09d}"


def line(stage: str, now: Progress, speed: float) -> str:
    """One line of the log."""
    scores = "  ".join(f"{name} {value:.4g}" for name, value in now.scores.items())
    moves = ", ".join(f"{player} {count}" for player, count in now.moves.items())
    return (
        f"{stage}: {now.images_seen} images, step {now.steps}, round {now.round} "
        f"(moves: {moves}), {speed:.0f} images/s  {scores}"
    )
