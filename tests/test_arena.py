"""An arena trains what is asked for once, survives interruption, and ranks by score."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from base64 import b64decode
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeAlias

import numpy as np
import pytest
import torch
from torch import Tensor

from purrtrait import judging, machine, wrapping
from purrtrait.__main__ import run as in_this_process
from purrtrait.arena import board, child, compete, pace, plan
from purrtrait.arena.plan import Wanted
from purrtrait.assemble import arithmetic, build, options
from purrtrait.datasets.pack import Pack
from purrtrait.evaluation import EXTRACTORS, leaderboard, leaderboard_page
from purrtrait.evaluation.judgement import Judgement, Score
from purrtrait.evaluation.leaderboard import Board, Entry, Result
from purrtrait.evaluation.validity import Validator
from purrtrait.files import held
from purrtrait.images import sheet
from purrtrait.images.resize import area, to_images
from purrtrait.model import load
from purrtrait.training.checkpoint import Checkpoint
from purrtrait.training.run import Run
from purrtrait.types import Critic, Features, Images, Logits

Capture: TypeAlias = pytest.CaptureFixture[str]
SMALL = {"pixels": "0", "batch": "8", "network.width": "8", "half_life_images": "10"}


def wanted(pack: Pack, **changes: Any) -> Wanted:
    plain = Wanted(
        recipes=("dcgan", "portrait"),
        data=pack.path,
        seeds=(1, 2),
        images=32,
        settings=SMALL,
        samples=16,
        extractor="patches",
        device="cpu",
        threads=1,
    )
    return replace(plain, **changes)


class Patches:
    """Sees the mean colours of sixteen patches: with so few numbers scores take no time."""

    name = identity = "patches"

    def __call__(self, pixels: np.ndarray) -> Features:
        features: Features = area(to_images(pixels), 4).flatten(1)
        return features


@pytest.fixture(scope="module", autouse=True)
def _quick() -> Iterator[None]:
    """Films and reports of runs take longer than these trainings, and have tests of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(EXTRACTORS, "patches", Patches)
        patch.setattr(wrapping, "film", lambda run: None)
        patch.setattr(wrapping, "wrap_report", lambda run: None)
        yield


class Dark(Critic):
    """Takes dark pictures for real."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor(-1.0))

    def features(self, images: Images, given: Tensor | None = None) -> Tensor:
        return images.flatten(1).mean(1, keepdim=True)

    def forward(self, images: Images, given: Tensor | None = None) -> Logits:
        verdicts: Logits = self.weight * self.features(images)[:, 0]
        return verdicts


DARK = Validator(Dark(), 16, 3, "abcdef")


class Trainer:
    """Trains in this process and counts; may be stopped before the n-th training, or within it."""

    def __init__(self, stop_before: int = 99, cut_short: int = 99, fail: str = "") -> None:
        self.begun: list[str] = []
        self.stop_before = stop_before
        self.cut_short = cut_short
        self.fail = fail

    def __call__(self, words: Sequence[str]) -> int:
        number = len(self.begun)
        if number == self.stop_before:
            raise child.Stopped(signal.SIGINT)
        self.begun.append(f"{words[0]} {Path(words[1]).name}")
        if self.fail and self.fail in words[1]:
            return 1
        short = ["--previews", "4", "--no-tensorboard"] if words[0] == "train" else []
        if number == self.cut_short:
            assert in_this_process([*words, *short, "--budget", "0s"]) == 0
            raise child.Stopped(signal.SIGTERM)
        return in_this_process([*words, *short])


@pytest.fixture(scope="module")
def whole(kittens: Pack, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Board]:
    """An arena that was interrupted twice, once within a training and once between two."""
    path = tmp_path_factory.mktemp("arenas") / "interrupted"
    first = Trainer(cut_short=1)
    with pytest.raises(child.Stopped):
        compete.compete(plan.enter(path, wanted(kittens)), purrtrait=first)
    assert first.begun == ["train dcgan.toml", "train portrait.toml"]
    second = Trainer(stop_before=1)
    with pytest.raises(child.Stopped):
        compete.compete(plan.enter(path, wanted(kittens)), purrtrait=second)
    assert second.begun == ["resume portrait-1-01"]
    kept = json.loads((path / "leaderboard.json").read_text())
    assert kept["trainings"] == {"ended": 2, "planned": 4}
    assert "2 of 4 trainings have ended" in (path / "leaderboard.md").read_text()
    third = Trainer()
    made = compete.compete(plan.enter(path, wanted(kittens)), purrtrait=third)
    assert third.begun == ["train dcgan.toml", "train portrait.toml"]
    return path, made


def results(path: Path) -> dict[str, Any]:
    """The scores of every training in a leaderboard."""
    kept = json.loads((path / "leaderboard.json").read_text())
    return {
        f"{entry['recipe']} {training['seed']}": training["scores"]
        for entry in kept["leaderboard"]
        for training in entry["trainings"]
    }


def test_an_interrupted_arena_ends_the_same(
    whole: tuple[Path, Board], kittens: Pack, tmp_path: Path
) -> None:
    """The training that was cut short is the portrait's first one."""
    request = wanted(kittens, seeds=(1,))
    compete.compete(plan.enter(tmp_path / "straight", request), purrtrait=Trainer())
    straight, interrupted = results(tmp_path / "straight"), results(whole[0])
    assert len(straight) == 2 and len(interrupted) == 4
    assert straight.items() <= interrupted.items()


