"""`bundle` makes what `pull` fetches; both say what they made."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import purrtrait
import stacked
from helpers import TINY, files
from mirrors import Mirrors, ranges, serving
from purrtrait import bundling, shelf, wrapping
from purrtrait.__main__ import run
from purrtrait.datasets.pack import Pack
from purrtrait.evaluation.judgement import Judgement, Score
from purrtrait.sampling import bundle
from purrtrait.training.run import Run

Call = Callable[..., Any]


@pytest.fixture(scope="module")
def trained(kittens: Pack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run that no test may change."""
    return purrtrait.train(
        "dcgan",
        kittens.path,
        runs_folder=tmp_path_factory.mktemp("runs"),
        budget=8,
        seed=1,
        device="cpu",
        threads=1,
        settings=TINY,
        upkeep={"previews": 0, "tensorboard": False, "score_samples": 0},
    ).run


@pytest.fixture
def own(trained: Path, tmp_path: Path) -> Path:
    """A copy of the run that a test may change."""
    return Path(shutil.copytree(trained, tmp_path / "runs" / "own-01"))


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """Give a caller of commands that go well; what they print as JSON."""

    def ask(*words: object) -> Any:
        capsys.readouterr()
        assert run([str(word) for word in (*words, "--json")]) == 0
        return json.loads(capsys.readouterr().out)

    return ask


@pytest.fixture
def refusal(capsys: pytest.CaptureFixture[str]) -> Call:
    """Give a caller of commands that are refused; what they say."""

    def ask(*words: object) -> str:
        capsys.readouterr()
        assert run([str(word) for word in words]) == 2
        return capsys.readouterr().err

    return ask


