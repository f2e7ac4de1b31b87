"""What is read of folders and archives, and what is refused of those that mean harm."""

from __future__ import annotations

import gzip
import hashlib
import io
import lzma
import os
import random
import stat
import struct
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from purrtrait.datasets import member, photo, zipped
from purrtrait.datasets.archive import Members, checksum, members
from purrtrait.datasets.photo import Unreadable

PICTURES = frozenset({".jpg", ".png"})
MANY = 2**20
FILES = {"b/two.jpg": b"22", "b/notes.txt": b"no", "a one.JPG": b"1", "b/c/三.png": b"333" * 999}


def write_folder(path: Path, files: Mapping[str, bytes]) -> None:
    for name, data in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)


def write_zip(path: Path, files: Mapping[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.mkdir("folder.jpg")
        for name, data in files.items():
            file.writestr(name, data)


def write_tar(path: Path, files: Mapping[str, bytes], kind: str = "w") -> None:
    with tarfile.open(path, kind) as file:  # type: ignore[call-overload]
        folder = tarfile.TarInfo("folder.jpg")
        folder.type = tarfile.DIRTYPE
        file.addfile(folder)
        for name, data in files.items():
            file.addfile(described(name, size=len(data)), io.BytesIO(data))


def described(name: str, **values: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    for key, value in values.items():
        setattr(info, key, value)
    return info


WRITERS: Mapping[str, Callable[[Path, Mapping[str, bytes]], None]] = {
    "folder": write_folder,
    "zip": write_zip,
    "tar": write_tar,
    "tar.gz": lambda path, files: write_tar(path, files, "w:gz"),
    "tar.xz": lambda path, files: write_tar(path, files, "w:xz"),
}


def contents(found: Members, limit_bytes: int = MANY) -> dict[str, bytes | str]:
    """Everything that comes out, or the reason why it does not."""
    taken: dict[str, bytes | str] = {}
    for name, content in found.contents(found.names, limit_bytes):
        try:
            taken[name] = content()
        except Unreadable as error:
            taken[name] = error.reason
    return taken


@pytest.mark.parametrize("kind", WRITERS)
def test_every_kind_gives_the_same_files(kind: str, tmp_path: Path) -> None:
    WRITERS[kind](tmp_path / "named at will", FILES)
    found = members(tmp_path / "named at will", PICTURES)
    expected = {name: data for name, data in FILES.items() if not name.endswith("txt")}
    in_its_order = list(expected) if kind.startswith("tar") else sorted(expected)
    assert found.names == in_its_order
    ((_, content),) = found.contents(["b/two.jpg"], MANY)
    assert content() == b"22"
    assert contents(found) == expected
    assert contents(found) == expected  # a second time
    assert not found.refused


@pytest.mark.parametrize("kind", WRITERS)
def test_a_larger_file_than_expected_is_refused_alone(kind: str, tmp_path: Path) -> None:
    WRITERS[kind](tmp_path / "it", FILES)
    taken = contents(members(tmp_path / "it", PICTURES), 2996)
    assert taken.pop("b/c/三.png") == "larger than 2,996 bytes"
    assert taken == {"b/two.jpg": b"22", "a one.JPG": b"1"}


@pytest.mark.parametrize("kind", WRITERS)
def test_the_fingerprint_notices_what_changed(kind: str, tmp_path: Path) -> None:
    seen = set()
    for number, files in enumerate(
        (FILES, {**FILES, "more.jpg": b""}, {**FILES, "a one.JPG": b"11"})
    ):
        path = tmp_path / str(number)
        WRITERS[kind](path, files)
        assert members(path, PICTURES).fingerprint == members(path, PICTURES).fingerprint
        seen.add(members(path, PICTURES).fingerprint)
    assert len(seen) == 3


def test_the_fingerprint_of_a_zip_notices_changed_bytes(tmp_path: Path) -> None:
    write_zip(tmp_path / "1", {"a.jpg": b"1"})
    write_zip(tmp_path / "2", {"a.jpg": b"2"})
    assert len({members(tmp_path / n, PICTURES).fingerprint for n in ("1", "2")}) == 2


ODD_NAMES = {
    "/etc/a.jpg": member.OUTSIDE,
    "../a.jpg": member.OUTSIDE,
    "b/../../c.jpg": member.OUTSIDE,
    "C:\\a.jpg": member.OUTSIDE,
    "b\\..\\..\\d.jpg": member.OUTSIDE,
    "..": "",
    ".hidden.jpg": "",
    "b/.thumbnails/a.jpg": "",
    "__MACOSX/b/._a.jpg": "",
    "__MACOSX/plain.jpg": "",
    "Thumbs.db": "",
}


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_names_that_lead_out_are_refused_and_hidden_ones_passed_over(
    kind: str, tmp_path: Path
) -> None:
    WRITERS[kind](tmp_path / "it", {**dict.fromkeys(ODD_NAMES, b"0"), "./b//in\\side.jpg": b"1"})
    found = members(tmp_path / "it", PICTURES)
    expected = {name.replace("\\", "/"): why for name, why in ODD_NAMES.items() if why}
    assert found.refused == expected
    assert contents(found) == {"b/in/side.jpg": b"1"}


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_of_files_of_one_name_the_first_is_taken(kind: str, tmp_path: Path) -> None:
    files = {"a.jpg": b"first", "./a.jpg": b"second", "b\\.\\c.jpg": b"third", "b/c.jpg": b"4"}
    WRITERS[kind](tmp_path / "it", files)
    found = members(tmp_path / "it", PICTURES)
    assert contents(found) == {"a.jpg": b"first", "b/c.jpg": b"third"}
    assert found.refused == dict.fromkeys(("a.jpg (member 2)", "b/c.jpg (member 4)"), member.AGAIN)


def test_links_and_devices_are_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "it", "w") as file:
        for name, kind in (
            ("symbolic.jpg", tarfile.SYMTYPE),
            ("hard.jpg", tarfile.LNKTYPE),
            ("device.jpg", tarfile.CHRTYPE),
            ("pipe.jpg", tarfile.FIFOTYPE),
            ("holes.jpg", tarfile.GNUTYPE_SPARSE),
            ("link without a suffix", tarfile.SYMTYPE),
        ):
            file.addfile(described(name, type=kind, linkname="/etc/passwd"))
    found = members(tmp_path / "it", PICTURES)
    assert not found.names
    assert found.refused == {
        "symbolic.jpg": member.LINK,
        "hard.jpg": member.LINK,
        "device.jpg": member.NO_FILE,
        "pipe.jpg": member.NO_FILE,
        "holes.jpg": member.NO_FILE,
    }


def test_links_locks_and_rare_methods_of_a_zip_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "it", "w") as file:
        for name, kind in (("link.jpg", stat.S_IFLNK), ("pipe.jpg", stat.S_IFIFO)):
            info = zipfile.ZipInfo(name)
            info.external_attr = (kind | 0o777) << 16
            file.writestr(info, b"/etc/passwd")
        file.writestr("rare.jpg", b"0", zipfile.ZIP_LZMA)
        file.writestr("locked.jpg", b"0")
        file.writestr("sound.jpg", b"1")
        file.getinfo("locked.jpg").flag_bits |= 1
    found = members(tmp_path / "it", PICTURES)
    assert contents(found) == {"sound.jpg": b"1"}
    assert found.refused == {
        "link.jpg": member.LINK,
        "pipe.jpg": member.NO_FILE,
        "rare.jpg": zipped.RARE,
        "locked.jpg": zipped.ENCRYPTED,
    }


def test_a_member_of_a_zip_whose_size_lies_is_refused_alone(tmp_path: Path) -> None:
    write_zip(tmp_path / "it", {"a.jpg": b"0" * 99_999, "b.jpg": b"0" * 1000, "c.jpg": b"1"})
    data = (tmp_path / "it").read_bytes()
    data = data.replace(struct.pack("<L", 99_999), struct.pack("<L", 500))
    data = data.replace(struct.pack("<L", 1000), struct.pack("<L", 1001))
    (tmp_path / "it").write_bytes(data)
    taken = contents(members(tmp_path / "it", PICTURES))
    assert taken == {"a.jpg": photo.DAMAGED, "b.jpg": zipped.LIES, "c.jpg": b"1"}


def test_a_damaged_member_of_a_zip_is_refused_alone(tmp_path: Path) -> None:
    noise = random.Random(0).randbytes(999)
    write_zip(tmp_path / "it", {"a.jpg": noise, "b.jpg": b"1"})
    data = bytearray((tmp_path / "it").read_bytes())
    data[data.index(noise[400:420]) + 3] ^= 255
    (tmp_path / "it").write_bytes(data)
    assert contents(members(tmp_path / "it", PICTURES)) == {
        "a.jpg": photo.DAMAGED,
        "b.jpg": b"1",
    }


BOMB = 2**26


def unpacked_bytes(path: Path) -> tuple[dict[str, bytes | str], int]:
    """What comes out of an archive, and the most memory that it took."""
    tracemalloc.start()
    try:
        return contents(members(path, PICTURES)), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_bomb_in_a_tar_is_not_unpacked(tmp_path: Path) -> None:
    zeros = gzip.compress(bytes(2**20)) * (BOMB // 2**20)
    head, tail = (
        gzip.compress(header(size=size, name=n)) for n, size in (("a.jpg", BOMB), ("b.jpg", 0))
    )
    (tmp_path / "it").write_bytes(head + zeros + tail + gzip.compress(bytes(1024)))
    taken, peak = unpacked_bytes(tmp_path / "it")
    assert taken == {"a.jpg": f"larger than {MANY:,} bytes", "b.jpg": b""}
    assert peak < BOMB / 16


@pytest.mark.parametrize("said", [500, BOMB - 1])
def test_a_bomb_in_a_zip_is_not_unpacked(said: int, tmp_path: Path) -> None:
    write_zip(tmp_path / "it", {"a.jpg": bytes(BOMB), "b.jpg": b"1"})
    data = (tmp_path / "it").read_bytes()
    (tmp_path / "it").write_bytes(data.replace(struct.pack("<L", BOMB), struct.pack("<L", said)))
    taken, peak = unpacked_bytes(tmp_path / "it")
    expected = photo.DAMAGED if said < MANY else f"larger than {MANY:,} bytes"
    assert taken == {"a.jpg": expected, "b.jpg": b"1"}
    assert peak < BOMB / 16


def header(name: str = "a.jpg", **values: object) -> bytes:
    return described(name, **values).tobuf(tarfile.GNU_FORMAT)


def pax(key: str, value: str) -> bytes:
    return described("a.jpg", pax_headers={key: value}).tobuf(tarfile.PAX_FORMAT)


def endless_holes() -> bytes:
    """A file with holes whose list of holes is four megabytes long."""
    first = bytearray(header(type=tarfile.GNUTYPE_SPARSE))
    first[482] = 1  # the list goes on in the next block
    first[148:156] = b"%06o\0 " % (sum(first) - sum(first[148:156]) + 8 * 32)
    more = bytearray(512)
    more[504] = 1
    return bytes(first + more * 8000 + bytes(512 * 3))


HOSTILE = {
    "a long name without end": gzip.compress(
        header(type=tarfile.GNUTYPE_LONGNAME, size=BOMB) + bytes(2**21)
    ),
    "a size of minus one": gzip.compress(header(size=-1) + bytes(2**25)),
    "holes without end": endless_holes(),
    "a size below zero": header() + header(size=-512) * 3,
    "a size far below zero": header(size=-(2**40)) * 3,
    "a size without end": header(size=2**62) + b"0" * 99,
    "a size that is out of reach": pax("size", "9" * 400) + bytes(1024),
    "a size that leads back": pax("size", "-1024") * 3,
    "headers without end": pax("comment", "x")[:1024] * 3000 + bytes(1024),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_tar_that_misleads_its_reader_is_refused(what: str, tmp_path: Path) -> None:
    path = tmp_path / "it"
    path.write_bytes(HOSTILE[what])
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"[Ff]etch it again"):
        contents(members(path, PICTURES))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**24


@pytest.mark.parametrize("share", [0.5, 0.9])
@pytest.mark.parametrize("kind", ["tar", "tar.gz", "tar.xz"])
def test_a_tar_that_is_cut_off_says_how_far_it_goes(
    kind: str, share: float, tmp_path: Path
) -> None:
    numbers = random.Random(0)
    files = {f"{number:03d}.jpg": numbers.randbytes(5000) for number in range(100)}
    path = tmp_path / "it"
    WRITERS[kind](path, files)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(ValueError, match=r"cut off after .* Fetch it again") as caught:
        members(path, PICTURES)
    read = int(str(caught.value).split("after the first ")[1].split()[0])
    assert read == pytest.approx(100 * share, abs=4)


def test_a_tar_cut_off_between_two_files_is_noticed(tmp_path: Path) -> None:
    write_tar(tmp_path / "it", dict.fromkeys(("a.jpg", "b.jpg"), b"0"))
    data = (tmp_path / "it").read_bytes()
    (tmp_path / "it").write_bytes(data[: 3 * 512])
    with pytest.raises(ValueError, match="cut off after the first 2 of its files"):
        members(tmp_path / "it", PICTURES)


def test_a_tar_that_is_cut_off_after_it_was_listed(tmp_path: Path) -> None:
    write_tar(tmp_path / "it", dict.fromkeys(("a.jpg", "b.jpg", "c.jpg"), b"0" * 600))
    found = members(tmp_path / "it", PICTURES)
    os.truncate(tmp_path / "it", 3000)
    with pytest.raises(ValueError, match="cut off after the first 2 of its files"):
        contents(found)
    ((_, content),) = found.contents(["a.jpg"], MANY)  # which comes before the end
    assert content() == b"0" * 600


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"milk, more milk" * 99,
        b"PK\x03\x04" + bytes(99),
        b"PK\x05\x06" + b"\xff" * 18,
        gzip.compress(b"no tar", mtime=0),
        b"\x1f\x8b" + bytes(99),
        lzma.compress(b"no tar")[:-9],
    ],
)
def test_what_is_no_archive_is_said_to_be_none(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "it.zip").write_bytes(data)
    with pytest.raises(ValueError, match=r"it\.zip cannot be read as an archive .* expected"):
        members(tmp_path / "it.zip", PICTURES)