def test_nothing_is_done_twice(
    whole: tuple[Path, Board], kittens: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does the leaderboard say that it was done where, or with what, it is only read."""
    path, before = whole
    monkeypatch.setattr(machine, "processor", lambda: "another machine")
    monkeypatch.setattr(board, "VERSION", "9.9.9")
    times = {p: p.stat().st_mtime_ns for p in path.rglob("scores.json")}
    again = Trainer()
    now = compete.compete(plan.enter(path, wanted(kittens)), purrtrait=again)
    assert not again.begun
    assert now == before
    assert len(times) == 4
    assert {p: p.stat().st_mtime_ns for p in times} == times


def test_two_at_once_are_refused(whole: tuple[Path, Board], kittens: Pack) -> None:
    arena, trainer = plan.enter(whole[0], wanted(kittens)), Trainer()
    with (
        held(arena.path, "competed in", "wait"),
        pytest.raises(ValueError, match=rf"by process {os.getpid()} on .*--out"),
    ):
        compete.compete(arena, purrtrait=trainer)
    assert not trainer.begun
    assert compete.compete(arena, purrtrait=trainer) == whole[1], "and the lock is free again"


def test_scores_that_are_of_something_else_are_made_anew(
    whole: tuple[Path, Board], kittens: Pack
) -> None:
    path, before = whole
    kept = path / "runs/dcgan-2-01/scores.json"
    text = kept.read_text()
    origin = json.loads(text)["origin"]
    for other in (
        ('"samples": 16', '"samples": 17'),
        ('"seed": 0', '"seed": 5'),
        (origin["weights"], "those of a stage that was trained anew"),
        ('"identity": "patches"', '"identity": "other patches"'),
        (f'"metrics": {origin["metrics"]}', f'"metrics": {origin["metrics"] - 1}'),
    ):
        assert other[0] in text
        kept.write_text(text.replace(*other).replace('"value": ', '"value": 1'))
        compete.compete(plan.enter(path, wanted(kittens)), purrtrait=Trainer())
        assert json.loads(kept.read_text())["scores"] == json.loads(text)["scores"]
    assert before.ended == 4


@pytest.mark.parametrize("words", [("--budget", "64"), ("--set", "critic.lr=1e-5")])
def test_a_run_that_was_gone_on_with_otherwise_is_not_compared(
    words: tuple[str, str], whole: tuple[Path, Board], kittens: Pack, tmp_path: Path
) -> None:
    arena, trainer = copied(whole, tmp_path / "arena", wanted(kittens)), Trainer()
    run = arena.path / "runs/dcgan-2-01"
    before = (arena.path / "leaderboard.json").read_bytes()
    more = words if words[0] == "--budget" else (*words, "--budget", "64")
    assert in_this_process(["resume", str(run), *more]) == 0
    with pytest.raises(ValueError, match=r"dcgan-2-01 was gone on with since.*Move the folder"):
        compete.compete(arena, purrtrait=trainer)
    assert not trainer.begun
    assert (arena.path / "leaderboard.json").read_bytes() == before
    shutil.rmtree(run)
    made = compete.compete(arena, purrtrait=trainer)
    assert trainer.begun == ["train dcgan.toml"]
    assert [e.values() for e in made.entries] == [e.values() for e in whole[1].entries]


def test_the_best_stands_first(whole: tuple[Path, Board]) -> None:
    path, made = whole
    means = [leaderboard.mean(entry.values()) for entry in made.ranked]
    assert means == sorted(means) and len(means) == 2
    kept = json.loads((path / "leaderboard.json").read_text())
    assert [e["scores"]["frechet"]["mean"] for e in kept["leaderboard"]] == means
    for entry in kept["leaderboard"]:
        assert entry["images_per_second"] > 0 and entry["seconds"] > 0
        assert sum(entry["parameters"].values()) > 1000
        assert entry["scores"]["frechet"]["deviation"] >= 0
    rows = (path / "leaderboard.md").read_text().splitlines()
    assert [row.split(" | ")[1] for row in rows[4:6]] == [e.name for e in made.ranked]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no system to ask")
def test_memory_is_that_of_the_training(whole: tuple[Path, Board]) -> None:
    for entry in whole[1].entries:
        assert 50e6 < entry.peak_memory_bytes < 50e9


def test_the_page_shows_everything_and_loads_nothing(whole: tuple[Path, Board]) -> None:
    """Of each recipe a grid, and the samples nearest to training pictures."""
    text = (whole[0] / "report.html").read_text("utf-8")
    assert not re.findall(r'(?:src=|<link[^>]*href=)"(?!data:)', text)
    assert text.count("<img ") == 2 + 2
    assert text.count('class="neighbours"') == 2
    for entry in whole[1].entries:
        for one in entry.results:
            assert one.judgement is not None
            assert f"seed {one.seed}: {one.judgement.copying['verdict']}." in text
    for said in ("portrait", "dcgan", "32 real pictures", "frechet-infinite", "purrtrait arena"):
        assert said in text
    assert text.count('class="dot"') == 4 + 1  # and one in the key


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"images": 40}, "budget there 32, here 40"),
        ({"seeds": (1, 2, 3)}, "seeds there 1, 2, here 1, 2, 3"),
        ({"recipes": ("dcgan",)}, "recipes there dcgan, portrait, here dcgan"),
        ({"settings": {**SMALL, "dcgan:critic.lr": "1"}}, "dcgan had other options there"),
        ({"samples": 20}, "samples there 16, here 20"),
        ({"threads": 2}, "threads there 1, here 2"),
        ({"validator": Path("a validator")}, "validator there none, here abcdef"),
    ],
)
def test_another_request_is_refused(
    changes: dict[str, Any],
    said: str,
    whole: tuple[Path, Board],
    kittens: Pack,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(plan, "validator_of", lambda path, device: DARK)
    with pytest.raises(ValueError, match=f"another request: {re.escape(said)}.*--out"):
        plan.enter(whole[0], wanted(kittens, **changes))


def test_what_nobody_says_stays_as_it_was(whole: tuple[Path, Board], kittens: Pack) -> None:
    arena = plan.enter(whole[0], wanted(kittens, threads=None, device=None))
    assert arena.asked["threads"] == 1 and arena.asked["device"] == "cpu"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"recipes": ("dcgan", "dcgan")}, "named twice"),
        ({"recipes": ("dcgam",)}, "Did you mean 'dcgan'"),
        ({"seeds": (1, 1)}, "a seed is named twice"),
        ({"settings": {**SMALL, "lsgan:lr": "1"}}, "no recipe 'lsgan' is in this arena"),
        ({"settings": {**SMALL, "depht": "1"}}, "has no option 'depht'"),
        ({"settings": {**SMALL, "pixels": "64"}}, "16 px wide, the recipe draws 64 px"),
        ({"settings": {**SMALL, "dcgan:pixels": "8"}}, "dcgan 8 px, portrait 16 px"),
        ({"samples": 3}, "there are 3 samples; expected at least 16"),
        ({"extractor": "eyes"}, "unknown extractor 'eyes'"),
        ({"images": None, "tflop": 1e-9}, "one step of the recipe 'dcgan'"),
    ],
)
def test_bad_requests_are_refused_before_anything_is_made(
    changes: dict[str, Any], said: str, kittens: Pack, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=said):
        plan.enter(tmp_path / "arena", wanted(kittens, **changes))
    assert not (tmp_path / "arena").exists()


def test_a_validator_that_does_not_fit_is_refused_before_anything_is_made(
    kittens: Pack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "validator_of", lambda path, device: replace(DARK, size=32))
    request = wanted(kittens, validator=tmp_path / "judge")
    with pytest.raises(ValueError, match="judges pictures of 32 px in colour"):
        plan.enter(tmp_path / "arena", request)
    assert not (tmp_path / "arena").exists()


def test_a_validator_judges_every_training(
    whole: tuple[Path, Board], kittens: Pack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs that were scored without it are scored anew, and named with it from then on."""
    monkeypatch.setattr(plan, "validator_of", lambda path, device: DARK)
    monkeypatch.setattr(judging, "validator_of", lambda path, device: DARK)
    shutil.copytree(whole[0] / "runs", tmp_path / "arena/runs")
    (tmp_path / "arena/arena.json").write_bytes((whole[0] / "arena.json").read_bytes())
    kept = json.loads((tmp_path / "arena/arena.json").read_text())
    kept["asked"]["validator"] = DARK.fingerprint
    (tmp_path / "arena/arena.json").write_text(json.dumps(kept))
    request = wanted(kittens, validator=tmp_path / "judge-01")
    made = compete.compete(plan.enter(tmp_path / "arena", request), purrtrait=Trainer())
    for entry in made.entries:
        for one in entry.results:
            assert one.judgement is not None
            drawn = load(tmp_path / f"arena/runs/{entry.name}-{one.seed}-01", "cpu").sample(16)
            expected = (1 / (1 + np.exp(drawn.reshape(16, -1).mean(1) / 127.5 - 1))).mean()
            assert one.judgement.scores["validity"].value == pytest.approx(expected, abs=1e-6)
            assert one.judgement.origin["validator"] == DARK.fingerprint
    assert made.facts["validator"] == "judge-01 (abcdef)"
    assert f"--validator {tmp_path / 'judge-01'} " in made.command
    assert {e.name: e.values() for e in made.entries} == {
        e.name: e.values() for e in whole[1].entries
    }


def test_a_validator_that_was_trained_on_meanwhile_does_not_judge_the_rest(
    whole: tuple[Path, Board], kittens: Pack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "validator_of", lambda path, device: DARK)
    later = replace(DARK, fingerprint="fedcba")
    monkeypatch.setattr(judging, "validator_of", lambda path, device: later)
    shutil.copytree(whole[0] / "runs", tmp_path / "arena/runs")
    before = (tmp_path / "arena/runs/portrait-1-01/scores.json").read_bytes()
    kept = json.loads((whole[0] / "arena.json").read_text())
    kept["asked"]["validator"] = DARK.fingerprint
    (tmp_path / "arena/arena.json").write_text(json.dumps(kept))
    arena = plan.enter(tmp_path / "arena", wanted(kittens, validator=tmp_path / "judge-01"))
    with pytest.raises(ValueError, match=r"weights now \(fedcba\) than when the arena began \(abc"):
        compete.compete(arena, purrtrait=Trainer())
    assert (tmp_path / "arena/runs/portrait-1-01/scores.json").read_bytes() == before


def test_a_folder_with_other_things_is_left_alone(kittens: Pack, tmp_path: Path) -> None:
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters/one.txt").write_text("dear cat")
    with pytest.raises(ValueError, match="is there already and is no arena"):
        plan.enter(tmp_path / "letters", wanted(kittens))
    assert [p.name for p in (tmp_path / "letters").iterdir()] == ["one.txt"]


@pytest.mark.parametrize("images", [None, {}, {"dcgan": 32}, {"dcgan": 32, "portrait": "32"}])
def test_an_arena_whose_file_is_damaged_is_left_alone(
    images: object, whole: tuple[Path, Board], kittens: Pack, tmp_path: Path
) -> None:
    file = tmp_path / "arena.json"
    damaged = json.loads((whole[0] / "arena.json").read_text()) | {"images": images}
    file.write_text(json.dumps(damaged))
    with pytest.raises(ValueError, match=r"no arena: arena\.json cannot be read.*--out"):
        plan.enter(tmp_path, wanted(kittens))
    assert json.loads(file.read_text()) == damaged


def test_one_number_of_a_schedule_is_set_wherever_there_is_one(kittens: Pack) -> None:
    both = wanted(
        kittens, recipes=("torch-gan", "torch-gan-l2", "dcgan"), settings={"lr.usual": "0.5"}
    )
    first, second, third = plan.contestants(both).values()
    for recipe in (first, second):
        rates = [player.lr.options for player in recipe.stages[0].players.values()]
        assert [rate["usual"] for rate in rates] == [0.5, 0.5]
    assert third == options.find("dcgan")


def test_settings_reach_whom_they_name(kittens: Pack) -> None:
    settings = {"batch": "16", "dcgan:batch": "4", "input_noise": "0.5", "normalisation": "none"}
    dcgan, portrait = plan.contestants(wanted(kittens, settings=settings)).values()
    assert (dcgan.stages[0].batch, portrait.stages[0].batch) == (4, 16)
    assert dcgan.stages[0].players["critic"].network.options["normalisation"] == "none"
    assert not options.has(portrait, "normalisation")


def test_a_budget_of_arithmetic_is_the_same_for_all(kittens: Pack, tmp_path: Path) -> None:
    budget = 0.01
    arena = plan.enter(tmp_path / "arena", wanted(kittens, images=None, tflop=budget))
    shape = build.Shape(16, 3)
    for recipe in arena.recipes.values():
        (stage,) = recipe.stages
        steps = arithmetic.spending(recipe, 0, shape)
        spent = arithmetic.flop(recipe, shape)
        over = next(spent for seen, spent in steps if seen > stage.budget)
        assert spent <= budget * 1e12 < over
    images = [recipe.stages[0].budget for recipe in arena.recipes.values()]
    assert len(set(images)) == 2
    # A schedule that looks at the budget is told it.
    assert arena.recipes["portrait"].stages[0].players["critic"].lr.name == "ending"


def test_a_budget_of_time_is_measured_once(
    kittens: Pack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "tflop_per_second", lambda *of_what: 0.001)
    timed = wanted(kittens, images=None, minutes=0.2)
    arena = plan.enter(tmp_path / "arena", timed)
    for recipe in arena.recipes.values():
        assert arithmetic.flop(recipe, arena.shape) == pytest.approx(0.012e12, rel=0.05)
    monkeypatch.setattr(pace, "tflop_per_second", lambda *of_what: 1.0)
    assert plan.enter(tmp_path / "arena", timed).recipes == arena.recipes


def test_the_pace_is_that_of_training(kittens: Pack) -> None:
    (dcgan, _) = plan.contestants(wanted(kittens)).values()
    begun = time.perf_counter()
    rate = pace.tflop_per_second(dcgan, kittens, "cpu", 1, seconds=0.3)
    assert time.perf_counter() - begun > 0.3
    assert 1e-6 < rate < 10


def test_a_training_that_fails_comes_last_and_is_tried_again(kittens: Pack, tmp_path: Path) -> None:
    request = wanted(kittens, seeds=(1,))
    arena = plan.enter(tmp_path / "arena", request)
    made = compete.compete(arena, purrtrait=Trainer(fail="dcgan"))
    assert [entry.name for entry in made.ranked] == ["portrait", "dcgan"]
    assert made.failed == ["dcgan seed 1"]
    assert "seed 1 failed (exit code 1)" in (arena.path / "leaderboard.md").read_text()
    (arena.path / "leaderboard.json").unlink()
    with pytest.raises(child.Stopped):
        compete.compete(arena, purrtrait=Trainer(stop_before=0))
    assert list(results(arena.path)) == ["portrait 1"], "what has ended is shown at once"
    again = Trainer()
    made = compete.compete(arena, purrtrait=again)
    assert again.begun == ["train dcgan.toml"]
    assert all(entry.done for entry in made.entries) and not made.failed


def test_who_failed_stays_behind_until_tried_again(
    whole: tuple[Path, Board], kittens: Pack, tmp_path: Path
) -> None:
    """Also while it is tried again, although the seed that it had done well with is there."""
    arena = copied(whole, tmp_path / "arena", wanted(kittens))
    best = whole[1].ranked[0].name
    (arena.path / f"runs/{best}-2-01/bundle/README.md").unlink()
    compete.compete(arena, purrtrait=Failing())
    for trainer in (Trainer(stop_before=0), Failing()):
        with suppress(child.Stopped):
            compete.compete(arena, purrtrait=trainer)
        kept = json.loads((arena.path / "leaderboard.json").read_text())
        last = kept["leaderboard"][-1]
        assert last["recipe"] == best and last["scores"]
        assert [training["failed"] for training in last["trainings"]] == [
            None,
            "failed (exit code 1)",
        ]
    made = compete.compete(arena, purrtrait=Trainer())
    assert [entry.name for entry in made.ranked] == [e.name for e in whole[1].ranked]


class Failing(Trainer):
    """Fails in every training."""

    def __call__(self, words: Sequence[str]) -> int:
        return 1


def copied(whole: tuple[Path, Board], place: Path, request: Wanted) -> plan.Arena:
    """The same arena elsewhere."""
    shutil.copytree(whole[0], place)
    return plan.enter(place, request)


def test_a_run_that_was_killed_before_it_had_begun_is_begun_anew(
    whole: tuple[Path, Board], kittens: Pack, tmp_path: Path
) -> None:
    arena, trainer = copied(whole, tmp_path / "arena", wanted(kittens)), Trainer()
    run = tmp_path / "arena/runs/portrait-2-01"
    (run / "run.json").unlink()
    (run / "bundle/README.md").unlink()  # it is written last
    with pytest.raises(ValueError, match=r"portrait-2-01 has checkpoints and no run\.json"):
        compete.compete(arena, purrtrait=trainer)
    assert (run / "checkpoints").is_dir() and not trainer.begun
    shutil.rmtree(run / "checkpoints")
    made = compete.compete(arena, purrtrait=trainer)
    assert trainer.begun == ["train portrait.toml"]
    assert [e.values() for e in made.entries] == [e.values() for e in whole[1].entries]


def test_a_report_that_was_not_written_is_written(
    whole: tuple[Path, Board], kittens: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    reported: list[str] = []
    runs = whole[0] / "runs"
    for run in runs.iterdir():
        (run / "report.html").write_text("with its scores")
    (runs / "dcgan-2-01/report.html").unlink()
    os.utime(runs / "dcgan-1-01/report.html", (0, 0))
    monkeypatch.setattr(wrapping, "wrap_report", lambda run: reported.append(run.path.name))
    compete.compete(plan.enter(whole[0], wanted(kittens)), purrtrait=Trainer())
    assert sorted(reported) == ["dcgan-1-01", "dcgan-2-01"]


def test_all_stages_are_counted(whole: tuple[Path, Board], kittens: Pack, tmp_path: Path) -> None:
    """As if the first dcgan had been trained on another stage, twice as slow and half as large."""
    arena = copied(whole, tmp_path / "arena", wanted(kittens))
    run = Run(arena.path / "runs/dcgan-1-01")
    last = run.latest()
    assert last is not None
    under, spent = tmp_path / "under-000000032", last.facts["spent"]
    shutil.copytree(last.path, under)
    slow = {
        "seconds": 2 * spent["seconds"],
        "peak_memory_bytes": spent["peak_memory_bytes"] // 2,
    }
    run.adopt(Checkpoint(under, {**last.facts, "stage": "under", "spent": slow}), -1, ())
    (one, _), (before, _) = (
        entries[0].results
        for entries in (compete.compete(arena, purrtrait=Trainer()).entries, whole[1].entries)
    )
    assert one.seconds == pytest.approx(3 * before.seconds)
    assert one.peak_memory_bytes == before.peak_memory_bytes
    assert (one.images_seen, before.images_seen) == (64, 32)


def test_the_command_asks_for_the_same(whole: tuple[Path, Board], kittens: Pack) -> None:
    words = shlex.split(whole[1].command)
    assert words[:4] == ["purrtrait", "arena", "dcgan", "portrait"]
    assert [words[n + 1] for n, word in enumerate(words) if word == "--set"] == [
        f"{name}={value}" for name, value in SMALL.items()
    ]
    asked = {words[n]: words[n + 1] for n in range(4, len(words), 2) if words[n] != "--set"}
    assert asked.pop("--out") and asked == {
        "--data": str(kittens.path),
        "--seeds": "1,2",
        "--budget": "32",
        "--samples": "16",
        "--extractor": "patches",
        "--device": "cpu",
        "--threads": "1",
    }


@pytest.mark.parametrize(
    ("amount", "said"),
    [
        ({"images": 1_018_432}, "1018432"),
        ({"images": None, "tflop": 1_234_567.25}, "1234567.25TFLOP"),
        ({"images": None, "minutes": 0.1}, "0.1min"),
    ],
)
def test_a_budget_is_said_to_its_last_digit(
    amount: dict[str, Any], said: str, kittens: Pack
) -> None:
    assert wanted(kittens, **amount).budget == said


@pytest.mark.parametrize("failed", [False, True])
def test_the_exit_code_tells_of_failed_trainings(
    failed: bool, whole: tuple[Path, Board], monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    entries = list(whole[1].entries)
    if failed:
        entries[0] = replace(entries[0], results=[Result(seed=1, failed="failed (exit code 1)")])
    made = replace(whole[1], entries=entries)
    monkeypatch.setattr(compete, "compete", lambda *anything: made)
    monkeypatch.setattr(plan, "enter", lambda path, asked: SimpleNamespace(path=path))
    words = ["arena", "dcgan", "portrait", "--data", "pack", "--budget", "32", "--out", "there"]
    assert in_this_process(words) == failed
    said = capsys.readouterr()
    assert "dcgan" in said.out
    assert ("1 of 4 trainings failed (dcgan seed 1)" in said.err) is failed


def result(seed: int, value: float) -> Result:
    scores = {"frechet": Score(value, 1.0, 30.0), "modes/body": Score(9.0, 0.5, 15.0, total=15)}
    judgement = Judgement("", "", "pixels", 16, 16, scores)
    return Result(seed=seed, judgement=judgement, images_seen=100, seconds=2.0)


def entry(name: str, *values: float) -> Entry:
    found = [result(seed, value) for seed, value in enumerate(values)]
    named = {"name": name, "summary": "s", "recipe": "r", "parameters": {"critic": 5}}
    return Entry(**named, budget_images=100, flop=10**11, results=found)  # type: ignore[arg-type]


def test_ranking_by_mean_with_its_spread() -> None:
    entries = [entry("none"), entry("even", 200, 200), entry("wild", 100, 320), entry("good", 150)]
    board = Board(
        title="t", entries=entries, planned=8, facts={}, command="c", credit="<b>nobody</b>"
    )
    assert [e.name for e in board.ranked] == ["good", "even", "wild", "none"]
    heads, *rows = leaderboard.table(board)
    assert heads[2] == "Frechet distance"
    assert [row[0] for row in rows] == ["1", "2", "3", "–"]
    assert [row[2] for row in rows] == ["150", "200 ± 0", "210 ± 156", "–"]
    assert rows[2][6] == "50" and rows[2][5] == "2 s"
    page = leaderboard_page.render(board)
    assert "<b>nobody" not in page
    assert "modes/body</code> of 15<" in page and "frechet</code><" in page
    bars = [float(width) for width in re.findall(r'class="bar" style="width: ([\d.]+)%', page)]
    assert bars[0] / bars[2] == pytest.approx(150 / 210, rel=0.01)
    (floor,) = set(re.findall(r'class="floor" style="left: ([\d.]+)%', page)) - {"50"}
    assert float(floor) / bars[0] == pytest.approx(30 / 150, rel=0.01)


def board_of(*entries: Entry) -> Board:
    return Board(title="t", entries=entries, planned=9, facts={}, command="c", credit="")


def test_the_page_shows_films_neighbours_and_what_went_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sheet.write_png(tmp_path / "near.png", np.zeros((4, 4, 3), np.uint8))
    entries = []
    for name, value in (("good", 100.0), ("poor", 200.0), ("worst", 300.0)):
        film = tmp_path / f"{name}.mp4"
        film.write_bytes(name.encode() * 5)
        first = replace(
            result(1, value),
            film=film,
            neighbours=tmp_path / "near.png",
            incidents=[
                {"stage": "refine-22", "images_seen": 12_800, "words": f"{name} <b>froze</b>"}
            ]
            * 25,
            report=f"runs/{name}-1-01/report.html",
        )
        assert first.judgement is not None
        said = replace(first.judgement, copying={"verdict": f"{name} learnt"})
        lost = Result(seed=2, failed="failed (exit code 1)", report=f"runs/{name}-2-01/report.html")
        entries.append(replace(entry(name), results=[replace(first, judgement=said), lost]))
    page = leaderboard_page.render(board_of(*entries))
    films = [b64decode(film) for film in re.findall(r"data:video/mp4;base64,([^\"]*)", page)]
    assert films == [b"good" * 5, b"poor" * 5, b"worst" * 5]
    assert page.count('class="neighbours"') == 3
    assert ">seed 1</a>: poor learnt.</li>" in page
    assert page.count("good &lt;b&gt;froze") == leaderboard_page.MOST_INCIDENTS
    assert "<b>froze" not in page and page.count('class="number">12,800') == 60
    assert page.count("<td>refine-22</td>") == 60
    linked = set(re.findall(r'href="(runs/[^"]*)"', page))
    assert linked == {f"runs/{e.name}-{seed}-01/report.html" for e in entries for seed in (1, 2)}
    assert '<a href="runs/poor-2-01/report.html">seed 2 failed (exit code 1)</a>' in page
    monkeypatch.setattr(leaderboard_page, "FILM_BYTES", 20 + 24)
    page = leaderboard_page.render(board_of(*entries))
    assert page.count("data:video/mp4") == 1 + 1
    films = [b64decode(film) for film in re.findall(r"data:video/mp4;base64,([^\"]*)", page)]
    assert films == [b"good" * 5, b"poor" * 5] and page.count("its film is in its own report") == 1


def test_where_nothing_went_wrong_the_page_says_so() -> None:
    page = leaderboard_page.render(board_of(entry("good", 100)))
    assert "Nothing was noticed in any training that has ended" in page
    assert "<video" not in page and 'id="copying"' not in page and 'href="runs' not in page
    assert "What went wrong" not in leaderboard_page.render(board_of(entry("good")))


def test_what_failed_without_a_word_went_wrong() -> None:
    lost = replace(entry("lost"), results=[Result(seed=2, failed="failed (exit code 137)")])
    page = leaderboard_page.render(board_of(entry("good", 100), lost))
    assert "Failed: lost seed 2." in page and "Nothing was noticed" not in page


def test_a_score_that_only_newer_judgements_have_has_its_floor() -> None:
    newer = entry("newer", 200)
    told = newer.results[0].judgement
    assert told is not None
    more = replace(told, scores={**told.scores, "validity": Score(0.4, 0.1, 0.9)})
    newer = replace(newer, results=[replace(newer.results[0], judgement=more)])
    found = leaderboard_page.scores(board_of(entry("older", 100), newer))
    assert [(s.name, s.floor) for s in found if s.name == "validity"] == [("validity", "0.9")]


def test_links_lead_to_reports_that_are_there(
    whole: tuple[Path, Board], kittens: Pack, tmp_path: Path
) -> None:
    """Also to that of a training that failed, with what was said in it; others have no link."""
    arena = copied(whole, tmp_path / "arena", wanted(kittens))
    for run in ("dcgan-1-01", "portrait-2-01"):
        (arena.path / "runs" / run / "report.html").write_text("its report")
    (arena.path / "runs/dcgan-2-01/report.html").unlink(missing_ok=True)
    (arena.path / "runs/portrait-2-01/bundle/README.md").unlink()
    said = {"stage": "base", "images_seen": 16, "words": "it was not a number"}
    (arena.path / "runs/portrait-2-01/incidents.jsonl").write_text(json.dumps(said) + "\n")
    compete.compete(arena, purrtrait=Failing())
    text = (arena.path / "report.html").read_text("utf-8")
    linked = set(re.findall(r'href="(runs/[^"]*)"', text))
    assert {"runs/dcgan-1-01/report.html", "runs/portrait-2-01/report.html"} <= linked
    assert "runs/dcgan-2-01/report.html" not in linked
    assert all((arena.path / address).is_file() for address in linked)
    assert "it was not a number" in text


def test_failing_where_it_is_hard_wins_nothing() -> None:
    lucky = entry("lucky", 100)
    lucky = replace(lucky, results=[*lucky.results, Result(seed=2, failed="failed")])
    entries = [lucky, entry("steady", 150, 170), entry("waits")]
    made = Board(title="t", entries=entries, planned=6, facts={}, command="c", credit="")
    assert [e.name for e in made.ranked] == ["steady", "lucky", "waits"]


def test_curves_of_the_score_in_training() -> None:
    plain = entry("a", 1.0, 2.0)
    rows = [
        [
            {"stage": "base", "images_seen": n, "scores": {"score/frechet": value * 1000.0 / n}}
            for n in (10, 20)
        ]
        + [{"stage": "base", "images_seen": 15, "scores": {"critic/game": 1.0}}]
        for value in (1, 3)
    ]
    scored = [replace(r, rows=own) for r, own in zip(plain.results, rows, strict=True)]
    line = leaderboard_page.curve(replace(plain, results=scored))
    assert line is not None
    assert line[0].tolist() == [10, 20] and line[1].tolist() == [200, 100]
    assert leaderboard_page.curve(plain) is None
    board = Board(
        title="t",
        entries=[replace(plain, results=scored)],
        planned=2,
        facts={},
        command="c",
        credit="",
    )
    assert "<svg" in leaderboard_page.render(board)


def owned(run: Path) -> int:
    """The process that trains in a run folder."""
    return int(re.findall(r"\d+", (run / ".owner").read_text())[0])


@pytest.fixture
def program(kittens: Pack, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    sets = [word for key, value in SMALL.items() for word in ("--set", f"{key}={value}")]
    words = ["arena", "dcgan", "--data", str(kittens.path), "--seeds", "1", "--budget", "200000"]
    words += ["--samples", "16", "--extractor", "pixels", "--threads", "1", *sets]
    with (tmp_path / "said.txt").open("w") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "purrtrait", *words, "--device", "cpu", "--out", "arena"],
            cwd=tmp_path,
            stderr=said,
        )
    yield process
    for owner in tmp_path.rglob(".owner"):  # of its training, should the test have failed
        os.kill(owned(owner.parent), signal.SIGKILL)
    process.kill()
    process.wait()


@pytest.mark.skipif(os.name != "posix", reason="signals as in POSIX")
@pytest.mark.parametrize("whom", ["arena", "training"])
def test_a_signal_to_either_stops_both(
    whom: str, program: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    """The training saves a checkpoint and leaves, the arena begins no other, nobody is left."""
    run = tmp_path / "arena/runs/dcgan-1-01"
    deadline = time.monotonic() + 120
    while not (run / "scores.jsonl").exists():
        assert time.monotonic() < deadline and program.poll() is None
        time.sleep(0.05)
    owner = owned(run)
    assert owner != program.pid
    os.kill({"arena": program.pid, "training": owner}[whom], signal.SIGINT)
    assert program.wait(120) == 128 + signal.SIGINT
    assert "the same command goes on" in (tmp_path / "said.txt").read_text()
    assert len(list((run / "checkpoints").iterdir())) >= 1
    with pytest.raises(ProcessLookupError):
        os.kill(owner, 0)
    assert [run.name for run in (tmp_path / "arena/runs").iterdir()] == ["dcgan-1-01"]
