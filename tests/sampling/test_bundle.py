"""A bundle is all that it takes to draw, and says in words what is wrong with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import purrtrait
import stacked
from helpers import TINY, files
from purrtrait.datasets.pack import Pack
from purrtrait.networks.chain import Chain, ConvolvingRetoucher, DenseRetoucher
from purrtrait.networks.dense import DenseGenerator
from purrtrait.sampling import bundle
from purrtrait.sampling.latents import latents
from purrtrait.training.run import Run


@pytest.fixture(scope="module")
def made(kittens: Pack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run."""
    runs = tmp_path_factory.mktemp("runs")
    return purrtrait.train(
        "dcgan",
        kittens.path,
        runs_folder=runs,
        budget=8,
        seed=1,
        device="cpu",
        threads=1,
        settings=TINY,
        upkeep={"previews": 0, "tensorboard": False},
    ).run


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Path:
    """A bundle that a test may spoil."""
    last = Run(made).latest()
    assert last
    bundle.write(tmp_path / "copy", last.path, "# A card")
    return tmp_path / "copy"


def respeak(path: Path, **changed: Any) -> None:
    said = json.loads((path / bundle.DESCRIPTION).read_text())
    (path / bundle.DESCRIPTION).write_text(json.dumps(said | changed))


def test_a_bundle_is_three_files(copy: Path) -> None:
    assert files(copy) == {"model.safetensors", "sampler.json", "README.md"}
    assert (copy / "README.md").read_text() == "# A card"
    last = {path.name for path in copy.iterdir()}
    assert not any(name.startswith(".") for name in last)


def test_the_card_says_whose_pictures(made: Path) -> None:
    card = (made / "bundle" / "README.md").read_text("utf-8")
    for words in ("David Revoy", "CC-BY-4.0", "dcgan", "16 x 16", "| seed | 1 |"):
        assert words in card


def test_it_draws_what_the_checkpoint_draws(made: Path, copy: Path) -> None:
    last = Run(made).latest()
    assert last
    z = latents(3, 100, "normal", 0)
    portraits = bundle.load(copy)(z)
    assert torch.equal(portraits, bundle.load(last.path)(z))
    assert portraits.shape == (3, 3, 16, 16)
    assert portraits.abs().max() <= 1


def test_networks_are_in_evaluation_mode_and_channels_last(copy: Path) -> None:
    said = bundle.describe(copy)
    drawer = bundle.build(said["stages"][0]["drawer"])
    bundle.fill(drawer, load_file(copy / bundle.MODEL), "base/")
    sampler: Any = bundle.load(copy)
    assert not sampler.drawer.training
    assert not any(p.requires_grad for p in sampler.drawer.parameters())
    for name, value in sampler.drawer.state_dict().items():
        assert torch.equal(value, drawer.state_dict()[name])
        if value.dim() == 4:
            assert value.is_contiguous(memory_format=torch.channels_last)


def test_drawing_is_repeatable_whatever_torch_has_drawn(copy: Path) -> None:
    sampler, z = bundle.load(copy), latents(2, 100, "normal", 0)
    torch.manual_seed(1)
    first = sampler(z)
    torch.manual_seed(2)
    assert torch.equal(first, sampler(z))


def test_opening_leaves_what_torch_draws_alone(copy: Path) -> None:
    before = torch.get_rng_state()
    bundle.load(copy)
    assert torch.equal(before, torch.get_rng_state())


def test_no_stages_make_no_sampler() -> None:
    assert bundle.join([], {}, torch.device("cpu")) is None


def test_a_newer_schema_is_named(copy: Path) -> None:
    respeak(copy, schema=bundle.SCHEMA + 1, version="7.0")
    with pytest.raises(ValueError, match=r"schema 2, written by purrtrait 7\.0"):
        bundle.load(copy)


def test_an_unknown_network_is_named(copy: Path) -> None:
    stages = bundle.describe(copy)["stages"]
    stages[0]["drawer"]["name"] = "vast"
    respeak(copy, stages=stages)
    with pytest.raises(ValueError, match=r"'vast'.*it knows .*dcgan"):
        bundle.load(copy)


