"""Trains one stage in a run folder: logs, previews, saves, guards and stops."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import numpy as np
import torch

from purrtrait.training import checkpoint, cluster, record
from purrtrait.training.fit import fit
from purrtrait.training.guard import Diverged, Guard
from purrtrait.training.run import Run
from purrtrait.training.state import State, packed
from purrtrait.types import Progress, Share

log = logging.getLogger(__name__)


@dataclass
class Stop:
    """Asks a session to save and leave: a signal came, or the time is up."""

    seconds: float = float("inf")
    signal: int = 0
    begun: float = field(default_factory=time.monotonic)

    def wanted(self) -> bool:
        """Whether training should end after this step."""
        return bool(self.signal) or time.monotonic() - self.begun >= self.seconds


@contextmanager
def signals(stop: Stop) -> Iterator[None]:
    """Ctrl-C and SIGTERM ask for a stop; a second one ends the process at once."""

    def ask(number: int, frame: FrameType | None) -> None:
        if stop.signal:
            raise KeyboardInterrupt
        stop.signal = number
        log.warning("stopping after this step, with a checkpoint (once more: at once, without)")

    try:
        before = {s: signal.signal(s, ask) for s in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not the main thread: whoever owns that owns the signals
        before = {}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@dataclass(frozen=True)
class Cadence:
    """How often a session looks up from its work; none of this changes the mathematics."""

    log_every_steps: int
    preview_every_images: int
    checkpoint_every_images: int
    keep: int
    extra_images: int


@dataclass(frozen=True)
class Session:
    """One stage in training, in its run folder.

    ``facts`` and ``texts`` go into every checkpoint, as do the weights ``under`` this stage;
    ``portraits`` draws the fixed preview.
    """

    run: Run
    stage: str
    state: State
    budget: int
    cadence: Cadence
    facts: Mapping[str, Any]
    texts: Mapping[str, str]
    under: Mapping[str, torch.Tensor]
    portraits: Callable[[], np.ndarray]
    share: Share
    device: torch.device

    def play(self, writer: record.Writer, stop: Stop, watch: Callable[[Progress], None]) -> bool:
        """Train to the end of the budget; True if it came there, False if it was stopped."""
        recorder = record.Recorder(self.run, self.stage, writer, self.state.now)
        guard = Guard(self.state.objective.won_at_zero)
        before = self.state.now
        self.preview(recorder, before, due=before.images_seen == 0)
        stopped = False
        for now in fit(self.state, self.budget):
            for hint in guard.look(now):
                log.warning("%s", hint)
            done = now.images_seen >= self.budget
            stopped = cluster.anyone(stop.wanted()) and not done
            self.look_up(recorder, before, now, done or stopped)
            watch(now)
            before = now
            if stopped:
                break
        cluster.wait()
        return not stopped

    def look_up(
        self, recorder: record.Recorder, before: Progress, now: Progress, last: bool
    ) -> None:
        """Log, preview and save, each when it is due; the last step is always shown and saved."""
        cadence = self.cadence
        if self.share.rank:
            return
        if now.steps % cadence.log_every_steps == 0 or now.images_seen >= self.budget:
            recorder.scores(now)
        seen = (before.images_seen, now.images_seen, self.budget)
        self.preview(recorder, now, due=last or crosses(*seen, cadence.preview_every_images))
        if last or crosses(*seen, cadence.checkpoint_every_images):
            self.save()

    def preview(self, recorder: record.Recorder, now: Progress, due: bool) -> None:
        """The grid of fixed latents, if it is due and wanted."""
        if due and self.cadence.preview_every_images and not self.share.rank:
            recorder.preview(now, self.portraits, self.cadence.extra_images)

    def save_first(self) -> None:
        """Keep weights that came from elsewhere: a run that is killed early must not lose them."""
        if not self.share.rank:
            self.save()
        cluster.wait()

    def save(self) -> checkpoint.Checkpoint:
        """Write a checkpoint and remove the oldest beyond those that stay."""
        state = self.state
        path = self.run.checkpoints / f"{self.stage}-{state.now.images_seen:09d}"
        self.run.checkpoints.mkdir(exist_ok=True)
        if not state.finite():
            raise Diverged(
                f"training blew up: after {state.now.images_seen} images some weights are no "
                "numbers any more, and are not saved. Resume with lower learning rates "
                "(--set lr=...)"
            )
        facts = {
            **self.facts,
            "stage": self.stage,
            "now": state.facts(),
            "optimisers": state.steppers(),
        }
        average = dict(self.under) | {
            f"{self.stage}/{k}": v for k, v in packed(state.average).items()
        }
        saved = checkpoint.write(path, state.tensors(), average, facts, self.texts)
        self.run.prune(self.cadence.keep, self.stage)
        return saved


def crosses(before: int, now: int, end: int, every: int) -> bool:
    """Whether the clock passed a multiple of ``every``, or came to the end; never if that is 0."""
    return every > 0 and (before // every < now // every or before < end <= now)
