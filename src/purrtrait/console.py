"""What the command line says while it works: progress bars and log lines on stderr."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from typing import Any

from tqdm import tqdm

SHOWN = {"critic/game": "critic", "generator/game": "generator", "critic/order": "order"}


class Lines(logging.Handler):
    """Log lines on stderr that do not break a progress bar."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        tqdm.write(self.format(record), file=sys.stderr)


def show_log() -> None:
    """Show what purrtrait logs, from INFO upwards; everything goes to a run's own log file."""
    root = logging.getLogger("purrtrait")
    root.setLevel(logging.DEBUG)
    handler = Lines(logging.INFO)
    handler.setFormatter(logging.Formatter("%(message)s"))
    root.handlers[:] = [handler]


class Bar:
    """A progress bar that is made when it first hears of the work; it estimates the time left."""

    def __init__(self, unit: str, label: str = "") -> None:
        self.unit = unit
        self.label = label
        self.bar: tqdm[Any] | None = None

    def __call__(self, done: int, total: int, scores: Mapping[str, float] | None = None) -> None:
        """So much of the total is done."""
        bar = self.bar = self.bar or self._begun(done, total)
        shown = {SHOWN[name]: f"{v:.3g}" for name, v in (scores or {}).items() if name in SHOWN}
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
        if self.bar is not None:
            self.bar.close()
            self.bar = None
