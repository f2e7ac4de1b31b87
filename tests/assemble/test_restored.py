"""A denoiser is found in its run, and refused where it fits no stage."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import helpers
import purrtrait
from purrtrait import wrapping
from purrtrait.assemble import build
from purrtrait.assemble.restored import NO_DENOISER, denoiser_of
from purrtrait.datasets.pack import Pack
from purrtrait.training.run import Run

CPU = torch.device("cpu")
ASKED: dict[str, Any] = {
    "upkeep": {"previews": 2, "tensorboard": False, "score_samples": 0},
    "budget": 8,
    "seed": 1,
    "threads": 1,
    "device": "cpu",
}


def trained(pack: Pack, name: str, **more: Any) -> Run:
    return Run(purrtrait.train(name, pack.path, settings=helpers.tiny(name), **ASKED, **more).run)


@pytest.fixture
def cleaner(kittens: Pack) -> Run:
    return trained(kittens, "denoiser")


def test_a_run_is_shown_cleaned_until_it_is_told_otherwise(kittens: Pack, cleaner: Run) -> None:
    run = trained(kittens, "dcgan", denoise=cleaner.path)
    assert run.request()["denoise"] == str(cleaner.path.resolve())
    assert f"--denoise {cleaner.path.resolve()}" in wrapping.command(run)
    folders = [run.previews / f"cleaned-{number}" for number in (1, 2)]
    assert [len(list(folder.glob("*.png"))) for folder in folders] == [2, 2]
    purrtrait.resume(run.path, budget=16)
    assert [len(list(folder.glob("*.png"))) for folder in folders] == [3, 3]
    purrtrait.resume(run.path, budget=24, denoise="")
    assert [len(list(folder.glob("*.png"))) for folder in folders] == [3, 3]


def test_what_does_not_fit_is_refused_before_anything_is_made(
    kittens: Pack, grey_kittens: Pack, cleaner: Run
) -> None:
    before = helpers.files(cleaner.path.parent)
    with pytest.raises(ValueError, match="is not a run folder"):
        trained(kittens, "dcgan", denoise="nowhere")
    with pytest.raises(ValueError, match=r"16 px with 3 channels, .* of 16 px with 1"):
        trained(grey_kittens, "dcgan", denoise=cleaner.path)
    assert helpers.files(cleaner.path.parent) == before
    judge = trained(kittens, "validator")
    with pytest.raises(ValueError, match="is no run of a denoiser"):
        trained(kittens, "dcgan", denoise=judge.path)


def test_one_stage_of_its_size_is_enough(kittens: Pack, cleaner: Run) -> None:
    shape = build.Shape(kittens.size, kittens.channels)
    found = denoiser_of(str(cleaner.path), helpers.pyramid(), shape, CPU)
    assert found.size == 16
    assert len(found.networks) == 2
    alone = helpers.recipe("dcgan", {"pixels": "8"})
    with pytest.raises(ValueError, match=r"of 16 px .* but portraits of 8 px"):
        denoiser_of(str(cleaner.path), alone, shape, CPU)
    with pytest.raises(ValueError, match="portraits of no px"):
        denoiser_of(str(cleaner.path), helpers.recipe("validator"), shape, CPU)
    assert denoiser_of("", alone, shape, CPU) == NO_DENOISER


def test_none_is_asked_for_by_default(kittens: Pack) -> None:
    run = trained(kittens, "dcgan")
    assert run.request()["denoise"] == ""
    assert "--denoise" not in wrapping.command(run)
