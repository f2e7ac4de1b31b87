"""From photos to a pack: the same twice, whole or not at all, and in bounded memory."""

from __future__ import annotations

import io
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from PIL import Image

from purrtrait import machine
from purrtrait.datasets import PARSERS, photo, room
from purrtrait.datasets.cut import LEAST_SIDE, TOO_SMALL
from purrtrait.datasets.pack import Pack
from purrtrait.datasets.photo import Collection, ParserEntry, Photo, Wanted, decode
from purrtrait.datasets.prepare import Order, prepare
from purrtrait.images.resize import fit

Noisy = Callable[..., Image.Image]
kittens = Order("kittens", size=16, count=30, seed=3)


def content(pack: Pack) -> tuple[bytes, ...]:
    return tuple(
        (pack.path / name).read_bytes() for name in ("images.npy", "labels.npy", "manifest.json")
    )


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_same_order_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = prepare(kittens, tmp_path / "a"), prepare(kittens, tmp_path / "b")
    assert content(first) == content(second)
    other = prepare(replace(kittens, seed=4), tmp_path / "c")
    assert other.manifest.images_sha256 != first.manifest.images_sha256
    assert other.content_hash != first.content_hash
    assert left_in(tmp_path) == ["a", "b", "c"]


def test_the_rows_are_the_photos_fitted(album: Path, tmp_path: Path) -> None:
    order = Order("folder", size=20, source=album, split=0.2)
    pack = prepare(order, tmp_path / "pack")
    names = pack.manifest.photos
    assert list(names) == sorted(names)
    for row, name in zip(pack.images, names, strict=True):
        assert np.array_equal(row, fit(decode(album / name), 20))
    assert not (pack.path / "labels.npy").exists()
    assert pack.labels.shape == (10, 0)
    assert (len(pack.rows("train")), len(pack.rows("held-out"))) == (8, 2)
    pack.verify()


def test_a_grey_pack_holds_pillow_s_grey(album: Path, tmp_path: Path) -> None:
    colour = prepare(Order("folder", size=20, source=album), tmp_path / "colour")
    grey = prepare(Order("folder", size=20, source=album, grey=True), tmp_path / "grey")
    assert grey.images.shape == (10, 20, 20, 1)
    for bright, dim in zip(colour.images, grey.images, strict=True):
        assert np.array_equal(np.asarray(Image.fromarray(bright).convert("L")), dim[..., 0])


def test_what_cannot_be_used_is_quarantined_and_the_rest_goes_on(
    album: Path, tmp_path: Path, jpeg: bytes, noisy: Noisy
) -> None:
    (album / "cut.jpg").write_bytes(jpeg[: len(jpeg) // 2])
    (album / "letter.jpg").write_text("Dear cat,")
    noisy(1, 1).save(album / "dot.png")
    noisy(LEAST_SIDE - 1, 90).save(album / "line.png")
    noisy(LEAST_SIDE, 90).save(album / "wide enough.png")
    noisy().convert("CMYK").save(album / "ink.jpg")
    noisy().quantize(8).save(album / "palette.gif")
    told: list[tuple[int, int]] = []
    order = Order("folder", size=16, source=album)
    pack = prepare(order, tmp_path / "pack", lambda done, total: told.append((done, total)))
    assert {row.name: row.reason for row in pack.manifest.quarantined} == {
        "cut.jpg": photo.DAMAGED,
        "letter.jpg": photo.NOT_A_PICTURE,
        "dot.png": TOO_SMALL,
        "line.png": TOO_SMALL,
    }
    assert len(pack.images) == len(pack.manifest.photos) == 13
    assert told == [(done, 17) for done in range(1, 18)]
    # The rows were fewer than announced, and the file is as long as its header says.
    length = 128 + 13 * 16 * 16 * 3
    assert (pack.path / "images.npy").stat().st_size == length


def test_nothing_usable_is_an_error_that_counts_the_reasons(tmp_path: Path, noisy: Noisy) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for number in range(3):
        (source / f"{number}.jpg").write_text("no")
    noisy(2, 2).save(source / "dot.png")
    words = rf"None of the 4 photos .*\(3 {photo.NOT_A_PICTURE}, 1 {TOO_SMALL}\)"
    with pytest.raises(ValueError, match=words):
        prepare(Order("folder", source=source), tmp_path / "pack")
    assert left_in(tmp_path) == ["source"]


@pytest.mark.parametrize(
    ("count", "split", "held_out"), [(1, 0.9, 0), (2, 0.9, 1), (30, 0.0, 0), (30, 0.25, 8)]
)
def test_the_split_is_the_share_asked_for(
    tmp_path: Path, count: int, split: float, held_out: int
) -> None:
    pack = prepare(replace(kittens, count=count, split=split), tmp_path / "pack")
    assert len(pack.rows("held-out")) == held_out
    assert len(pack.rows("train")) == count - held_out


def test_the_split_is_keyed_by_the_seed(album: Path, tmp_path: Path) -> None:
    splits = {
        tuple(
            prepare(
                Order("folder", size=16, source=album, split=0.3, seed=seed), tmp_path / str(seed)
            ).rows("held-out")
        )
        for seed in range(4)
    }
    assert len(splits) > 1


def test_the_same_pack_is_opened_and_not_made_again(
    album: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    order = Order("folder", size=16, source=album)
    out = tmp_path / "pack"
    made = prepare(order, out)
    before = (out / "images.npy").stat().st_mtime_ns
    told: list[int] = []
    again = prepare(order, out, lambda done, total: told.append(done))
    assert again.content_hash == made.content_hash
    assert (out / "images.npy").stat().st_mtime_ns == before
    assert not told
    assert f"{out} is already prepared" in caplog.messages
    assert caplog.messages.count("only 10 pictures: faces are learnt from some thousands") == 1


def test_a_default_spelt_out_is_the_same_order(tmp_path: Path) -> None:
    prepare(kittens, tmp_path / "pack")
    assert prepare(replace(kittens, flip_natural=False), tmp_path / "pack").size == 16


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"size": 32}, "size is 16 there and 32 here"),
        ({"seed": 9}, "seed is 3 there and 9 here"),
        ({"count": 7}, "count is 30 there and 7 here"),
        ({"grey": True}, "grey is False there and True here"),
        ({"split": 0.5}, "split is 0.1 there and 0.5 here"),
        ({"parser": "people"}, "parser is 'kittens' there and 'people' here"),
        ({"flip_natural": True}, "flip_natural is False there and True here"),
    ],
)
def test_another_pack_is_never_overwritten(
    kitten_pack: Pack, change: dict[str, object], words: str
) -> None:
    out = kitten_pack.path.with_name("other")
    before = content(prepare(kittens, out))
    with pytest.raises(ValueError, match=re.escape(words) + r".*Nothing is overwritten"):
        prepare(replace(kittens, **change), out)  # type: ignore[arg-type]
    assert content(Pack.open(out)) == before


