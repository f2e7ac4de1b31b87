"""Photos are found again among what a generator draws."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import stacked
from purrtrait import projecting
from purrtrait.datasets.pack import Pack
from purrtrait.evaluation.efficientnet import EfficientNetLite0
from purrtrait.evaluation.reference import silent
from purrtrait.images.resize import to_images
from purrtrait.model import Model, load
from purrtrait.networks.catgan import CatGanGenerator
from purrtrait.networks.dense import DenseGenerator
from purrtrait.networks.dmol import Mixing
from purrtrait.sampling.levels import Drawn
from purrtrait.types import Images


@pytest.fixture
def model(kittens: Pack) -> Model:
    return load(stacked.trained(kittens).path, "cpu")


@pytest.fixture
def lively() -> Model:
    """A generator that was never trained, whose portraits differ much by their latents."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        network = DenseGenerator(16, 3, latent=3, width=16).eval().requires_grad_(False)
    for weights in network.parameters():
        weights.mul_(4)
    return Model(Drawn(network), {"size": 16, "channels": 3}, torch.device("cpu"))


def test_a_portrait_is_found_again_better_than_by_chance(lively: Model) -> None:
    model = lively
    truth, told = model.latents(1, seed=99), set[str]()
    pixels = model.draw(truth)[0]
    found = projecting.project(
        model, pixels, tries=8, steps=40, report=lambda what, done, total: told.add(what)
    )
    features = EfficientNetLite0()(np.stack([pixels, found.start, found.portrait]))
    away = torch.cdist(features[:1], features[1:])[0].tolist()
    assert [found.distances[name] for name in ("start", "portrait")] == pytest.approx(away)
    assert away[1] < 0.2 * away[0]
    assert torch.allclose(found.latent, truth, atol=0.03)
    assert (found.portrait == model.draw(found.latent)[0]).all()
    assert told == {"random portraits", "descent"}


@pytest.mark.parametrize(("mixing", "grain"), [("means", 1.0), ("values", 0.5), ("values", 0.0)])
def test_a_portrait_that_was_drawn_pixel_by_pixel_is_found_again(
    mixing: Mixing, grain: float
) -> None:
    """The gradient goes through the draw, and through the choice's means where none is made."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        network = CatGanGenerator(
            16, 3, latent=3, width=8, mixtures=2, mixing=mixing, grain=grain
        ).eval()
    head = network.requires_grad_(False).head.convolution
    head.weight.mul_(4)  # so that portraits differ by their latents ...
    assert head.bias is not None
    head.bias[0] += 4
    head.weight[8:14], head.bias[8:14] = 0, -4  # ... more than by the log scales of their grain
    model = Model(Drawn(network), {"size": 16, "channels": 3}, torch.device("cpu"))
    pixels = model.draw(model.latents(1, seed=99))[0]
    found = projecting.project(model, pixels, tries=8, steps=40)
    assert found.distances["portrait"] < 0.8 * found.distances["start"]
    assert (found.portrait == model.draw(found.latent)[0]).all()


def test_the_same_seed_finds_the_same(lively: Model, kittens: Pack) -> None:
    first, again, other = (
        projecting.project(lively, kittens.images[0], tries=4, steps=2, seed=seed).latent
        for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_pyramids_latents_stay_in_the_range_of_their_prior(model: Model, kittens: Pack) -> None:
    found = projecting.project(model, kittens.images[0], tries=4, steps=4)
    assert found.latent.shape == (1, model.sampler.latent_size)
    assert found.latent.abs().max() < 1
    assert found.portrait.shape == (16, 16, 3)


@pytest.mark.parametrize("size", [32, 200])
def test_features_with_a_graph_are_those_of_the_extractor(
    size: int, model: Model, kittens: Pack
) -> None:
    pixels = kittens.images[:3].repeat(size // 8, 1).repeat(size // 8, 2)
    search = projecting._Search(model, to_images(kittens.images[:1]))
    assert torch.allclose(
        search.features(to_images(pixels)), EfficientNetLite0()(pixels), atol=2e-2, rtol=1e-3
    )


def test_an_encoders_word_is_among_the_starts(lively: Model) -> None:
    model = lively
    truth = model.latents(1, seed=99)
    asked: list[torch.Size] = []

    def encode(images: Images) -> torch.Tensor:
        asked.append(images.shape)
        return truth

    found = projecting.project(model, model.draw(truth)[0], tries=2, steps=1, encode=encode)
    assert asked == [(1, 3, 16, 16)]
    assert torch.allclose(found.latent, truth)


def test_ends_are_portraits_or_photos(lively: Model, kittens: Pack, tmp_path: Path) -> None:
    model, path = lively, tmp_path / "photo.png"
    Image.fromarray(kittens.images[3]).save(path)
    z, shown = projecting.end(model, "7:2", None, silent, 0.5, 0.75)
    assert torch.equal(z, model.latents(3, 7, 0.5, truncation=0.75)[2:])
    assert shown == []
    word = model.latents(1, 5)
    z, shown = projecting.end(model, str(path), lambda images: word, silent, 0.5)
    assert torch.equal(z, word)
    assert (shown[0] == kittens.images[3]).all()


def test_photos_are_cut_to_the_models_size(model: Model, tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    Image.new("RGB", (90, 60), (10, 20, 30)).save(path)
    assert (projecting.photo(path, model) == [10, 20, 30]).all()
    grey = Model(model.sampler, {**model.about, "channels": 1}, model.device)
    assert projecting.photo(path, grey).shape == (16, 16, 1)
    path.write_text("no picture")
    for wrong in (path, tmp_path / "gone.png"):
        with pytest.raises(ValueError, match="cannot be used: "):
            projecting.photo(wrong, model)


def test_what_was_found_is_written(tmp_path: Path) -> None:
    photo, start, portrait = (np.full((16, 16, 3), level, np.uint8) for level in (10, 20, 30))
    z = torch.arange(5.0)[None]
    made = projecting.Projection(z, photo, start, portrait, {"start": 2.0, "portrait": 1.0})
    files = projecting.write(made, tmp_path)
    assert (np.load(files["latent"]) == z.numpy()).all()
    sheet = np.asarray(Image.open(files["pictures"]))
    assert sheet.shape == (16 + 132, 3 * 132, 3)
    assert [int(sheet[80, 132 * place + 66, 0]) for place in range(3)] == [10, 20, 30]
