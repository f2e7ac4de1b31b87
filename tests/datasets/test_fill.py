"""Copies are found, left out or kept together; faces are searched, counted and named."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from purrtrait.datasets import alike, cut, detect
from purrtrait.datasets.beside import Beside
from purrtrait.datasets.cut import EXCLUDED
from purrtrait.datasets.photo import DAMAGED, decode
from purrtrait.datasets.prepare import Order, prepare
from purrtrait.datasets.toys import write_cat_layout
from purrtrait.images.align import EYES_EXCHANGED, Face


@pytest.fixture
def copies(tmp_path: Path) -> Path:
    """Give a folder of twelve smooth photos; three of them come again, better, worse and equal."""
    folder = tmp_path / "photos"
    folder.mkdir()
    numbers = np.random.default_rng(0)
    for number in range(12):
        small = Image.fromarray(numbers.integers(0, 256, (6, 6, 3), dtype=np.uint8))
        small.resize((60, 60), Image.Resampling.BICUBIC).save(folder / f"{number:02d}.png")
    shutil.copy(folder / "01.png", folder / "equal.png")
    Image.open(folder / "02.png").resize((120, 120)).save(folder / "larger.png")
    Image.open(folder / "03.png").resize((40, 40)).save(folder / "smaller.png")
    return folder


def left_out(source: Path, out: Path, *screens: str) -> dict[str, tuple[str, str]]:
    pack = prepare(Order("folder", size=24, source=source, screens=screens), out)
    pack.verify()
    assert len(pack.images) + len(pack.manifest.quarantined) == 15
    for row, name in zip(pack.images, pack.manifest.photos, strict=True):
        same = prepare(Order("folder", size=24, source=source, screens=()), out.with_name("all"))
        assert np.array_equal(row, same.images[same.manifest.photos.index(name)])
    return {item.name: (item.copy_of, item.reason) for item in pack.manifest.quarantined}


def test_equal_ones_are_left_out_when_asked(copies: Path, tmp_path: Path) -> None:
    said = alike.COPIES["equal"]
    assert left_out(copies, tmp_path / "equal", "equal") == {"equal.png": ("01.png", said)}


def test_of_a_photo_in_several_versions_the_best_stays(copies: Path, tmp_path: Path) -> None:
    said = alike.COPIES["alike"]
    assert left_out(copies, tmp_path / "alike", "alike") == {
        "equal.png": ("01.png", said),
        "02.png": ("larger.png", said),
        "smaller.png": ("03.png", said),
    }


def test_a_copy_names_the_photo_that_stays(copies: Path, tmp_path: Path) -> None:
    shutil.copy(copies / "02.png", copies / "equal too.png")
    order = Order("folder", size=24, source=copies, screens=("equal", "alike"))
    pack = prepare(order, tmp_path / "pack")
    lost = {item.name: item.copy_of for item in pack.manifest.quarantined}
    assert lost["equal too.png"] == "larger.png"
    assert set(lost.values()) <= set(pack.manifest.photos)


def test_odd_faces_are_remarked_while_they_are_in_the_pack(tmp_path: Path) -> None:
    source = tmp_path / "cats"
    write_cat_layout(source, 6)
    order = Order("cat10k", size=24, source=source, screens=())
    plain = prepare(order, tmp_path / "plain")
    assert plain.manifest.remarks == {}
    for number in (2, 4):
        _exchange_eyes(source / "CAT_00" / f"{number:08d}_000.jpg.cat")
    mended = prepare(order, tmp_path / "mended")
    assert np.array_equal(mended.images, plain.images)
    names = [f"CAT_00/0000000{number}_000.jpg" for number in (2, 4)]
    assert mended.manifest.remarks == dict.fromkeys(names, EYES_EXCHANGED)
    # Nothing is remarked of a copy that is left out, or of a photo that nobody wants.
    for end in (".jpg", ".jpg.cat"):
        shutil.copy(*(source / "CAT_00" / f"0000000{n}_000{end}" for n in (4, 7)))
    (tmp_path / "list").write_text(names[0])
    order = replace(order, screens=("equal",), exclude=tmp_path / "list")
    pack = prepare(order, tmp_path / "pack")
    assert pack.manifest.remarks == {names[1]: EYES_EXCHANGED}
    assert len(pack.images) == 5


def _exchange_eyes(path: Path) -> None:
    count, left, down, right, up, *others = path.read_text().split()
    path.write_text(" ".join([count, right, up, left, down, *others]))


def test_a_warning_when_nothing_can_be_held_out(
    tmp_path: Path, noisy: Callable[..., Image.Image], caplog: pytest.LogCaptureFixture
) -> None:
    source = tmp_path / "one"
    source.mkdir()
    noisy().save(source / "a.png")
    prepare(Order("folder", size=16, source=source), tmp_path / "pack")
    assert "nothing is held out, so that there will be no scores: the 1 pictures" in caplog.text


def test_copies_that_stay_never_straddle_the_split(copies: Path, tmp_path: Path) -> None:
    for seed in range(5):
        order = Order("folder", size=24, source=copies, split=0.4, seed=seed, screens=())
        pack = prepare(order, tmp_path / str(seed))
        held_out = {pack.manifest.photos[row] for row in pack.rows("held-out")}
        for pair in ("01.png", "equal.png"), ("02.png", "larger.png"), ("03.png", "smaller.png"):
            assert len(held_out & set(pair)) in (0, 2)
        assert len(held_out) in (5, 6)


def test_drawings_are_not_suspected(tmp_path: Path) -> None:
    pack = prepare(Order("kittens", size=8, count=300), tmp_path / "pack")
    assert len(pack.images) == 300
    assert not pack.manifest.groups


def halves(pixels: np.ndarray) -> list[Face]:
    """Find a face in each half of a wide photo, one in a square one, none in a tall one."""
    high, wide = pixels.shape[:2]
    if high > wide:
        return []
    edges = range(0, wide - high // 2, high)
    return [Face({}, (left + 2.0, 2.0, left + high - 2.0, high - 2.0)) for left in edges]


def test_faces_are_searched_counted_and_kept_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(detect.FINDERS, "halves", halves)
    source = tmp_path / "photos"
    source.mkdir()
    numbers = np.random.default_rng(0)
    shapes = [(40, 80), (40, 40), (80, 40), (40, 80), (40, 80)]
    for number, (high, wide) in enumerate(shapes):
        pixels = numbers.integers(0, 256, (high, wide, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(source / f"{number}.png")
    (source / "broken.png").write_bytes((source / "0.png").read_bytes()[:200])
    order = Order("folder", size=16, source=source, find="halves", split=0.3)
    pack = prepare(order, tmp_path / "pack")
    assert pack.manifest.faces == {"0": 1, "1": 1, "more": 3}
    assert pack.manifest.photos == ("0.png#1", "0.png#2", "1.png", *_two("3.png"), *_two("4.png"))
    assert [item.reason for item in pack.manifest.quarantined] == [cut.NO_FACE, DAMAGED]
    held_out = {pack.manifest.groups[row] for row in pack.rows("held-out")}
    train = {pack.manifest.groups[row] for row in pack.rows("train")}
    assert held_out and not held_out & train
    # The crops are those of the two halves.
    assert decode(source / "0.png").shape == (40, 80, 3)
    assert not np.array_equal(pack.images[0], pack.images[1])


def _two(name: str) -> tuple[str, str]:
    return f"{name}#1", f"{name}#2"


def test_single_portraits_and_whole_photos_can_be_excluded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(detect.FINDERS, "halves", halves)
    source = tmp_path / "photos"
    source.mkdir()
    numbers = np.random.default_rng(0)
    for number in range(3):
        pixels = numbers.integers(0, 256, (40, 80, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(source / f"{number}.png")
    listed = tmp_path / "exclude.txt"
    listed.write_text("0.png\n1.png#2\n")
    order = Order("folder", size=16, source=source, find="halves", exclude=listed)
    pack = prepare(order, tmp_path / "pack")
    assert pack.manifest.photos == ("1.png#1", "2.png#1", "2.png#2")
    assert {item.name: item.reason for item in pack.manifest.quarantined} == {
        "0.png": EXCLUDED,
        "1.png#2": EXCLUDED,
    }


def test_a_list_that_is_no_text_is_refused(album: Path, tmp_path: Path) -> None:
    order = Order("folder", size=16, source=album, exclude=next(album.rglob("*.png")))
    with pytest.raises(ValueError, match="is no text: expected the name of a photo on each line"):
        prepare(order, tmp_path / "pack")
    assert not (tmp_path / "pack").exists()


def test_an_alignment_that_cannot_be_is_said_at_once(album: Path, tmp_path: Path) -> None:
    order = Order("folder", size=16, source=album)
    for align, words in (
        ("meow", r"needs the left ear outer, the left eye.* which folder tells nothing about"),
        ("moew", "unknown alignment 'moew'. Did you mean 'meow'"),
    ):
        with pytest.raises(ValueError, match=words):
            prepare(replace(order, align=align), tmp_path / "pack")
    with pytest.raises(ValueError, match=r"unknown finder 'dogs'\. Known: cats, people"):
        prepare(replace(order, find="dogs"), tmp_path / "pack")
    with pytest.raises(ValueError, match=r"unknown screen 'blurry'\. Did you mean 'blurred'"):
        prepare(replace(order, screens=("blurry",)), tmp_path / "pack")
    with pytest.raises(ValueError, match="least 3, expected at least 8"):
        prepare(replace(order, least=3), tmp_path / "pack")
    assert not (tmp_path / "pack").exists()


def test_another_alignment_is_another_pack(album: Path, tmp_path: Path) -> None:
    order = Order("folder", size=16, source=album)
    prepare(order, tmp_path / "pack")
    with pytest.raises(ValueError, match="least is None there and 20 here"):
        prepare(replace(order, least=20), tmp_path / "pack")
    with pytest.raises(ValueError, match=r"screens is \['blank', 'equal'\] there and None here"):
        prepare(replace(order, screens=()), tmp_path / "pack")


def test_a_face_that_is_excluded_has_no_copies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Of two faces the first is left out: the copies are of the second."""
    monkeypatch.setitem(detect.FINDERS, "halves", halves)
    source = tmp_path / "photos"
    source.mkdir()
    pixels = np.random.default_rng(0).integers(0, 60, (40, 80, 3), dtype=np.uint8)
    pixels[:, 40:] += 180  # the second face
    Image.fromarray(pixels).save(source / "0.png")
    listed = tmp_path / "exclude.txt"
    listed.write_text("0.png#1\n")
    order = Order("folder", size=16, source=source, find="halves", exclude=listed)
    pack = prepare(order, tmp_path / "pack", beside=Beside(augmented=tmp_path / "copies"))
    assert pack.manifest.photos == ("0.png#2",)
    (plain,) = (tmp_path / "copies/out_unaug_16x16").iterdir()
    assert decode(plain).mean() > 160 and pack.images[0].mean() > 160
    assert "no photos have these" not in caplog.text


def test_drawn_copies_are_sought_if_asked_for(tmp_path: Path) -> None:
    order = Order("kittens", size=16, count=400)
    several = replace(order, screens=("alike",))
    plain, screened = (prepare(o, tmp_path / n) for o, n in ((order, "plain"), (several, "few")))
    assert len(screened.images) < len(plain.images) == 400
    assert screened.manifest.order["screens"] == ["alike"]
