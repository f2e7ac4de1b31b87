"""What is written while a pack is made: whole or not at all, and only while it is made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from purrtrait.datasets.beside import Beside
from purrtrait.datasets.folder import photo_of
from purrtrait.datasets.photo import decode
from purrtrait.datasets.prepare import Order, prepare
from purrtrait.images.resize import fit


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*"))


@pytest.fixture
def order(album: Path) -> Order:
    return Order("folder", size=16, source=album)


def test_contact_sheets_show_what_stays_and_what_does_not(
    order: Order, album: Path, tmp_path: Path
) -> None:
    (album / "letter.jpg").write_text("Dear cat,")
    Image.new("RGB", (40, 40), "navy").save(album / "night.png")
    pack = prepare(order, tmp_path / "pack", beside=Beside(contact_sheet=True))
    kept = np.asarray(Image.open(pack.path / "kept.png"))
    assert np.array_equal(kept[2:66:4, 2:66:4], pack.images[0])  # four times as large
    assert kept.shape == (68, 2 + 10 * 66, 3)
    left_out = np.asarray(Image.open(pack.path / "left-out.png"))
    assert left_out.shape == (2 + 128 + 16 + 2, 2 + 2 * 130, 3)
    assert (left_out[2:130, 2:130] == 255).all()  # nobody knows what it looks like
    assert (left_out[2:130, 132:260] == (0, 0, 128)).all()
    assert left_out[131:147].min() < 100  # the reasons


def test_a_grey_pack_has_grey_sheets(order: Order, album: Path, tmp_path: Path) -> None:
    Image.new("RGB", (40, 40), "navy").save(album / "night.png")
    pack = prepare(replace(order, grey=True), tmp_path / "pack", beside=Beside(contact_sheet=True))
    for path in pack.path.glob("*.png"):
        with Image.open(path) as sheet:
            assert sheet.mode == "L"


def test_debugging_pictures_are_the_photos_with_lines(order: Order, tmp_path: Path) -> None:
    debug = tmp_path / "debug"
    pack = prepare(order, tmp_path / "pack", beside=Beside(debug=debug))
    names = pack.manifest.photos
    assert files(debug) == [f"{n:06d} {Path(name).stem}.jpg" for n, name in enumerate(names)]
    picture = decode(debug / files(debug)[0])
    assert picture.shape == (30, 40, 3)  # in the photo's own size
    red, green, blue = picture[:, 5].astype(int).mean(0)  # the left side of the crop, in cyan
    assert min(green, blue) > red + 100


def test_augmented_copies_and_their_groups(order: Order, tmp_path: Path) -> None:
    out = tmp_path / "copies"
    pack = prepare(order, tmp_path / "pack", beside=Beside(augmented=out))
    aug = out / "out_aug_16x16"
    assert files(out / "out_unaug_16x16") == [f"{number:06d}_000.jpg" for number in range(10)]
    assert len(files(aug)) == 100
    plain = decode(out / "out_unaug_16x16" / "000003_000.jpg").mean(2).ravel()
    assert np.corrcoef(plain, pack.images[3].mean(2).ravel())[0, 1] > 0.8
    # A pack made of the copies never divides those of one photo, and calls none a copy of another.
    again = prepare(Order("folder", size=16, source=aug, split=0.3), tmp_path / "again")
    assert len(again.images) == 100
    sides = {
        (photo_of(again.manifest.photos[row]), split)
        for split in ("train", "held-out")
        for row in again.rows(split)
    }
    assert len(sides) == 10
    assert len(again.rows("held-out")) == 30
    assert again.manifest.groups == tuple(photo_of(name) for name in again.manifest.photos)


def test_nothing_is_overwritten_or_left_half_done(order: Order, tmp_path: Path) -> None:
    debug = tmp_path / "debug"
    debug.mkdir()
    (debug / "thesis.txt").write_text("years of work")
    with pytest.raises(ValueError, match=r"debug is there already, expected a new or an empty"):
        prepare(order, tmp_path / "pack", beside=Beside(debug=debug))
    assert not (tmp_path / "pack").exists()

    def stop(done: int, total: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    wanted = Beside(debug=tmp_path / "new", augmented=tmp_path / "copies")
    with pytest.raises(KeyboardInterrupt):
        prepare(order, tmp_path / "pack", stop, wanted)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["album", "debug"]


def test_what_is_left_out_of_the_pack_has_no_copies(
    order: Order, album: Path, tmp_path: Path
) -> None:
    Image.new("RGB", (40, 40), "navy").save(album / "night.png")
    (tmp_path / "list.txt").write_text("photo 1.png\nphoto 2.png\n")
    order = replace(order, exclude=tmp_path / "list.txt")
    pack = prepare(order, tmp_path / "pack", beside=Beside(augmented=tmp_path / "copies"))
    assert len(pack.images) == 8
    assert len(files(tmp_path / "copies" / "out_unaug_16x16")) == 8


def test_the_same_pack_whoever_looks(order: Order, album: Path, tmp_path: Path) -> None:
    large = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    Image.fromarray(large).resize((600, 400)).save(album / "large.jpg")
    plain = prepare(order, tmp_path / "pack")
    seen = prepare(order, tmp_path / "seen", beside=Beside(debug=tmp_path / "debug"))
    assert plain.manifest.images_sha256 == seen.manifest.images_sha256


@pytest.mark.parametrize("inside", ["pack", "pack/debug", "copies/x"])
def test_folders_that_lie_in_each_other_are_refused(
    order: Order, tmp_path: Path, inside: str
) -> None:
    wanted = Beside(debug=tmp_path / inside, augmented=tmp_path / "copies")
    with pytest.raises(ValueError, match="expected a folder of its own"):
        prepare(order, tmp_path / "pack", beside=wanted)
    assert [path.name for path in tmp_path.iterdir()] == ["album"]


def test_a_long_name_is_cut(order: Order, album: Path, tmp_path: Path) -> None:
    (album / "photo 1.png").rename(album / ("é" * 125 + ".png"))
    prepare(order, tmp_path / "pack", beside=Beside(debug=tmp_path / "debug"))
    assert len(files(tmp_path / "debug")) == 10


def test_the_same_command_again_finds_all_there(order: Order, tmp_path: Path) -> None:
    wanted = Beside(debug=tmp_path / "debug", contact_sheet=True)
    prepare(order, tmp_path / "pack", beside=wanted)
    assert len(prepare(order, tmp_path / "pack", beside=wanted).images) == 10


def test_a_large_pack_has_a_sheet_of_small_pictures(order: Order, tmp_path: Path) -> None:
    order = replace(order, size=300)
    pack = prepare(order, tmp_path / "pack", beside=Beside(contact_sheet=True))
    with Image.open(pack.path / "kept.png") as sheet:
        assert sheet.size == (2 + 10 * 130, 132)


def test_a_pack_that_is_there_writes_nothing_beside_it(order: Order, tmp_path: Path) -> None:
    prepare(order, tmp_path / "pack")
    with pytest.raises(ValueError, match="holds this very pack already, and what is wanted beside"):
        prepare(order, tmp_path / "pack", beside=Beside(debug=tmp_path / "debug"))
    assert not (tmp_path / "debug").exists()


def test_the_picture_of_one_row_is_that_of_its_photo(order: Order, tmp_path: Path) -> None:
    pack = prepare(order, tmp_path / "pack", beside=Beside(contact_sheet=True))
    assert order.source is not None
    for row, name in zip(pack.images, pack.manifest.photos, strict=True):
        assert np.array_equal(row, fit(decode(order.source / name), 16))
