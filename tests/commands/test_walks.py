"""The commands that go through the latent space write their files, or say what is wrong."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

import stacked
from helpers import files
from purrtrait import encoding, projecting
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


def test_interpolate_from_a_photo(
    run: Path, photo: Path, kittens: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The photo stands before the portraits, of which the first redraws it."""
    found = projecting.project
    monkeypatch.setattr(projecting, "project", partial(found, tries=2, steps=1))
    strip = np.asarray(Image.open(call("interpolate", run, photo, 3, "--count", 2)["strip"]))
    assert strip.shape == (68, 3 * 66 + 2, 3)
    assert (strip[2:66:4, 2:66:4] == kittens.images[0]).all()
    shutil.rmtree("interpolate")
    whole = np.asarray(Image.open(call("interpolate", run, 3, photo, "--count", 2)["strip"]))
    assert (whole[2:66:4, 134:198:4] == kittens.images[0]).all()


def test_interpolate_looks_at_both_ends_first(
    run: Path, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projecting, "project", lambda *anything, **more: 1 / 0)
    with pytest.raises(ValueError, match=r"the photo gone\.png cannot be used"):
        call("interpolate", run, photo, "gone.png")


def test_seeds_need_no_encoder(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "encoder", lambda *anything: 1 / 0)
    assert call("interpolate", run, 3, "0:2", "--count", 2)["strip"]


def test_directions(run: Path) -> None:
    made = call("directions", run, "--count", 2, "--of", "first-layer", "--portraits", 1)
    assert np.load(made["vectors"]).shape == (2, 6)
    assert len(made["shares"]) == 2
    assert files(Path("directions")) == {"directions.png", "directions.npy"}


def test_project(run: Path, photo: Path) -> None:
    made = call("project", run, photo, "--tries", 2, "--steps", 2)
    assert files(Path("project")) == {"projected.png", "latent.npy"}
    assert set(made["distance"]) == {"start", "portrait"}


@pytest.mark.parametrize(
    ("name", "words", "file"),
    [
        ("walk", ["--seconds", 0.1], "strip.png"),
        ("interpolate", [3, 4], "strip.png"),
        ("directions", ["--count", 1], "directions.png"),
        ("gallery", [], "gallery.png"),
    ],
)
def test_temperature_and_truncation_are_those_of_what_is_drawn(
    name: str, words: list[object], file: str, run: Path
) -> None:
    """The middle of the latents is the same portrait by either way, and not the usual one."""
    pictures = []
    for number, more in enumerate(([], ["--temperature", 0], ["--truncation", 0])):
        call(name, run, *words, *more)
        pictures.append((Path(name).rename(f"{number}") / file).read_bytes())
    assert pictures[1] == pictures[2] != pictures[0]


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
        *(
            (name, [*words, "--truncation", "-0.5"], "--truncation -0.5: expected a number from 0")
            for name, words in (
                ("walk", []),
                ("interpolate", ["3", "4"]),
                ("directions", []),
                ("gallery", []),
            )
        ),
    ],
)
def test_what_cannot_be_done_is_said(name: str, words: list[str], said: str, run: Path) -> None:
    done = CliRunner().invoke(COMMANDS[name], [str(run), *words, "--device", "cpu"])
    assert isinstance(done.exception, ValueError)  # which the program turns into exit code 2
    assert said in str(done.exception)
    samples = Path("samples")
    assert not samples.exists() or not list(samples.iterdir())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--seconds", "nan"], "nan is not a number 0<x<=120"),
        (["--fps", "nan"], "nan is not a number 1<=x<=50"),
        (["--seconds", "500"], "500"),
    ],
)
def test_a_film_has_a_length_and_a_pace(words: list[str], said: str, run: Path) -> None:
    done = CliRunner().invoke(walk, [str(run), *words])
    assert done.exit_code == 2
    assert said in done.output


def test_no_portraits_to_walk_through_are_refused(run: Path) -> None:
    with pytest.raises(ValueError, match=r"--through ,: expected seeds.*such as 3,0:17"):
        CliRunner().invoke(walk, [str(run), "--through", ","], catch_exceptions=False)


@pytest.mark.parametrize("name", ["walk", "directions", "gallery"])
def test_torch_uses_the_threads_that_are_asked_for(
    name: str, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And as many as before afterwards."""
    asked: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", asked.append)
    words = {"walk": ["--seconds", 0.1], "directions": ["--count", 1], "gallery": []}[name]
    call(name, run, *words, "--threads", 3)
    assert asked == [3, torch.get_num_threads()]
