"""Films, strips and directions of a run: what they show, and that the same seeds give the same."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image

import stacked
from purrtrait import walking
from purrtrait.datasets.pack import Pack
from purrtrait.model import Model, load
from purrtrait.sampling import bundle
from purrtrait.sampling.directions import Source
from purrtrait.sampling.walk import between, loop
from purrtrait.walking import Walk

CPU = torch.device("cpu")


@pytest.fixture
def model(kittens: Pack) -> Model:
    return load(stacked.trained(kittens).path, "cpu")


def test_a_film_goes_round_once(model: Model, tmp_path: Path) -> None:
    anchors, told = model.latents(3, seed=4), []
    walk = Walk(seconds=0.75, frames_per_second=20)
    files = walking.film(model, anchors, walk, tmp_path, lambda *said: told.append(said))
    assert walk.frames == 15
    with av.open(str(files["mp4"])) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(frames) == 15
    assert frames[0].shape == (256, 256, 3)
    expected = model.draw(loop(anchors, 15, "lerp"))  # the latents of the pyramid are uniform
    small = np.stack(frames).reshape(15, 16, 16, 16, 16, 3).mean((2, 4))
    assert np.abs(small - expected).mean() < 4  # as far as H.264 allows
    with Image.open(files["gif"]) as gif:
        assert gif.info["loop"] == 0
        assert gif.info["duration"] == 50
    assert ("portraits", 15, 15) in told
    assert ("films", 2, 2) in told


def test_the_strip_has_a_row_for_each_part_of_the_way(model: Model, tmp_path: Path) -> None:
    anchors = model.latents(2, seed=4)
    files = walking.film(model, anchors, Walk(seconds=0.1), tmp_path)
    strip = np.asarray(Image.open(files["strip"]))
    assert strip.shape == (2 * 66 + 2, 8 * 66 + 2, 3)
    for number, portrait in enumerate(model.draw(anchors)):
        cell = strip[66 * number + 2 : 66 * number + 66 : 4, 2:66:4]
        assert np.abs(cell.astype(int) - portrait).max() <= 1


def test_the_same_seeds_give_the_same_film(model: Model, tmp_path: Path) -> None:
    made = [
        walking.film(model, model.latents(2, seed), Walk(0.3), tmp_path / name)
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    ]
    for kind in ("gif", "mp4", "strip"):
        first, again, other = (files[kind].read_bytes() for files in made)
        assert first == again
        assert first != other


def test_neighbouring_frames_differ_by_little(model: Model) -> None:
    pixels = model.draw(loop(model.latents(3), 60, "lerp")).astype(float)
    steps = np.abs(np.roll(pixels, -1, 0) - pixels).mean((1, 2, 3))
    apart = np.abs(pixels[[0, 20, 40]] - pixels[[20, 40, 0]]).mean((1, 2, 3))
    assert steps.max() < apart.max() / 4


def test_portraits_are_named_by_seed_and_number(model: Model) -> None:
    named = walking.rows(model, 6, 0, ["7", "7:12", "3"], 0.5, 0.75)
    seven = model.latents(13, 7, 0.5, truncation=0.75)
    third = model.latents(1, 3, 0.5, truncation=0.75)
    assert torch.equal(named, torch.cat([seven[[0, 12]], third]))
    assert torch.equal(walking.rows(model, 6, 7, (), 0.5, 0.75), seven[:6])
    for text in ("-1", "7:", "a", "٣", ""):
        with pytest.raises(ValueError, match="is no portrait; expected a seed such as 7"):
            walking.row(model, text)


def test_a_strip_begins_and_ends_where_it_is_said(model: Model, tmp_path: Path) -> None:
    ends = model.latents(1, 3), model.latents(1, 4)
    found = walking.strip(model, ends, 5, None)
    assert (found == model.draw(between(*ends, 5, "lerp"))).all()
    arc = walking.strip(model, ends, 5, "slerp")
    assert (arc == model.draw(between(*ends, 5, "slerp"))).all() and (arc != found).any()
    picture = np.asarray(Image.open(walking.write_strip(list(found), tmp_path / "strip.png")))
    assert picture.shape == (68, 5 * 66 + 2, 3)


@pytest.mark.parametrize("source", ["portraits", "first-layer"])
def test_directions_move_the_base_alone(source: Source, model: Model, kittens: Pack) -> None:
    folder = stacked.trained(kittens).path / "bundle"
    base = bundle.pyramid(folder, CPU)[0]
    found = walking.directions(base, source, 2, 0, CPU)
    assert found.vectors.shape == (2, 6)
    assert torch.allclose(found.vectors.norm(dim=1), torch.ones(2))
    seen: list[torch.Tensor] = []

    class Watched:
        latent_size, prior = model.sampler.latent_size, model.sampler.prior

        def __call__(self, z: torch.Tensor) -> torch.Tensor:
            seen.append(z)
            return model.sampler(z)

    z = model.latents(3, 5)
    watched = Model(Watched(), model.about, CPU)
    sheet = walking.labelled(watched, found, z)
    assert sheet.shape == (2 * (3 * 66 + 2 + 16), 7 * 66 + 2, 3)
    for number, moved in enumerate(seen):
        assert torch.equal(moved[:, 6:], z[:, 6:].repeat_interleave(7, 0))
        places = torch.arange(-3.0, 4)
        expected = [found.along(some[None, :6], number, places) for some in z]
        assert torch.allclose(moved[:, :6], torch.cat(expected), atol=1e-6)


@pytest.mark.parametrize("count", [0, 7])
def test_as_many_directions_as_numbers(count: int, kittens: Pack) -> None:
    base = bundle.pyramid(stacked.trained(kittens).path / "bundle", CPU)[0]
    with pytest.raises(ValueError, match="expected 1 to 6"):
        walking.directions(base, "portraits", count, 0, CPU)
