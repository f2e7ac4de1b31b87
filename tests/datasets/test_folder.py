"""What of a folder is taken, in which order, and what is said when there is nothing."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from purrtrait.arena import plan, written
from purrtrait.datasets.folder import parse_folder
from purrtrait.datasets.photo import Collection, Wanted
from purrtrait.sampling import bundle
from purrtrait.training import run


def parsed(folder: Path, count: int | None = None, seed: int = 0) -> Collection:
    return parse_folder(Wanted(folder, 32, count, seed))


def names(folder: Path, count: int | None = None, seed: int = 0) -> list[str]:
    return [photo.name for photo in parsed(folder, count, seed).photos]


def test_all_pictures_of_nested_folders_by_relative_path(tmp_path: Path) -> None:
    kept = [
        "B.JPG",
        "a b/é 猫.png",
        "a b/deeper/x.WebP",
        "a.jpeg",
        "c.pgm",
        "d.ppm",
        "e.bmp",
        "f.Gif",
    ]
    left = ["notes.txt", ".hidden.png", ".hidden/y.png", "a b/Thumbs.db", "jpg"]
    for name in kept + left:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert names(tmp_path) == sorted(kept)
    assert parsed(tmp_path).count == len(kept)


def test_pictures_that_are_not_read_are_counted(
    album: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = parse_folder(Wanted(album, 16, None, 0)).count
    assert "not read" not in caplog.text
    for name in ("a.HEIC", "b.avif", "c.txt"):
        (album / name).write_bytes(b"something")
    shutil.copy(next(album.rglob("*.png")), album / "d.jfif")
    assert parse_folder(Wanted(album, 16, None, 0)).count == before + 1
    assert "2 files in" in caplog.text and "save them as JPEG or PNG" in caplog.text


def test_a_pack_below_the_photos_is_none_of_them(album: Path) -> None:
    before = parse_folder(Wanted(album, 16, None, 0))
    pack = album / "packs" / "album-16"
    pack.mkdir(parents=True)
    shutil.copy(next(album.rglob("*.png")), pack / "kept.png")
    assert parse_folder(Wanted(album, 16, None, 0)).count == before.count + 1
    for name in ("manifest.json", "images.npy"):
        (pack / name).write_bytes(b"ours")
    after = parse_folder(Wanted(album, 16, None, 0))
    assert (after.count, after.fingerprint) == (before.count, before.fingerprint)


@pytest.mark.parametrize(
    "own",
    [
        ("runs/portrait-01", run.REQUEST, run.RECIPE),
        ("runs/portrait-01/bundle", bundle.DESCRIPTION, bundle.MODEL),
        ("arenas/cats", written.FILE, plan.RECIPES),
        ("samples/portrait-01", "portrait-00.png"),
        ("samples/portrait-01-judged", "verdicts_0001.csv"),
    ],
)
def test_what_purrtrait_drew_itself_is_none_of_them(own: tuple[str, ...], album: Path) -> None:
    """Whoever works in the folder of the photos would train a generator on its own portraits."""
    before = parse_folder(Wanted(album, 16, None, 0))
    folder, *names = own
    (album / folder).mkdir(parents=True)
    photo = next(album.rglob("*.png"))
    for name in names:
        shutil.copy(photo, album / folder / name)
    shutil.copy(photo, album / folder / "grid.png")
    after = parse_folder(Wanted(album, 16, None, 0))
    assert (after.count, after.fingerprint) == (before.count, before.fingerprint)


def test_a_folder_that_may_not_be_read_is_left_out(
    album: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever runs this may be root, who may read everything."""
    before, scandir = names(album), os.scandir
    (album / "closed").mkdir()
    shutil.copy(next(album.rglob("*.png")), album / "closed/photo.png")
    closed = [album / "closed"]

    def refusing(folder: Path) -> object:
        if folder in closed:
            raise PermissionError(13, "Permission denied", str(folder))
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refusing)
    assert names(album) == before
    assert "left out: the folder closed/ may not be read" in caplog.text
    closed.append(album)
    with pytest.raises(ValueError, match="may not be read: change its permissions"):
        parsed(album)


def test_a_folder_of_portraits_is_read_where_it_is_named(album: Path, tmp_path: Path) -> None:
    (tmp_path / "drawn").mkdir()
    for number in range(3):
        shutil.copy(next(album.rglob("*.png")), tmp_path / f"drawn/portrait-{number}.png")
    assert parse_folder(Wanted(tmp_path / "drawn", 16, None, 0)).count == 3


def test_links_and_loops_bring_no_picture_twice(album: Path) -> None:
    before = names(album)
    (album / "a loop").symlink_to(album)
    (album / "more" / "up").symlink_to(album)
    (album / "again").symlink_to(album / "more")
    (album / "a.png").symlink_to(album / "photo 1.png")
    (album / "nowhere.png").symlink_to(album / "gone.png")
    (album / "self.png").symlink_to(album / "self.png")
    assert names(album) == before
    assert len(before) == 10


def test_a_link_to_pictures_elsewhere_is_followed(album: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "link").symlink_to(album)
    assert names(other) == [f"link/{name}" for name in names(album)]


def test_a_sample_is_keyed_by_the_seed(album: Path) -> None:
    everything = names(album)
    few = names(album, count=4, seed=1)
    assert len(few) == 4
    assert few == [name for name in everything if name in few]
    assert few == names(album, count=4, seed=1)
    assert any(few != names(album, count=4, seed=seed) for seed in (2, 3, 4))
    assert names(album, count=99) == everything


def test_the_fingerprint_notices_a_changed_folder(album: Path) -> None:
    before = parsed(album).fingerprint
    assert parsed(album).fingerprint == before
    picture = album / "photo 1.png"
    os.utime(picture, ns=(1, 1))
    touched = parsed(album).fingerprint
    shutil.copy(picture, album / "copy.png")
    copied = parsed(album).fingerprint
    (album / "copy.png").rename(album / "renamed.png")
    assert len({before, touched, copied, parsed(album).fingerprint}) == 4


def test_absent_folders_files_and_empty_folders_are_refused(tmp_path: Path, album: Path) -> None:
    with pytest.raises(ValueError, match=r"There is no folder .*nowhere"):
        parsed(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="is a file, expected a folder of pictures"):
        parsed(album / "photo 1.png")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "letter.txt").touch()
    with pytest.raises(ValueError, match=r"No picture in .*\.webp"):
        parsed(tmp_path / "empty")


def test_a_name_that_is_no_unicode(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.png")).touch()
    assert len(names(tmp_path)) == 1
    assert parsed(tmp_path).fingerprint