def test_a_changed_folder_is_noticed(album: Path, tmp_path: Path) -> None:
    order = Order("folder", size=16, source=album)
    prepare(order, tmp_path / "pack")
    shutil.copy(album / "photo 1.png", album / "new.png")
    with pytest.raises(ValueError, match="a different pack: the photos, or the list"):
        prepare(order, tmp_path / "pack")


def test_other_things_in_the_way_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "thesis.txt").write_text("years of work")
    (tmp_path / "file").write_text("more work")
    for name in ("folder", "file"):
        with pytest.raises(ValueError, match="Nothing is overwritten"):
            prepare(kittens, tmp_path / name)
    assert (tmp_path / "folder" / "thesis.txt").read_text() == "years of work"
    assert (tmp_path / "file").read_text() == "more work"
    (tmp_path / "empty").mkdir()
    assert len(prepare(kittens, tmp_path / "empty").images) == 30


@pytest.mark.parametrize(
    ("order", "words"),
    [
        (Order("kitens"), "Did you mean 'kittens'"),
        (Order("kittens", size=7), "size 7, expected 8 to 1024"),
        (Order("kittens", size=1025), "size 1025"),
        (Order("kittens", count=0), "count 0, expected at least 1"),
        (Order("kittens", split=1.0), r"split 1\.0, expected a share"),
        (Order("kittens", split=-0.1), r"split -0\.1"),
        (Order("kittens", split=float("nan")), "split nan"),
        (Order("kittens", seed=-1), "seed -1"),
        (Order("kittens", source=Path("cats")), "source cats for kittens, expected none"),
        (Order("folder"), "source None for folder, expected a folder"),
    ],
)
def test_orders_that_cannot_be_filled(tmp_path: Path, order: Order, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        prepare(order, tmp_path / "pack")
    assert not left_in(tmp_path)


def test_a_small_disk_or_memory_is_noticed_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "free_disk_bytes", lambda path: 1234)
    with pytest.raises(ValueError, match="The pack needs 30,720 bytes on disk and 1,234 are free"):
        prepare(kittens, tmp_path / "new" / "pack")
    monkeypatch.undo()
    monkeypatch.setattr(machine, "free_memory_bytes", lambda: 1234)
    with pytest.raises(ValueError, match=r"bytes of memory .* and 1,234 are free"):
        prepare(kittens, tmp_path / "new" / "pack")
    assert not left_in(tmp_path)


