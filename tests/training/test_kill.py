"""A run that is killed at random moments and resumed ends in the bits of one that was not."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import time
from collections.abc import Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from helpers import PYRAMID, TINY
from purrtrait.assemble import options
from purrtrait.datasets.pack import Pack
from purrtrait.training import checkpoint
from purrtrait.training.run import Run

KILLS = [3, pytest.param(20, marks=pytest.mark.soak)]
BURSTS = "{name='bursts', usual=2, burst=5, first=4, every=8}"
SETTINGS = {
    "dcgan": {**TINY, "dropout": "0.2"},
    "wgan-gp": {**TINY, "critic_moves": "2"},
    "portrait": TINY,
    "lapgan": PYRAMID,
    "cat-gan": {**TINY, "critic_moves": BURSTS},
}
UPKEEP = {
    "log_every_steps": 1,
    "checkpoint_every_images": 24,
    "preview_every_images": 160,
    "previews": 4,
    "tensorboard": False,
}
BUDGETS = {3: 800, 20: 8000}  # of all stages: long enough to be killed so often

# A server that has imported torch already forks real processes, which can really be killed.
context = multiprocessing.get_context("forkserver")
context.set_forkserver_preload(["purrtrait.face", "helpers"])


def train(name: str, data: str, runs: str, budget: int, resumed: bool) -> None:
    """Train in a process of its own."""
    import torch

    from purrtrait import face

    torch.set_num_threads(1)
    if resumed:
        face.resume(Path(runs) / "run-01")
        return
    face.train(
        name,
        data,
        runs_folder=runs,
        name="run",
        seed=4,
        threads=1,
        device="cpu",
        budget=budget,
        settings=SETTINGS[name],
        upkeep=UPKEEP,
    )


def begin(name: str, pack: Pack, runs: Path, budget: int, resumed: bool) -> BaseProcess:
    process = context.Process(target=train, args=(name, str(pack.path), str(runs), budget, resumed))
    process.start()
    return process


def lines(runs: Path, stages: Sequence[str]) -> int:
    """Lines in the scores so far that are of one of the stages."""
    run = Run(runs / "run-01")
    return sum(row["stage"] in stages for row in run.rows(run.scores))


def kill_at_random(
    process: BaseProcess, runs: Path, stages: Sequence[str], chance: random.Random
) -> bool:
    """Wait for a line more of the stages, a little longer, and kill; False if it was through."""
    begun = lines(runs, stages)
    while process.is_alive() and lines(runs, stages) <= begun:
        time.sleep(0.005)
    process.join(chance.uniform(0, 0.25))
    alive = process.is_alive()
    process.kill()
    process.join()
    return alive


def outcome(runs: Path) -> dict[str, str]:
    """Digests of everything that a run leaves behind and that must not depend on a kill."""
    run = Run(runs / "run-01")
    last = run.latest_of_each().values()
    files = [one.path / name for one in last for name in (checkpoint.TRAINING, checkpoint.MODEL)]
    files += [run.scores, *sorted(run.previews.rglob("*.png"))]
    digests = {str(path.relative_to(run.path)): checkpoint.digest(path) for path in files}
    return digests | {one.stage: json.dumps(one.facts["now"], sort_keys=True) for one in last}


@pytest.mark.parametrize("kills", KILLS)
@pytest.mark.parametrize("name", SETTINGS)
def test_kill_and_resume(name: str, kills: int, kittens: Pack, tmp_path: Path) -> None:
    stages = [stage.name for stage in options.find(name).stages]
    budget = BUDGETS[kills] // len(stages)
    whole = begin(name, kittens, tmp_path / "whole", budget, resumed=False)
    whole.join()
    assert whole.exitcode == 0
    chance = random.Random(f"{name} {kills} {os.environ.get('PURRTRAIT_KILL_SEED', '')}")
    killed, done = 0, False
    while killed < kills and not done:
        process = begin(name, kittens, tmp_path / "killed", budget, resumed=killed > 0)
        # The first kills come wherever they fall, later ones not before a later stage has begun.
        late = stages[killed * len(stages) // kills :]
        done = not kill_at_random(process, tmp_path / "killed", late, chance)
        killed += not done
    assert killed == kills, "the run ended before it was killed often enough"
    last = begin(name, kittens, tmp_path / "killed", budget, resumed=True)
    last.join()
    assert last.exitcode == 0
    left = outcome(tmp_path / "whole")
    assert outcome(tmp_path / "killed") == left
    kept = {Path(name).parent.name for name in left if name.endswith(".png")}
    assert kept >= {"previews", "best", "worst", "training"}
    assert left.keys() >= set(stages)
