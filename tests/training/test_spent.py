"""What a run has cost goes on counting over all its parts, and a budget may be in arithmetic."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import purrtrait
from purrtrait import config, machine, wrapping
from purrtrait.assemble import arithmetic, build
from purrtrait.datasets.pack import Pack
from purrtrait.training.run import RECIPE, Run
from purrtrait.training.spent import Spent

SMALL = {"pixels": "0", "batch": "8", "network.width": "8"}
QUIET = {"previews": 0, "tensorboard": False}


@pytest.fixture(autouse=True)
def _no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wrapping, "wrap_report", lambda run: None)


def train(pack: Pack, **asked: Any) -> Run:
    done = purrtrait.train("dcgan", pack.path, settings=SMALL, upkeep=QUIET, threads=1, **asked)
    return Run(done.run)


def spent(run: Run) -> dict[str, Any]:
    last = run.latest()
    assert last
    return dict(last.facts["spent"])


def test_a_part_adds_to_those_before(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, memory = [107.0], [50]
    monkeypatch.setattr("purrtrait.training.spent.time.monotonic", lambda: clock[0])
    monkeypatch.setattr(machine, "peak_memory_bytes", lambda where: memory[0])
    first = Spent(torch.device("cpu"), begun=100.0)
    assert first.facts() == {"seconds": 7.0, "peak_memory_bytes": 50}
    second = Spent(torch.device("cpu"), **first.facts(), begun=107.0)
    clock[0], memory[0] = 110.0, 20  # a smaller process: the peak was before
    assert second.facts() == {"seconds": 10.0, "peak_memory_bytes": 50}


def test_a_resumed_run_remembers_its_cost(kittens: Pack) -> None:
    run = train(kittens, budget=32, minutes=0)
    before = spent(run)
    assert before["seconds"] > 0
    purrtrait.resume(run.path)
    assert spent(run)["seconds"] > before["seconds"]
    assert spent(run)["peak_memory_bytes"] >= before["peak_memory_bytes"]


def test_a_budget_in_tflop(kittens: Pack) -> None:
    run = train(kittens, tflop=0.0005)
    shape = build.Shape(16, 3)
    recipe = config.read(run.path / RECIPE)
    last = run.latest()
    assert last and last.images_seen == recipe.stages[0].budget
    step = arithmetic.flop(recipe, shape) * 8 / last.images_seen
    assert 0.0005e12 - step < arithmetic.flop(recipe, shape) <= 0.0005e12
    longer = purrtrait.resume(run.path, tflop=0.0008)
    assert longer.images_seen == pytest.approx(last.images_seen * 1.6, rel=0.1)
    with pytest.raises(ValueError, match="in images and in TFLOP"):
        train(kittens, tflop=1.0, budget=8)