def test_free_room_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert room.free_disk_bytes(tmp_path / "not" / "yet") > 0
    monkeypatch.setattr(machine, "MEMORY", tmp_path / "meminfo")
    assert machine.free_memory_bytes() is None
    (tmp_path / "meminfo").write_text("MemTotal: 9 kB\nMemAvailable:   3 kB\n")
    assert machine.free_memory_bytes() == 3072


def drawn(photos: Callable[[int], Iterator[Photo]]) -> ParserEntry:
    """Make a parser of photos that a test draws."""

    def parse(wanted: Wanted) -> Collection:
        assert wanted.count is not None
        return Collection(wanted.count, "drawn", photos(wanted.count))

    return ParserEntry(parse, False, 10, True, "the tests")


def test_an_error_in_the_middle_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(count: int) -> Iterator[Photo]:
        for number in range(count):
            if number == 20:
                raise RuntimeError("the parser fell over")
            yield Photo(str(number), photo.drawn(lambda: np.zeros((9, 9, 3), np.uint8)))

    monkeypatch.setitem(PARSERS, "failing", drawn(failing))
    with pytest.raises(RuntimeError, match="fell over"):
        prepare(Order("failing", size=8, count=50), tmp_path / "pack")
    assert not left_in(tmp_path)


def test_an_interruption_leaves_nothing(tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        if done == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(kittens, tmp_path / "pack", stop)
    assert not left_in(tmp_path)


KILLED = """
import os, signal, sys
from pathlib import Path
from purrtrait.datasets.prepare import Order, prepare

def die(done, total):
    if done == 20 and "robohash" not in sys.modules:
        os.kill(os.getpid(), signal.SIGKILL)

prepare(Order("kittens", size=16, count=30, seed=3), Path(sys.argv[1]), die)
"""


def test_a_kill_leaves_no_pack_and_the_next_start_tidies_up(tmp_path: Path) -> None:
    out = tmp_path / "pack"
    killed = subprocess.run([sys.executable, "-c", KILLED, str(out)], check=False)
    # It kills itself only if the pictures came without running the code of their package.
    assert killed.returncode == -signal.SIGKILL
    assert not out.exists()
    assert ".pack.partial" in left_in(tmp_path)
    pack = prepare(kittens, out)
    assert left_in(tmp_path) == ["pack"]
    pack.verify()
    assert content(pack) == content(prepare(kittens, tmp_path / "undisturbed"))


def test_two_cannot_prepare_one_pack(tmp_path: Path) -> None:
    with (
        FileLock(tmp_path / ".pack.lock"),
        pytest.raises(ValueError, match="Another process is preparing"),
    ):
        prepare(kittens, tmp_path / "pack")


def test_threads_keep_the_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def slowly(number: int) -> np.ndarray:
        time.sleep(0.02 * (number % 3 == 0))
        return np.full((8, 8, 3), number, np.uint8)

    def uneven(count: int) -> Iterator[Photo]:
        for number in range(count):
            yield Photo(f"{number:03d}", photo.drawn(partial(slowly, number)))

    monkeypatch.setitem(PARSERS, "uneven", drawn(uneven))
    pack = prepare(Order("uneven", size=8, count=60), tmp_path / "pack")
    assert pack.images[:, 0, 0, 0].tolist() == list(range(60))


def test_memory_does_not_grow_with_the_number_of_photos(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def photos(count: int) -> Iterator[Photo]:
        for number in range(count):
            yield Photo(f"{number:05d}", photo.drawn(lambda: np.zeros((32, 32, 3), np.uint8)))

    monkeypatch.setitem(PARSERS, "many", drawn(photos))

    def peak(count: int) -> int:
        tracemalloc.start()
        try:
            prepare(Order("many", size=32, count=count), tmp_path / str(count))
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(50)  # whatever is imported or cached once
    few, many = peak(500), peak(4000)
    per_photo = (many - few) / 3500
    assert per_photo < 700, "a photo costs its name in the manifest, not its 3,072 bytes"


def test_a_picture_file_may_be_called_anything(tmp_path: Path, noisy: Noisy) -> None:
    source = tmp_path / "Café 猫 & more"
    source.mkdir()
    strange = os.fsdecode(b"caf\xe9.png")
    for seed, name in enumerate(("ein Kätzchen.png", strange)):
        data = io.BytesIO()
        noisy(seed=seed).save(data, "PNG")
        (source / name).write_bytes(data.getvalue())
    pack = prepare(Order("folder", size=16, source=source), tmp_path / "pack")
    assert set(pack.manifest.photos) == {"ein Kätzchen.png", strange}
    assert prepare(Order("folder", size=16, source=source), tmp_path / "pack").path == pack.path
