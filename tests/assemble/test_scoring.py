"""Scores while training: what they are, that they disturb nothing, and what is kept for them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from torch import Tensor, nn

import purrtrait
from helpers import TINY
from purrtrait import cli, judging, model, studio, wrapping
from purrtrait.assemble import build, options, stages
from purrtrait.assemble.scoring import METRICS_TAKEN, SEED, Scored, Scoring, comparable
from purrtrait.config import Upkeep
from purrtrait.datasets.pack import Pack
from purrtrait.evaluation import EXTRACTORS, METRICS, features
from purrtrait.images.resize import to_images
from purrtrait.sampling.latents import latents
from purrtrait.sampling.levels import Drawn, Whole
from purrtrait.training import checkpoint
from purrtrait.training.guard import Diverged
from purrtrait.training.record import SCORES
from purrtrait.training.run import Run
from purrtrait.types import Critic, Images, Logits, Progress

SIXTEEN = 16  # pictures that the pack of kittens holds out
UPKEEP = {
    "previews": 0,
    "tensorboard": False,
    "log_every_steps": 3,
    "score_samples": SIXTEEN,
    "score_every_images": 24,
    "checkpoint_every_images": 1000,  # only where it is scored, and at the end
}
BUDGET = 64


def train(pack: Pack, recipe: str = "dcgan", budget: int = BUDGET, **more: Any) -> Run:
    outcome = purrtrait.train(
        recipe,
        pack.path,
        seed=1,
        threads=1,
        device="cpu",
        budget=budget,
        settings={**TINY, **more.pop("settings", {})},
        upkeep={**UPKEEP, **more.pop("upkeep", {})},
        **more,
    )
    return Run(outcome.run)


def last(run: Run) -> checkpoint.Checkpoint:
    found = run.latest()
    assert found is not None
    return found


def trained_bits(run: Run) -> dict[str, str]:
    """Digests of all that training remembers, whatever was scored on the way."""
    found = last(run)
    names = (checkpoint.TRAINING, checkpoint.MODEL)
    digests = {name: checkpoint.digest(found.path / name) for name in names}
    return digests | {"now": json.dumps(found.facts["now"], sort_keys=True)}


@pytest.fixture(scope="module")
def scored(kittens: Pack, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A training with scores after 24, 48 and 64 pictures."""
    return train(kittens, runs_folder=tmp_path_factory.mktemp("scored"))


@pytest.mark.parametrize(
    ("recipe", "settings"),
    [("dcgan", {"dropout": "0.2"}), ("portrait", {"half_life_images": "20"})],
)
def test_scores_change_no_bit_of_the_training(
    recipe: str, settings: dict[str, str], kittens: Pack
) -> None:
    with_scores = train(kittens, recipe, settings=settings)
    without = train(kittens, recipe, settings=settings, upkeep={"score_samples": 0})
    assert any("score/frechet" in row["scores"] for row in with_scores.rows(with_scores.scores))
    assert "score" not in without.scores.read_text().replace('"scores"', "")
    assert trained_bits(with_scores) == trained_bits(without)


def test_scores_are_those_of_the_averaged_weights_that_are_saved(
    scored: Run, kittens: Pack
) -> None:
    found = last(scored)
    drawn = model.load(found.path, "cpu")
    z = latents(SIXTEEN, drawn.sampler.latent_size, drawn.sampler.prior, SEED)
    extractor = EXTRACTORS["efficientnet-lite0"]()
    samples = features.extract(extractor, drawn.draw(z))
    reals = features.extract(extractor, kittens.images[kittens.rows("held-out")])
    for name in METRICS_TAKEN:
        for score, value in METRICS[name](reals, samples).items():
            assert found.facts["scored"][f"score/{score}"] == pytest.approx(value, rel=1e-3)
            assert "EfficientNet-Lite0" in SCORES[f"score/{score}"]
    assert found.facts["extractor"] == "efficientnet-lite0"


def test_scores_are_written_where_one_looks_for_them(scored: Run) -> None:
    rows = [r for r in scored.rows(scored.scores) if "score/frechet" in r["scores"]]
    assert [row["images_seen"] for row in rows] == [24, 48, 64]
    for row in rows:
        taken = {name for name in row["scores"] if name.startswith("score/")}
        known = {name for name in SCORES if name.startswith("score/")}
        assert taken == known - {"score/refinement"}  # which is that of refiners
    for path in scored.found():
        found = checkpoint.read(path)
        taken_then = [r["scores"] for r in rows if r["images_seen"] == found.images_seen]
        expected = {n: v for s in taken_then for n, v in s.items() if n.startswith("score/")}
        assert found.facts["scored"] == expected
    assert "score/frechet" not in last(scored).facts["now"]["scores"]  # no schedule sees them
    assert "score/recall" in (scored.path / "log.txt").read_text()
    report = (scored.path / "report.html").read_text()
    for words in ("Likeness to unseen pictures", "knows by heart", "best checkpoint"):
        assert words in report