def test_a_source_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="There is no file or folder"):
        members(tmp_path / "gone.zip", PICTURES)


def test_a_file_of_a_folder_that_is_gone_is_refused_alone(tmp_path: Path) -> None:
    write_folder(tmp_path, FILES)
    found = members(tmp_path, PICTURES)
    (tmp_path / "b/two.jpg").unlink()
    assert contents(found)["b/two.jpg"] == photo.CANNOT_OPEN
    assert contents(found)["a one.JPG"] == b"1"


def test_members_that_are_not_wanted_take_no_memory(tmp_path: Path) -> None:
    write_tar(tmp_path / "it", dict.fromkeys(map(str, range(2000)), b""))
    assert unpacked_bytes(tmp_path / "it")[1] < 2000 * 250


def test_contents_come_one_after_another(tmp_path: Path) -> None:
    """No file but the one whose turn it is has been read."""
    files = {f"{number:02d}.jpg": bytes([number]) * 2**20 for number in range(20)}
    for kind in ("zip", "tar.gz"):
        WRITERS[kind](tmp_path / kind, files)
        found = members(tmp_path / kind, PICTURES)
        tracemalloc.start()
        for name, content in found.contents(found.names, 2**20):
            assert content() == files[name]
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 6 * 2**20


def test_a_checksum(tmp_path: Path) -> None:
    (tmp_path / "it").write_bytes(b"abc" * 99_999)
    assert checksum(tmp_path / "it", "md5") == hashlib.md5(b"abc" * 99_999).hexdigest()
    assert checksum(tmp_path / "it", "sha256") == hashlib.sha256(b"abc" * 99_999).hexdigest()


@settings(max_examples=150, deadline=None)
@given(st.lists(st.text(st.sampled_from("ab.:/\\\0 é"), max_size=12), max_size=6))
def test_names_are_relative_and_unique_whatever_the_archive_says(raw: list[str]) -> None:
    found = [member.Found(name + ".jpg", "") for name in raw]
    numbers, refused = member.sorted_out(found, PICTURES)
    assert not set(numbers) & set(refused)
    assert sorted(numbers.values()) == list(dict.fromkeys(sorted(numbers.values())))
    for name, number in numbers.items():
        assert "\\" not in name
        assert not name.startswith(("/", "."))
        assert all(part not in ("", ".", "..") for part in name.split("/"))
        assert name.split("/")[-1] == found[number].name.replace("\\", "/").split("/")[-1]
