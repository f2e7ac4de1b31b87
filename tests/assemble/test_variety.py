"""Packs that hold out too few pictures for scores: how varied portraits are is seen still."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import purrtrait
from helpers import TINY
from purrtrait import model
from purrtrait.assemble.scoring import SEED, Variety, varied
from purrtrait.datasets.pack import Pack
from purrtrait.evaluation import EXTRACTORS, features
from purrtrait.evaluation.diversity import diversity
from purrtrait.evaluation.reference import Reference
from purrtrait.sampling.latents import latents
from purrtrait.training.run import Run

PORTRAITS = 24


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    """A hundred and ten kittens, of which ten are held out."""
    out = tmp_path_factory.mktemp("packs") / "few"
    return purrtrait.prepare("kittens", out=out, size=16, count=110, split=1 / 11)


def train(pack: Pack, **upkeep: int) -> Run:
    outcome = purrtrait.train(
        "dcgan",
        pack.path,
        seed=1,
        threads=1,
        device="cpu",
        budget=48,
        settings=TINY,
        upkeep={
            "previews": 0,
            "tensorboard": False,
            "score_samples": PORTRAITS,
            "score_every_images": 24,
            **upkeep,
        },
    )
    return Run(outcome.run)


@pytest.mark.parametrize(
    ("train", "held_out", "samples", "expected"),
    [
        (900, 100, 500, 500),
        (300, 30, 500, 300),
        (100, 0, 500, 100),
        (99, 0, 500, 0),
        (900, 100, 100, 0),  # enough for all scores
        (900, 200, 500, 0),
        (900, 100, 0, 0),
    ],
)
def test_as_many_are_compared_as_there_are(
    train: int, held_out: int, samples: int, expected: int
) -> None:
    class Some:
        def rows(self, split: str) -> np.ndarray:
            return np.arange(held_out if split == "held-out" else train)

    assert varied(Some(), samples) == expected  # type: ignore[arg-type]


def test_portraits_are_compared_with_training_pictures(few: Pack) -> None:
    run = train(few)
    rows = [row for row in run.rows(run.scores) if "score/diversity" in row["scores"]]
    assert [row["images_seen"] for row in rows] == [24, 48]
    taken = {name: v for name, v in rows[-1]["scores"].items() if name.startswith("score/")}
    last = run.latest()
    assert last is not None
    drawn = model.load(last.path, "cpu")
    z = latents(PORTRAITS, drawn.sampler.latent_size, drawn.sampler.prior, SEED)
    extractor = EXTRACTORS["efficientnet-lite0"]()
    reals = Reference(few, extractor, 16, PORTRAITS).stand_ins()
    assert set(reals) <= set(few.rows("train"))
    found = diversity(
        features.extract(extractor, few.images[reals]), features.extract(extractor, drawn.draw(z))
    )
    assert taken == {f"score/{k}": pytest.approx(v, rel=1e-3) for k, v in found.items()}


def test_no_checkpoint_is_the_best_and_it_is_said(few: Pack) -> None:
    run = train(few)
    assert run.best() is None
    said = (run.path / "log.txt").read_text()
    assert "holds out only 10 pictures: nothing is scored while training but how varied" in said


def test_a_generator_that_draws_one_picture_is_told(
    few: Pack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def collapsed(self: Variety) -> dict[str, float]:
        return {"score/diversity": 0.1, "score/duplicates": 1.0}

    monkeypatch.setattr(Variety, "__call__", collapsed)
    run = train(few)
    told = " ".join(str(row) for row in run.rows(run.incidents))
    assert "differ 10% as much as real pictures do" in told
