"""Pyramids as users train them: stage on stage, stopped and resumed, retrained, and found stale."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

import helpers
import purrtrait
from purrtrait import cli, config, face, studio
from purrtrait.datasets.pack import Pack
from purrtrait.sampling import bundle
from purrtrait.training import checkpoint
from purrtrait.training.run import Run

QUIET = {"previews": 0, "tensorboard": False, "score_samples": 0, "log_every_steps": 1}
STAGES = ["base", "refine-32"]


def recipe(folder: Path) -> str:
    file = folder / "pyramid.toml"
    file.write_text(config.dump(helpers.pyramid()), encoding="utf-8")
    return str(file)


def train(pack: Pack, **asked: Any) -> Run:
    known = {"seed": 3, "threads": 1, "device": "cpu", "upkeep": QUIET, "name": "pyramid"}
    return Run(face.train(recipe(pack.path.parent), pack.path, **{**known, **asked}).run)


@pytest.fixture(scope="module")
def whole(kittens: Pack, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(kittens, runs_folder=tmp_path_factory.mktemp("runs"))


@pytest.fixture
def run(whole: Run, tmp_path: Path) -> Run:
    return Run(Path(shutil.copytree(whole.path, tmp_path / "runs" / "copy-01")))


def weights(run: Run) -> dict[str, str]:
    return {name: found.weights for name, found in run.latest_of_each().items()}


def seen(run: Run) -> list[tuple[str, int]]:
    return [(row["stage"], row["images_seen"]) for row in run.rows(run.scores)]


def test_stages_are_trained_in_order_each_to_its_budget(whole: Run) -> None:
    assert list(whole.latest_of_each()) == STAGES
    assert seen(whole) == [(stage, images) for stage in STAGES for images in range(8, 72, 8)]
    assert whole.latest_of_each()["refine-32"].stands_on == {"base": weights(whole)["base"]}


def test_one_latent_row_is_one_portrait_of_the_whole_pyramid(whole: Run) -> None:
    model = purrtrait.load(whole.path)
    assert model.sampler.latent_size == 6 + 8 * 8
    few, more = model.sample(3, seed=5), model.sample(7, seed=5)
    assert few.shape == (3, 16, 16, 3)
    assert (few == more[:3]).all()
    base = purrtrait.load(whole.latest_of_each()["base"].path)
    assert base.sample(2).shape == (2, 8, 8, 3)
    said = bundle.describe(whole.path / "bundle")
    assert [stage["name"] for stage in said["stages"]] == STAGES
    assert (purrtrait.load(whole.path / "bundle").sample(3, seed=5) == few).all()


@pytest.mark.parametrize("stop", [(stage, images) for stage in STAGES for images in (24, 64)])
def test_stopped_in_any_stage_it_ends_in_the_same_bits(
    stop: tuple[str, int], whole: Run, kittens: Pack, tmp_path: Path
) -> None:
    class KilledError(Exception):
        pass

    def watch(stage: str, now: Any, budget: int) -> None:
        if (stage, now.images_seen) == stop:
            raise KilledError

    upkeep = {**QUIET, "checkpoint_every_images": 16}
    with pytest.raises(KilledError):
        train(kittens, runs_folder=tmp_path, watch=watch, upkeep=upkeep)
    part = Run(tmp_path / "pyramid-01")
    assert face.resume(part.path).finished
    assert weights(part) == weights(whole)
    assert seen(part) == seen(whole)
    last, expected = part.latest(), whole.latest()
    assert last and expected and last.facts["sha256"] == expected.facts["sha256"]


def test_a_finished_pyramid_is_not_trained_again(run: Run) -> None:
    before = {path: path.stat().st_mtime_ns for path in run.checkpoints.rglob("*.safetensors")}
    outcome = face.resume(run.path)
    assert (outcome.finished, outcome.images_seen) == (True, 64)
    assert before == {p: p.stat().st_mtime_ns for p in run.checkpoints.rglob("*.safetensors")}


def test_only_what_stands_on_a_changed_stage_is_trained_again(run: Run) -> None:
    before, sample = weights(run), purrtrait.sample(run.path, 2)
    face.resume(run.path, stages=["base"], again=["base"], settings={"base.lr": "2e-3"})
    stale = studio.inspect(run.path)["stale"]
    assert stale == {"refine-32": "'base', on which it stands, is stale, gone or another one now"}
    # What the refiner knows is kept with it: it still draws on the base of its training.
    assert (purrtrait.sample(run.path, 2) == sample).all()
    assert (run.path / "replaced" / "base-01" / "base-000000064").is_dir()

    face.resume(run.path)
    after = weights(run)
    assert all(before[name] != after[name] for name in STAGES)
    assert studio.inspect(run.path)["stale"] == {}
    assert (run.path / "replaced" / "refine-32-01" / "refine-32-000000064").is_dir()
    assert sorted(set(seen(run))) == sorted(seen(run))
    rows = run.rows(run.path / "replaced" / "base-01" / "scores.jsonl")
    assert [row["images_seen"] for row in rows] == list(range(8, 72, 8))


def test_the_refiner_alone_can_be_trained_again(run: Run) -> None:
    before = weights(run)
    face.resume(run.path, again=["refine-32"], settings={"refine-32.lr": "2e-3"})
    after = weights(run)
    assert after["base"] == before["base"]
    assert after["refine-32"] != before["refine-32"]


def test_a_longer_base_makes_the_refiner_stale(run: Run) -> None:
    face.resume(run.path, stages=["base"], settings={"base.budget": "80"})
    assert "refine-32" in studio.inspect(run.path)["stale"]
    face.resume(run.path)
    assert studio.inspect(run.path)["stale"] == {}


def test_some_stages_now_and_the_others_later(whole: Run, kittens: Pack, tmp_path: Path) -> None:
    part = train(kittens, runs_folder=tmp_path, stages=["base"])
    assert list(part.latest_of_each()) == ["base"]
    assert purrtrait.sample(part.path, 1).shape == (1, 8, 8, 3)
    base = weights(part)["base"]
    face.resume(part.path)
    assert weights(part) == weights(whole)
    last = part.latest()
    assert last is not None
    assert checkpoint.fingerprint(last.average(), "base/") == base  # the refiner moved nothing


def test_a_refiner_on_the_base_of_another_run(whole: Run, kittens: Pack, tmp_path: Path) -> None:
    asked = {"runs_folder": tmp_path, "start_from": whole.path, "first": "refine-32"}
    other = train(kittens, **asked)
    assert weights(other) == weights(whole)
    assert {stage for stage, _ in seen(other)} == {"refine-32"}
    # What was taken over stays as it is, though its recipe there may have ended earlier.
    face.resume(other.path, settings={"base.budget": "80"})
    assert weights(other) == weights(whole)
    assert face.resume(other.path).images_seen == 64


def test_a_base_of_another_colour_is_refused(
    whole: Run, grey_kittens: Pack, tmp_path: Path
) -> None:
    asked = {"runs_folder": tmp_path, "start_from": whole.path, "first": "refine-32"}
    with pytest.raises(
        ValueError, match=r"in colour, but the pack .* is in grey; .* without --grey"
    ):
        train(grey_kittens, **asked)
    assert not list(tmp_path.glob("pyramid-*"))


def test_stages_that_are_not_there_are_named(run: Run, kittens: Pack, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no stage 'bse'. Did you mean 'base'"):
        face.resume(run.path, again=["bse"])
    with pytest.raises(ValueError, match="expected one of base, refine-32"):
        train(kittens, runs_folder=tmp_path, first="refine")
    with pytest.raises(ValueError, match=r"no stage 'nonsense'"):
        train(kittens, runs_folder=tmp_path / "no", stages=["nonsense"], start_from=run.path)
    with pytest.raises(ValueError, match="stands on stage 'base', which was not trained yet"):
        train(kittens, runs_folder=tmp_path / "no", stages=["refine-32"])
    with pytest.raises(ValueError, match="only refine-32 shall be trained"):
        face.resume(run.path, stages=["refine-32"], again=["base"])
    assert not (tmp_path / "no").exists()  # all this is said before anything is made


def test_nothing_is_set_aside_for_what_cannot_be_trained(run: Run) -> None:
    before = sorted(run.path.rglob("*"))
    with pytest.raises(ValueError, match="do not fit"):
        face.resume(run.path, again=["refine-32"], settings={"base.critic.width": "4"})
    assert sorted(run.path.rglob("*")) == before


def test_a_stage_that_begins_anew_may_have_other_networks(run: Run) -> None:
    face.resume(run.path, again=["base"], settings={"base.generator.network.width": "4"})
    assert studio.inspect(run.path)["stale"] == {}
    assert set(run.latest_of_each()) == set(STAGES)


def test_what_stands_on_that_stage_may_have_others_too(run: Run) -> None:
    width = {"base.lr": "2e-3", "refine-32.critic.width": "6"}
    with pytest.raises(ValueError, match="do not fit"):
        face.resume(run.path, settings=width)
    face.resume(run.path, again=["base"], settings=width)
    assert studio.inspect(run.path)["stale"] == {}


def test_what_begins_anew_takes_its_new_options(run: Run) -> None:
    """Since what it stands on is trained further, nothing comes too late for it."""
    more = {"base.budget": "80", "refine-32.critic.lr": "3e-3", "refine-32.critic.width": "6"}
    before = weights(run)
    face.resume(run.path, settings=more)
    after = run.latest_of_each()
    assert {name: found.weights != before[name] for name, found in after.items()} == {
        "base": True,
        "refine-32": True,
    }
    noted = config.loads(str(after["refine-32"].facts["recipe"]))
    critic = noted.stages[1].players["critic"]
    assert critic.network.options["width"] == 6 and "0.003" in config.dump(noted)


def test_the_base_of_a_refiner_outlives_its_own_training(run: Run) -> None:
    """There is the critic that judges what it draws, however often the base is saved further on."""
    stood = run.latest_of_each()["refine-32"].stands_on["base"]
    request = run.request()
    request["upkeep"] |= {"keep": 1, "checkpoint_every_images": 8}
    (run.path / "run.json").write_text(json.dumps(request))
    face.resume(run.path, stages=["base"], settings={"base.budget": "160"})
    mine = [checkpoint.read(path) for path in run.found()]
    assert stood in {one.weights for one in mine if one.stage == "base"}
    assert len([one for one in mine if one.stage == "base"]) <= 3


def test_a_pyramid_that_is_not_whole_gets_no_bundle(run: Run) -> None:
    shutil.rmtree(run.path / "bundle")
    face.resume(run.path, again=["refine-32"], minutes=0)
    assert not (run.path / "bundle").exists()
    face.resume(run.path, stages=["base"])
    assert not (run.path / "bundle").exists(), "there is nothing left to train in the base"
    face.resume(run.path)
    assert (run.path / "bundle/README.md").is_file()


def test_half_a_line_of_a_kill_harms_nobody(run: Run) -> None:
    with run.scores.open("a", encoding="utf-8") as file:
        file.write('{"stage": "refine-32", "ima')
    face.resume(run.path, again=["refine-32"])
    rows = run.rows(run.path / "replaced" / "refine-32-01" / "scores.jsonl")
    assert [row["images_seen"] for row in rows] == list(range(8, 72, 8))
    assert sorted(seen(run)) == sorted(set(seen(run)))


def test_a_stage_whose_base_is_gone_is_stale(run: Run) -> None:
    run.set_aside("base")
    assert set(studio.inspect(run.path)["stale"]) == {"refine-32"}


def test_what_comes_too_late_is_said(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    before, longer = (run.path / "recipe.toml").read_text(), {"refine-32.budget": "72"}
    face.resume(run.path, settings={"base.lr": "5e-2", **longer})
    assert "'base' is finished, so that base.players.generator.lr" in caplog.text
    # Nor is it noted as if it had been trained so, or as if the run had left its path.
    left = [line for line in caplog.messages if "leaves its recorded path" in line]
    assert left and not [line for line in left if "base." in line]
    noted, last = (run.path / "recipe.toml").read_text(), run.latest()
    head, _, tail = before.rpartition("budget = 64")
    assert noted == f"{head}budget = 72{tail}"
    assert last is not None and last.facts["recipe"] == noted


def test_a_damaged_stage_is_taken_from_the_checkpoint_before(run: Run) -> None:
    broken = run.latest_of_each()["refine-32"].path / "model.safetensors"
    broken.write_bytes(broken.read_bytes()[:-8])
    found = run.latest_of_each()["refine-32"]
    assert found.images_seen < 64
    facts = json.loads((found.path / "training.json").read_text())
    assert facts["stands_on"] == {"base": weights(run)["base"]}


SMALL = {
    "network.width": "8",
    "batch": "8",
    "budget": "32",
    "latent": "6",
    "round_images": "24",
    "base.critic.network.width": "4",
}
FIVE = ["validator", "pretrain", "base", "refine-22", "refine-32"]


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    """Toy cats, drawn as photos with keypoints in the layout of the CAT dataset, and cut out."""
    folder = tmp_path_factory.mktemp("toys")
    command(["prepare", "toy-cats", "--photos", str(folder / "CAT"), "--count", "40"])
    asked = [
        "--align",
        "cat-generator",
        "--size",
        "32",
        "--split",
        "0.4",
        "--out",
        str(folder / "pack"),
    ]
    command(["prepare", "cat10k", str(folder / "CAT"), *asked])
    return Pack.open(folder / "pack")


def command(words: list[str]) -> str:
    done = CliRunner().invoke(cli.main, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def cats(pack: Pack, folder: Path, **asked: Any) -> Run:
    known: dict[str, Any] = {"seed": 3, "threads": 1, "device": "cpu", "settings": SMALL}
    known["name"] = "cats"
    upkeep = {**QUIET, **asked.pop("upkeep", {})}
    made = face.train(
        "cat-generator", pack.path, runs_folder=folder, upkeep=upkeep, **{**known, **asked}
    )
    return Run(made.run)


def test_photos_become_a_pyramid_in_one_command(toys: Pack, tmp_path: Path) -> None:
    options = [word for key, text in SMALL.items() for word in ("--set", f"{key}={text}")]
    asked = ["--data", str(toys.path), "--runs", str(tmp_path), "--seed", "3", "--threads", "1"]
    command(
        ["train", "cat-generator", *asked, "--previews", "8", "--preview-every", "16", *options]
    )
    made = Run(tmp_path / "cat-generator-01")
    found = made.latest_of_each()
    assert list(found) == FIVE
    assert dict(found["base"].stands_on) == {"pretrain": found["pretrain"].weights}
    assert set(found["refine-32"].stands_on) == {"base", "refine-22"}
    said = bundle.describe(made.path / "bundle")
    assert [stage["name"] for stage in said["stages"]] == ["base", "refine-22", "refine-32"]
    assert purrtrait.load(made.path / "bundle").sample(2).shape == (2, 32, 32, 3)
    shown = {path.parent.name for path in made.previews.rglob("refine-32-*.png")}
    assert shown == {"previews", "best", "worst", "panels", "training"}
    sheets = {path.stem for path in (made.previews / "training").iterdir()}
    assert sheets == {f"{stage}-000000000" for stage in FIVE}
    scores = [row["scores"] for row in made.rows(made.scores) if row["stage"] == "base"]
    assert 0 < scores[-1]["validator/all"] < 1
    assert (made.path / "film.mp4").is_file()


def test_the_base_begins_with_the_pretrained_decoder(toys: Pack, tmp_path: Path) -> None:
    begun: dict[str, Any] = {}

    def watch(stage: str, now: Any, budget: int) -> None:
        begun.setdefault(stage, now)

    settings = {**SMALL, "base.generator.lr": "0"}
    made = cats(toys, tmp_path, settings=settings, watch=watch, stages=["pretrain", "base"])
    found = made.latest_of_each()
    decoder = checkpoint.under(found["pretrain"].training(), "player/decoder/")
    drawer = checkpoint.under(found["base"].average(), "base/")
    assert decoder.keys() == drawer.keys()
    assert all(torch.equal(decoder[name], drawer[name]) for name in decoder)  # it cannot move


@pytest.fixture(scope="module")
def five(toys: Pack, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return cats(toys, tmp_path_factory.mktemp("five"))


@pytest.mark.parametrize("stage", FIVE)
def test_every_stage_ends_in_the_same_bits_when_stopped(
    stage: str, five: Run, toys: Pack, tmp_path: Path
) -> None:
    class KilledError(Exception):
        pass

    def watch(name: str, now: Any, budget: int) -> None:
        if (name, now.images_seen) == (stage, 24 if name in FIVE[:2] else 16):
            raise KilledError

    with pytest.raises(KilledError):
        cats(toys, tmp_path, watch=watch, upkeep={"checkpoint_every_images": 8})
    part = Run(tmp_path / "cats-01")
    assert face.resume(part.path).finished
    assert weights(part) == weights(five)
    for name, found in part.latest_of_each().items():
        expected = five.latest_of_each()[name]
        assert found.facts["sha256"] == expected.facts["sha256"]


def test_the_best_refiner_may_be_the_nearest_to_the_truth(toys: Pack, tmp_path: Path) -> None:
    upkeep = {"score_samples": 16, "score_every_images": 8, "best_by": "refinement", "keep": 1}
    made = cats(toys, tmp_path, upkeep={**upkeep, "best_after_images": 16, "truths": 4, "tries": 2})
    rows = [row for row in made.rows(made.scores) if row["stage"] == "refine-32"]
    scored = {
        r["images_seen"]: r["scores"]["score/refinement"] for r in rows if r["images_seen"] >= 16
    }
    best = made.best()
    assert best is not None
    assert best.images_seen == min(scored, key=lambda seen: scored[seen])
    assert best.score == pytest.approx(min(scored.values()))
