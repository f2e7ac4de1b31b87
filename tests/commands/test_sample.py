"""The command `sample` draws plainly or lets the critics choose, a whole pyramid or a part."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import stacked
from helpers import files
from purrtrait import face, machine, model
from purrtrait.__main__ import run
from purrtrait.datasets.pack import Pack
from purrtrait.images import sheet

FEW = ["--drawn", "10", "--keep", "4", "--refine-k", "2"]


@pytest.fixture
def pyramid(kittens: Pack) -> Path:
    return stacked.trained(kittens).path


def call(capsys: pytest.CaptureFixture[str], *words: object) -> dict[str, Any]:
    """What a command that goes well prints as JSON."""
    capsys.readouterr()
    assert run([str(word) for word in ("sample", "--threads", 1, *words, "--json")]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def refusal(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """What a command that cannot be done says."""
    capsys.readouterr()
    assert run([str(word) for word in ("sample", *words)]) == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert not Path("samples").exists()
    return said


@pytest.mark.parametrize(
    ("words", "judged"),
    [
        ([], True),
        (["--keep", "4"], True),
        (["--count", "2"], False),
        (["--grid", "0.5"], False),
        (["--enlarge", "2"], False),
        (["--no-judge"], False),
    ],
)
def test_critics_choose_of_a_pyramid_unless_another_way_is_asked_for(
    words: list[str], judged: bool, pyramid: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = call(capsys, pyramid, *words, *(FEW if judged and not words else []))
    assert ("verdicts" in found) == judged
    assert ("grid" in found) != judged
    for name in found.keys() - {"folder"}:
        assert Path(found[name]).is_file()


@pytest.mark.parametrize("way", [["--count", 1], FEW])
def test_it_draws_on_so_many_threads_and_keeps_memory_meanwhile(
    way: list[str],
    pyramid: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept: list[bool] = []
    seen: set[tuple[int, bool]] = set()

    @contextmanager
    def keeping() -> Iterator[None]:
        kept.append(True)
        yield
        kept.pop()

    def seeing(*_: object) -> None:
        seen.add((torch.get_num_threads(), bool(kept)))

    monkeypatch.setattr(machine, "kept_memory", keeping)
    before = torch.get_num_threads()
    watching = nn.modules.module.register_module_forward_hook(seeing)
    try:
        call(capsys, pyramid, *way, "--threads", machine.threads() + 1)
    finally:
        watching.remove()
    assert seen == {(machine.threads() + 1, True)}
    assert torch.get_num_threads() == before


def test_plain_portraits_have_their_temperature_and_truncation(
    pyramid: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--count", 2, "--seed", 5, "--temperature", 0.8, "--truncation", 0.5, "--grid", 1.5)
    found = call(capsys, pyramid, *words)
    expected = face.sample(pyramid, 2, seed=5, temperature=0.8, truncation=0.5)
    shown = [np.asarray(Image.open(f"{found['folder']}/portrait-{n}.png")) for n in range(2)]
    assert np.array_equal(shown, expected)
    drawer = model.load(pyramid, "cpu")
    assert np.array_equal(expected, drawer.draw(0.8 * drawer.latents(2, 5, truncation=0.5)))
    row = drawer.sample(2, seed=5, temperature=1.5, truncation=0.5)
    strip = np.asarray(Image.open(found["strip"]))
    assert np.array_equal(strip[:68], sheet.grid(row, 2, scale=4))


def test_the_grid_shows_pixels_as_wide_as_asked(
    pyramid: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "--enlarge" in refusal(capsys, pyramid, "--enlarge", 0)
    assert "--enlarge draws without a judge" in refusal(capsys, pyramid, "--enlarge", 2, *FEW)
    found = call(capsys, pyramid, "--count", 3, "--enlarge", 5)
    drawn = face.sample(pyramid, 3)
    wide = drawn.repeat(5, axis=1).repeat(5, axis=2)
    shown = np.asarray(Image.open(found["grid"]))
    side = wide.shape[1]
    assert np.array_equal(shown[2 : side + 2, 2 : side + 2], wide[0])
    assert np.array_equal(shown[2 : side + 2, side + 4 : -2], wide[1])
    single = np.asarray(Image.open(f"{found['folder']}/portrait-2.png"))
    assert np.array_equal(single, drawn[2])


def test_judged_portraits_have_their_truncation(
    pyramid: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = call(capsys, pyramid, *FEW, "--truncation", 0)
    lines = Path(found["verdicts"]).read_text().splitlines()[1:]
    assert len({line.split(",")[2] for line in lines}) == 1  # all are the one in the middle


def test_of_a_single_stage_they_choose_if_asked(
    pyramid: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = pyramid / "checkpoints" / "base-000000016"
    assert "grid" in call(capsys, base, "--count", 2)
    found = call(capsys, base, "--judged", *FEW, "--neighbours", "--runs", 2)
    kinds = ["random10", "trainset_s1", "best", "worst", "random"]
    runs = ("0001", "0002")
    expected = {f"{kind}_{number}_base.jpg" for kind in kinds for number in runs}
    expected |= {f"verdicts_{number}.csv" for number in runs}
    expected |= {f"best_{number}_neighbours_base.jpg" for number in runs}
    assert files(Path(found["folder"])) == expected
    assert found["best"].endswith("best_0001_base.jpg")


def test_until_stops_at_a_stage(pyramid: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = call(capsys, pyramid, "--until", 12, *FEW)
    assert found["best"].endswith("best_0001_c2f_12.jpg")
    assert not list(Path(found["folder"]).glob("*16*"))
    plain = call(capsys, pyramid, "--until", 8, "--count", 3, "--seed", 4)
    with Image.open(Path(plain["folder"]) / "portrait-2.png") as picture:
        drawn = np.asarray(picture)
    whole = model.load(pyramid, "cpu")
    base = model.load(pyramid / "checkpoints" / "base-000000016", "cpu")
    assert (drawn == base.draw(base.latents(3, 4))[2]).all()
    assert drawn.shape == (8, 8, 3)
    assert whole.sample(1).shape == (1, 16, 16, 3)


def test_the_same_seed_gives_the_same_files(
    pyramid: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = [Path(call(capsys, pyramid, *FEW, "--seed", seed)["folder"]) for seed in (1, 1, 2)]
    first, again, other = (
        {name: (folder / name).read_bytes() for name in files(folder)} for folder in folders
    )
    assert first == again
    assert first.keys() == other.keys()
    assert all(first[name] != other[name] for name in first)


def test_a_larger_k_changes_what_is_chosen(
    pyramid: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, ten = (
        Path(call(capsys, pyramid, "--drawn", 10, "--keep", 4, "--refine-k", k)["folder"])
        for k in (1, 10)
    )
    assert (one / "best_0001_base.jpg").read_bytes() == (ten / "best_0001_base.jpg").read_bytes()
    for name in ("best_0001_c2f_12.jpg", "best_0001_c2f_16.jpg", "trainset_s4_c2f_12_0001.jpg"):
        assert (one / name).read_bytes() != (ten / name).read_bytes()


def test_a_stale_pyramid_is_said_and_judged_by_its_own_critics(
    kittens: Pack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = stacked.copy(stacked.trained(kittens), tmp_path)
    before = Path(call(capsys, own.path, *FEW)["verdicts"]).read_text()
    face.resume(own.path, stages=["base"], again=["base"], settings={"base.lr": "2e-3"})
    assert run(["sample", str(own.path), *FEW, "--out", "stale"]) == 0
    assert "stage 'refine-12' is stale" in capsys.readouterr().err
    assert Path("stale/verdicts_0001.csv").read_text() == before
    shutil.rmtree(own.path / "replaced")
    shutil.rmtree("samples")
    gone = "the critic that judges stage 'base' is gone"
    assert gone in refusal(capsys, own.path, "--judged")
    assert "grid" in call(capsys, own.path, "--no-judge")
    # Where nobody asked for critics, they are no reason to draw nothing.
    assert run(["sample", str(own.path), "--out", "without"]) == 0
    said = capsys.readouterr()
    assert f"no critics choose here: {gone}" in said.err and "grid" in said.out


def test_a_pyramid_far_from_its_pack_draws(
    kittens: Pack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = stacked.copy(stacked.trained(kittens), tmp_path)
    request = own.request()
    (own.path / "run.json").write_text(json.dumps({**request, "data": str(tmp_path / "gone")}))
    assert "is gone; name it with --against" in refusal(capsys, own.path, "--judged")
    assert run(["sample", str(own.path), "--out", "without"]) == 0
    said = capsys.readouterr()
    assert "no critics choose here: the pack" in said.err and "grid" in said.out
    assert "verdicts" in call(capsys, own.path, *FEW, "--against", kittens.path, "--out", "with")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--count", 3, "--keep", 4], "--count draws without a judge, --keep with the critics"),
        (["--no-judge", "--neighbours"], "--no-judge draws without a judge"),
        (["--grid", "1", "--judged"], "expected only one of the two"),
        (["--keep", 2000], "no more than are drawn"),
        (["--keep", 0], "x>=1"),
        (["--until", 9], "expected one of 8, 12, 16"),
        (["--until", 9, "--count", 2], "expected one of 8, 12, 16"),
        (["--generator", "g2"], "generator 2 of a chain is asked for, but stage 'base' has only 1"),
        (["--generator", "g4"], "'g4' is not one of"),
        (["--against", "nowhere"], "nowhere"),
        (["--temperature", -1], "expected a number from 0"),
        (["--truncation", "nan"], "--truncation nan: expected a number from 0"),
    ],
)
def test_what_cannot_be_done_is_said(
    words: list[object], said: str, pyramid: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in refusal(capsys, pyramid, *words)


def test_a_bundle_has_nobody_to_judge(pyramid: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "grid" in call(capsys, pyramid / "bundle", "--count", 2, "--out", "plain")
    assert "is a bundle, which has no critic" in refusal(capsys, pyramid / "bundle", "--judged")


CHAINED = """
summary = "three generators in a chain"
source = "a test"

