"""Photos go to latents and come back by the run's own encoder, cut as packs are, and written."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image
from safetensors.torch import load_file

import purrtrait
from purrtrait import encoding, judging, reconstructing, screening
from purrtrait.assemble import restored
from purrtrait.commands.encode import encode
from purrtrait.commands.reconstruct import reconstruct
from purrtrait.commands.screen import screen
from purrtrait.datasets.pack import Pack
from purrtrait.evaluation.features import extract
from purrtrait.evaluation.frechet import frechet
from purrtrait.evaluation.sharpness import sharpness
from purrtrait.images import sheet
from purrtrait.images.colour import grey
from purrtrait.images.resize import fit, to_images, to_uint8
from purrtrait.model import load
from purrtrait.networks.encoder import ConvolvingEncoder
from purrtrait.sampling import bundle
from purrtrait.types import Coder, Generator, Images, Latents

SETTINGS = {"pixels": "0", "batch": "8", "network.width": "8", "latent": "6"}
UPKEEP = {"previews": 0, "tensorboard": False, "score_samples": 0}


def train(recipe: str, pack: Pack, root: Path, budget: int = 8) -> Path:
    settings = SETTINGS if recipe != "dcgan" else {"batch": "8", "width": "8", "pixels": "0"}
    made = purrtrait.train(
        recipe,
        pack.path,
        runs_folder=root,
        seed=1,
        budget=budget,
        settings=settings,
        upkeep=UPKEEP,
        device="cpu",
    )
    return made.run


@pytest.fixture(scope="module")
def runs(kittens: Pack, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Runs of a moment that no test may change."""
    root = tmp_path_factory.mktemp("runs")
    names = ("vae", "vae-gan", "vae-logistics", "dcgan")
    return {name: train(name, kittens, root) for name in names}


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """Two photos that are not square, one of them grey, one of another size, and no photo."""
    folder, numbers = tmp_path / "album", np.random.default_rng(0)
    folder.mkdir()
    for name, shape in (("a.png", (20, 30, 3)), ("b.png", (40, 32)), ("c.png", (12, 16, 3))):
        Image.fromarray(numbers.integers(0, 256, shape, dtype=np.uint8)).save(folder / name)
    (folder / "notes.jpg").write_text("no photo")
    return folder


def called(command: object, *words: object) -> Result:
    result = CliRunner().invoke(command, [str(word) for word in words])  # type: ignore[arg-type]
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.mark.parametrize("name", ["vae", "vae-gan", "vae-logistics"])
def test_latents_are_the_means_of_the_checkpoints_own_encoder(
    name: str, runs: dict[str, Path], kittens: Pack
) -> None:
    """Rebuilt here from its weights alone."""
    (last,) = (runs[name] / "checkpoints").glob("*08")
    start, kept = "player/encoder/", load_file(last / "training.safetensors")
    encoder = ConvolvingEncoder(16, 3, 6, 8).eval()
    encoder.load_state_dict(
        {k.removeprefix(start): v for k, v in kept.items() if k.startswith(start)}
    )
    pixels, pair = np.asarray(kittens.images[:70]), encoding.opened(runs[name], "cpu")
    with torch.no_grad():
        expected, _ = encoder(to_images(pixels))
    found = pair.encode(pixels)
    assert found.shape == (70, 6)
    assert torch.allclose(found, expected, atol=1e-5)
    decoder = bundle.load(last)
    assert np.abs(pair.redraw(pixels) - to_uint8(decoder(found)).astype(int)).max() <= 1


