"""The critic of each stage is the one of its training, wherever in the run it lies by now."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import purrtrait
import stacked
from purrtrait import choosing, face
from purrtrait.critics import critics
from purrtrait.datasets.pack import Pack
from purrtrait.training.run import Run
from purrtrait.types import Critic

CPU = torch.device("cpu")


@pytest.fixture
def run(kittens: Pack, tmp_path: Path) -> Run:
    return stacked.copy(stacked.trained(kittens), tmp_path)


def top(run: Run) -> Path:
    return run.latest_of_each()["refine-16"].path


def same(critic: Critic | None, checkpoint: Path) -> bool:
    """Whether a critic has the weights that a checkpoint holds."""
    assert critic is not None
    start, kept = "player/critic/", load_file(checkpoint / "training.safetensors")
    theirs = {k.removeprefix(start): v for k, v in kept.items() if k.startswith(start)}
    mine = critic.state_dict()
    return mine.keys() == theirs.keys() and all(torch.equal(mine[k], theirs[k]) for k in mine)


def test_each_stage_has_the_critic_of_its_training(run: Run) -> None:
    found, last = critics(top(run), 3, CPU), run.latest_of_each()
    for critic, name in zip(found, stacked.STAGES, strict=True):
        assert same(critic, last[name].path)
    base = critics(last["base"].path, 1, CPU)
    assert same(base[0], last["base"].path)


def test_critics_judge_without_dropout(run: Run) -> None:
    for critic, size in zip(critics(top(run), 3, CPU), stacked.SIZES, strict=True):
        assert critic is not None and not critic.training
        images = torch.rand(4, 3, size, size) * 2 - 1
        assert torch.equal(critic(images), critic(images))
        assert not critic(images).requires_grad


def test_the_critic_of_a_base_that_was_set_aside(run: Run) -> None:
    before = run.latest_of_each()["base"].path.name
    face.resume(run.path, stages=["base"], again=["base"], settings={"base.lr": "2e-3"})
    found = critics(top(run), 3, CPU)
    assert same(found[0], run.path / "replaced" / "base-01" / before)
    assert not same(found[0], run.latest_of_each()["base"].path)
    shutil.rmtree(run.path / "replaced")
    with pytest.raises(ValueError, match=r"stage 'base' is gone.*'refine-16'.*--no-judge"):
        critics(top(run), 3, CPU)


def test_the_critic_of_an_earlier_checkpoint(run: Run) -> None:
    before = run.latest_of_each()["base"].path
    face.resume(run.path, stages=["base"], settings={"base.budget": "24"})
    assert run.latest_of_each()["base"].path != before
    assert same(critics(top(run), 3, CPU)[0], before)


def test_damaged_checkpoints_are_passed_over(run: Run) -> None:
    last = run.latest_of_each()["base"].path
    shutil.copytree(last, last.with_name("base-000000099"))
    (last.with_name("base-000000099") / "training.safetensors").write_bytes(b"")
    assert same(critics(top(run), 3, CPU)[0], last)


def test_a_checkpoint_far_from_its_run_has_its_own_critic_only(run: Run, tmp_path: Path) -> None:
    for stage, path in ((name, found.path) for name, found in run.latest_of_each().items()):
        shutil.copytree(path, tmp_path / "alone" / stage)
    assert same(critics(tmp_path / "alone" / "base", 1, CPU)[0], tmp_path / "alone" / "base")
    with pytest.raises(ValueError, match="stage 'base' is gone"):
        critics(tmp_path / "alone" / "refine-16", 3, CPU)


def test_a_bundle_has_none(run: Run) -> None:
    with pytest.raises(ValueError, match=r"is a bundle.*--no-judge"):
        critics(run.path / "bundle", 3, CPU)


AUTOENCODER = """
summary = "an autoencoder"
source = "a test"

[[stages]]
batch = 8
budget = 8
objective = "autoencode"

[stages.players.coder]
network = { name = "dense", latent = 6 }
optimiser = "adam"
lr = 1e-3

[stages.players.decoder]
network = { name = "dense", latent = 6, width = 16 }
optimiser = "adam"
lr = 1e-3
"""


def test_a_stage_without_a_critic_has_none(kittens: Pack, tmp_path: Path) -> None:
    recipe = tmp_path / "autoencoder.toml"
    recipe.write_text(AUTOENCODER, encoding="utf-8")
    upkeep = {"previews": 0, "tensorboard": False, "score_samples": 0}
    made = purrtrait.train(
        str(recipe), kittens.path, runs_folder=tmp_path, seed=1, device="cpu", upkeep=upkeep
    )
    last = Run(made.run).latest()
    assert last
    assert critics(last.path, 1, CPU) == [None]
    with pytest.raises(ValueError, match=r"without a critic.*--no-judge"):
        choosing.opened(last.path, CPU)
