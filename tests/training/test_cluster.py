"""Two processes train what one would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from purrtrait.datasets.pack import Pack
from purrtrait.training import cluster
from purrtrait.types import Share

PLAIN = ["generator.normalisation=none", "critic.normalisation=none", "width=8", "pixels=0"]


def trained(pack: Pack, runs: Path, processes: int) -> list[dict[str, float]]:
    """The losses of each step of a small run by so many processes."""
    settings = [part for text in [*PLAIN, "batch=8"] for part in ("--set", text)]
    train = ["-m", "purrtrait", "train", "wgan-gp", "--data", str(pack.path), "--seed", "3"]
    options = ["--budget", "160", "--log-every", "1", "--previews", "4", "--no-tensorboard"]
    options += ["--scores", "16"]  # at the end, while the other process waits
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    command = [sys.executable, *(launcher if processes > 1 else []), *train, *options, *settings]
    subprocess.run(
        [*command, "--runs", str(runs), "--threads", "1", "--device", "cpu"],
        check=True,
        capture_output=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        timeout=300,
    )
    lines = (runs / "wgan-gp-01" / "scores.jsonl").read_text().splitlines()
    return [json.loads(line)["scores"] for line in lines]


def test_two_processes_give_the_losses_of_one(kittens: Pack, tmp_path: Path) -> None:
    one = trained(kittens, tmp_path / "one", 1)
    two = trained(kittens, tmp_path / "two", 2)
    assert len(one) == len(two) == 4
    assert "score/frechet" in one[-1]
    for alone, together in zip(one, two, strict=True):
        assert alone.keys() == together.keys()
        assert {"critic/gradient", "average/generator/gradient"} <= alone.keys()
        for name, value in alone.items():
            # Scores look at pictures, which are rounded to grey levels.
            near = 1e-2 if name.startswith("score/") else 1e-4
            assert together[name] == pytest.approx(value, rel=near, abs=near / 10), name
    assert [path.name for path in (tmp_path / "two").iterdir()] == ["wgan-gp-01"]


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
