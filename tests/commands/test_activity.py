"""What the layers of a run's networks make of a picture, as files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

import purrtrait
from helpers import TINY
from purrtrait import looking
from purrtrait.commands.activity import activity
from purrtrait.datasets.pack import Pack
from purrtrait.evaluation.activity import activities
from purrtrait.sampling import bundle
from purrtrait.sampling.latents import latents
from purrtrait.sampling.levels import Drawn
from purrtrait.training.run import REQUEST

UPKEEP = {"previews": 0, "tensorboard": False, "score_samples": 0}


@pytest.fixture(scope="module")
def run(kittens: Pack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short training, whose average lags far behind."""
    return purrtrait.train(
        "dcgan",
        kittens.path,
        runs_folder=tmp_path_factory.mktemp("runs"),
        seed=1,
        threads=1,
        device="cpu",
        budget=16,
        settings={**TINY, "half_life_images": "1000"},
        upkeep=UPKEEP,
    ).run


def asked(*words: object) -> Result:
    return CliRunner().invoke(activity, [*map(str, words), "--device", "cpu"])


def test_pictures_and_a_sheet_for_each_layer(run: Path, kittens: Pack, tmp_path: Path) -> None:
    out = tmp_path / "seen"
    assert asked(run, "--seed", 3, "--out", out).exit_code == 0
    with Image.open(out / "real.png") as real:
        assert np.array_equal(np.asarray(real), kittens.images[kittens.rows("held-out")[0]])
    with Image.open(out / "drawn.png") as drawn:
        assert np.array_equal(np.asarray(drawn), purrtrait.sample(run, 1, seed=3)[0])
    for name in ("generator", "critic-real", "critic-drawn"):
        numbers = [path.name.split("-")[-2] for path in sorted(out.glob(f"{name}-0*.png"))]
        assert numbers == [f"{number:02d}" for number in range(1, len(numbers) + 1)]
        assert numbers
    stems = {(out / f"critic-{name}-01-layers.0.png").read_bytes() for name in ("real", "drawn")}
    assert len(stems) == 2


def test_the_layers_are_those_of_the_averaged_generator(run: Path) -> None:
    looked = looking.into(run, seed=3, device="cpu")
    sampler = bundle.load(next(run.glob("checkpoints/*16")))
    assert isinstance(sampler, Drawn)
    expected = activities(sampler.drawer, latents(1, sampler.latent_size, sampler.prior, 3), None)
    for (name, maps), (layer, oracle) in zip(looked.layers["generator"], expected, strict=True):
        assert name == layer
        # Not to the last grey level: nothing says that both are laid out alike in memory.
        assert np.abs(maps.astype(int) - oracle.astype(int)).max() <= 1


def test_a_pack_that_was_moved_is_named(run: Path, kittens: Pack, tmp_path: Path) -> None:
    there = tmp_path / "moved"
    shutil.copytree(run, there)
    request = json.loads((there / REQUEST).read_text())
    (there / REQUEST).write_text(json.dumps(request | {"data": str(tmp_path / "gone")}))
    with pytest.raises(ValueError, match="--against PACK"):
        looking.into(there, device="cpu")
    found, known = looking.into(there, kittens.path, device="cpu"), looking.into(run, device="cpu")
    for name in ("real", "drawn"):
        assert np.array_equal(found.pictures[name], known.pictures[name])


def test_what_is_no_run_leaves_no_folder(tmp_path: Path) -> None:
    done = asked(tmp_path / "nowhere", "--out", tmp_path / "seen")
    assert isinstance(done.exception, ValueError)
    assert not (tmp_path / "seen").exists()
