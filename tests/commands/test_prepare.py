"""The command `prepare`, as a user runs it: from toy cats and from files to a pack."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from purrtrait import preparing
from purrtrait.__main__ import run
from purrtrait.datasets.pack import Pack
from purrtrait.images.written import MOST


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """Ten different pictures in a folder."""
    folder = tmp_path / "album"
    folder.mkdir()
    for number in range(10):
        pixels = np.random.default_rng(number).integers(0, 256, (30, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"photo {number}.png")
    return folder


def facts(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


def test_toy_cats_and_their_files_give_the_same_faces(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn = ["prepare", "toy-cats", "--count", "12", "--size", "32", "--photos", "toys", "--json"]
    assert run(drawn) == 0
    assert facts(capsys)["pictures"] == 12
    read = ["prepare", "cat10k", "toys", "--size", "32", "--json"]
    more = ["--debug", "debug", "--write-augmented", "copies", "--contact-sheet"]
    assert run([*read, *more]) == 0
    said = facts(capsys)
    assert said["pack"] == str(Path("packs") / "toys-32")
    assert said["kept"] == str(Path("packs") / "toys-32" / "kept.png")
    first, second = (Pack.open(Path("packs") / name) for name in ("toy-cats-32", "toys-32"))
    for one, other in zip(first.images, second.images, strict=True):
        # Annotations are whole pixels, and the files are JPEG.
        assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.9
    assert len(list(Path("debug").iterdir())) == 12
    assert len(list(Path("copies").rglob("*.jpg"))) == 12 * (10 + 1)
    assert run(read) == 0  # the very same pack
    assert run([*read, "--align", "meow"]) == 2
    assert "align is 'cat-generator' there and 'meow' here" in capsys.readouterr().err
    assert run([*read, "--align", "meow", "--out", "packs/meow"]) == 0


def test_people_in_an_archive_are_held_out_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    numbers = np.random.default_rng(0)
    with tarfile.open("lfw.tgz", "w:gz") as archive:
        for person in range(8):
            for number in range(1, 4):
                pixels = numbers.integers(0, 256, (50, 50, 3), dtype=np.uint8)
                Image.fromarray(pixels).save("one.png")
                name = f"lfw/Person_{person}/Person_{person}_{number:04d}.png"
                archive.add("one.png", name.replace(".png", ".jpg"))
    assert run(["prepare", "lfw", "lfw.tgz", "--size", "16", "--split", "0.3", "--json"]) == 0
    said = facts(capsys)
    assert (said["pack"], said["train"], said["held_out"]) == (str(Path("packs/lfw-16")), 18, 6)
    pack = Pack.open(Path("packs/lfw-16"))
    held_out = {pack.manifest.groups[row] for row in pack.rows("held-out")}
    assert len(held_out) == 2


def test_what_is_left_out_is_told(album: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("RGB", (30, 30), "navy").save(album / "night.png")
    (album / "copy.png").write_bytes((album / "photo 1.png").read_bytes())
    assert run(["prepare", "folder", str(album), "--size", "16", "--least", "20"]) == 0
    told = capsys.readouterr().err
    assert "left out: night.png (blank)" in told
    assert "left out: photo 1.png (the same pixels as another one: copy.png)" in told


def test_odd_faces_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    drawn = ["prepare", "toy-cats", "--count", "6", "--size", "16", "--photos", "toys"]
    assert run(drawn) == 0
    assert "odd" not in capsys.readouterr().err
    for number in (3, 5):
        path = Path("toys") / "CAT_00" / f"0000000{number}_000.jpg.cat"
        nine, *places = path.read_text().split()
        path.write_text(" ".join([nine, *places[2:4], *places[:2], *places[4:]]))
    for _ in range(2):  # it is said of a pack that is there, too
        assert run(["prepare", "cat10k", "toys", "--size", "16", "--json"]) == 0
        said = capsys.readouterr()
        assert json.loads(said.out)["odd"] == 2
        assert (
            "odd: 2 x its eyes were named the wrong way round, and are exchanged back "
            "(CAT_00/00000003_000.jpg ...; its manifest.json lists all)\n"
        ) in said.err


def test_as_many_augmented_files_as_asked_for(
    album: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["prepare", "folder", str(album), "--size", "16", "--augmented-count"]
    assert run([*asked, str(MOST + 1), "--write-augmented", "copies"]) == 2
    assert f"1<=x<={MOST}" in capsys.readouterr().err
    assert run([*asked, "3"]) == 2
    assert "no folder for them: name one with --write-augmented" in capsys.readouterr().err
    assert not Path("packs").exists()
    assert run([*asked, "3", "--write-augmented", "copies"]) == 0
    assert len(list(Path("copies").rglob("*.jpg"))) == 10 * (3 + 1)


def test_when_nothing_can_be_used_the_sheet_of_it_stays(
    album: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["prepare", "folder", str(album), "--size", "16", "--least", "99", "--contact-sheet"]
    assert run(asked) == 2
    sheet = Path("packs") / "album-16-left-out-01.png"
    assert f"No pack was written. Look at {sheet}." in capsys.readouterr().err
    assert list(Path("packs").iterdir()) == [sheet]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--align", "eyes"], "The alignment eyes needs the left eye, the right eye of each face"),
        (["--find", "dogs"], "unknown finder 'dogs'"),
        (["--screen", "blank,,blury"], "unknown screen 'blury'. Did you mean 'blurred'"),
        (["--least", "3"], "Found least 3, expected at least 8"),
        (["--photos", "x"], "Photos are written of toy-cats only"),
        (["--download"], "unknown dataset to download 'folder'"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_made(
    album: Path, more: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(path.name for path in Path.cwd().iterdir())
    assert run(["prepare", "folder", str(album), *more]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert "Traceback" not in error
    assert sorted(path.name for path in Path.cwd().iterdir()) == before


@pytest.mark.parametrize(
    ("source", "name"),
    [
        (None, "kittens"),
        ("photos/cats", "cats"),
        ("lfw-deepfunneled.tgz", "lfw-deepfunneled"),
        ("a/faces.tar.gz", "faces"),
        ("a/Faces.ZIP", "Faces"),
        (".zip", "kittens"),
    ],
)
def test_what_a_pack_is_called_after(source: str | None, name: str) -> None:
    assert preparing._plain_name(Path(source) if source else None, "kittens") == name
