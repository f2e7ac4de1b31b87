"""A run's gallery: the same portraits by each of its checkpoints."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import stacked
from purrtrait import history
from purrtrait.datasets.pack import Pack
from purrtrait.model import load
from purrtrait.training import checkpoint


def test_a_row_for_each_checkpoint(kittens: Pack) -> None:
    run = stacked.trained(kittens)
    told: list[tuple[str, int, int]] = []
    made = history.gallery(run.path, 3, 4, 0.8, "cpu", lambda *said: told.append(said), 0.5)
    checkpoints = sorted((checkpoint.read(path) for path in run.found()), key=lambda one: one.place)
    top = 0
    for found in checkpoints:
        model = load(found.path, "cpu")
        size = stacked.SIZES[stacked.STAGES.index(found.stage)]
        scale = 64 // size
        cell = made[top + 2 : top + 2 + scale * size : scale, 2 : 2 + scale * size : scale]
        expected = model.sample(3, seed=4, temperature=0.8, truncation=0.5)[0]
        assert np.abs(cell.astype(int) - expected).max() <= 1
        top += scale * size + 4 + 16  # padding and caption
    assert made.shape == (top, 3 * 66 + 2, 3)
    assert told[-1] == ("checkpoints", len(checkpoints), len(checkpoints))


def test_a_damaged_checkpoint_is_left_out(kittens: Pack, tmp_path: Path) -> None:
    run = stacked.copy(stacked.trained(kittens), tmp_path)
    whole = history.gallery(run.path, 2, 0, 1.0, "cpu")
    (run.found()[0] / "model.safetensors").write_bytes(b"cut off")
    assert len(history.gallery(run.path, 2, 0, 1.0, "cpu")) == len(whole) - 84
    (run.found()[1] / "sampler.json").write_text("cut off")
    assert len(history.gallery(run.path, 2, 0, 1.0, "cpu")) == len(whole) - 2 * 84


def test_nothing_to_show_is_said(kittens: Pack, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nowhere"):
        history.gallery(tmp_path / "nowhere", 2, 0, 1.0, "cpu")
    run = stacked.copy(stacked.trained(kittens), tmp_path)
    for path in run.found():
        (path / "model.safetensors").write_bytes(b"cut off")
    with pytest.raises(ValueError, match="no checkpoint that draws portraits yet"):
        history.gallery(run.path, 2, 0, 1.0, "cpu")
