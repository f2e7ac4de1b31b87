"""The command line as a user meets it: what it prints, where, its exit code, and what it leaves."""

from __future__ import annotations

import errno
import io
import json
import multiprocessing
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image

from helpers import TINY, files, tiny
from purrtrait import config, machine, wrapping
from purrtrait.__main__ import run
from purrtrait.assemble.options import find
from purrtrait.console import Bar, StageBars
from purrtrait.datasets import kittens as kittens_module
from purrtrait.datasets.pack import Pack
from purrtrait.objectives import OBJECTIVES
from purrtrait.training import session
from purrtrait.training.run import Run
from purrtrait.types import Progress

SMALL = [part for key, value in TINY.items() for part in ("--set", f"{key}={value}")]
QUICK = [*SMALL, "--previews", "4", "--no-tensorboard", "--threads", "1", "--device", "cpu"]

context = multiprocessing.get_context("forkserver")
context.set_forkserver_preload(["purrtrait.face", "helpers"])


class Said(NamedTuple):
    """What a command line came to."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """All of stdout, as JSON."""
        found: dict[str, Any] = json.loads(self.out)
        return found


Call = Callable[..., Said]


@pytest.fixture(scope="module", autouse=True)
def _parts_read_once() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kittens_module, "_reduced", lru_cache(maxsize=None)(kittens_module._reduced))
        yield


@pytest.fixture
def purrtrait(capsys: pytest.CaptureFixture[str]) -> Call:
    """Give a caller of the command line."""

    def call(*words: object) -> Said:
        capsys.readouterr()
        code = run([str(word) for word in words])
        return Said(code, *capsys.readouterr())

    return call


@pytest.fixture(scope="module")
def trained(kittens: Pack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of 40 images that no test may change."""
    runs = tmp_path_factory.mktemp("trained")
    words = ["train", "dcgan", "--data", str(kittens.path), "--runs", str(runs), "--seed", "3"]
    more = ["--budget", "40", "--checkpoint-every", "16", "--preview-every", "16"]
    assert run([*words, *more, *QUICK]) == 0
    return runs / "dcgan-01"