[[stages]]
batch = 8
budget = 8
objective = { name = "chained", game = "non-saturating" }
"""
PLAYER = """
[stages.players.{name}]
network = {network}
optimiser = "adam"
lr = 1e-3
"""
PLAYERS = {
    "generator": '{ name = "dense", latent = 6, width = 16 }',
    "second": '{ name = "convolving", width = 4 }',
    "third": '{ name = "dense", width = 16 }',
    "critic": '{ name = "refiner", width = 4 }',
}


def test_the_first_of_a_chain_draw(
    kittens: Pack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "chained.toml"
    players = "".join(PLAYER.format(name=k, network=v) for k, v in PLAYERS.items())
    recipe.write_text(CHAINED + players, encoding="utf-8")
    upkeep = {"previews": 0, "tensorboard": False, "score_samples": 0}
    made = face.train(str(recipe), kittens.path, seed=1, device="cpu", upkeep=upkeep).run
    grids = [
        Path(call(capsys, made, "--count", 4, *words)["grid"]).read_bytes()
        for words in ([], ["--generator", "g3"], ["--generator", "g2"], ["--generator", "g1"])
    ]
    assert grids[0] == grids[1]
    assert len(set(grids)) == 3
    for name in ("g1", "g3"):
        call(capsys, made, "--judged", *FEW, "--generator", name, "--out", name)
    one, three = (Path(name, "random10_0001_base.jpg").read_bytes() for name in ("g1", "g3"))
    assert one != three


def test_portraits_are_shown_cleaned_too(
    kittens: Pack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    upkeep = {"previews": 0, "tensorboard": False, "score_samples": 0}
    asked: dict[str, Any] = {"seed": 1, "device": "cpu", "upkeep": upkeep}
    small = {"pixels": "0", "batch": "8", "budget": "8", "network.width": "8"}
    drawer = face.train("dcgan", kittens.path, settings=small, **asked).run
    del small["network.width"]
    cleaner = face.train("denoiser", kittens.path, settings=small, **asked).run
    words = ("--count", 4, "--enlarge", 3, "--denoise", cleaner)
    made = call(capsys, drawer, *words, "--out", "drawn")
    names = ("grid", "cleaned 1", "cleaned 2")
    grids = [np.asarray(Image.open(made[name])) for name in names]
    assert {grid.shape[:2] for grid in grids} == {(2 * (3 * kittens.size + 2) + 2,) * 2}
    assert len({grid.tobytes() for grid in grids}) == 3
    assert "is no run of a denoiser" in refusal(capsys, drawer, "--denoise", drawer)
    tiny = face.train("denoiser", kittens.path, settings={**small, "pixels": "8"}, **asked).run
    said = refusal(capsys, drawer, "--denoise", tiny)
    assert "cleans pictures of 8 px with 3 channels, but portraits of 16 px" in said
