"""Bundles are found by name wherever a sampler is named, and the one that ships is sound."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file

import purrtrait
from bundled import small
from helpers import files
from purrtrait import judging, shelf, studio, wrapping
from purrtrait.__main__ import run
from purrtrait.evaluation import EXTRACTORS
from purrtrait.sampling import bundle

LIMIT_BYTES = 5_000_000


@pytest.fixture(autouse=True)
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the folder of pulled bundles, which is not there yet."""
    place = tmp_path / "my bundles"
    monkeypatch.setenv(shelf.VARIABLE, str(place))
    return place


@pytest.mark.parametrize("name", shelf.shipped())
def test_what_ships_is_small_and_whole(name: str) -> None:
    path = shelf.shipped()[name]
    assert files(path) == {"model.safetensors", "sampler.json", "README.md"}
    assert sum(file.stat().st_size for file in path.iterdir()) < LIMIT_BYTES
    portraits = purrtrait.load(name, device="cpu").sample(4)
    assert portraits.shape[0] == 4
    assert portraits.std() > 20


def test_the_kittens_ship_in_half_precision_and_with_a_card() -> None:
    path = shelf.shipped()["kittens"]
    weights = load_file(path / bundle.MODEL)
    half = sum(w.numel() for w in weights.values() if w.element_size() == 2)
    assert half > 0.99 * sum(w.numel() for w in weights.values())
    card = (path / bundle.CARD).read_text("utf-8")
    for words in ("David Revoy", "CC-BY-4.0", "portrait", "388,912", "70.0 TFLOP", "1,000 samples"):
        assert words in card
    assert any(f"as {name} sees them" in card for name in EXTRACTORS)
    assert "half precision" in card


def test_the_kittens_look_like_kittens() -> None:
    """They stand on white, and differ from each other."""
    portraits = purrtrait.sample("kittens", 32).astype(float)
    corners = portraits[:, :2, :2]
    assert corners.mean() > 240
    assert portraits.std(0).mean() > 20


def test_nothing_that_ships_knows_where_it_was_made() -> None:
    for path in shelf.shipped().values():
        for file in (path / bundle.DESCRIPTION, path / bundle.CARD):
            text = file.read_text("utf-8")
            assert not any(place in text for place in ("/tmp", "/home", "/work", "/root", "C:\\"))


def test_sample_draws_kittens_where_nothing_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sample", "--count", "2", "--json", "--device", "cpu"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["folder"] == str(Path("samples/kittens-01"))
    assert Path(made["grid"]).is_file()


def test_a_path_that_exists_wins_then_what_ships_then_what_was_pulled(
    mine: Path, tmp_path: Path
) -> None:
    assert shelf.found(Path("kittens")) == shelf.shipped()["kittens"]
    small(mine / "kittens")
    small(mine / "tigers")
    assert shelf.known() == {**shelf.shipped(), "tigers": mine / "tigers"}
    assert wrapping.sampler_folder(Path("kittens")) == shelf.shipped()["kittens"]
    assert purrtrait.load("tigers").about["recipe"] == "small"
    small(Path("kittens"))
    small(Path("tigers"))
    for name in ("kittens", "tigers"):
        assert wrapping.sampler_folder(Path(name)) == Path(name)
        assert purrtrait.load(tmp_path / name).about["recipe"] == "small"


def test_every_way_to_name_a_sampler_knows_the_names(mine: Path) -> None:
    small(mine / "tigers")
    assert judging.draws(Path("tigers"))
    assert not judging.draws(Path("lions"))
    assert studio.inspect(Path("tigers"))["kind"] == "bundle"
    by_path = purrtrait.load(mine / "tigers", device="cpu").sample(3)
    assert np.array_equal(purrtrait.sample("tigers", 3), by_path)


def test_what_is_half_made_is_no_bundle(mine: Path) -> None:
    small(mine / ".tigers.1234" / "tigers")
    small(mine / ".lions")
    (mine / "empty").mkdir()
    assert shelf.pulled() == {}


@pytest.mark.parametrize("command", ["sample", "inspect", "walk", "directions"])
def test_unknown_names_are_answered_with_those_that_are_here(
    command: str, mine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small(mine / "tigers")
    assert run([command, "tiger"]) == 2
    said = capsys.readouterr().err
    assert "no such folder" in said
    assert "Did you mean 'tigers'? Bundles that are here by name: tigers, kittens" in said
    assert "`purrtrait pull NAME`" in said


def test_a_folder_without_a_sampler_that_has_a_bundles_name(tmp_path: Path) -> None:
    (tmp_path / "kittens").mkdir()
    with pytest.raises(ValueError, match=r"holds no sampler.*bundle of that name is .*bundles"):
        purrtrait.load("kittens")


def test_pulled_bundles_go_to_the_users_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    for unset in (shelf.VARIABLE, "XDG_CACHE_HOME"):
        monkeypatch.delenv(unset, raising=False)
    place = shelf.folder()
    assert place.name == "bundles"
    assert place.parent.name.startswith("purrtrait") or "purrtrait" in place.parts
    assert place.is_absolute()


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "made"
    with pytest.raises(KeyError), shelf.placing(target) as place:
        (place / "half").touch()
        raise KeyError
    assert files(tmp_path) == set()
    assert not target.exists()
    with shelf.placing(target) as place:
        assert not target.exists()
        (place / "whole").touch()
    assert files(tmp_path) == {"deep/made/whole"}
    assert target.stat().st_mode == target.parent.stat().st_mode, "others may look into it"


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    for name in ("empty", "file"):
        with pytest.raises(ValueError, match="nothing is overwritten"), shelf.placing(Path(name)):
            raise AssertionError
    with pytest.raises(ValueError, match="cannot be made"), shelf.placing(Path("file/below")):
        raise AssertionError


def test_a_bundle_has_no_checkpoints() -> None:
    for path in (Path("kittens"), shelf.shipped()["kittens"]):
        for look in (wrapping.best_checkpoint, wrapping.checkpoint_folder):
            with pytest.raises(ValueError, match=r"is a bundle.*expected a run, or a checkpoint"):
                look(path)


def test_a_name_that_no_file_can_have_is_refused() -> None:
    with pytest.raises(ValueError, match="can be no path"):
        shelf.found(Path("x" * 300))
