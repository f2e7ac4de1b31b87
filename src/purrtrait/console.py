"""Progress bars on stderr, with an estimate of the time left."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tqdm import tqdm

from purrtrait import machine
from purrtrait.types import Progress

SHOWN = {
    "critic/game": "critic",
    "generator/game": "generator",
    "critic/order": "order",
    "score/frechet": "frechet",
}


class Bar:
    """A progress bar that is made when it first hears of the work; it estimates the time left."""

    def __init__(self, unit: str, label: str = "") -> None:
        self.unit = unit
        self.label = label
        self.bar: tqdm[Any] | None = None
        self.gone = False  # nobody sees it any more

    def __call__(self, done: int, total: int, scores: Mapping[str, float] | None = None) -> None:
        """So much of the total is done."""
        if self.gone:
            return
        shown = {SHOWN[name]: f"{v:.3g}" for name, v in (scores or {}).items() if name in SHOWN}
        with self._to_a_terminal():
            bar = self.bar = self.bar or self._begun(done, total)
            bar.set_postfix(shown, refresh=False)
            bar.update(min(done, total) - bar.n)
        if done >= total:
            self.close()

    def _begun(self, done: int, total: int) -> tqdm[Any]:
        return tqdm(
            total=total,
            initial=done,
            unit=self.unit,
            desc=self.label,
            file=sys.stderr,
            mininterval=0.5,
            dynamic_ncols=True,
        )

    def close(self) -> None:
        """Leave the bar as it stands; a later call begins a new one."""
        with self._to_a_terminal():
            if self.bar is not None:
                self.bar.close()
        self.bar = None

    @contextmanager
    def _to_a_terminal(self) -> Iterator[None]:
        """That was closed meanwhile, perhaps: work goes on to its checkpoint without a bar."""
        try:
            yield
        except OSError:
            self.gone = True
            if self.bar is not None:
                self.bar.disable = True  # nor does it write when it goes


class StageBars:
    """A progress bar for each stage, in the one process that talks."""

    def __init__(self) -> None:
        self.bar = Bar(" images")
        self.stage = ""

    def watch(self, stage: str, now: Progress, budget: int) -> None:
        """Show how far a stage has come."""
        if not machine.first():
            return
        if stage != self.stage:
            self.bar.close()
            self.bar.label = self.stage = stage
        self.bar(now.images_seen, budget, now.scores)

    def close(self) -> None:
        """Leave the last bar as it stands."""
        self.bar.close()


class Tasks:
    """A progress bar for each of several tasks, one after the other."""

    def __init__(self) -> None:
        self.bar = Bar("")

    def report(self, what: str, done: int, total: int) -> None:
        """So much of a task is done."""
        if what != self.bar.label:
            self.bar.close()
            self.bar.label = what
        self.bar(done, total)

    def close(self) -> None:
        """Leave the last bar as it stands."""
        self.bar.close()
