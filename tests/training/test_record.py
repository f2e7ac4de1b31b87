"""What is written down can be read again, numbers or not."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from purrtrait.training.record import Recorder, Silent, line
from purrtrait.training.run import Run
from purrtrait.types import Progress


@pytest.mark.parametrize("length", [2.5, math.inf, math.nan])
def test_lengths_that_are_no_numbers_are_written_down_and_read_again(
    length: float, tmp_path: Path
) -> None:
    run = Run(tmp_path)
    now = Progress(8, 1, 1, {"critic": 1}, 0, {"critic/game": 1.5, "critic/gradient": length})
    Recorder(run, "base", Silent(), Progress()).scores(now)
    (row,) = run.rows(run.scores)
    assert row["scores"] == pytest.approx(now.scores, nan_ok=True)
    assert f"critic/gradient {length:.4g}" in line("base", now, 1.0)