def test_watch_sees_the_last_scores(kittens: Pack) -> None:
    told: dict[int, bool] = {}

    def watch(stage: str, now: Progress, budget: int) -> None:
        told[now.images_seen] = "score/frechet" in now.scores

    train(kittens, budget=32, watch=watch)
    assert told == {8: False, 16: False, 24: True, 32: True}


def test_a_training_that_died_and_went_on_has_the_same_scores(
    scored: Run, kittens: Pack, tmp_path: Path
) -> None:
    class DiedError(RuntimeError):
        pass

    def die(stage: str, now: Progress, budget: int) -> None:
        if now.images_seen == 56:
            raise DiedError

    with pytest.raises(DiedError):
        train(kittens, watch=die)
    run = Run(tmp_path / "runs" / "dcgan-01")
    assert last(run).images_seen == 48
    purrtrait.resume(run.path)
    assert run.scores.read_bytes() == scored.scores.read_bytes()
    assert run.rows(run.incidents) == scored.rows(scored.incidents)
    assert last(run).facts["scored"] == last(scored).facts["scored"]


def test_a_stop_that_was_not_planned_takes_no_scores(kittens: Pack) -> None:
    run = train(kittens, minutes=0.0)
    assert last(run).images_seen == 8
    assert last(run).facts["scored"] == {}


@pytest.mark.parametrize(
    ("held_out", "samples", "expected"),
    [
        (2000, 500, 500),
        (300, 500, 300),
        (200, 500, 200),
        (199, 500, 0),
        (16, 16, 16),
        (15, 16, 0),
        (9, 0, 0),
    ],
)
def test_as_many_are_compared_as_the_pack_allows(
    held_out: int, samples: int, expected: int
) -> None:
    class Few:
        def rows(self, split: str) -> np.ndarray:
            return np.arange(held_out if split == "held-out" else 7)

    assert comparable(Few(), samples) == expected  # type: ignore[arg-type]


def test_a_pack_that_holds_out_too_few_is_told(kittens: Pack) -> None:
    run = train(kittens, budget=16, upkeep={"score_samples": 500})
    assert "holds out only 16 pictures" in (run.path / "log.txt").read_text()
    assert last(run).facts["scored"] == {}
    assert run.best() is None
    assert "none was scored" in studio.inspect(run.path)["best"]
    with pytest.raises(ValueError, match="no checkpoint that was scored"):
        wrapping.best_checkpoint(run.path)


def test_scores_take_no_more_than_a_share_of_the_time(kittens: Pack) -> None:
    def every(budget: int, samples: int, **asked: int) -> int:
        recipe, _ = options.override(options.find("dcgan"), {"budget": str(budget)})
        return stages.cadence(Upkeep(**asked), recipe.stages[0], samples, False).score_every_images  # type: ignore[arg-type]

    assert every(100_000, 500) == 20_000  # five in all
    assert every(2_000, 500) == 10_000  # at the end only
    assert every(100_000, 0) == 0
    assert every(100_000, 500, score_every_images=300) == 300
    with pytest.raises(ValueError, match="at least 16"):
        Upkeep(score_samples=15)


class Memory(Critic):
    """Calls real what is among the pictures that it has learnt by heart."""

    def __init__(self, known: Images) -> None:
        super().__init__()
        self.known = known
        self.awake = nn.Dropout(0.99)
        self.asleep = nn.Dropout(0.99).eval()

    def features(self, images: Images, given: Tensor | None = None) -> Tensor:
        return (images[:, None] == self.known).flatten(2).all(2).any(1, keepdim=True).float()

    def forward(self, images: Images, given: Tensor | None = None) -> Logits:
        verdicts: Logits = self.asleep(self.awake(self.features(images)))[:, 0]
        return verdicts