@pytest.fixture
def own(trained: Path, tmp_path: Path) -> Path:
    """A copy of the finished run that a test may change."""
    copy = tmp_path / "runs" / "dcgan-01"
    shutil.copytree(trained, copy)
    return copy


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """A folder with three photos, one of them below, and two files that are no photos."""
    folder = tmp_path / "my cats ☺"
    (folder / "more").mkdir(parents=True)
    numbers = np.random.default_rng(0)
    for name in ("a b.png", "ü.png", "more/c.png"):
        pixels = numbers.integers(0, 256, (20, 30, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / name)
    (folder / "notes.jpg").write_text("no photo")
    (folder / "tiny.png").write_bytes(b"")
    return folder


def train(purrtrait: Call, pack: Pack, *words: object, recipe: str = "dcgan") -> Said:
    return purrtrait("train", recipe, "--data", pack.path, *QUICK, *words)


# prepare


@pytest.mark.parametrize("parser", ["kittens", "people"])
def test_prepare_drawn_pictures_and_find_them_again(parser: str, purrtrait: Call) -> None:
    words = ("prepare", parser, "--size", 16, "--count", 12)
    said = purrtrait(*words)
    assert said.code == 0
    assert f"packs/{parser}-16" in said.out
    assert "12/12" in said.err
    before = {path: path.stat().st_mtime_ns for path in Path("packs").rglob("*")}
    again = purrtrait(*words, "--json")
    assert again.code == 0
    assert again.json["pictures"] == 12
    assert again.json["train"] + again.json["held_out"] == 12
    assert before == {path: path.stat().st_mtime_ns for path in Path("packs").rglob("*")}


def test_another_order_in_the_same_place_is_refused(purrtrait: Call) -> None:
    assert purrtrait("prepare", "kittens", "--size", 16, "--count", 12).code == 0
    said = purrtrait("prepare", "kittens", "--size", 16, "--count", 13)
    assert said.code == 2
    assert "count is 12 there and 13 here" in said.err
    assert purrtrait("prepare", "kittens", "--size", 16, "--count", 13, "--out", "else").code == 0


def test_prepare_a_folder_and_show_what_is_left_out(purrtrait: Call, album: Path) -> None:
    said = purrtrait("prepare", "folder", album, "--size", 16, "--grey", "--json")
    assert said.code == 0
    assert said.json["pictures"] == 3
    assert said.json["quarantined"] == 2
    assert said.json["channels"] == 1
    assert said.json["pack"] == f"packs/{album.name}-16-grey"
    assert "left out: notes.jpg" in said.err
    assert "left out: tiny.png" in said.err


def test_many_that_are_left_out_are_counted(purrtrait: Call, album: Path) -> None:
    for number in range(12):
        (album / f"{number}.jpg").write_text("no photo")
    said = purrtrait("prepare", "folder", album, "--size", 16)
    assert said.err.count("left out:") == 10
    assert "and 4 more" in said.err


# train and resume


def test_results_go_to_stdout_and_all_else_to_stderr(purrtrait: Call, kittens: Pack) -> None:
    said = train(purrtrait, kittens, "--budget", 16, "--seed", 5, "--json", "--name", "my ☺ run")
    assert said.code == 0
    result = said.json
    assert result["run"] == "runs/my ☺ run-01"
    assert result["images_seen"] == 16
    assert result["finished"] is True
    for name in ("film", "report", "bundle", "grid"):
        assert Path(result[name]).exists()
    assert "seed 5" in said.err
    assert "parameters" in said.err
    assert "16/16" in said.err


def test_options_of_upkeep_are_heeded(purrtrait: Call, kittens: Pack) -> None:
    words = ["--log-every", 1, "--preview-every", 8, "--extra-images", 2, "--keep", 2]
    said = train(purrtrait, kittens, "--budget", 32, "--checkpoint-every", 8, *words)
    assert said.code == 0
    folder = Path("runs/dcgan-01")
    assert len((folder / "scores.jsonl").read_text().splitlines()) == 4
    assert len(list((folder / "previews").glob("*.png"))) == 5
    assert len(list((folder / "previews" / "single").glob("*.png"))) == 10
    assert len(list((folder / "checkpoints").iterdir())) == 2
    assert not (folder / "tensorboard").exists()


@pytest.mark.parametrize("recipe", config.shipped())
def test_every_recipe_trains_and_samples(recipe: str, purrtrait: Call, kittens: Pack) -> None:
    small = tiny(recipe) | ({"critic_moves": "1"} if recipe.startswith(("wgan", "cat-gan")) else {})
    sets = [word for key, text in small.items() for word in ("--set", f"{key}={text}")]
    asked = [*sets, "--budget", 8, "--previews", 4, "--no-tensorboard", "--threads", 1]
    said = purrtrait("train", recipe, "--data", kittens.path, *asked, "--device", "cpu", "--json")
    assert said.code == 0, said.err
    drawn = purrtrait("sample", said.json["run"], "--count", 2)
    draws = any(OBJECTIVES[stage.objective.name].artists for stage in find(recipe).stages)
    assert drawn.code == (0 if draws else 2), drawn.err
    assert draws or "no stage that draws" in drawn.err


def test_a_finished_run_stays_as_it_is(purrtrait: Call, own: Path) -> None:
    before = sorted(path.name for path in (own / "checkpoints").iterdir())
    said = purrtrait("resume", own, "--json")
    assert said.code == 0
    assert said.json["finished"] is True
    assert said.json["images_seen"] == 40
    assert before == sorted(path.name for path in (own / "checkpoints").iterdir())


def test_a_bigger_budget_goes_on(purrtrait: Call, own: Path) -> None:
    said = purrtrait("resume", own, "--budget", 56, "--json")
    assert said.code == 0
    assert said.json["images_seen"] == 56
    assert "recorded path" not in said.err
    assert purrtrait("resume", own, "--json").json["images_seen"] == 56


def test_other_options_leave_the_recorded_path(purrtrait: Call, own: Path) -> None:
    before = (own / "recipe.toml").read_text()
    said = purrtrait("resume", own, "--set", "critic.lr=1e-5", "--budget", 48)
    assert said.code == 0
    assert "leaves its recorded path" in said.err
    assert "critic.lr = 1e-05" in said.err
    kept = list(own.glob("recipe-until-*.toml"))
    assert [path.read_text() for path in kept] == [before]
    assert "1e-05" in (own / "recipe.toml").read_text()


@pytest.mark.parametrize(
    ("setting", "words"),
    [("width=16", "do not fit"), ("nothing=1", "no option 'nothing'"), ("lr=x", "schedule 'x'")],
)
def test_a_change_that_cannot_be_leaves_the_run_alone(
    setting: str, words: str, purrtrait: Call, own: Path
) -> None:
    before = {name: (own / name).read_bytes() for name in files(own)}
    said = purrtrait("resume", own, "--set", setting)
    assert said.code == 2
    assert words in said.err
    assert before == {name: (own / name).read_bytes() for name in files(own)}
    assert purrtrait("resume", own).code == 0


def test_a_run_whose_pack_has_moved(purrtrait: Call, own: Path, kittens: Pack) -> None:
    shutil.copytree(kittens.path, "elsewhere")
    asked = json.loads((own / "run.json").read_text()) | {"data": "/nowhere/kittens"}
    (own / "run.json").write_text(json.dumps(asked))
    for command in ("resume", "evaluate", "neighbours"):
        said = purrtrait(command, own)
        assert said.code == 2
        assert "the pack /nowhere/kittens that" in said.err and "is gone; name it with" in said.err
    assert purrtrait("resume", own, "--data", "elsewhere", "--budget", 48).code == 0


@pytest.mark.parametrize("command", ["sample kittens", "walk kittens --seconds 1"])
def test_a_file_where_samples_go_is_said(command: str, purrtrait: Call, tmp_path: Path) -> None:
    (tmp_path / "samples").write_text("mine")
    said = purrtrait(*command.split())
    assert said.code == 2
    assert "samples is a file; expected a folder" in said.err
    assert (tmp_path / "samples").read_text() == "mine"


def test_only_scores_are_replaced_by_scores(
    purrtrait: Call, own: Path, kittens: Pack, tmp_path: Path
) -> None:
    """A photo that is named by mistake stays as it is, and nothing is drawn."""
    photo = tmp_path / "cat.jpg"
    Image.fromarray(kittens.images[0]).save(photo)
    before = photo.read_bytes()
    said = purrtrait("evaluate", own, "--out", photo)
    assert said.code == 2
    assert "nothing is overwritten, choose another --out" in said.err
    assert photo.read_bytes() == before


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{}", "cannot be read (it has no 'data')"),
        ("[]", "cannot be read (its values are of another kind"),
        ('"data"', "cannot be read (its values are of another kind"),
        ("MORE", "says what this version does not know"),
    ],
)
def test_a_request_that_cannot_be_understood(
    text: str, words: str, purrtrait: Call, own: Path
) -> None:
    file = own / "run.json"
    more = json.dumps(json.loads(file.read_text()) | {"colour": "blue"})
    file.write_text(more if text == "MORE" else text)
    for command in ("resume", "inspect", "evaluate") if text != "MORE" else ("resume",):
        said = purrtrait(command, own)
        assert said.code == 2
        assert f"run.json {words}" in said.err
        assert "Traceback" not in said.err


