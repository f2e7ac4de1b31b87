"""What a run has cost so far: seconds of training, and memory at its peak."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import torch

from purrtrait import machine


@dataclass(frozen=True)
class Spent:
    """The cost of a run over all its parts; a part begins when this is made.

    ``seconds`` and ``peak_memory_bytes`` (0: not known) are those of the parts before, up to the
    checkpoint from which this one goes on.
    """

    device: torch.device
    seconds: float = 0.0
    peak_memory_bytes: int = 0
    begun: float = field(default_factory=time.monotonic)

    def facts(self) -> dict[str, Any]:
        """The cost up to now, as plain data."""
        peak = max(self.peak_memory_bytes, machine.peak_memory_bytes(self.device))
        seconds = self.seconds + time.monotonic() - self.begun
        return {"seconds": seconds, "peak_memory_bytes": peak}