class Means(Coder):
    """Codes of as many numbers as it is told: the mean of a picture, again and again."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.latent_size = size

    def forward(self, images: Images) -> Latents:
        return images.mean((1, 2, 3))[:, None].expand(-1, self.latent_size)


def test_what_finds_latents_is_found(
    runs: dict[str, Path], kittens: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, places = to_images(kittens.images[:2]), {}
    for name, run in runs.items():
        (places[name],) = (run / "checkpoints").glob("*08")
    drawer = load(places["vae"], "cpu")
    encode = encoding.encoder(places["vae"], drawer)
    assert encode is not None
    pair = encoding.opened(runs["vae"], "cpu")
    assert torch.equal(encode(images), pair.encode(np.asarray(kittens.images[:2])))
    assert encoding.encoder(places["dcgan"], load(places["dcgan"], "cpu")) is None
    assert encoding.encoder(runs["vae"] / "bundle", drawer) is None
    for size, found in ((6, True), (5, False)):  # the model's latents have 6 numbers
        coder = Means(size)
        monkeypatch.setattr(restored, "players", lambda found, device, one=coder: {"coder": one})
        assert (encoding.encoder(places["vae"], drawer) is coder) == found


def test_photos_are_cut_and_resized_as_packs_are(runs: dict[str, Path], album: Path) -> None:
    pair = encoding.opened(runs["vae"], "cpu")
    found = encoding.pictures([album, album / "a.png"], pair)
    assert found.names == ["a.png", "b.png", "c.png", "a.png"]
    for pixels, name in zip(found.pixels, found.names, strict=True):
        with Image.open(album / name) as image:
            assert np.array_equal(pixels, fit(np.asarray(image.convert("RGB")), 16))


def test_what_cannot_be_read_is_left_out_and_said(
    runs: dict[str, Path], album: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pair = encoding.opened(runs["vae"], "cpu")
    encoding.pictures([album], pair)
    assert "left out: notes.jpg" in caplog.text
    with pytest.raises(ValueError, match=r"no picture in .*notes\.jpg can be read"):
        encoding.pictures([album / "notes.jpg"], pair)
    assert encoding.pictures([album], pair, count=2).names == ["a.png", "b.png"]


def test_the_rows_of_a_pack(runs: dict[str, Path], kittens: Pack) -> None:
    pair = encoding.opened(runs["vae"], "cpu")
    whole = encoding.pictures([kittens.path], pair)
    assert np.array_equal(whole.pixels, kittens.images)
    assert list(whole.names) == list(kittens.manifest.photos)
    kept = encoding.pictures([kittens.path], pair, encoding.held_out, 5)
    assert np.array_equal(kept.pixels, kittens.images[kittens.rows("held-out")[:5]])


def test_a_pack_that_holds_nothing_out_is_named(
    kittens: Pack, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert len(encoding.held_out(kittens)) < len(kittens.images) and not caplog.text
    monkeypatch.setattr(Pack, "rows", lambda pack, part: np.arange(0))
    assert len(encoding.held_out(kittens)) == len(kittens.images)
    assert "holds no picture out" in caplog.text


def test_colours_become_those_of_the_run(
    runs: dict[str, Path], kittens: Pack, grey_kittens: Pack, tmp_path: Path
) -> None:
    colourful = encoding.opened(runs["vae"], "cpu")
    lifted = encoding.pictures([grey_kittens.path], colourful).pixels
    assert np.array_equal(lifted, np.repeat(grey_kittens.images, 3, axis=-1))
    plain = encoding.opened(train("vae", grey_kittens, tmp_path), "cpu")
    assert np.array_equal(encoding.pictures([kittens.path], plain).pixels, grey(kittens.images))
    with pytest.raises(ValueError, match="expected runs that draw the same"):
        reconstructing.expect_alike([colourful, plain])


def test_encode_writes_an_array_and_a_table(runs: dict[str, Path], album: Path) -> None:
    said = json.loads(called(encode, runs["vae"], album, "--out", "o", "--json").stdout)
    assert said["pictures"] == 3 and said["latent_size"] == 6
    array = np.load(said["array"], allow_pickle=False)
    pair = encoding.opened(runs["vae"], "cpu")
    pixels = encoding.pictures([album], pair).pixels
    assert array.dtype == np.float32
    assert np.allclose(array, pair.encode(pixels).numpy(), atol=1e-6)
    with Path(said["table"]).open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    assert header == ["photo", *map(str, range(6))]
    assert [row[0] for row in rows] == ["a.png", "b.png", "c.png"]
    assert np.allclose(np.array([row[1:] for row in rows], float), array, rtol=1e-6)


@pytest.mark.skipif(os.name != "posix", reason="names are text on Windows")
def test_photos_of_any_name_are_listed(runs: dict[str, Path], album: Path) -> None:
    (album / "a.png").rename(album / os.fsdecode(b"caf\xe9.png"))
    said = json.loads(called(encode, runs["vae"], album, "--out", "o", "--json").stdout)
    assert b"\ncaf\xe9.png," in Path(said["table"]).read_bytes()


def test_reconstruct_lays_runs_below_the_originals(runs: dict[str, Path], kittens: Pack) -> None:
    words = (runs["vae"], kittens.path, "--beside", runs["vae-gan"], "--count", 3, "--json")
    said = json.loads(called(reconstruct, *words).stdout)
    with Image.open(said["sheet"]) as image:
        pixels = np.asarray(image)
    originals = kittens.images[kittens.rows("held-out")[:3]]
    pairs = [encoding.opened(runs[name], "cpu") for name in ("vae", "vae-gan")]
    rows = [originals, *(pair.redraw(originals) for pair in pairs)]
    height = pixels.shape[0] // 3
    for number, row in enumerate(rows):
        shown = sheet.grid(row, 3, scale=4)
        assert np.array_equal(pixels[number * height :][: shown.shape[0]], shown)
    assert said["measured"] == len(kittens.rows("held-out"))
    assert json.loads((Path(said["sheet"]).parent / "likeness.json").read_text()) == said


def test_a_pack_that_a_run_was_not_trained_on_is_named(
    runs: dict[str, Path], kittens: Pack, grey_kittens: Pack, album: Path
) -> None:
    pair = encoding.opened(runs["vae"], "cpu")
    assert encoding.strange([album, kittens.path], [pair]) == []
    (line,) = encoding.strange([grey_kittens.path], [pair])
    assert line.startswith(f"{runs['vae']} was not trained on {grey_kittens.path}")


def test_a_bundle_has_no_encoder(runs: dict[str, Path]) -> None:
    for path in (runs["vae"] / "bundle", Path("kittens")):
        with pytest.raises(ValueError, match=r"is a bundle, which draws and has no encoder"):
            encoding.opened(path, "cpu")


def test_likeness_is_what_it_says(runs: dict[str, Path], kittens: Pack) -> None:
    pairs = [encoding.opened(runs[name], "cpu") for name in ("vae", "vae-gan")]
    originals, known = np.asarray(kittens.images[:12]), judging.extractor("pixels")
    said = reconstructing.compared(pairs, originals, known)
    for pair in pairs:
        drawn, found = pair.redraw(originals), said[pair.name]
        apart = np.square((drawn.astype(float) - originals) / 255).mean()
        assert found["squared difference"] == pytest.approx(apart)
        sharp, own = (sharpness(to_images(some)).mean() for some in (drawn, originals))
        assert found["sharpness"] == pytest.approx(float(sharp / own))
        sets = (extract(known, originals), extract(known, drawn))
        assert found["frechet"] == pytest.approx(frechet(*sets)["frechet"])
    assert reconstructing.compared(pairs, originals[:1], known) == {}
    plain = np.full_like(originals, 255)
    assert reconstructing.compared(pairs[:1], plain, known)[pairs[0].name]["sharpness"] > 1


def test_a_run_stands_on_the_sheet_once(runs: dict[str, Path], kittens: Pack) -> None:
    words = (runs["vae"], kittens.path, "--beside", runs["vae"], "--measured", 0, "--json")
    with Image.open(json.loads(called(reconstruct, *words).stdout)["sheet"]) as image:
        assert image.height < 3 * 64 + 2 * 40


@pytest.mark.parametrize("command", [encode, reconstruct])
def test_runs_without_an_encoder_are_refused_and_leave_no_folder(
    command: object, runs: dict[str, Path], kittens: Pack
) -> None:
    with pytest.raises(ValueError, match=r"no encoder.*recipe is dcgan.*vae-gan"):
        called(command, runs["dcgan"], kittens.path)
    assert not Path("samples").exists()
    assert called(command, runs["vae"]).exit_code == 2
    assert called(command, runs["vae"], "nowhere.png").exit_code == 2


def test_what_a_vae_draws_is_a_bundle_like_any_other(runs: dict[str, Path]) -> None:
    for name in ("vae", "vae-gan", "vae-logistics"):
        assert isinstance(
            bundle.build(bundle.describe(runs[name] / "bundle")["stages"][0]["drawer"]), Generator
        )
        assert purrtrait.sample(runs[name] / "bundle", 3).shape == (3, 16, 16, 3)


def test_pictures_are_screened_by_how_badly_they_are_redrawn(
    runs: dict[str, Path], kittens: Pack
) -> None:
    """The root of the mean squared difference over the median, whatever the block it came in."""
    pair = encoding.opened(runs["vae"], "cpu")
    order, odd = screening.screen_by(pair, kittens)
    off = (pair.redraw(kittens.images).astype(float) - kittens.images) / 255
    apart = np.sqrt(np.square(off).mean((1, 2, 3)))
    assert sorted(order) == list(range(len(kittens.images)))
    assert np.allclose(odd, apart[order] / np.median(apart), rtol=1e-5)
    assert (np.diff(odd) <= 0).all()


def test_screen_by_a_run(runs: dict[str, Path], kittens: Pack, grey_kittens: Pack) -> None:
    words = ("--redrawn-by", runs["vae"], "--count", 3, "--out", "odd", "--json")
    said = json.loads(called(screen, kittens.path, *words).stdout)
    with Path(said["table"]).open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    order, _ = screening.screen_by(encoding.opened(runs["vae"], "cpu"), kittens)
    assert [row["photo"] for row in rows] == [kittens.manifest.photos[row] for row in order]
    with pytest.raises(ValueError, match="expected a run that was trained on such pictures"):
        called(screen, grey_kittens.path, "--redrawn-by", runs["vae"])
    with pytest.raises(ValueError, match="no encoder"):
        called(screen, kittens.path, "--redrawn-by", runs["dcgan"])


def test_screen_by_a_critic(runs: dict[str, Path], kittens: Pack, grey_kittens: Pack) -> None:
    """The worst verdict first, the same for a picture in whatever block it comes."""
    judge = screening.judge_of(runs["dcgan"])
    with torch.no_grad():
        verdicts = judge.critic.eval()(to_images(kittens.images)).numpy()
    words = ("--judged-by", runs["dcgan"], "--count", 3, "--out", "odd", "--json")
    said = json.loads(called(screen, kittens.path, *words).stdout)
    with Path(said["table"]).open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    expected = [kittens.manifest.photos[row] for row in np.argsort(verdicts, kind="stable")]
    assert [row["photo"] for row in rows] == expected
    odd = np.array([float(row["oddity"]) for row in rows])
    assert np.median(odd) == pytest.approx(0, abs=1e-3)
    assert np.median(np.abs(odd)) == pytest.approx(1, abs=1e-3)
    with pytest.raises(ValueError, match="expected a run that was trained on such pictures"):
        called(screen, grey_kittens.path, "--judged-by", runs["dcgan"])
    for none in (runs["vae"], runs["dcgan"] / "bundle"):
        with pytest.raises(ValueError, match="has no critic"):
            called(screen, kittens.path, "--judged-by", none)
    both = [str(kittens.path), "--judged-by", str(runs["dcgan"]), "--redrawn-by", str(runs["vae"])]
    assert CliRunner().invoke(screen, both).exit_code == 2
