"""Packs are opened, or refused in words that say what to do."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from purrtrait.datasets.manifest import FILE, SCHEMA, Manifest, runs
from purrtrait.datasets.pack import Pack


def changed(pack: Pack, **changes: object) -> Path:
    path = pack.path / FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    return pack.path


def test_an_opened_pack_shows_everything(kitten_pack: Pack) -> None:
    pack = Pack.open(kitten_pack.path)
    assert pack.images.shape == (40, 16, 16, 3)
    assert pack.images.dtype == np.uint8
    assert isinstance(pack.images, np.memmap)
    assert not pack.images.flags.writeable
    assert (pack.size, pack.channels, pack.flip_natural) == (16, 3, False)
    assert pack.label_names == ("body", "fur", "eyes", "mouth", "accessories")
    assert pack.labels.dtype == np.int16
    assert (pack.labels < list(pack.manifest.labels.values())).all()
    digest = hashlib.sha256(pack.images.tobytes()).hexdigest()
    assert pack.manifest.images_sha256 == digest


def test_the_files_are_ordinary_ones(kitten_pack: Pack) -> None:
    assert sorted(file.name for file in kitten_pack.path.iterdir()) == [
        "images.npy",
        "labels.npy",
        "manifest.json",
    ]
    assert np.array_equal(np.load(kitten_pack.path / "images.npy"), kitten_pack.images)
    assert json.loads((kitten_pack.path / FILE).read_text())["schema"] == SCHEMA


def test_the_splits_share_the_rows_out(kitten_pack: Pack) -> None:
    train, held_out = kitten_pack.rows("train"), kitten_pack.rows("held-out")
    assert len(held_out) == 4
    assert sorted([*train, *held_out]) == list(range(40))
    assert (np.diff(held_out) > 0).all()
    with pytest.raises(ValueError, match="no split 'test'"):
        kitten_pack.rows("test")


def test_runs() -> None:
    assert runs(["a", "a", "b", "a"]) == (("a", 2), ("b", 1), ("a", 1))


def test_the_manifest_survives_the_disk(kitten_pack: Pack) -> None:
    manifest = kitten_pack.manifest
    (kitten_pack.path / FILE).write_text(manifest.to_json())
    assert Manifest.read(kitten_pack.path) == manifest


def test_packs_of_earlier_versions_have_less_to_say(kitten_pack: Pack) -> None:
    path = kitten_pack.path / FILE
    later = ("groups", "faces", "remarks")
    said = json.loads(path.read_text())
    path.write_text(json.dumps({name: said[name] for name in said if name not in later}))
    manifest = Pack.open(kitten_pack.path).manifest
    assert (manifest.groups, manifest.faces, manifest.remarks) == ((), {}, {})


def test_the_content_hash_stands_for_what_training_sees(kitten_pack: Pack) -> None:
    before = kitten_pack.content_hash
    assert Pack.open(kitten_pack.path).content_hash == before
    changed(kitten_pack, credit="somebody else")
    assert Pack.open(kitten_pack.path).content_hash == before
    hashes = {before}
    for change in ({"split": [["train", 40]]}, {"flip_natural": True}, {"images_sha256": "0"}):
        hashes.add(Pack.open(changed(kitten_pack, **change)).content_hash)
    assert len(hashes) == 4


@pytest.mark.parametrize("name", ["images.npy", "labels.npy"])
def test_verify_finds_one_changed_byte(kitten_pack: Pack, name: str) -> None:
    kitten_pack.verify()
    path = kitten_pack.path / name
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(ValueError, match=f"{name} has changed"):
        Pack.open(kitten_pack.path).verify()


def test_what_is_no_pack_says_how_to_make_one(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(ValueError, match=r"is not a pack.*purrtrait prepare kittens"):
            Pack.open(path)


def test_a_newer_pack_names_the_version_that_reads_it(kitten_pack: Pack) -> None:
    path = changed(kitten_pack, schema=SCHEMA + 1, purrtrait_version="7.3.0", photos="otherwise")
    with pytest.raises(ValueError, match=r"Install purrtrait 7\.3\.0 or newer"):
        Pack.open(path)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-10])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def junk(path: Path) -> None:
    path.write_bytes(b"\x80 no such file")


@pytest.mark.parametrize("damage", [cut, emptied, junk, Path.unlink])
@pytest.mark.parametrize("name", ["images.npy", "labels.npy"])
def test_damaged_arrays_are_refused(
    kitten_pack: Pack, name: str, damage: Callable[[Path], None]
) -> None:
    damage(kitten_pack.path / name)
    with pytest.raises(ValueError, match=rf"{name} is missing or cut off.*prepare it again"):
        Pack.open(kitten_pack.path)


@pytest.mark.parametrize("damage", [cut, emptied, junk])
def test_a_damaged_manifest_is_refused(kitten_pack: Pack, damage: Callable[[Path], None]) -> None:
    damage(kitten_pack.path / FILE)
    with pytest.raises(ValueError, match=r"manifest\.json is damaged.*prepare it again"):
        Pack.open(kitten_pack.path)


def test_what_a_manifest_lacks_is_named(kitten_pack: Pack) -> None:
    path = kitten_pack.path / FILE
    found = json.loads(path.read_text())
    del found["size"]
    path.write_text(json.dumps(found))
    with pytest.raises(ValueError, match=r"manifest\.json is damaged \(it has no 'size'\)"):
        Pack.open(kitten_pack.path)


@pytest.mark.parametrize(
    "changes",
    [
        {"size": "16"},
        {"photos": None},
        {"quarantined": [{"name": "a"}]},
        {"split": [["train"]]},
        {"split": [["train", "all"]]},
        {"remarks": ["odd"]},
    ],
)
def test_a_manifest_of_other_things_is_refused(
    kitten_pack: Pack, changes: dict[str, object]
) -> None:
    with pytest.raises(ValueError, match=r"prepare it again"):
        Pack.open(changed(kitten_pack, **changes))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"size": 32}, "the manifest says uint8"),
        ({"channels": 1}, "the manifest says uint8"),
        ({"labels": {"body": 15}}, "the manifest says int16"),
        ({"split": [["train", 39]]}, "does not cover its 40 rows"),
    ],
)
def test_arrays_and_manifest_must_agree(
    kitten_pack: Pack, changes: dict[str, object], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        Pack.open(changed(kitten_pack, **changes))
