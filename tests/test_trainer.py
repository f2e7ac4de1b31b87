"""Trainings that are changed, begun from others, blown up, copied, or run beside other work."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

import purrtrait
from helpers import TINY
from purrtrait.datasets.pack import Pack
from purrtrait.training import checkpoint
from purrtrait.training.guard import Diverged
from purrtrait.training.run import Run
from purrtrait.types import Progress

UPKEEP = {"previews": 0, "tensorboard": False, "log_every_steps": 1}


def train(pack: Pack, budget: int = 32, **more: Any) -> Run:
    settings = {**TINY, **more.pop("settings", {})}
    upkeep = {**UPKEEP, **more.pop("upkeep", {})}
    outcome = purrtrait.train(
        more.pop("recipe", "dcgan"),
        pack.path,
        seed=1,
        threads=1,
        device="cpu",
        budget=budget,
        settings=settings,
        upkeep=upkeep,
        **more,
    )
    return Run(outcome.run)


@pytest.mark.parametrize("optimiser", ["rmsprop", "{name='sgd', momentum=0.9}", "adagrad"])
def test_another_optimiser_begins_without_memory(optimiser: str, kittens: Pack) -> None:
    run = train(kittens)
    changed = purrtrait.resume(run.path, budget=64, settings={"critic.optimiser": optimiser})
    assert changed.finished
    assert "begins anew" in (run.path / "log.txt").read_text()
    assert purrtrait.resume(run.path, budget=96).finished  # and the run is as good as before


def test_weights_from_elsewhere_survive_an_early_death(kittens: Pack, tmp_path: Path) -> None:
    first = train(kittens, name="first")

    class DiedError(RuntimeError):
        pass

    def die(stage: str, now: Progress, budget: int) -> None:
        raise DiedError

    with pytest.raises(DiedError):
        train(kittens, 4000, name="second", start_from=first.path, watch=die)
    second = Run(tmp_path / "runs" / "second-01")
    held = second.latest()
    assert held is not None
    assert held.images_seen == 0
    source = first.latest()
    assert source is not None
    theirs, ours = source.training(), held.training()
    players = [name for name in ours if name.startswith("player/")]
    assert players
    assert all(torch.equal(theirs[name], ours[name]) for name in players)
    assert second.request()["start_from"] == str(first.path)


def test_the_last_checkpoint_is_the_one_that_saw_most(kittens: Pack, tmp_path: Path) -> None:
    run = train(kittens, 64, upkeep={"checkpoint_every_images": 16})
    copied = Run(tmp_path / "copied")
    shutil.copytree(run.path, copied.path)
    for age, path in enumerate(reversed(copied.found())):
        os.utime(path, (age, age))
    last = copied.latest()
    assert last is not None
    assert last.images_seen == 64


def test_weights_that_blew_up_are_not_saved(kittens: Pack, tmp_path: Path) -> None:
    with pytest.raises(Diverged, match=r"blew up"):
        train(kittens, settings={"generator.lr": "1e39"}, upkeep={"checkpoint_every_images": 8})
    run = Run(tmp_path / "runs" / "dcgan-01")
    for path in run.found():
        tensors = checkpoint.read(path).training()
        assert all(torch.isfinite(t).all() for k, t in tensors.items() if k.startswith("player/"))


def test_python_users_get_the_whole_log(kittens: Pack) -> None:
    said = (train(kittens).path / "log.txt").read_text()
    for words in ("seed 1", "generator has", "memory needed", "ConvTranspose2d", "step 4", "batch"):
        assert words in said, words


def test_the_callers_torch_is_left_as_it_was(kittens: Pack) -> None:
    torch.manual_seed(5)
    expected = torch.randn(3)
    torch.manual_seed(5)
    train(kittens, 8)
    assert torch.equal(torch.randn(3), expected)
    assert torch.get_num_threads() == 1


def test_a_pack_whose_bytes_changed_is_refused(kittens: Pack, tmp_path: Path) -> None:
    copied = tmp_path / "kittens"
    shutil.copytree(kittens.path, copied)
    images = copied / "images.npy"
    data = bytearray(images.read_bytes())
    data[-1] ^= 1
    images.write_bytes(bytes(data))
    with pytest.raises(ValueError, match="has changed"):
        train(Pack.open(copied))
    assert not (tmp_path / "runs").exists()


def test_a_moved_pack_is_remembered(kittens: Pack, tmp_path: Path) -> None:
    first = tmp_path / "here"
    shutil.copytree(kittens.path, first)
    run = train(Pack.open(first))
    second = first.rename(tmp_path / "there")
    assert purrtrait.resume(run.path, data=second, budget=64).finished
    assert purrtrait.resume(run.path, budget=96).finished
    assert run.request()["data"] == str(second)


def test_other_threads_are_told(kittens: Pack) -> None:
    run = train(kittens)
    purrtrait.resume(run.path, budget=64, threads=2)
    assert "threads: 2, before 1" in (run.path / "log.txt").read_text()


def test_more_single_portraits_than_a_preview_has_are_refused(kittens: Pack) -> None:
    with pytest.raises(ValueError, match="extra images"):
        train(kittens, upkeep={"previews": 4, "extra_images": 6})


@pytest.mark.parametrize("damage", [{"stages": 0}, {"stages": [{}]}, {"stages": [{"drawer": 1}]}])
def test_a_damaged_bundle_is_said_so(damage: dict[str, Any], kittens: Pack) -> None:
    bundle = train(kittens).path / "bundle"
    said = json.loads((bundle / "sampler.json").read_text())
    (bundle / "sampler.json").write_text(json.dumps({**said, **damage}))
    with pytest.raises(ValueError, match=r"sampler\.json"):
        purrtrait.load(bundle)


def test_a_renamed_stage_is_said_so(kittens: Pack) -> None:
    run = train(kittens)
    recipe = run.path / "recipe.toml"
    recipe.write_text(recipe.read_text().replace('name = "base"', 'name = "ground"'))
    with pytest.raises(ValueError, match="stage 'base'"):
        purrtrait.resume(run.path, budget=64)