def test_minutes_stop_and_say_how_to_go_on(purrtrait: Call, kittens: Pack) -> None:
    said = train(purrtrait, kittens, "--budget", "0.001min", "--json")
    assert said.code == 0
    assert said.json["finished"] is False
    assert said.json["images_seen"] > 0
    assert "go on with: purrtrait resume runs/dcgan-01" in said.err
    assert "bundle" not in said.json
    further = purrtrait("resume", "runs/dcgan-01", "--budget", said.json["images_seen"] + 8)
    assert further.code == 0


def test_weights_of_another_run_are_a_beginning(
    purrtrait: Call, kittens: Pack, trained: Path
) -> None:
    words = ("--start-from", trained, "--players", "generator", "--set", "lr=0")
    assert train(purrtrait, kittens, "--budget", 8, *words).code == 0
    given, got = Run(trained).latest(), Run(Path("runs/dcgan-01")).latest()
    assert given
    assert got
    before, after = given.training(), got.training()
    for player, same in (("generator", True), ("critic", False)):
        weights = [n for n in before if n.startswith(f"player/{player}/") and before[n].dim() == 4]
        assert weights
        assert all(bool((before[n] == after[n]).all()) is same for n in weights)


# signals


@pytest.mark.parametrize("number", machine.STOPS)
def test_a_signal_saves_and_leaves(
    number: signal.Signals, purrtrait: Call, kittens: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(bars: StageBars, stage: str, now: Progress, budget: int) -> None:
        if now.images_seen == 16:
            signal.raise_signal(number)

    with monkeypatch.context() as patch:
        if signal.getsignal(number) == signal.SIG_IGN:  # these tests run under nohup
            patch.setattr(signal, "getsignal", lambda number: signal.SIG_DFL)
        patch.setattr(StageBars, "watch", interrupt)
        said = train(purrtrait, kittens, "--budget", 80, "--json", "--seed", 1)
    assert said.code == 128 + number
    assert said.json["finished"] is False
    assert said.json["images_seen"] == 24
    assert "purrtrait resume" in said.err
    assert purrtrait("resume", said.json["run"], "--json").json["images_seen"] == 80


def twice(bars: StageBars, stage: str, now: Progress, budget: int) -> None:
    """Signal this process twice, in the place of a progress bar."""
    if now.images_seen == 16:
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)


