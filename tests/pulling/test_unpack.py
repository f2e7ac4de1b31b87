"""Of an archive only a bundle's three files are taken, and only if nothing is wrong with it."""

from __future__ import annotations

import io
import stat
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from helpers import files
from purrtrait.pulling import unpack as unpacking
from purrtrait.pulling.unpack import FILES, gather, unpack

GOOD = {name: name.encode() for name in FILES}


def zipped(path: Path, members: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def tarred(path: Path, members: Mapping[str, bytes], *links: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for link in links:
            archive.addfile(link)
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "here" / "made"
    place.mkdir(parents=True)
    return place


@pytest.mark.parametrize("below", ["", "tigers/", "a/b/c/"])
@pytest.mark.parametrize("pack", [zipped, tarred])
def test_the_three_files_are_written(
    pack: Callable[..., Path], below: str, folder: Path, tmp_path: Path
) -> None:
    others = {"LICENSE": b"free", f"{below}weights.pkl": b"\x80\x04.", "run.py": b"import os"}
    inside = {**others, **{below + name: content for name, content in GOOD.items()}}
    unpack([pack(tmp_path / "archive", inside)], folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == GOOD


@pytest.mark.parametrize("pack", [zipped, tarred])
@pytest.mark.parametrize("name", ["../model.safetensors", "/etc/sampler.json", "a/../../README.md"])
def test_names_that_lead_out_are_refused(
    pack: Callable[..., Path], name: str, folder: Path, tmp_path: Path
) -> None:
    kept = {file: content for file, content in GOOD.items() if not name.endswith(file)}
    with pytest.raises(ValueError, match=r"is not taken: .* leads out of the archive"):
        unpack([pack(tmp_path / "archive", {**kept, name: b"x"})], folder)
    assert files(tmp_path) == {"archive"}


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_links_are_refused(kind: bytes, folder: Path, tmp_path: Path) -> None:
    kept = {name: content for name, content in GOOD.items() if name != "README.md"}
    archive = tarred(tmp_path / "archive", kept, link("README.md", "/etc/passwd", kind))
    with pytest.raises(ValueError, match="a link inside an archive"):
        unpack([archive], folder)
    zip_ = tmp_path / "zip"
    with zipfile.ZipFile(zip_, "w") as written:
        info = zipfile.ZipInfo("README.md")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        written.writestr(info, "/etc/passwd")
        for name, content in kept.items():
            written.writestr(name, content)
    with pytest.raises(ValueError, match="a link inside an archive"):
        unpack([zip_], folder)
    assert files(folder) == set()


def test_a_link_to_a_folder_leads_nowhere(folder: Path, tmp_path: Path) -> None:
    """What a tar lays behind its own link lands beside the other files, not where that leads."""
    below = {f"out/{name}": content for name, content in GOOD.items()}
    archive = tarred(tmp_path / "archive", below, link("out", str(tmp_path)))
    unpack([archive], folder)
    assert files(tmp_path) == {"archive", *(f"here/made/{name}" for name in FILES)}


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({}, "holds 0 files named model.safetensors"),
        ({k: v for k, v in GOOD.items() if k != "sampler.json"}, "holds 0 files named sampler"),
        ({**GOOD, "other/README.md": b""}, "holds 2 files named README.md; expected one bundle"),
    ],
)
def test_anything_but_one_bundle_is_refused(
    members: dict[str, bytes], said: str, folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=said):
        unpack([zipped(tmp_path / "archive", members)], folder)


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04broken"])
def test_what_is_no_archive_is_refused(content: bytes, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "archive").write_bytes(content)
    with pytest.raises(ValueError, match="cannot be read as an archive"):
        unpack([tmp_path / "archive"], folder)


def test_a_bomb_does_not_go_off(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(unpacking.LARGEST_BYTES, "sampler.json", 1000)
    bomb = zipped(tmp_path / "archive", {**GOOD, "sampler.json": bytes(1001)})
    with pytest.raises(ValueError, match=r"sampler\.json in archive: larger than 1,000 bytes"):
        unpack([bomb], folder)


def test_files_that_came_one_by_one_are_moved(folder: Path, tmp_path: Path) -> None:
    for name, content in GOOD.items():
        (tmp_path / name).write_bytes(content)
    gather([tmp_path / name for name in FILES], folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == GOOD
    assert files(tmp_path) == {f"here/made/{name}" for name in FILES}
