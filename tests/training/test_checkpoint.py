"""Checkpoints and run folders: whole or not there, checked, locked, pruned."""

from __future__ import annotations

import itertools
import json
import multiprocessing
import os
from pathlib import Path

import pytest
import torch

import helpers
from purrtrait.datasets.pack import Pack
from purrtrait.training import checkpoint, optimisers
from purrtrait.training import run as runs
from purrtrait.training.checkpoint import Checkpoint
from purrtrait.training.fit import fit
from purrtrait.training.run import Run
from purrtrait.training.state import State, packed


def save(state: State, path: Path) -> checkpoint.Checkpoint:
    path.parent.mkdir(parents=True, exist_ok=True)
    facts = {"version": "0.1.0", "stage": "base", "now": state.facts()}
    facts["optimisers"] = state.steppers()
    return checkpoint.write(path, state.tensors(), packed(state.average), facts, {"x.json": "{}"})


def trained(pack: Pack, steps: int = 2, **settings: str) -> State:
    state = helpers.state(helpers.recipe("dcgan", settings), pack)
    for _ in itertools.islice(fit(state, 10**9), steps):
        pass
    return state


@pytest.mark.parametrize("optimiser", ["adam", "rmsprop", "sgd", "adagrad"])
def test_a_restored_state_goes_on_bit_for_bit(
    optimiser: str, kittens: Pack, tmp_path: Path
) -> None:
    """Also with fused optimisers, channels-last weights and moments written contiguous."""
    part = "{name='sgd', momentum=0.5}" if optimiser == "sgd" else optimiser
    settings = {"optimiser": part, "half_life_images": "20"}
    state = trained(kittens, 3, **settings)
    saved = save(state, tmp_path / "c")
    again = helpers.state(helpers.recipe("dcgan", settings), kittens)
    read = checkpoint.read(saved.path)
    again.restore(read.training(), read.average(), read.facts["now"], read.facts["optimisers"])
    assert again.now == state.now
    for one in (state, again):
        for _ in itertools.islice(fit(one, 10**9), 3):
            pass
    assert helpers.bits(again.tensors()) == helpers.bits(state.tensors())
    assert helpers.bits(packed(again.average)) == helpers.bits(packed(state.average))
    assert again.now == state.now


def test_a_run_that_stops_within_a_burst_goes_on_within_it(kittens: Pack, tmp_path: Path) -> None:
    """To the bits, and with as many moves, of one that never stopped."""
    bursts = "{name='bursts', usual=1, burst=3, first=2, every=4}"
    made = helpers.recipe("wgan", {"critic_moves": bursts})
    straight, first, second = (helpers.state(made, kittens) for _ in range(3))
    (*_, whole) = itertools.islice(fit(straight, 10**9), 6)
    next(fit(first, 10**9))
    saved = checkpoint.read(save(first, tmp_path / "c").path)
    assert saved.facts["now"]["moves"] == {"generator": 1, "critic": 3}
    facts = saved.facts["now"], saved.facts["optimisers"]
    second.restore(saved.training(), saved.average(), *facts)
    moves = [now.moves["critic"] for now in itertools.islice(fit(second, 10**9), 5)]
    assert moves == [6, 7, 8, 11, 12]
    assert second.now == whole
    assert helpers.bits(second.tensors()) == helpers.bits(straight.tensors())
    assert helpers.bits(packed(second.average)) == helpers.bits(packed(straight.average))


def test_moments_come_back_in_the_layout_of_their_parameter(kittens: Pack) -> None:
    state = trained(kittens)
    saved = {
        k.removeprefix("optimiser/critic/"): v
        for k, v in state.tensors().items()
        if k.startswith("optimiser/critic/")
    }
    assert all(value.is_contiguous() for value in saved.values())
    optimisers.restore(state.optimisers["critic"], saved)
    checked = 0
    for parameter, slots in state.optimisers["critic"].state.items():
        for name in ("exp_avg", "exp_avg_sq"):
            assert slots[name].stride() == parameter.stride()
            checked += parameter.dim() == 4
    assert checked


def test_contiguous_moments_would_go_wrong() -> None:
    """The trap itself: a fused step with moments in another layout is wrong without an error."""
    torch.manual_seed(0)
    start = torch.randn(4, 3, 2, 2).to(memory_format=torch.channels_last)
    moment = torch.rand(4, 3, 2, 2)
    slope = torch.randn(4, 3, 2, 2).to(memory_format=torch.channels_last)
    stepped = {}
    for name, lay in (("like", optimisers.like), ("as saved", lambda parameter, value: value)):
        weight = torch.nn.Parameter(start.clone(memory_format=torch.preserve_format))
        adam = torch.optim.Adam([weight], lr=0.1, fused=True)
        adam.state[weight] = {
            "step": torch.tensor(3.0),
            "exp_avg": lay(weight, moment).clone(memory_format=torch.preserve_format),
            "exp_avg_sq": lay(weight, moment).clone(memory_format=torch.preserve_format),
        }
        weight.grad = slope.clone(memory_format=torch.preserve_format)
        adam.step()
        stepped[name] = weight.detach()
    assert (stepped["like"] - stepped["as saved"]).abs().max() > 0.01


