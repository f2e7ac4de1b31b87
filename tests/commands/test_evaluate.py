"""The command `evaluate`: its table and files, what it compares with, and what it refuses."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import purrtrait
from helpers import CPU, TINY, Colours, files
from purrtrait import config, judging, studio
from purrtrait.__main__ import run
from purrtrait.assemble import build
from purrtrait.datasets.pack import HELD_OUT, TRAIN, Pack
from purrtrait.datasets.writer import write_manifest
from purrtrait.evaluation import EXTRACTORS, reference
from purrtrait.evaluation.judgement import Judgement
from purrtrait.images import sheet
from purrtrait.images.resize import area, to_images
from purrtrait.training.checkpoint import under
from purrtrait.training.run import Run

QUICK = ["--samples", "24", "--extractor", "colours", "--device", "cpu", "--threads", "1"]


@pytest.fixture(autouse=True)
def _quick_extractor(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(EXTRACTORS, "colours", Colours)
    yield


@pytest.fixture(scope="module")
def whole(kittens: Pack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run that no test may change."""
    return purrtrait.train(
        "portrait",
        kittens.path,
        runs_folder=tmp_path_factory.mktemp("runs"),
        seed=1,
        budget=32,
        device="cpu",
        threads=1,
        settings=TINY,
        upkeep={"previews": 4, "tensorboard": False},
    ).run


