"""Log lines on stderr that do not break a progress bar."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import suppress

from tqdm import tqdm


class Lines(logging.Handler):
    """Log lines on stderr that do not break a progress bar."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line; a terminal that was closed ends no training."""
        with suppress(OSError):
            tqdm.write(self.format(record), file=sys.stderr)


def show_log() -> None:
    """Show what purrtrait logs, from INFO upwards; everything goes to a run's own log file."""
    root = logging.getLogger("purrtrait")
    root.setLevel(logging.DEBUG)
    # Of several processes the first one speaks; the others only when something is wrong.
    handler = Lines(logging.INFO if os.environ.get("RANK", "0") == "0" else logging.ERROR)
    handler.setFormatter(logging.Formatter("%(message)s"))
    root.handlers[:] = [handler]
