"""Trains one stage in a run folder: logs, previews, saves, guards and stops."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import FrameType
from typing import Any

import numpy as np
import torch

from purrtrait import machine
from purrtrait.training import checkpoint, cluster, collapse, record
from purrtrait.training.fit import fit
from purrtrait.training.guard import Diverged, Guard
from purrtrait.training.run import Run
from purrtrait.training.spent import Spent
from purrtrait.training.state import State, packed
from purrtrait.training.trend import Trend
from purrtrait.types import Progress, Share

log = logging.getLogger(__name__)

NO_SCORES: Mapping[str, float] = {}
TOGETHER = 0.5  # seconds
OVER = (
    "stopped, as was asked for where a player has won; go on with other settings (purrtrait resume "
    "RUN --set ...), or in a new run from an earlier checkpoint (purrtrait train --start-from)"
)


@dataclass
class Stop:
    """Asks a session to save and leave: a signal came, or the time is up."""

    seconds: float = float("inf")
    signal: int = 0
    heard: float = 0.0
    begun: float = field(default_factory=time.monotonic)

    def wanted(self) -> bool:
        """Whether training should end after this step."""
        return bool(self.signal) or time.monotonic() - self.begun >= self.seconds


@contextmanager
def signals(stop: Stop) -> Iterator[None]:
    """Ctrl-C, SIGTERM and SIGHUP ask for a stop; a second one ends the process at once.

    Systems signal a process and whoever started it, which hands it on: what comes within TOGETHER
    seconds is the same one, and so is what an arena hands on, whenever it comes.
    """

    def ask(number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if stop.signal:
            if number != machine.HANDED_ON and now - stop.heard > TOGETHER:
                raise KeyboardInterrupt
            return
        stop.signal = signal.SIGTERM if number == machine.HANDED_ON else number
        stop.heard = now
        log.warning("stopping after this step, with a checkpoint (once more: at once, without)")

    with machine.heard(ask):
        yield
        if stop.signal:  # its twin is heard here, too
            time.sleep(max(0.0, stop.heard + TOGETHER - time.monotonic()))


@dataclass(frozen=True)
class Cadence:
    """How often a session looks up from its work; none of this changes the mathematics."""

    log_every_steps: int
    preview_every_images: int
    checkpoint_every_images: int
    score_every_images: int
    keep: int
    extra_images: int
    judged_by: str = checkpoint.JUDGED_BY
    judged_after_images: int = 0
    stop_when_won: bool = False


@dataclass(frozen=True)
class Session:
    """One stage in training, in its run folder.

    ``facts`` and ``texts`` go into every checkpoint, as do the weights ``under`` this stage;
    ``look`` makes the preview and ``scoring`` gives the scores, both of the weights as they are;
    neither disturbs anything. ``learnt_from`` makes a sheet of training pictures.
    """

    run: Run
    stage: str
    state: State
    budget: int
    cadence: Cadence
    facts: Mapping[str, Any]
    texts: Mapping[str, str]
    under: Mapping[str, torch.Tensor]
    look: Callable[[], record.Preview]
    learnt_from: Callable[[], np.ndarray]
    scoring: Callable[[], Mapping[str, float]]
    share: Share
    device: torch.device
    spent: Spent
    trend: Trend

    def play(self, writer: record.Writer, stop: Stop, watch: Callable[[Progress], None]) -> bool:
        """Train to the end of the budget; True if it came there, False if it was stopped."""
        recorder = record.Recorder(self.run, self.stage, writer, self.state.now)
        try:
            return self.steps(recorder, stop, watch)
        except Diverged as error:
            self.warn(recorder, self.state.now, [str(error)])
            raise

    def steps(
        self, recorder: record.Recorder, stop: Stop, watch: Callable[[Progress], None]
    ) -> bool:
        """Step by step to the end of the budget, looking up after each; True if it came there."""
        guard = Guard(self.state.objective.won_at_zero)
        before = self.state.now
        self.open(recorder, before)
        stopped, scored = False, dict[str, float]()
        for now in fit(self.state, self.budget):
            # The trend first: the guard raises where scores are no numbers.
            self.warn(recorder, now, [*self.trend.look(now), *guard.look(now)])
            done = now.images_seen >= self.budget
            over = self.cadence.stop_when_won and guard.won
            stopped = cluster.anyone(stop.wanted() or over) and not done
            self.warn(recorder, now, [OVER] * (over and stopped))
            followed = replace(now, scores={**now.scores, **self.trend.scores()})
            scored |= self.look_up(recorder, before, followed, done or stopped)
            watch(replace(now, scores={**now.scores, **scored}))
            before = now
            if stopped:
                break
        cluster.wait()
        return not stopped

    def open(self, recorder: record.Recorder, now: Progress) -> None:
        """At the very beginning a first preview, and once what there is to learn from."""
        due = now.images_seen == 0
        self.preview(recorder, now, due)
        if self.wanted(due):
            recorder.picture(now, "training", self.learnt_from())

    def warn(self, recorder: record.Recorder, now: Progress, hints: Sequence[str]) -> None:
        """Say what goes wrong, and write it down."""
        for hint in hints:
            if not self.share.rank:
                recorder.incident(now, hint)

    def look_up(
        self, recorder: record.Recorder, before: Progress, now: Progress, last: bool
    ) -> Mapping[str, float]:
        """Score, log, preview and save, each when it is due, and give the scores if any were taken.

        The last step is always shown and saved; what was scored is saved with its scores.
        """
        cadence = self.cadence
        if self.share.rank:
            return {}
        seen = (before.images_seen, now.images_seen, self.budget)
        looked = self.preview(
            recorder, now, due=last or crosses(*seen, cadence.preview_every_images)
        )
        due = crosses(*seen, cadence.score_every_images)
        scored = self.score() if due else {}
        if (
            looked
            or due
            or now.steps % cadence.log_every_steps == 0
            or now.images_seen >= self.budget
        ):
            recorder.scores(replace(now, scores={**now.scores, **looked, **scored}))
        if due:
            hint = collapse.hint(recorder.history("score/diversity"))
            self.warn(recorder, now, [hint] if hint else [])
        if last or due or crosses(*seen, cadence.checkpoint_every_images):
            self.save(scored)
        return scored

    def score(self) -> Mapping[str, float]:
        """The scores of the weights as they are; weights that blew up have none."""
        self.expect_numbers()
        return self.scoring()

    def preview(self, recorder: record.Recorder, now: Progress, due: bool) -> Mapping[str, float]:
        """Make the preview, if it is due and wanted; what was found on the way are its scores."""
        if not self.wanted(due):
            return NO_SCORES
        seen = self.look()
        recorder.preview(now, seen, self.cadence.extra_images)
        return seen.scores

    def wanted(self, due: bool) -> bool:
        """Whether this process makes a preview, where one is due."""
        return due and self.cadence.preview_every_images > 0 and not self.share.rank

    def save_first(self) -> None:
        """Keep weights that came from elsewhere: a run that is killed early must not lose them."""
        if not self.share.rank:
            self.save()
        cluster.wait()

    def expect_numbers(self) -> None:
        """Raise Diverged if some weights are no numbers any more."""
        if not self.state.finite():
            raise Diverged(
                f"training blew up: after {self.state.now.images_seen} images some weights are no "
                "numbers any more, and are not saved. Resume with lower learning rates "
                "(--set lr=...)"
            )

    def old_enough(self) -> bool:
        """Whether the checkpoint that is written now may be the best."""
        return self.state.now.images_seen >= self.cadence.judged_after_images

    def save(self, scored: Mapping[str, float] = NO_SCORES) -> checkpoint.Checkpoint:
        """Write a checkpoint with its scores; remove the oldest beyond those that stay."""
        state = self.state
        path = self.run.checkpoints / f"{self.stage}-{state.now.images_seen:09d}"
        self.run.checkpoints.mkdir(exist_ok=True)
        self.expect_numbers()
        own = {f"{self.stage}/{k}": v for k, v in packed(state.average).items()}
        facts = {
            **self.facts,
            "weights": checkpoint.fingerprint(own, f"{self.stage}/"),
            "stage": self.stage,
            "now": state.facts(),
            "scored": dict(scored),
            "judged_by": self.cadence.judged_by * self.old_enough(),
            "optimisers": state.steppers(),
            "spent": self.spent.facts(),
            "trend": self.trend.facts(),
        }
        saved = checkpoint.write(path, state.tensors(), {**self.under, **own}, facts, self.texts)
        self.run.prune(self.cadence.keep, self.stage)
        return saved


def crosses(before: int, now: int, end: int, every: int) -> bool:
    """Whether the clock passed a multiple of ``every``, or came to the end; never if that is 0."""
    return every > 0 and (before // every < now // every or before < end <= now)