def test_weights_that_do_not_fit_are_refused(copy: Path) -> None:
    weights = load_file(copy / bundle.MODEL)
    gone = sorted(weights)[0]
    save_file({k: v for k, v in weights.items() if k != gone}, copy / bundle.MODEL)
    with pytest.raises(ValueError, match="do not fit"):
        bundle.load(copy)


@pytest.mark.parametrize("spoil", [b"", b"\x80\x04pickle", b"{}" * 50])
def test_weights_that_are_no_safetensors_are_refused(copy: Path, spoil: bytes) -> None:
    (copy / bundle.MODEL).write_bytes(spoil)
    with pytest.raises(ValueError, match="cannot be read as safetensors"):
        bundle.load(copy)


@pytest.mark.parametrize("text", ["", "{", "{}", "[]", "3", '{"schema": null}', '{"schema": "x"}'])
def test_a_description_that_says_nothing_is_refused(copy: Path, text: str) -> None:
    (copy / bundle.DESCRIPTION).write_text(text)
    with pytest.raises(ValueError, match=r"sampler\.json cannot be read"):
        bundle.describe(copy)


def test_missing_files_are_named(copy: Path) -> None:
    (copy / bundle.MODEL).unlink()
    with pytest.raises(ValueError, match=r"model\.safetensors"):
        bundle.load(copy)
    (copy / bundle.DESCRIPTION).unlink()
    with pytest.raises(ValueError, match=r"sampler\.json"):
        bundle.load(copy)


def chained() -> tuple[Chain, dict[str, Any], dict[str, torch.Tensor]]:
    """A chain of three for pictures of 6 px, what sampler.json says of it, and its weights."""
    shape = {"size": 6, "channels": 3}
    said = {
        "name": "base",
        "prefix": "base/",
        "level": {"name": "whole", "options": {"size": 12, "pixels": 6}},
        "drawer": {"name": "dense", "options": {**shape, "latent": 5, "width": 8}},
        "retouchers": [
            {"name": "convolving", "options": {**shape, "width": 4}},
            {"name": "dense", "options": {**shape, "width": 8}},
        ],
    }
    torch.manual_seed(0)
    second = ConvolvingRetoucher(6, 3, 4)
    chain = Chain(DenseGenerator(6, 3, 5, 8), [second, DenseRetoucher(6, 3, 8)])
    return chain, said, {f"base/{name}": value for name, value in chain.state_dict().items()}


@pytest.mark.parametrize(("members", "retouchers"), [(None, 2), (3, 2), (2, 1), (1, 0)])
def test_the_first_members_of_a_chain_draw(members: int | None, retouchers: int) -> None:
    chain, said, weights = chained()
    sampler = bundle.join([said], weights, torch.device("cpu"), members)
    assert sampler is not None
    z = latents(3, sampler.latent_size, sampler.prior, 0)
    with torch.no_grad():
        assert torch.allclose(sampler(z), chain.until(retouchers, z), atol=1e-6)


def test_a_chain_has_no_more_members_than_it_has() -> None:
    _, said, weights = chained()
    with pytest.raises(ValueError, match=r"generator 4 of a chain.*'base' has only 3"):
        bundle.join([said], weights, torch.device("cpu"), 4)
    with pytest.raises(ValueError, match=r"holds a retoucher 'vast'.*it knows .*convolving"):
        bundle.join(
            [{**said, "retouchers": [{"name": "vast", "options": {}}]}],
            weights,
            torch.device("cpu"),
        )


def test_a_pyramid_is_opened_stage_by_stage_or_in_part(kittens: Pack) -> None:
    whole = stacked.trained(kittens).path / "bundle"
    sizes = [
        sampler(latents(1, sampler.latent_size, sampler.prior, 0)).shape[-1]
        for sampler in bundle.pyramid(whole, torch.device("cpu"))
    ]
    assert sizes == stacked.SIZES
    for size in sizes:
        part = bundle.load(whole, until=size)
        assert part(latents(1, part.latent_size, part.prior, 0)).shape[-1] == size
    with pytest.raises(ValueError, match="no stage draws portraits of 7 px; expected one of 8"):
        bundle.load(whole, until=7)