@pytest.fixture(autouse=True)
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the folder of pulled bundles, which is not there yet."""
    place = tmp_path / "my bundles"
    monkeypatch.setenv(shelf.VARIABLE, str(place))
    return place


# bundle


def test_in_full_it_is_what_training_leaves(trained: Path, call: Call) -> None:
    made = call("bundle", trained, "--out", "given")
    assert made["largest_difference"] == 0
    assert made["bytes"] == sum(path.stat().st_size for path in Path("given").iterdir())
    assert files(Path("given")) == {"model.safetensors", "sampler.json", "README.md"}
    left, given = (load_file(path / bundle.MODEL) for path in (trained / "bundle", Path("given")))
    assert left.keys() == given.keys()
    assert all(torch.equal(left[name], given[name]) for name in left)
    assert "half" not in Path("given/README.md").read_text("utf-8")


def test_half_precision_halves_and_hardly_shows(trained: Path, call: Call) -> None:
    made = call("bundle", trained, "--out", "half", "--precision", "half")
    whole, half = (trained / "bundle" / bundle.MODEL, Path("half") / bundle.MODEL)
    assert half.stat().st_size < 0.6 * whole.stat().st_size
    drawn = [purrtrait.load(p, "cpu").sample(256) for p in (trained, "half")]
    away = np.abs(drawn[0].astype(int) - drawn[1]).max()
    assert made["largest_difference"] == away <= 3
    card = Path("half/README.md").read_text("utf-8")
    assert f"no pixel is further than {away} of 255" in card


def test_half_weights_are_loaded_as_single_precision(trained: Path, call: Call) -> None:
    call("bundle", trained, "--out", "half", "--precision", "half")
    kept, full = (load_file(p / bundle.MODEL) for p in (Path("half"), trained / "bundle"))
    sampler: Any = bundle.load(Path("half"))
    for name, value in sampler.drawer.state_dict().items():
        there, before = kept[f"base/{name}"], full[f"base/{name}"]
        assert value.dtype == before.dtype
        assert there.dtype == (torch.float16 if before.dim() > 1 else before.dtype)
        assert torch.equal(value, there.to(before.dtype))
        assert torch.allclose(value.double(), before.double(), rtol=2**-11, atol=2**-25)


def test_weights_that_half_precision_cannot_hold_are_refused(own: Path, refusal: Call) -> None:
    last = Run(own).latest()
    assert last
    weights = last.average()
    name = next(name for name, value in weights.items() if value.dim() > 1)
    weights[name].view(-1)[0] = 70_000
    save_file(weights, last.path / bundle.MODEL)
    facts = json.loads((last.path / "training.json").read_text())
    facts["sha256"][bundle.MODEL] = hashlib.sha256(
        (last.path / bundle.MODEL).read_bytes()
    ).hexdigest()
    (last.path / "training.json").write_text(json.dumps(facts))
    said = refusal("bundle", own, "--out", "half", "--precision", "half")
    assert "7e+04 does not fit into half precision" in said
    assert not Path("half").exists()


def test_a_pyramid_in_half_precision(kittens: Pack, call: Call) -> None:
    made = call("bundle", stacked.trained(kittens).path, "--out", "half", "--precision", "half")
    assert made["largest_difference"] <= 3
    assert purrtrait.sample("half", 2).shape == (2, 16, 16, 3)
    card = Path("half/README.md").read_text("utf-8")
    assert re.search(r"\| budget \| 16 and 16 and 16 real pictures, \S+ TFLOP of counted", card)


def test_the_card_has_the_scores_of_this_checkpoint_only(own: Path, call: Call) -> None:
    last = Run(own).latest()
    assert last
    scores = {"frechet": Score(193.77, 2.73, 28.55), "recall": Score(0.5)}
    weights = {"weights": last.facts["sha256"]["model.safetensors"]}
    judgement = Judgement("own", "hash", "colours", 1000, 500, scores, origin=weights)
    (own / "scores.json").write_text(judgement.to_json(), encoding="utf-8")
    call("bundle", own, "--out", "judged")
    card = Path("judged/README.md").read_text("utf-8")
    for row in (
        "| scores | 1,000 samples against 500 held-out pictures of the pack hash, as colours sees "
        "them |",
        "| frechet | 194 ± 2.73 (lower is better; real pictures get 28.6) |",
        "| recall | 0.5 (higher is better) |",
    ):
        assert row in card
    # Of the same name, in a stage that has been trained anew since.
    older = {"checkpoint": last.path.name, "weights": "others"}
    other = Judgement("own", "hash", "colours", 1000, 500, scores, origin=older)
    (own / "scores.json").write_text(other.to_json(), encoding="utf-8")
    assert wrapping.judgement_of(last) is None
    call("bundle", own / "checkpoints" / last.path.name, "--out", "unjudged")
    assert "samples against" not in Path("unjudged/README.md").read_text("utf-8")


def test_the_difference_is_that_of_the_pixels() -> None:
    class Flat:
        """Draws one grey level, and one corner in another."""

        latent_size, prior = 2, "normal"

        def __init__(self, corner: int) -> None:
            self.corner = corner

        def __call__(self, z: torch.Tensor) -> torch.Tensor:
            images = torch.zeros(len(z), 1, 2, 2)
            images[:, :, 0, 0] = self.corner / 127.5 - 1
            return images

    away = bundling.apart(Flat(100), Flat(108))  # type: ignore[arg-type]
    assert away == bundling.Apart(8, 2.0)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere", "--out", "x"], "not a run folder"),
        (["own", "--out", "full"], "nothing is overwritten"),
        (["own", "--out", "x", "--best"], "has no checkpoint that was scored"),
        (["own"], "Missing option '--out'"),
        (["own", "--out", "x", "--precision", "quarter"], "is not one of"),
    ],
)
def test_bundles_that_cannot_be_made(words: list[str], said: str, own: Path, refusal: Call) -> None:
    Path("full").mkdir()
    assert said in refusal("bundle", *(str(own) if word == "own" else word for word in words))
    assert not Path("x").exists()


# pull


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirrors]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving() as mirrors:
        yield mirrors


def test_what_one_bundles_another_pulls(
    trained: Path,
    server: Mirrors,
    mine: Path,
    call: Call,
    capsys: pytest.CaptureFixture[str],
) -> None:
    call("bundle", trained, "--out", "given/tigers", "--precision", "half")
    archive = Path(shutil.make_archive("tigers", "zip", "given"))
    content = archive.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    address = server.plan("/tigers.zip", partial(ranges, content=content))
    made = call("pull", f"{address}#sha256={digest}")
    assert made == {
        "bundle": str(mine / "tigers"),
        "sha256": {"tigers.zip": digest},
        "draw": "purrtrait sample tigers",
    }
    assert run([*made["draw"].split()[1:], "--count", "2", "--device", "cpu"]) == 0
    assert Path("samples/tigers-01/grid.png").is_file()
    elsewhere = call("pull", f"{address}#sha256={digest}", "--to", "else")
    assert elsewhere["draw"] == f"purrtrait sample {Path('else/tigers')}"
    capsys.readouterr()
    assert run(["pull"]) == 0
    assert f"tigers   pulled ({mine / 'tigers'})" in capsys.readouterr().out


def test_without_a_name_it_lists_what_there_is(call: Call) -> None:
    assert call("pull") == {
        "kittens": f"kittens of 32 px, by the recipe portrait ({shelf.shipped()['kittens']})"
    }
    entry = {"about": "lions", "urls": ["https://a.example/lions.zip"], "sha256": "0" * 64}
    listed = {"schema": 1, "bundles": {"lions": {**entry, "size_bytes": 1_230_000}}}
    Path("list.json").write_text(json.dumps(listed))
    assert call("pull", "--catalogue", "list.json")["lions"] == "lions (1.2 MB to fetch)"


def test_names_that_are_unknown(refusal: Call) -> None:
    assert "unknown bundle 'kitten'. Did you mean 'kittens'?" in refusal("pull", "kitten")
