"""The commands that go through the latent space write their files, or say what is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import stacked
from helpers import files
from purrtrait.commands.directions import directions
from purrtrait.commands.gallery_of import gallery
from purrtrait.commands.interpolate import interpolate
from purrtrait.commands.project import project
from purrtrait.commands.walk import walk
from purrtrait.datasets.pack import Pack

COMMANDS: dict[str, click.Command] = {
    command.name or "": command for command in (directions, gallery, interpolate, project, walk)
}


@pytest.fixture
def run(kittens: Pack) -> Path:
    return stacked.trained(kittens).path


@pytest.fixture
def photo(kittens: Pack, tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.fromarray(kittens.images[0]).save(path)
    return path


def call(name: str, *words: object) -> dict[str, Any]:
    """What a command that goes well prints as JSON."""
    asked = [*map(str, words), "--device", "cpu", "--out", name, "--json"]
    done = CliRunner().invoke(COMMANDS[name], asked, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_walk(run: Path) -> None:
    made = call("walk", run, "--seconds", 0.4, "--fps", 10, "--through", "3,0:17", "--way", "slerp")
    assert files(Path("walk")) == {"walk.gif", "walk.mp4", "strip.png"}
    assert made["frames"] == 4


def test_interpolate(run: Path) -> None:
    strip = np.asarray(Image.open(call("interpolate", run, 3, "0:2", "--count", 4)["strip"]))
    assert strip.shape == (68, 4 * 66 + 2, 3)


def test_directions(run: Path) -> None:
    made = call("directions", run, "--count", 2, "--of", "first-layer", "--portraits", 1)
    assert np.load(made["vectors"]).shape == (2, 6)
    assert len(made["shares"]) == 2
    assert files(Path("directions")) == {"directions.png", "directions.npy"}


def test_project(run: Path, photo: Path) -> None:
    made = call("project", run, photo, "--tries", 2, "--steps", 2)
    assert files(Path("project")) == {"projected.png", "latent.npy"}
    assert set(made["distance"]) == {"start", "portrait"}


def test_gallery(run: Path) -> None:
    assert Path(call("gallery", run, "--count", 2)["gallery"]).is_file()


@pytest.mark.parametrize(
    ("name", "words", "said"),
    [
        ("walk", ["--through", "3,x"], "'x' is no portrait"),
        ("walk", ["--temperature", "-1"], "expected a number from 0"),
        ("interpolate", ["3", "gone.png"], "the photo gone.png cannot be used"),
        ("directions", ["--count", "7"], "expected 1 to 6"),
        ("project", ["gone.png"], "the photo gone.png cannot be used"),
        ("gallery", ["--temperature", "nan"], "expected a number from 0"),
    ],
)
def test_what_cannot_be_done_is_said(name: str, words: list[str], said: str, run: Path) -> None:
    done = CliRunner().invoke(COMMANDS[name], [str(run), *words, "--device", "cpu"])
    assert isinstance(done.exception, ValueError)  # which the program turns into exit code 2
    assert said in str(done.exception)
    samples = Path("samples")
    assert not samples.exists() or not list(samples.iterdir())