def test_two_signals_at_once_are_one(
    purrtrait: Call, kittens: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who stops a service signals all of its processes; the training waits for the later one."""
    waited: list[float] = []
    with monkeypatch.context() as patch:
        patch.setattr(StageBars, "watch", twice)
        patch.setattr(session, "TOGETHER", 60.0)
        patch.setattr(time, "sleep", waited.append)
        said = train(purrtrait, kittens, "--budget", 80, "--json")
    assert said.code == 128 + signal.SIGTERM
    assert said.json["images_seen"] == 24
    assert 0 < max(waited) <= 60


@pytest.mark.skipif(machine.HANDED_ON is None, reason="no such signal on Windows")
@pytest.mark.parametrize("first", [True, False])
def test_what_an_arena_hands_on_is_no_second_signal(
    first: bool, purrtrait: Call, kittens: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However late it is heard, and alone it is one."""

    def interrupt(bars: StageBars, stage: str, now: Progress, budget: int) -> None:
        if now.images_seen == 16:
            if first:
                signal.raise_signal(signal.SIGINT)
            signal.raise_signal(machine.HANDED_ON)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(StageBars, "watch", interrupt)
        patch.setattr(session, "TOGETHER", -1.0)
        said = train(purrtrait, kittens, "--budget", 80, "--json")
    assert said.code == 128 + (signal.SIGINT if first else signal.SIGTERM)
    assert said.json["images_seen"] == 24


def test_a_second_signal_leaves_at_once(
    purrtrait: Call, kittens: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(StageBars, "watch", twice)
        patch.setattr(session, "TOGETHER", -1.0)
        said = train(purrtrait, kittens, "--budget", 48, "--checkpoint-every", 8)
    assert said.code == 130
    assert "stopped at once" in said.err
    assert said.out == ""
    assert purrtrait("resume", "runs/dcgan-01", "--json").json["images_seen"] == 48


class Gone(io.StringIO):
    """A terminal or a pipe that was closed, of which whoever writes learns."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def write(self, text: str, /) -> int:
        raise OSError(self.number, os.strerror(self.number))


@pytest.mark.parametrize("number", [errno.EIO, errno.EPIPE])
def test_bars_that_nobody_sees_are_not_shown(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    def begun(bar: Bar, done: int, total: int) -> Any:
        made.append(done)
        return begin(bar, done, total)

    begin = Bar._begun
    monkeypatch.setattr(sys, "stderr", Gone(number))
    monkeypatch.setattr(Bar, "_begun", begun)
    bar = Bar("images")
    for done in range(5):
        bar(done, 5)
    bar.close()
    assert len(made) == 1


@pytest.mark.parametrize("number", [errno.EIO, errno.EPIPE])
def test_a_terminal_that_is_closed_ends_no_training(
    number: int, purrtrait: Call, kittens: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", Gone(number))
        said = train(purrtrait, kittens, "--budget", 48, "--json", "--log-every", 1)
    assert said.code == 0
    assert said.json["finished"] is True and Path(said.json["report"]).is_file()


def test_who_is_gone_hides_no_signal(
    purrtrait: Call, kittens: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(bars: StageBars, stage: str, now: Progress, budget: int) -> None:
        if now.images_seen == 16:
            signal.raise_signal(signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(StageBars, "watch", interrupt)
        patch.setattr(sys, "stderr", Gone(errno.EIO))
        said = train(purrtrait, kittens, "--budget", 80)
    assert said.code == 128 + signal.SIGTERM
    assert purrtrait("inspect", "runs/dcgan-01", "--json").json["images_seen"] == 24


def test_a_film_that_cannot_be_made_costs_no_bundle(
    purrtrait: Call, kittens: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(run: Run) -> None:
        raise ValueError("a preview is cut off")

    with monkeypatch.context() as patch:
        patch.setattr(wrapping, "film", broken)
        said = train(purrtrait, kittens, "--budget", 16, "--json")
    assert said.code == 0 and "there is no film: a preview is cut off" in said.err
    assert "film" not in said.json
    assert Path(said.json["report"]).is_file()
    assert {"README.md", "sampler.json"} <= files(Path(said.json["bundle"]))


def child(words: list[str], errors: str) -> None:
    """Run a command line in a process of its own."""
    import torch

    torch.set_num_threads(1)
    with Path(errors).open("w", encoding="utf-8") as sys.stderr:
        code = run(words)
    sys.exit(code)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_real_process_is_signalled(
    number: signal.Signals, purrtrait: Call, kittens: Pack, tmp_path: Path
) -> None:
    words = ["train", "dcgan", "--data", str(kittens.path), "--budget", "100000000", *QUICK]
    more = ["--log-every", "1", "--runs", str(tmp_path / "runs"), "--preview-every", "1000000000"]
    errors = tmp_path / "errors.txt"
    process = context.Process(target=child, args=([*words, *more], str(errors)))
    process.start()
    scores = tmp_path / "runs" / "dcgan-01" / "scores.jsonl"
    while process.is_alive() and not scores.exists():
        time.sleep(0.01)
    assert process.pid is not None
    os.kill(process.pid, number)
    process.join(60)
    assert process.exitcode == 128 + number, errors.read_text()
    assert "go on with: purrtrait resume" in errors.read_text()
    last = Run(tmp_path / "runs" / "dcgan-01").latest()
    assert last is not None
    said = purrtrait("resume", tmp_path / "runs/dcgan-01", "--budget", last.images_seen + 8)
    assert said.code == 0


@pytest.mark.skipif(machine.HANDED_ON is None, reason="no such signal on Windows")
def test_what_an_arena_hands_on_is_heard_before_training_too(tmp_path: Path) -> None:
    """As a Ctrl-C: whatever is being written then is cleaned up."""
    script = (
        "import os, signal, sys, time; from purrtrait import __main__ as program;"
        "program.run = lambda words: os.kill(os.getpid(), signal.SIGUSR1) or time.sleep(9) or 0;"
        "program.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], check=False, capture_output=True, text=True
    )
    assert done.returncode in (1, -signal.SIGINT) and "KeyboardInterrupt" in done.stderr


def test_a_second_trainer_is_turned_away(purrtrait: Call, own: Path) -> None:
    before = files(own)
    with Run(own).locked():
        said = purrtrait("resume", own, "--budget", 80)
        assert said.code == 2
        assert "is being trained by process" in said.err
    assert files(own) - {".lock"} == before - {".lock"}
    assert purrtrait("resume", own, "--budget", 48).code == 0


# sample, film, inspect, recipes


def test_run_checkpoint_and_bundle_draw_the_same(purrtrait: Call, trained: Path) -> None:
    places = [trained, trained / "checkpoints" / "base-000000040", trained / "bundle"]
    for number, place in enumerate(places):
        words = ("--count", 3, "--seed", 7, "--temperature", 0.8, "--out", f"out {number}")
        said = purrtrait("sample", place, *words, "--json")
        assert said.code == 0
        assert said.json == {"folder": f"out {number}", "grid": f"out {number}/grid.png"}
        assert files(Path(f"out {number}")) == {f"portrait-{i}.png" for i in range(3)} | {
            "grid.png"
        }
    for name in files(Path("out 0")):
        assert len({Path(f"out {n}", name).read_bytes() for n in range(3)}) == 1
    purrtrait("sample", trained, "--count", 3, "--seed", 8, "--temperature", 0.8, "--out", "else")
    other = Path("else/portrait-0.png").read_bytes()
    assert other != Path("out 0/portrait-0.png").read_bytes()


def test_a_strip_over_temperatures(purrtrait: Call, trained: Path) -> None:
    words = ("--count", 3, "--grid", "0.4,0.7,1,1.3", "--out", "strip")
    said = purrtrait("sample", trained, *words, "--json")
    assert said.code == 0
    with Image.open(said.json["strip"]) as four:
        high = four.height
    purrtrait("sample", trained, "--count", 3, "--grid", "0.4", "--out", "one")
    with Image.open("one/temperatures.png") as one:
        assert high == 4 * one.height


def test_samples_find_a_new_folder_and_overwrite_nothing(purrtrait: Call, trained: Path) -> None:
    assert purrtrait("sample", trained, "--count", 1, "--json").json["folder"].endswith("01-01")
    assert purrtrait("sample", trained, "--count", 1, "--json").json["folder"].endswith("01-02")
    Path("full").mkdir()
    Path("full/mine.txt").write_text("mine")
    said = purrtrait("sample", trained, "--count", 1, "--out", "full")
    assert said.code == 2
    assert "nothing is overwritten" in said.err
    assert files(Path("full")) == {"mine.txt"}


def test_film(purrtrait: Call, own: Path) -> None:
    for name in ("film.gif", "film.mp4"):
        (own / name).unlink()
    made = purrtrait("film", own, "--json").json
    assert all(Path(made[kind]).stat().st_size > 0 for kind in ("gif", "mp4"))


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ("", "run"),
        ("checkpoints/base-000000040", "checkpoint"),
        ("bundle", "bundle"),
        ("pack", "pack"),
    ],
)
def test_inspect(place: str, kind: str, purrtrait: Call, trained: Path, kittens: Pack) -> None:
    path = kittens.path if place == "pack" else trained / place
    found = purrtrait("inspect", path, "--json").json
    assert found["kind"] == kind
    assert found["size"] == 16
    assert "David Revoy" in found["credit"]
    if kind in ("run", "checkpoint"):
        assert found["images_seen"] == 40
        assert found["parameters"].keys() == {"generator", "critic"}
    words = purrtrait("inspect", path).out
    for name in found:
        assert re.search(rf"^{name.replace('_', ' ')} ", words, re.MULTILINE), name
    assert "{" not in words


def test_recipes_are_listed_and_shown(purrtrait: Call) -> None:
    listed = purrtrait("recipes", "list", "--json").json
    assert list(listed) == list(config.shipped())
    assert purrtrait("recipes").out == purrtrait("recipes", "list").out
    for name in listed:
        shown = purrtrait("recipes", "show", name, "--json").json
        words = purrtrait("recipes", "show", name).out
        assert shown["source"] in words
        for option, said in shown["options"].items():
            assert said["from"] in ("recipe", "default")
            assert f"\n{option} = " in words
            assert said["meaning"] in words


def test_help_and_version(purrtrait: Call) -> None:
    assert purrtrait("--version").out.startswith("purrtrait")
    for words in ([], ["train"], ["recipes", "show"]):
        assert purrtrait(*words, "--help").out.startswith("Usage: purrtrait")
        assert purrtrait(*words, "-h").code == 0


def test_as_a_module() -> None:
    words = [sys.executable, "-m", "purrtrait", "recipes", "show", "dcgann"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("purrtrait: unknown recipe 'dcgann'. Did you mean 'dcgan'?")


# What goes wrong: words of the command line (P is the pack, R a run), and words of the answer.

WRONG: list[tuple[str, str]] = [
    ("prepare kitens", "Did you mean 'kittens'"),
    ("prepare kittens --count 0", "at least 1"),
    ("prepare kittens --size 7", "8 to 1024"),
    ("prepare kittens --size x", "not a valid integer"),
    ("prepare kittens --seed -1", "seed -1"),
    ("prepare kittens --split nan", "split nan"),
    ("prepare kittens somewhere", "source somewhere"),
    ("prepare folder", "expected a folder"),
    ("prepare folder nowhere", "no folder nowhere"),
    ("prepare folder empty --size 16", "empty"),
    ("nonsense", "No such command"),
    ("train dcgan", "--data"),
    ("train dcgann --data P", "Did you mean 'dcgan'"),
    ("train nothing.toml --data P", "no recipe file nothing.toml"),
    ("train file --data P", "file is no recipe; expected a file that ends in .toml"),
    ("train empty --data P", "empty is no recipe; expected a file that ends in .toml"),
    ("train broken.toml --data P", "cannot be read as a recipe"),
    ("train dcgan --data P", "--set pixels=16"),  # the recipe draws 64 px
    ("train dcgan --data PP TINY", "Did you mean"),
    ("train dcgan --data empty TINY", "is not a pack"),
    ("train dcgan --data file TINY", "no pack file"),
    ("train dcgan --data P TINY --set bach=1", "Did you mean 'batch'"),
    ("train dcgan --data P TINY --set batch", "KEY=VALUE"),
    ("train dcgan --data P TINY --set =1", "KEY=VALUE"),
    ("train dcgan --data P TINY --set .=1", "no option '.'"),
    ("train dcgan --data P TINY --set batch=x", "valid integer"),
    ("train dcgan --data P TINY --set batch=0", "greater than or equal to 1"),
    ("train dcgan --data P TINY --set pixels=15", "15 px"),
    ("train dcgan --data P TINY --set pixels=32", "the recipe draws 32 px"),
    ("train dcgan --data P TINY --set game=hinj", "Did you mean 'hinge'"),
    ("train dcgan --data P TINY --set optimiser=adamm", "Did you mean 'adam'"),
    ("train dcgan --data P TINY --set activation=foo", "unknown activation 'foo'"),
    ("train dcgan --data P TINY --set play=never", "play is 'never'"),
    ("train dcgan --data P TINY --set dropout=2", "dropout is 2"),
    ("train dcgan --data P TINY --set betas=1", "decay of the running mean"),
    ("train dcgan --data P TINY --set lr=hello", "unknown schedule 'hello'"),
    ('train dcgan --data P TINY --set lr={name="linar"}', "Did you mean 'linear'"),
    ('train dcgan --data P TINY --set lr={name="linear"}', "lr.start is missing"),
    ("train dcgan --data P TINY --device cudda", "unknown device 'cudda'"),
    ("train dcgan --data P TINY --device cpu:3", "no device 'cpu:3'"),
    ("train dcgan --data P TINY --threads 0", "x>=1"),
    ("train dcgan --data P TINY --keep 0", "keep"),
    ("train dcgan --data P TINY --log-every 0", "x>=1"),
    ("train dcgan --data P TINY --scores 15", "scores of 15 portraits say nothing; ask for at"),
    ("train dcgan --data P TINY --budget 999999999TFLOP", "counted one by one"),
    ("train dcgan --data P TINY --runs file/below", "file is a file"),
    (f"train dcgan --data P TINY --name {300 * 'x'}", "expected at most 200 bytes"),
    ("train dcgan --data P TINY --previews -1", "previews"),
    ("train dcgan --data P TINY --budget 0", "--budget 0: expected pictures"),
    ("train dcgan --data P TINY --budget -5", "--budget -5"),
    ("train dcgan --data P TINY --budget soon", "5min"),
    ("train dcgan --data P TINY --seed x", "not a valid integer"),
    ("train dcgan --data P TINY --name ../up", "one folder"),
    ("train dcgan --data P TINY --name a/b", "one folder"),
    ("train dcgan --data P TINY --name ..", "one folder"),
    ("train dcgan --data P TINY --runs file", "file is a file"),
    ("train dcgan --data P TINY --players critic", "--start-from"),
    ("train dcgan --data P TINY --start-from runs/no-01", "not a run folder"),
    ("train dcgan --data P TINY --start-from R --players critik", "Did you mean 'critic'"),
    ("train dcgan --data P TINY --start-from R --set width=16", "do not fit"),
    ("resume runs/no-01", "not a run folder"),
    ("resume file", "not a run folder"),
    ("resume P", "not a run folder"),
    ("resume R --device cudda", "unknown device"),
    ("resume R --threads 0", "x>=1"),
    ("resume R --budget soon", "5min"),
    ("resume R --data empty", "is not a pack"),
    ("resume R --data other", "is not the pack"),
    ("resume R --set bach=1", "Did you mean 'batch'"),
    ("resume R --stages bas", "Did you mean 'base'"),
    ("resume R --again refine-22", "has no stage 'refine-22'"),
    ("evaluate R --out file", "file is there, and holds no scores"),
    ("prepare kittens --size 16 --count 12 --out file/below", "file cannot be made"),
    ("sample nothing", "no such folder"),
    ("sample empty", "holds no sampler"),
    ("sample P", "holds no sampler"),
    ("sample R --count 0", "x>=1"),
    ("sample R --temperature nan", "expected a number from 0"),
    ("sample R --temperature -1", "expected a number from 0"),
    ("sample R --grid a,b", "--grid a,b"),
    ("sample R --grid ,", "--grid ,"),
    ("sample R --grid 1,inf", "expected a number from 0"),
    ("sample R --device cudda", "unknown device"),
    ("sample R --out file", "nothing is overwritten"),
    ("sample R --out file/below", "cannot be made"),
    ("film empty", "not a run folder"),
    ("inspect empty", "a folder with none of them"),
    ("inspect nothing", "no such folder"),
    ("recipes show wgann", "Did you mean 'wgan'"),
]


@pytest.mark.parametrize(("line", "words"), WRONG)
def test_what_is_wrong_is_said_in_words_and_leaves_nothing(
    line: str, words: str, purrtrait: Call, kittens: Pack, trained: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("a file")
    (tmp_path / "broken.toml").write_text("= not toml")
    if "other" in line:
        purrtrait("prepare", "kittens", "--size", 16, "--count", 12, "--out", "other")
    names = {
        "P": [str(kittens.path)],
        "PP": [f"{kittens.path}x"],
        "R": [str(trained)],
        "TINY": SMALL,
    }
    before = files(tmp_path) | files(trained)
    said = purrtrait(*(part for word in line.split() for part in names.get(word, [word])))
    assert said.code == 2
    assert words in said.err
    assert "Traceback" not in said.err
    assert said.out == ""
    assert len(re.findall(r"^(purrtrait|Error): ", said.err, re.MULTILINE)) == 1
    assert files(tmp_path) | files(trained) == before
    assert not (tmp_path / "runs").exists()
    assert not (tmp_path / "samples").exists()


def test_what_does_not_fit_into_memory_is_said(purrtrait: Call, kittens: Pack) -> None:
    said = train(purrtrait, kittens, "--set", f"batch={10**13}")
    assert said.code == 1
    assert "not enough memory" in said.err
    assert not Path("runs").exists()


def test_a_pack_that_changed_is_refused(purrtrait: Call, own: Path, kittens: Pack) -> None:
    shutil.copytree(kittens.path, "changed")
    manifest = json.loads(Path("changed/manifest.json").read_text())
    Path("changed/manifest.json").write_text(json.dumps(manifest | {"flip_natural": True}))
    said = purrtrait("resume", own, "--data", "changed")
    assert said.code == 2
    assert "is not the pack" in said.err


@pytest.mark.parametrize("command", ["sample", "resume", "inspect"])
def test_a_newer_schema_is_named(command: str, purrtrait: Call, own: Path) -> None:
    for path in (own / "checkpoints").iterdir():
        for name in ("training.json", "sampler.json"):
            facts = json.loads((path / name).read_text())
            (path / name).write_text(json.dumps(facts | {"schema": 99, "version": "9.8.7"}))
    place = own if command == "resume" else own / "checkpoints" / "base-000000040"
    said = purrtrait(command, place)
    assert said.code == 2
    assert "schema 99" in said.err
    assert "9.8.7" in said.err
    assert "Traceback" not in said.err


def test_a_damaged_checkpoint_is_named_and_the_one_before_taken(purrtrait: Call, own: Path) -> None:
    last = own / "checkpoints" / "base-000000040"
    weights = bytearray((last / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (last / "model.safetensors").write_bytes(weights)
    for command in ("sample", "inspect"):
        said = purrtrait(command, last)
        assert said.code == 2
        assert "damaged" in said.err
    said = purrtrait("resume", own, "--json")
    assert said.code == 0
    assert "going back to the one before" in said.err
    assert said.json["images_seen"] == 40


def test_where_all_checkpoints_are_damaged_no_more_training_is_advised(
    purrtrait: Call, own: Path
) -> None:
    for checkpoint in (own / "checkpoints").iterdir():
        (checkpoint / "training.json").write_text('{"schema": 1}')
    for command in ("sample", "resume"):
        said = purrtrait(command, own)
        assert said.code == 2
        assert "no checkpoint in" in said.err and "can be read (see above)" in said.err
        assert "it has no 'stage'" in said.err, "above"


def test_damaged_bundles_are_refused_in_words(purrtrait: Call, own: Path) -> None:
    bundle = own / "bundle"
    for text, words in {
        "{": "Expecting property name",
        "{}": "it has no 'schema'",
        "[1]": "its values are of another kind",
        '{"schema": "x"}': "invalid literal for int()",
    }.items():
        (bundle / "sampler.json").write_text(text)
        said = purrtrait("sample", bundle)
        assert said.code == 2
        assert f"sampler.json cannot be read ({words}" in said.err
    (bundle / "sampler.json").write_text('{"schema": 1}')
    for command in ("sample", "inspect"):
        said = purrtrait(command, bundle)
        assert said.code == 2
        assert "sampler.json does not describe a sampler (it has no 'stages')" in said.err


def test_a_run_without_previews_has_no_film(purrtrait: Call, own: Path) -> None:
    shutil.rmtree(own / "previews")
    said = purrtrait("film", own)
    assert said.code == 2
    assert "--previews above 0" in said.err
