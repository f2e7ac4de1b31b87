"""The Python side: what the command line does, as functions and arrays."""

from __future__ import annotations

import inspect
import json
import math
import re
import typing
from pathlib import Path

import numpy as np
import pytest
import torch

import purrtrait
from helpers import TINY, tiny
from purrtrait import config, face
from purrtrait.assemble import pyramid
from purrtrait.assemble.options import find
from purrtrait.datasets.pack import Pack
from purrtrait.trainer import Outcome
from purrtrait.training import guard
from purrtrait.training.run import Run
from purrtrait.types import Progress

PAGE = Path(__file__).parents[1] / "docs" / "python.md"
UPKEEP = {"previews": 4, "tensorboard": False}


def train(pack: Pack, recipe: str = "dcgan", budget: int = 16, **asked: object) -> Outcome:
    moves = {"critic_moves": "1"} if recipe.startswith(("wgan", "cat-gan")) else {}
    known: dict[str, object] = {
        "settings": tiny(recipe) | moves,
        "upkeep": UPKEEP,
        "device": "cpu",
        "threads": 1,
    }
    return purrtrait.train(recipe, pack.path, budget=budget, **(known | asked))  # type: ignore[arg-type]


DRAWING = [name for name in config.shipped() if pyramid.draws(find(name), -1)]


@pytest.fixture(scope="module", params=DRAWING)
def model(
    request: pytest.FixtureRequest, kittens: Pack, tmp_path_factory: pytest.TempPathFactory
) -> face.Model:
    """A model of each shipped recipe, hardly trained."""
    runs = tmp_path_factory.mktemp("runs")
    done = train(kittens, request.param, runs_folder=runs, seed=1)
    return purrtrait.load(done.run, device="cpu")


def test_all_names_are_there_and_no_others_are_promised() -> None:
    assert dir(purrtrait) == sorted(purrtrait.__all__)
    for name in purrtrait.__all__:
        assert getattr(purrtrait, name) is not None
    with pytest.raises(AttributeError, match="it has Model"):
        _ = purrtrait.nothing


@pytest.mark.parametrize("name", sorted(set(purrtrait.__all__) - {"Model", "__version__"}))
def test_functions_are_typed_and_described(name: str) -> None:
    function = getattr(purrtrait, name)
    hints = typing.get_type_hints(function)
    assert set(inspect.signature(function).parameters) | {"return"} == set(hints)
    assert (inspect.getdoc(function) or "").endswith(".")


