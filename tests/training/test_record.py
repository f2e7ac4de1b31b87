"""What is written down can be read again, numbers or not."""

from __future__ import annotations

import math
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import purrtrait
from helpers import TINY
from purrtrait.datasets.pack import Pack
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


def test_tensorboard_is_told_what_the_run_is_told(kittens: Pack) -> None:
    """Losses and scores at the pictures seen, and the previews as they are on the disk."""
    outcome = purrtrait.train(
        "dcgan",
        kittens.path,
        threads=1,
        device="cpu",
        budget=16,
        settings=TINY,
        upkeep={"previews": 2, "score_samples": 0, "log_every_steps": 1},
    )
    run = Run(outcome.run)
    (row, last) = run.rows(run.scores)
    stage = row["stage"]
    events = EventAccumulator(str(run.path / "tensorboard" / stage)).Reload()
    for name, value in last["scores"].items():
        told = events.Scalars(f"{stage}/{name}")[-1]
        assert (told.step, told.value) == (16, pytest.approx(value, rel=1e-6)), name
    losses = [told.value for told in events.Scalars(f"{stage}/critic/game")]
    assert losses == pytest.approx([one["scores"]["critic/game"] for one in (row, last)])
    *_, shown = events.Images(f"{stage}/previews")
    assert shown.step == 16
    (kept,) = run.previews.glob(f"{stage}-*16.png")
    with Image.open(BytesIO(shown.encoded_image_string)) as told, Image.open(kept) as written:
        assert np.array_equal(np.asarray(told), np.asarray(written))