def test_a_critic_that_knows_its_pictures_by_heart_is_found_out(kittens: Pack) -> None:
    recipe, _ = options.override(options.find("dcgan"), TINY)
    here = torch.device("cpu")
    built = build.stage(recipe.stages[0], build.Shape(16, 3), 1, here)
    drawer: Any = built.objective.subject().eval()
    train_rows = kittens.rows("train")
    critic = Memory(to_images(kittens.images[train_rows])).train()
    critic.asleep.eval()

    class Pair:
        def players(self) -> dict[str, nn.Module]:
            return {"generator": drawer, "critic": critic}

    pair: Any = Pair()
    found = Scoring(Scored(kittens, Whole(16), Drawn(drawer), SIXTEEN, here), pair)()
    assert found["score/order-train"] == 1
    assert found["score/order-held-out"] == 0.5
    # It says 1 of what it knows and 0 of all else: wrong on all held-out, right on all fakes.
    assert found["score/accuracy-held-out"] == 0.5
    assert (critic.training, critic.awake.training, critic.asleep.training) == (True, True, False)


def script(monkeypatch: pytest.MonkeyPatch, **scores: list[float]) -> None:
    """Let scores follow a script: the first of each list, then the next."""
    moments = iter(range(99))
    usual = {"frechet": 500.0, "diversity": 0.9, "duplicates": 0.0}

    def scripted(self: Scoring) -> dict[str, float]:
        moment = next(moments)
        return {f"score/{n}": scores[n][moment] if n in scores else v for n, v in usual.items()}

    monkeypatch.setattr(Scoring, "__call__", scripted)


def test_the_best_is_kept_when_scores_get_worse(
    kittens: Pack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    script(monkeypatch, frechet=[500.0, 300.0, 400.0, 300.0, 350.0, 600.0, 600.0, 700.0])
    run = train(kittens, upkeep={"score_every_images": 8, "keep": 2})
    names = [f"base-{images:09d}" for images in (16, 56, 64)]
    assert [path.name for path in run.found()] == names
    best = run.best()
    assert best is not None
    assert (best.path.name, best.score) == (names[0], 300)
    assert last(run).path.name == names[-1]
    said = (run.path / "log.txt").read_text()
    assert "base-000000016 has 300, base-000000064 has 700" in said
    assert "--best" in said
    assert studio.inspect(run.path)["best"] == names[0]
    report = (run.path / "report.html").read_text()
    assert f"{names[0]} (Frechet distance to held-out pictures 300" in report
    assert not run.incidents.exists()
    assert "What went wrong" not in report

    chosen = wrapping.best_checkpoint(run.path)
    assert chosen == best.path
    for words, path in ((["--best"], chosen), ([], last(run).path)):
        out = tmp_path / path.name
        asked = ["sample", str(run.path), "--count", "2", "--device", "cpu", "--out", str(out)]
        assert CliRunner().invoke(cli.main, [*asked, *words]).exit_code == 0
        with Image.open(out / "portrait-1.png") as portrait:
            assert np.array_equal(np.asarray(portrait), purrtrait.sample(path, 2)[1])
    assert judging.open_pack(chosen, None).content_hash == kittens.content_hash

    damaged = best.path / checkpoint.MODEL
    damaged.write_bytes(damaged.read_bytes()[:-1])
    second = run.best()
    assert second is not None
    assert second.path.name == names[1]


def test_a_run_goes_on_from_its_last_checkpoint_and_keeps_the_best(
    kittens: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(monkeypatch, frechet=[9.0, 300.0, 400.0, 450.0])
    run = train(kittens, budget=16, upkeep={"score_every_images": 8, "keep": 1})
    purrtrait.resume(run.path, budget=32)
    assert [path.name for path in run.found()] == ["base-000000008", "base-000000032"]


def test_a_collapse_is_an_incident(kittens: Pack, monkeypatch: pytest.MonkeyPatch) -> None:
    script(monkeypatch, diversity=[0.9, 0.9, 0.3, 0.3])
    run = train(kittens, budget=32, upkeep={"score_every_images": 8})
    (incident,) = run.rows(run.incidents)
    assert (incident["stage"], incident["images_seen"]) == ("base", 24)
    assert "too much alike" in incident["words"]
    assert incident["words"] in (run.path / "log.txt").read_text()
    report = (run.path / "report.html").read_text()
    assert "What went wrong" in report
    assert "too much alike" in report
    run.forget_after(16, "base")
    assert run.rows(run.incidents) == []


def test_what_blew_up_is_an_incident(kittens: Pack, tmp_path: Path) -> None:
    with pytest.raises(Diverged):
        train(kittens, settings={"generator.lr": "1e39"})
    run = Run(tmp_path / "runs" / "dcgan-01")
    (incident,) = run.rows(run.incidents)
    assert "blew up" in incident["words"]
