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
from purrtrait.datasets.batches import Feed
from purrtrait.datasets.pack import Pack
from purrtrait.images import sheet
from purrtrait.training.record import Recorder, Silent, line
from purrtrait.training.run import Run
from purrtrait.types import Draw, Progress


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
    for title, step in (("previews", 16), ("best", 16), ("training", 0)):
        *_, shown = events.Images(f"{stage}/{title}")
        assert shown.step == step
        folder = run.previews / title.removeprefix("previews")
        (kept,) = folder.glob(f"{stage}-*{step:09d}.png")
        with Image.open(BytesIO(shown.encoded_image_string)) as told, Image.open(kept) as written:
            assert np.array_equal(np.asarray(told), np.asarray(written))


def test_what_is_learnt_from_is_shown_once(kittens: Pack) -> None:
    """The first pictures of the first round, when a stage begins; it is no preview of a film."""
    upkeep = {"previews": 2, "score_samples": 0, "tensorboard": False}
    outcome = purrtrait.train(
        "dcgan",
        kittens.path,
        seed=5,
        threads=1,
        device="cpu",
        budget=16,
        settings=TINY,
        upkeep=upkeep,
    )
    run = Run(outcome.run)
    (kept,) = (run.previews / "training").iterdir()
    assert kept.name == "base-000000000.png"
    feed = Feed(kittens.images, kittens.rows("train"), 8, Draw(5, "base", 0))
    rows = np.concatenate([feed.picked(seen) for seen in range(0, len(feed), 8)])
    with Image.open(kept) as written:
        assert np.array_equal(np.asarray(written), sheet.grid(kittens.images[rows]))
    assert all(path.parent == run.previews for _, path in run.shown("base"))
    purrtrait.resume(outcome.run, budget=24)
    assert list(kept.parent.iterdir()) == [kept]