@pytest.fixture
def trained(whole: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    shutil.copytree(whole, tmp_path / "portrait-01")
    return tmp_path / "portrait-01"


@pytest.fixture
def photos(kittens: Pack, tmp_path: Path) -> Path:
    """Twenty training pictures as files, larger than the pack's."""
    folder = tmp_path / "photos"
    shown = kittens.images[kittens.rows(TRAIN)[:20]]
    for number, pixels in enumerate(sheet.upscale(shown, 2)):
        sheet.write_png(folder / f"{number:02d}.png", pixels)
    return folder


def evaluated(*words: object) -> int:
    return run(["evaluate", *map(str, words), *QUICK])


def test_a_run_is_judged_against_its_own_pack(
    trained: Path, kittens: Pack, capsys: pytest.CaptureFixture[str]
) -> None:
    before = files(trained)
    assert evaluated(trained) == 0
    said, told = capsys.readouterr()
    assert "24 samples against 16 held-out pictures, as colours sees them" in said
    lines = {line.split()[0]: line for line in said.splitlines() if line.strip()}
    assert "lower" in lines["frechet"] and "noise" in lines["frechet"]
    assert "no sign of copying" in said
    assert "note: only 16 held-out pictures" in told and "Traceback" not in told
    assert files(trained) - before == {"scores.json", "neighbours.png"}
    made = Judgement.read(trained / "scores.json")
    assert made.pack == kittens.content_hash
    origin = made.origin
    assert (origin["seed"], origin["images_seen"], origin["recipe"]) == (0, 32, "portrait")
    assert (trained / "checkpoints" / origin["checkpoint"]).is_dir()
    assert origin["identity"] == Colours.identity
    assert {"purrtrait", "torch", "against"} <= set(origin)
    assert origin["metrics"] == reference.VERSION
    assert "another pack" not in told


def test_another_pack_than_it_was_trained_on_is_noted(
    trained: Path, kittens: Pack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same photos with other lots: what is held out there was trained on."""
    shutil.copytree(kittens.path, tmp_path / "others")
    ends = {TRAIN: len(kittens.rows(TRAIN)), HELD_OUT: len(kittens.rows(HELD_OUT))}
    turned = replace(kittens.manifest, split=tuple(reversed(ends.items())))
    write_manifest(tmp_path / "others", turned)
    other = Pack.open(tmp_path / "others")
    assert set(other.rows(HELD_OUT)) & set(kittens.rows(TRAIN))
    for judged in (trained, trained / "bundle"):
        assert evaluated(judged, "--against", other.path, "--out", tmp_path / "scores.json") == 0
        told = capsys.readouterr().err
        packs = kittens.content_hash[:12], other.content_hash[:12]
        assert f"note: it was trained on another pack ({packs[0]}) than it is" in told
        assert f"compared with ({packs[1]})" in told
        made = Judgement.read(tmp_path / "scores.json")
        assert made.notes[0].startswith("it was trained on another pack")


class Page(HTMLParser):
    """The ids and pictures of a page, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.pictures: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.ids += [found.get("id") or ""]
        self.pictures += [found.get("src") or ""] * (tag == "img")

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_report_shows_the_scores(trained: Path) -> None:
    before = Page((trained / "report.html").read_text("utf-8"))
    assert "judgement" not in before.ids
    assert evaluated(trained) == 0
    page = Page((trained / "report.html").read_text("utf-8"))
    assert {"judgement", "copying"} <= set(page.ids)
    assert len(page.pictures) == len(before.pictures) + 1
    assert all(picture.startswith("data:image/png;base64,") for picture in page.pictures)
    for name in Judgement.read(trained / "scores.json").scores:
        assert name in page.text
    assert "only 16 held-out pictures" in page.text
    # A training that goes on keeps the section, and scores that cannot be read keep no report back.
    (trained / "scores.json").write_text("{", encoding="utf-8")
    purrtrait.resume(trained, budget=48)
    assert "judgement" not in Page((trained / "report.html").read_text("utf-8")).ids


def test_the_neighbours_are_those_that_the_scores_name(trained: Path, kittens: Pack) -> None:
    from PIL import Image

    judgement = purrtrait.evaluate(trained, samples=24, extractor="colours", device="cpu")
    with Image.open(trained / "neighbours.png") as image:
        grid = np.asarray(image)
    drawn, scale = purrtrait.load(trained, "cpu").sample(24), 4
    for place, one in enumerate(judgement.copying["closest"]):
        row, column = divmod(place, 4)
        for side, expected in enumerate((drawn[one["sample"]], kittens.images[one["row"]])):
            top, left = 2 + row * (64 + 2), 2 + (2 * column + side) * (64 + 2)
            shown = grid[top : top + 64 : scale, left : left + 64 : scale].astype(int)
            assert abs(shown - expected).max() <= 1
        assert one["row"] in kittens.rows(TRAIN)


def test_the_same_again_gives_the_same_scores(
    trained: Path, kittens: Pack, capsys: pytest.CaptureFixture[str]
) -> None:
    found = []
    last = sorted((trained / "checkpoints").iterdir())[-1]
    for path in (trained, last, trained / "bundle"):
        capsys.readouterr()
        assert evaluated(path, "--against", kittens.path, "--json") == 0
        said: dict[str, Any] = json.loads(capsys.readouterr().out)
        found.append(said["scores"])
        assert said["samples"] == 24
    assert found[0] == found[1] == found[2]
    assert evaluated(trained, "--seed", "1", "--json") == 0
    assert json.loads(capsys.readouterr().out)["scores"] != found[0]


def test_what_lies_in_a_run_knows_its_pack(
    trained: Path, kittens: Pack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluated(trained / "bundle") == 0
    asked = json.loads((trained / "run.json").read_text("utf-8"))
    (trained / "run.json").write_text(json.dumps({**asked, "data": "gone"}), encoding="utf-8")
    assert evaluated(trained) == 2
    assert "name it with --against PACK" in capsys.readouterr().err
    assert evaluated(trained, "--against", kittens.path) == 0


def test_only_a_run_and_out_are_written_to(trained: Path, kittens: Pack, photos: Path) -> None:
    before = files(trained)
    assert evaluated(trained / "bundle", "--against", kittens.path) == 0
    assert evaluated(photos, "--against", kittens.path) == 0
    assert evaluated(trained, "--out", "new/folder/mine.json") == 0
    assert files(trained) == before and len(files(photos)) == 20
    assert Judgement.read(Path("new/folder/mine.json")).subject == str(trained)


def test_a_page_of_scores(
    trained: Path, kittens: Pack, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = Path("new/scores.html")
    assert evaluated(photos, "--against", kittens.path, "--page", page) == 0
    assert f"written to {page}" in capsys.readouterr().out
    text = page.read_text("utf-8")
    assert str(photos) in text and str(kittens.path) in text
    assert text.count('class="score"') > 5 and "<script" not in text and "http" not in text
    # Its own page it may write again; nothing else's, and not before the work is done.
    assert evaluated(trained, "--page", page) == 0
    page.write_text("mine", encoding="utf-8")
    for wrong, words in ((page, "expected another"), (Path("scores.json"), "ends in .html")):
        assert evaluated(photos, "--against", kittens.path, "--page", wrong) == 2
        assert words in capsys.readouterr().err
    assert page.read_text("utf-8") == "mine"


def test_a_folder_of_pictures_is_cut_as_the_pack_was(photos: Path, kittens: Pack) -> None:
    found = purrtrait.evaluate(photos, kittens.path, extractor="colours")
    assert found.samples == 20
    # They are the pack's own pictures, twice as large: reduced, they are its own again.
    assert found.scores["copied"].value == 1
    assert all(one["distance"] == 0 for one in found.copying["closest"])
    fewer = purrtrait.evaluate(photos, kittens.path, samples=16, extractor="colours")
    assert fewer.samples == 16


def test_damaged_pictures_are_replaced_and_named(
    photos: Path, kittens: Pack, caplog: pytest.LogCaptureFixture
) -> None:
    (photos / "03.png").write_bytes(b"cut off")
    (photos / "07.png").write_bytes(b"cut off")
    assert purrtrait.evaluate(photos, kittens.path, samples=18, extractor="colours").samples == 18
    assert "left out: 03.png (not a picture)" in caplog.text


def test_a_name_alone_makes_no_folder_of_samples(photos: Path, kittens: Pack) -> None:
    (photos / "05.png").rename(photos / "portrait-1.png")
    assert purrtrait.evaluate(photos, kittens.path, extractor="colours").samples == 20


def test_enlarged_pictures_are_named(
    photos: Path, kittens: Pack, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for number, pixels in enumerate(kittens.images[:20, ::2, ::2]):
        sheet.write_png(tmp_path / "small" / f"{number:02d}.png", pixels)
    purrtrait.evaluate(photos, kittens.path, extractor="colours")
    assert "enlarged" not in caplog.text
    purrtrait.evaluate(tmp_path / "small", kittens.path, extractor="colours")
    assert "20 of 20 pictures in" in caplog.text and "were enlarged" in caplog.text


def test_a_checkpoint_that_is_removed_meanwhile_costs_no_scores(
    trained: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As a run does that goes on training: its scores are kept, with the checkpoint's name."""
    last = Run(trained).latest()
    assert last is not None
    draw = judging.drawn

    def drawn(*anything: Any) -> np.ndarray:
        pixels = draw(*anything)
        shutil.rmtree(last.path)
        return pixels

    monkeypatch.setattr(judging, "drawn", drawn)
    found = purrtrait.evaluate(trained, samples=16, extractor="colours")
    assert found.origin["checkpoint"] == last.path.name
    assert "no neighbours are shown" in caplog.text
    assert Judgement.read(trained / "scores.json") == found
    assert not (trained / "neighbours.png").exists()


def test_of_a_folder_of_samples_the_grid_is_not_judged(trained: Path, kittens: Pack) -> None:
    samples = Path("drawn")
    samples.mkdir()
    model = purrtrait.load(trained)
    made = studio.draw(model, samples, 20, 0, temperatures=[0.5, 1])
    assert len(files(samples)) == 22
    found = purrtrait.evaluate(samples, kittens.path, extractor="colours")
    drawn = purrtrait.evaluate(trained, kittens.path, samples=20, extractor="colours")
    assert found.samples == 20
    assert found.scores["frechet"].value == pytest.approx(drawn.scores["frechet"].value)
    assert made["grid"].is_file()


def test_too_few_held_out_pictures_are_noticed_before_anything_is_drawn(
    trained: Path, kittens: Pack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    few = purrtrait.prepare("kittens", out=tmp_path / "few", size=16, count=40, split=0.1)
    monkeypatch.setattr(judging, "drawn", lambda *_: pytest.fail("portraits were drawn"))
    assert evaluated(trained, "--against", few.path, "--out", tmp_path / "scores.json") == 2
    said = capsys.readouterr().err
    assert "there are 4 held-out pictures in" in said and "a larger --split" in said
    assert "draw more samples" not in said


def test_a_grid_among_photos_is_a_photo(photos: Path, kittens: Pack) -> None:
    for photo in photos.glob("0*.png"):
        photo.rename(photos / "grid.png")
        break
    found, names = judging.pictures(photos, kittens, 100)
    assert "grid.png" in names
    assert len(found) == len(list(photos.iterdir()))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere"], "there is nothing at nowhere; expected a run, a checkpoint, a bundle or"),
        (["kittns"], "Did you mean 'kittens'?"),
        (["few"], "few is no run, which would know its pack: name one with --against"),
        (["kittens"], "kittens is no run, which would know its pack: name one with --against"),
        (["nowhere", "--against", "PACK"], "There is no folder nowhere"),
        (["RUN", "--against", "nowhere"], "there is no pack nowhere"),
        (["RUN", "--against", "."], "is not a pack"),
        (["RUN", "--against", "GREY"], "expected a pack of the same colours"),
        (["RUN", "--samples", "15"], "15 samples are asked for; expected at least 16"),
        (["RUN", "--extractor", "eyes"], "unknown extractor 'eyes'"),
        (["RUN", "--out", "."], "expected the name of a file"),
        (["empty", "--against", "PACK"], "No picture in"),
        (["few", "--against", "PACK"], "holds 3 pictures that can be read; expected at least 16"),
        (["RUN", "--device", "abacus"], "abacus"),
    ],
)
def test_what_is_wrong_is_said_in_words(
    words: list[str],
    said: str,
    whole: Path,
    kittens: Pack,
    grey_kittens: Pack,
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("empty").mkdir()
    for number in range(3):
        sheet.write_png(Path(f"few/{number}.png"), kittens.images[number])
    known = {"RUN": whole, "PACK": kittens.path, "GREY": grey_kittens.path}
    before = files(whole)
    assert run(["evaluate", *(str(known.get(word, word)) for word in words)]) == 2
    out, err = capsys.readouterr()
    assert said in err and "Traceback" not in err and not out
    assert files(whole) == before


@pytest.fixture(scope="module")
def validating(kittens: Pack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of a validator, whose averaged weights are not those that were trained last."""
    return purrtrait.train(
        "validator",
        kittens.path,
        runs_folder=tmp_path_factory.mktemp("runs"),
        seed=1,
        budget=64,
        device="cpu",
        threads=1,
        settings={"pixels": "8", "batch": "16", "sets": "2", "network.width": "8"},
        upkeep={"previews": 0, "score_samples": 0, "tensorboard": False},
    ).run


def test_a_validator_judges_too(
    trained: Path, validating: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With its averaged weights, as it judges the previews of a pyramid; it is named by them."""
    assert evaluated(trained, "--validator", validating) == 0
    last = Run(validating).latest()
    assert last is not None
    assert f"a validator of 8 px, {last.weights[:12]}" in capsys.readouterr().err
    made = Judgement.read(trained / "scores.json")
    assert made.origin["validator"] == last.weights
    stage = config.loads(str(last.facts["recipe"])).stages[0]
    network = build.stage(stage, build.Shape(8, 3), 0, CPU).objective.players()["validator"]
    network.load_state_dict(under(last.average(), "validator/"))
    images = area(to_images(purrtrait.load(trained, "cpu").sample(24)), 8)
    with torch.no_grad():
        expected = torch.sigmoid(network.eval()(images))
    score = made.scores["validity"]
    assert score.value == pytest.approx(float(expected.mean()), abs=1e-5)
    assert score.error == pytest.approx(float(expected.std()) / 24**0.5, rel=1e-3)
    assert evaluated(trained, "--validator", last.path) == 0
    assert Judgement.read(trained / "scores.json") == made, "its checkpoint says the same"
    assert evaluated(trained) == 0
    assert "validator" not in Judgement.read(trained / "scores.json").origin


def test_what_is_no_validator_is_refused_before_anything_is_drawn(
    trained: Path, validating: Path, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = files(trained)
    assert evaluated(trained, "--validator", trained) == 2
    assert "has no validator; train one with `purrtrait train validator`" in capsys.readouterr().err
    assert evaluated(trained, "--validator", photos) == 2
    assert f"{photos}" in capsys.readouterr().err
    assert files(trained) == before