def test_the_example_of_the_page_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    found = re.search(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert found
    assert len(found[1].strip().splitlines()) == 10
    whole = {"prepare": purrtrait.prepare, "train": purrtrait.train}

    def prepare(*words: object, **asked: object) -> Pack:
        return whole["prepare"](*words, **(asked | {"size": 16, "count": 12}))  # type: ignore

    def quickly(recipe: str, data: Path, **asked: object) -> Outcome:
        small = {"settings": TINY, "upkeep": UPKEEP, "budget": 8, "threads": 1}
        known = recipe if recipe in config.shipped() else "dcgan"
        return whole["train"](known, data, **(asked | small))  # type: ignore

    monkeypatch.setattr(face, "prepare", prepare)
    monkeypatch.setattr(face, "train", quickly)
    names: dict[str, object] = {}
    exec(compile(found[1], str(PAGE), "exec"), names)
    assert any(Path().rglob("*.png"))
    arrays = [thing for thing in names.values() if isinstance(thing, np.ndarray)]
    assert arrays
    assert all(array.dtype == np.uint8 for array in arrays)


def test_prepare_gives_the_pack(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    pack = purrtrait.prepare(
        "kittens", size=16, count=6, split=0.5, progress=lambda *now: told.append(now)
    )
    assert pack.path == Path("packs/kittens-16")
    assert pack.images.shape == (6, 16, 16, 3)
    assert [len(pack.rows(part)) for part in ("train", "held-out")] == [3, 3]
    assert told[-1] == (6, 6)


def test_watch_is_told_after_each_step(kittens: Pack) -> None:
    told: list[tuple[str, int, int]] = []

    def watch(stage: str, now: Progress, budget: int) -> None:
        told.append((stage, now.images_seen, budget))

    done = train(kittens, budget=24, watch=watch)
    assert told == [("base", seen, 24) for seen in (8, 16, 24)]
    assert (done.finished, done.images_seen, done.signal) == (True, 24, 0)


def test_what_watch_raises_ends_the_training(kittens: Pack) -> None:
    def watch(stage: str, now: Progress, budget: int) -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        train(kittens, watch=watch)
    assert purrtrait.resume("runs/dcgan-01").finished  # the lock is free again


def test_a_seed_is_drawn_and_recorded(kittens: Pack, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter([41, 42])
    monkeypatch.setattr("secrets.randbelow", lambda below: next(drawn))
    seeds = [Run(train(kittens, budget=8).run).request()["seed"] for _ in range(2)]
    assert seeds == [42, 43]
    assert Run(train(kittens, budget=8, seed=0).run).request()["seed"] == 0


def test_the_same_seed_gives_the_same_run(kittens: Pack) -> None:
    runs = [Run(train(kittens, seed=seed).run) for seed in (6, 6, 7)]
    saved = [checkpoint.facts["sha256"] for run in runs if (checkpoint := run.latest())]
    assert saved[0] == saved[1]
    assert saved[0] != saved[2]


def test_only_the_chosen_players_hand_their_weights_on(kittens: Pack) -> None:
    first = train(kittens, seed=1).run
    still = TINY | {"lr": "0", "normalisation": "none"}  # nothing moves: what was given stays
    bare = train(kittens, seed=1, settings=TINY | {"normalisation": "none"}).run
    second = train(kittens, budget=8, settings=still, seed=2, start_from=bare, players=["critic"])
    given, got = Run(bare).latest(), Run(second.run).latest()
    assert given
    assert got
    before, after = given.training(), got.training()
    weights = [name for name in before if name.startswith("player/") and "weight" in name]
    same = {name for name in weights if torch.equal(before[name], after[name])}
    assert same == {name for name in weights if name.startswith("player/critic/")}
    with pytest.raises(ValueError, match="do not fit"):
        train(kittens, settings=still, start_from=first)


@pytest.mark.parametrize(("asked", "seen"), [(True, 24), (False, 64)])
def test_a_victory_ends_training_where_that_is_asked_for(
    asked: bool, seen: int, kittens: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of critic and generator, whoever loses nothing for long, which is three steps here."""
    monkeypatch.setattr(guard, "PATIENCE", 3)
    monkeypatch.setattr(guard, "ZERO", math.inf)
    done = train(kittens, budget=64, upkeep={**UPKEEP, "stop_when_won": asked})
    run = Run(done.run)
    assert done.images_seen == seen
    assert done.finished is not asked
    said = " ".join(row["words"] for row in run.rows(run.incidents))
    assert "every time" in said
    assert ("stopped, as was asked for" in said) is asked
    last = run.latest()
    assert last and last.facts["now"]["images_seen"] == seen


def test_minutes_stop_without_changing_the_mathematics(kittens: Pack) -> None:
    whole = train(kittens, budget=32, seed=4).run
    part = train(kittens, budget=32, seed=4, minutes=0)
    assert not part.finished
    assert part.images_seen == 8
    assert purrtrait.resume(part.run).finished
    last = [Run(run).latest() for run in (whole, part.run)]
    assert last[0]
    assert last[1]
    assert last[0].facts["sha256"] == last[1].facts["sha256"]


def test_what_is_wrong_is_said_before_anything_is_made(kittens: Pack) -> None:
    bad = {"upkeep": {"kepe": 3}}, {"name": "a/b"}, {"data": "nowhere"}, {"threads": 0}
    for asked in (*bad, {"threads": -1}, {"tflop": float("nan")}):
        with pytest.raises(ValueError, match=r"kepe|one folder|nowhere|at least 1|above 0"):
            purrtrait.train("dcgan", **({"data": kittens.path, "settings": TINY} | asked))  # type: ignore
    assert not Path("runs").exists()


def test_film_returns_its_files(kittens: Pack) -> None:
    run = train(kittens).run
    assert purrtrait.film(run) == (run / "film.gif", run / "film.mp4")


def test_rows_do_not_depend_on_count_or_batch(model: face.Model) -> None:
    assert torch.equal(model.latents(5, seed=3)[:2], model.latents(2, seed=3))
    assert torch.equal(model.latents(5, seed=3)[3:], model.latents(2, seed=3, first=3))
    assert not torch.equal(model.latents(2, seed=3), model.latents(2, seed=4))
    whole = model.sample(7, seed=3)
    assert whole.shape == (7, 16, 16, 3)
    assert whole.dtype == np.uint8
    for other in (model.sample(5, seed=3), model.sample(7, seed=3, batch=2)):
        assert abs(whole[: len(other)].astype(int) - other.astype(int)).max() <= 1
    assert np.array_equal(whole, model.sample(7, seed=3))


def test_temperature_scales_latents_and_raises_spread(model: face.Model) -> None:
    assert torch.equal(model.latents(3, temperature=0.5), 0.5 * model.latents(3))
    spread = [model.sample(16, temperature=t).std(axis=0).mean() for t in (0.0, 0.3, 1.0)]
    assert spread[0] < 1 < 1 + spread[2]
    assert spread[2] > spread[0]
    # Before it is trained, the grain of a mixture of logistics hides what is between the two.
    middle = model.about["recipe"] != "cat-gan"
    assert spread == sorted(spread) or not middle


def test_latents_that_do_not_fit_are_refused(model: face.Model) -> None:
    z = model.latents(2)
    bad = (z[0], z[:, 1:], z.double(), z.numpy(), 7)
    for latents in bad:
        with pytest.raises(ValueError, match=r"latents are .*; expected"):
            model.draw(latents)  # type: ignore[arg-type]
    assert len(model.draw(z)) == 2


def test_a_model_says_where_it_comes_from(model: face.Model, kittens: Pack) -> None:
    assert model.about["pack"] == kittens.content_hash
    assert "David Revoy" in model.about["credit"]
    assert json.dumps(model.about)


@pytest.mark.parametrize("asked", [{"count": 0}, {"count": 2, "batch": 0}])
def test_no_portraits_cannot_be_drawn(asked: dict[str, int], kittens: Pack) -> None:
    model = purrtrait.load(train(kittens, budget=8).run)
    with pytest.raises(ValueError, match="at least 1"):
        model.sample(**asked)
    with pytest.raises(ValueError, match="temperature"):
        model.sample(1, temperature=float("nan"))