def test_half_written_and_damaged_checkpoints_are_passed_over(
    kittens: Pack, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = Run(tmp_path)
    state = trained(kittens, 1)
    first = save(state, run.checkpoints / "base-000000008")
    next(fit(state, 10**9))
    second = save(state, run.checkpoints / "base-000000016")
    half = run.checkpoints / ".base-000000024.123.part"
    half.mkdir()
    (half / checkpoint.TRAINING).write_bytes(b"half")
    assert run.latest() == second
    file = second.path / checkpoint.TRAINING
    file.write_bytes(file.read_bytes()[:-7])
    assert run.latest() == first
    assert "damaged" in caplog.text
    run.prune(1, "base")
    assert not half.exists()


def test_all_of_a_checkpoint_is_on_the_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plug that is pulled leaves a whole checkpoint, or none under that name."""
    flushed: list[tuple[int, bool]] = []
    path = tmp_path / "base-000000008"

    def fsync(handle: int) -> None:
        flushed.append((os.fstat(handle).st_ino, path.exists()))

    monkeypatch.setattr(os, "fsync", fsync)
    checkpoint.write(path, {"a": torch.ones(2)}, {"b": torch.ones(2)}, {}, {"sampler.json": "{}"})
    assert sorted(flushed[:-1]) == sorted((file.stat().st_ino, False) for file in path.iterdir())
    assert len(flushed) == 1 + 4
    assert flushed[-1] == (tmp_path.stat().st_ino, True)


def test_only_the_last_are_kept(kittens: Pack, tmp_path: Path) -> None:
    run = Run(tmp_path)
    state = trained(kittens, 1)
    for images in (8, 16, 24, 32):
        save(state, run.checkpoints / f"base-{images:09d}")
        save(state, run.checkpoints / f"other-{images:09d}")
    run.prune(2, "base")
    names = [path.name for path in run.found() if path.name.startswith("base")]
    assert names == ["base-000000024", "base-000000032"]
    assert len(run.found()) == 6


def test_a_newer_schema_names_its_version(kittens: Pack, tmp_path: Path) -> None:
    saved = save(trained(kittens, 1), tmp_path / "c")
    facts = json.loads((saved.path / checkpoint.FACTS).read_text())
    facts |= {"schema": 99, "version": "9.9.9"}
    (saved.path / checkpoint.FACTS).write_text(json.dumps(facts))
    with pytest.raises(ValueError, match=r"9\.9\.9"):
        checkpoint.read(saved.path)


def test_what_is_no_checkpoint_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is not a checkpoint"):
        checkpoint.read(tmp_path)
    for text in ("{", '{"schema": 1}', '{"schema": 1, "sha256": 3}', '{"schema": 1, "sha256": {}}'):
        (tmp_path / checkpoint.FACTS).write_text(text)
        with pytest.raises(ValueError, match="cannot be read"):
            checkpoint.read(tmp_path)


def test_nothing_is_pickled(kittens: Pack, tmp_path: Path) -> None:
    saved = save(trained(kittens, 1), tmp_path / "c")
    assert {p.suffix for p in saved.path.iterdir()} == {".json", ".safetensors"}


def test_weights_of_other_networks_are_refused_in_words(kittens: Pack, tmp_path: Path) -> None:
    saved = save(trained(kittens, 1), tmp_path / "c")
    other = helpers.state(helpers.recipe("dcgan", {"width": "16"}), kittens)
    with pytest.raises(ValueError, match="do not fit"):
        other.restore(
            saved.training(), saved.average(), saved.facts["now"], saved.facts["optimisers"]
        )


def test_starting_from_some_players_takes_nothing_else(kittens: Pack, tmp_path: Path) -> None:
    saved = save(trained(kittens, 2), tmp_path / "c")
    fresh = helpers.state(helpers.recipe("dcgan"), kittens, seed=9)
    critic = [p.detach().clone() for p in fresh.parameters["critic"]]
    fresh.start_from(saved.training(), ("generator",))
    tensors = fresh.tensors()
    for name, value in saved.training().items():
        if name.startswith("player/generator/"):
            assert torch.equal(tensors[name], value)
    assert all(torch.equal(a, b) for a, b in zip(critic, fresh.parameters["critic"], strict=True))
    assert fresh.now.images_seen == 0
    with pytest.raises(ValueError, match="holds critic, generator"):
        fresh.start_from(saved.training(), ("encoder",))


def test_run_folders_count_up(tmp_path: Path) -> None:
    names = [runs.create(tmp_path / "runs", "x").path.name for _ in range(3)]
    assert names == ["x-01", "x-02", "x-03"]


def _try_lock(path: str, answer: multiprocessing.Queue[str]) -> None:
    try:
        with Run(Path(path)).locked():
            answer.put("in")
    except ValueError as error:
        answer.put(str(error))


def test_two_trainers_in_one_folder_are_kept_apart(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    answer: multiprocessing.Queue[str] = context.Queue()
    with Run(tmp_path).locked():
        process = context.Process(target=_try_lock, args=(str(tmp_path), answer))
        process.start()
        said = answer.get(timeout=120)
        process.join()
    assert f"process {os.getpid()}" in said
    assert "being trained" in said
    with Run(tmp_path).locked():  # and the lock is free again
        pass


def test_scores_and_previews_after_a_checkpoint_are_dropped(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.previews.mkdir()
    for images in (8, 16, 24):
        (run.previews / f"base-{images:09d}.png").write_bytes(b"x")
    rows = [{"stage": "base", "images_seen": n} for n in (8, 16, 24)]
    rows.insert(0, {"stage": "under", "images_seen": 99})
    run.scores.write_text("".join(json.dumps(row) + "\n" for row in rows) + '{"stage": "ba')
    run.forget_after(16, "base")
    kept = [json.loads(line)["images_seen"] for line in run.scores.read_text().splitlines()]
    assert kept == [99, 8, 16]
    assert sorted(p.name for p in run.previews.iterdir()) == [
        "base-000000008.png",
        "base-000000016.png",
    ]


def test_what_is_no_run_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "cats-01").mkdir()
    (tmp_path / "cats-01" / runs.REQUEST).write_text("{}")
    with pytest.raises(ValueError, match=r"cats-01"):
        runs.open_run(tmp_path / "cats-02")


def known(weights: str, **stands_on: str) -> Checkpoint:
    return Checkpoint(Path("nowhere"), {"weights": weights, "stands_on": stands_on})


def test_what_stands_on_a_stage_begins_anew_with_it() -> None:
    found = {
        "judge": known("j"),
        "base": known("b"),
        "first": known("f", base="b"),
        "second": known("s", first="f"),
        "third": known("t", base="before"),
    }
    assert checkpoint.anew(found, []) == {"third"}
    assert checkpoint.anew(found, ["base"]) == {"base", "first", "second", "third"}
    assert checkpoint.anew(found, ["first"]) == {"first", "second", "third"}
    assert checkpoint.anew(found, [], ["first"]) == {"second", "third"}


def test_a_stage_is_stale_where_what_it_stands_on_has_changed() -> None:
    fresh = {"a": known("1"), "b": known("2", a="1"), "c": known("3", b="2", a="1")}
    assert checkpoint.stale(fresh) == {}
    assert checkpoint.stale({**fresh, "a": known("9")}) == {"b": "a", "c": "a"}
    assert checkpoint.stale({**fresh, "b": known("9", a="1")}) == {"c": "b"}
    assert checkpoint.stale({**fresh, "c": known("9", b="2")}) == {}
    assert checkpoint.stale({"c": known("3", b="2")}) == {"c": "b"}  # which is gone
    both = {"b": known("9", a="1"), "c": known("3", b="2", a="1")}
    assert checkpoint.moved(both["c"], both) == "b"
    assert not checkpoint.moved(fresh["c"], fresh)


def test_a_fingerprint_knows_names_values_shapes_and_kinds() -> None:
    weights = {"x/a": torch.arange(6.0), "x/b": torch.ones(2), "y": torch.zeros(1)}
    usual = checkpoint.fingerprint(weights, "x/")
    assert usual == checkpoint.fingerprint({"a": torch.arange(6.0), "b": torch.ones(2)})
    assert usual == checkpoint.fingerprint({"b": torch.ones(2), "a": torch.arange(6.0)})
    square = torch.arange(6.0).view(2, 3)
    laid = square.T.contiguous().T
    assert checkpoint.fingerprint({"a": square}) == checkpoint.fingerprint({"a": laid})
    others = [
        {"a": torch.arange(6.0), "c": torch.ones(2)},
        {"a": torch.arange(6.0).flip(0), "b": torch.ones(2)},
        {"a": square, "b": torch.ones(2)},
        {"a": torch.arange(6.0), "b": torch.ones(2).int()},
        {"a": torch.arange(6.0)},
    ]
    assert usual not in {checkpoint.fingerprint(other) for other in others}
