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
from purrtrait.datasets.toys import write_cat_layout
from purrtrait.images.align import EYES_TOGETHER
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


@pytest.mark.parametrize("count", [1, 3, 12])
def test_as_many_files_of_each_photo_as_wanted(order: Order, tmp_path: Path, count: int) -> None:
    order = replace(order, count=2)
    usual, wanted = Beside(augmented=tmp_path / "usual"), Beside(augmented=tmp_path / "copies")
    prepare(order, tmp_path / "pack", beside=usual)
    wanted = replace(wanted, augmented_count=count)
    prepare(order, tmp_path / "another", beside=wanted)
    names = [f"{photo:06d}_{copy:03d}.jpg" for photo in range(2) for copy in range(count)]
    assert files(tmp_path / "copies" / "out_aug_16x16") == names
    assert len(files(tmp_path / "copies" / "out_unaug_16x16")) == 2
    # Copy 3 is the same picture, however many there are.
    for name in set(files(tmp_path / "usual")) & set(files(tmp_path / "copies")):
        assert (tmp_path / "usual" / name).read_bytes() == (tmp_path / "copies" / name).read_bytes()


def test_the_same_command_again_wants_as_many_files(order: Order, tmp_path: Path) -> None:
    order = replace(order, count=2)
    wanted = Beside(augmented=tmp_path / "copies")
    prepare(order, tmp_path / "pack", beside=wanted)
    before = files(tmp_path)
    for count in (None, 10):
        prepare(order, tmp_path / "pack", beside=replace(wanted, augmented_count=count))
    for count in (1, 9, 11, 1000):
        with pytest.raises(ValueError, match="holds this very pack already, and what is wanted"):
            prepare(order, tmp_path / "pack", beside=replace(wanted, augmented_count=count))
    assert files(tmp_path) == before


def test_a_number_of_files_that_cannot_be(order: Order, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no folder for them: name one with --write-augmented"):
        Beside(augmented_count=5)
    for count in (0, 1001):
        wanted = Beside(augmented=tmp_path / "copies", augmented_count=count)
        with pytest.raises(ValueError, match=f"Found {count} portraits of each photo"):
            prepare(order, tmp_path / "pack", beside=wanted)
    assert [path.name for path in tmp_path.iterdir()] == ["album"]


def test_when_no_photo_can_be_used_there_is_something_to_look_at(
    order: Order, album: Path, tmp_path: Path
) -> None:
    (album / "letter.jpg").write_text("Dear cat,")
    order = replace(order, least=31)
    wanted = Beside(tmp_path / "debug", tmp_path / "copies", contact_sheet=True)
    sheet = tmp_path / "pack-left-out-01.png"
    with pytest.raises(ValueError) as caught:
        prepare(order, tmp_path / "pack", beside=wanted)
    reasons = "10 too small: under 31 pixels across, 1 not a picture"
    assert f"None of the 11 photos of {album} can be used ({reasons})" in str(caught.value)
    assert str(caught.value).endswith(f"No pack was written. Look at {wanted.debug} and {sheet}.")
    names = ["album", "debug", "pack-left-out-01.png"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert len(files(tmp_path / "debug")) == 10
    picture = decode(tmp_path / "debug" / files(tmp_path / "debug")[0]).astype(int)
    assert picture[:, 5, 1].mean() > picture[:, 5, 0].mean() + 100  # the crop that is too small
    assert np.asarray(Image.open(sheet)).shape == (2 + 128 + 16 + 2, 2 + 11 * 130, 3)
    # Another attempt overwrites nothing.
    before = sheet.read_bytes()
    with pytest.raises(ValueError, match=r"No pack was written\. Look at .*pack-left-out-02\.png"):
        prepare(replace(order, grey=True), tmp_path / "pack", beside=Beside(contact_sheet=True))
    assert sheet.read_bytes() == before
    with Image.open(tmp_path / "pack-left-out-02.png") as grey:
        assert grey.mode == "L"


def test_what_leaves_nothing_to_look_at_says_how_to_get_it(order: Order, tmp_path: Path) -> None:
    for path in tmp_path.rglob("*.png"):
        path.write_text("Dear cat,")
    with pytest.raises(ValueError, match=r"No pack was written\. To look at them, add --contact"):
        prepare(order, tmp_path / "pack", beside=Beside(debug=tmp_path / "debug"))
    assert not files(tmp_path / "debug")


def test_a_face_that_has_no_place_is_drawn_all_the_same(tmp_path: Path) -> None:
    folder = tmp_path / "cats"
    write_cat_layout(folder, 2)
    for path in folder.rglob("*.cat"):
        line = path.read_text().split()
        path.write_text(" ".join([*line[:3], *line[1:3], *line[5:]]))  # both eyes at one point
    photo = next(folder.rglob("*.jpg"))
    order = Order("cat10k", size=16, source=folder)
    with pytest.raises(ValueError, match=rf"2 {EYES_TOGETHER}.*Look at"):
        prepare(order, tmp_path / "pack", beside=Beside(debug=tmp_path / "debug"))
    drawn, plain = decode(tmp_path / "debug" / "000000 00000001_000.jpg"), decode(photo)
    x, y = (int(number) for number in photo.with_name(f"{photo.name}.cat").read_text().split()[1:3])
    assert drawn[y, x] == pytest.approx((255, 0, 255), abs=40)  # a cross
    change = np.abs(drawn.astype(int) - plain)
    for edge in (change[0], change[-1], change[:, 0], change[:, -1]):
        assert edge.mean() < 4  # and no outline


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
