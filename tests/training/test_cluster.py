"""Two processes train what one would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from purrtrait.datasets.pack import Pack
from purrtrait.training import cluster
from purrtrait.types import Share

PLAIN = ["generator.normalisation=none", "critic.normalisation=none", "width=8", "pixels=0"]
# Without dropout and batch norm, of which each process has its own; the critic waits for two moves
# of each generator, and the refiner is also given what the base draws.
PYRAMID = [
    "base.generator.network=dense",
    "base.pixels=8",
    "refine-32.coarse=8",
    "refine-32.pixels=16",
    "critic.width=8",
    "play=fresh",
    "generator_moves=2",
    "base.budget=64",
    "refine-32.budget=64",
]


def trained(pack: Pack, runs: Path, processes: int, asked: list[str]) -> list[dict[str, Any]]:
    """The lines of a small run by so many processes: the losses of each step."""
    train = ["-m", "purrtrait", "train", *asked, "--data", str(pack.path), "--seed", "3"]
    options = ["--log-every", "1", "--previews", "4", "--no-tensorboard", "--name", "run"]
    options += ["--scores", "16"]  # at the end, while the other process waits
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    command = [sys.executable, *(launcher if processes > 1 else []), *train, *options]
    subprocess.run(
        [*command, "--runs", str(runs), "--threads", "1", "--device", "cpu"],
        check=True,
        capture_output=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        timeout=300,
    )
    lines = (runs / "run-01" / "scores.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def options(settings: Sequence[str]) -> list[str]:
    """Settings as the command has them."""
    return [part for text in [*settings, "batch=8"] for part in ("--set", text)]


@pytest.mark.parametrize(
    ("asked", "stages"),
    [
        (["wgan-gp", "--budget", "160", *options(PLAIN)], ["base"] * 4),
        (["lapgan", *options(PYRAMID)], ["base"] * 8 + ["refine-32"] * 8),
    ],
    ids=["wgan-gp", "lapgan"],
)
def test_two_processes_give_the_losses_of_one(
    kittens: Pack, tmp_path: Path, asked: list[str], stages: list[str]
) -> None:
    one = trained(kittens, tmp_path / "one", 1, asked)
    two = trained(kittens, tmp_path / "two", 2, asked)
    assert [row["stage"] for row in one] == [row["stage"] for row in two] == stages
    assert "score/frechet" in one[-1]["scores"]
    both = zip(one, two, strict=True)
    for alone, together in ((row["scores"], other["scores"]) for row, other in both):
        assert alone.keys() == together.keys()
        assert {"critic/gradient", "average/generator/gradient"} <= alone.keys()
        for name, value in alone.items():
            # Scores look at pictures, which are rounded to grey levels.
            near = 1e-2 if name.startswith("score/") else 1e-4
            assert together[name] == pytest.approx(value, rel=near, abs=near / 10), name
    assert [path.name for path in (tmp_path / "two").iterdir()] == ["run-01"]


def test_one_process_is_a_cluster_of_one() -> None:
    tensors = [torch.ones(3), torch.zeros(2)]
    with cluster.joined(torch.device("cpu")) as share:
        assert share == Share(0, 1)
        cluster.average(tensors)
        cluster.wait()
        assert cluster.agree("x") == "x"
        assert not cluster.anyone(False)
        assert cluster.anyone(True)
    assert torch.equal(tensors[0], torch.ones(3))


def test_a_batch_that_cannot_be_shared_is_refused_in_words(kittens: Pack) -> None:
    from helpers import recipe, state

    with pytest.raises(ValueError, match="multiple of 3"):
        state(recipe("dcgan"), kittens, share=Share(0, 3))
