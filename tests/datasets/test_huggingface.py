"""Pictures of parquet, Arrow and the Hub come out as they were put in, or are refused."""

from __future__ import annotations

import importlib
import io
import logging
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from purrtrait.datasets import photo
from purrtrait.datasets.folder import sample
from purrtrait.datasets.huggingface import NO_PICTURE, parse_huggingface
from purrtrait.datasets.photo import Collection, Unreadable, Wanted

Noisy = Callable[..., Image.Image]
Make = Callable[..., Any]  # (how many pictures, seed of the first) -> a table of them


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Give the library, with a cache of its own and no way to the Hub."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module: Any = pytest.importorskip("datasets")
    monkeypatch.setattr(module.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(module, "load_dataset", unreachable)
    return module


def unreachable(name: str) -> None:
    raise ConnectionError(f"Couldn't reach {name!r} on the Hub\nand so on")


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def make(library: Any, noisy: Noisy) -> Make:
    """Give a maker of tables of noise with a number, a picture and a class of three."""
    kinds = library.Features(
        number=library.Value("int32"),
        pic=library.Image(),
        kind=library.ClassLabel(names=["tabby", "tuxedo", "calico"]),
    )

    def table(count: int, first: int = 0) -> Any:
        rows = range(first, first + count)
        content = {
            "number": list(rows),
            "pic": [{"bytes": png(noisy(12, 9, row)), "path": None} for row in rows],
            "kind": [row % 3 for row in rows],
        }
        return library.Dataset.from_dict(content, features=kinds)

    return table


def parsed(source: Path, count: int | None = None, seed: int = 0) -> Collection:
    return parse_huggingface(Wanted(source, 32, count, seed))


def expect(found: Collection, names: Sequence[str], rows: Sequence[int], noisy: Noisy) -> None:
    """Check that these are the pictures of the rows of `make`, so named."""
    photos = list(found.photos)
    assert [one.name for one in photos] == list(names)
    assert found.count == len(photos)
    assert found.labels == {"kind": 3}
    assert [one.labels for one in photos] == [{"kind": row % 3} for row in rows]
    for one, row in zip(photos, rows, strict=True):
        assert np.array_equal(one.read(), np.asarray(noisy(12, 9, row)))


def test_a_parquet_file(make: Make, noisy: Noisy, tmp_path: Path) -> None:
    make(5).to_parquet(tmp_path / "cats.parquet")
    names = [f"cats/{row:06d}" for row in range(5)]
    expect(parsed(tmp_path / "cats.parquet"), names, range(5), noisy)


def test_splits_follow_one_another_and_their_parts_are_joined(
    make: Make, noisy: Noisy, tmp_path: Path
) -> None:
    folder = tmp_path / "a [set] of *" / "data"
    folder.mkdir(parents=True)
    make(3).to_parquet(folder / "test-00000-of-00001.parquet")
    make(2, 3).to_parquet(folder / "train-00000-of-00002-0123abcd.parquet")
    make(2, 5).to_parquet(folder / "train-00001-of-00002-4567cdef.parquet")
    (folder / "README.md").write_text("---\nlicense: [\n---\n")
    (folder / "notes.json").write_text("{")
    names = [f"test/{row:06d}" for row in range(3)] + [f"train/{row:06d}" for row in range(4)]
    expect(parsed(folder.parent), names, range(7), noisy)


def test_what_save_to_disk_wrote(library: Any, make: Make, noisy: Noisy, tmp_path: Path) -> None:
    make(3).save_to_disk(tmp_path / "one")
    expect(parsed(tmp_path / "one"), [f"train/{row:06d}" for row in range(3)], range(3), noisy)
    library.DatasetDict({"train": make(2), "odd": make(1, 2)}).save_to_disk(tmp_path / "two")
    names = ["train/000000", "train/000001", "odd/000000"]
    expect(parsed(tmp_path / "two"), names, range(3), noisy)
    arrow = next((tmp_path / "one").glob("*.arrow"))
    expect(parsed(arrow), [f"data/{row:06d}" for row in range(3)], range(3), noisy)


def test_a_sample_is_drawn_as_from_a_folder(make: Make, noisy: Noisy, tmp_path: Path) -> None:
    make(6).to_parquet(tmp_path / "a.parquet")
    make(6, 6).to_parquet(tmp_path / "b.parquet")
    rows = sample(range(12), Wanted(tmp_path, 32, 5, 7))
    names = [f"{'ab'[row // 6]}/{row % 6:06d}" for row in rows]
    expect(parsed(tmp_path, count=5, seed=7), names, rows, noisy)
    assert parsed(tmp_path, count=99).count == 12


def test_the_fingerprint_and_the_pictures_follow_the_files(
    make: Make, noisy: Noisy, tmp_path: Path
) -> None:
    file = tmp_path / "cats.parquet"
    make(4).to_parquet(file)
    before = parsed(file)
    assert parsed(file).fingerprint == before.fingerprint
    make(4, 10).to_parquet(file)
    after = parsed(file)
    assert after.fingerprint != before.fingerprint
    expect(after, [f"cats/{row:06d}" for row in range(4)], range(10, 14), noisy)


def test_a_name_on_the_hub(
    library: Any, make: Make, noisy: Noisy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    for version in ("1a2b", "3c4d"):
        make(3).save_to_disk(tmp_path / version)

    def load(name: str, version: str) -> Any:
        asked.append(name)
        kept = library.Dataset.load_from_disk(tmp_path / version)
        return library.DatasetDict({"train": kept})

    prints = []
    for version in ("1a2b", "1a2b", "3c4d"):
        monkeypatch.setattr(library, "load_dataset", lambda name, v=version: load(name, v))
        found = parsed(Path("huggan") / "few-shot-cat")
        prints.append(found.fingerprint)
        expect(found, [f"train/{row:06d}" for row in range(3)], range(3), noisy)
    assert asked == ["huggan/few-shot-cat"] * 3
    assert prints[0] == prints[1] != prints[2]


def test_without_a_network(library: Any) -> None:
    with pytest.raises(ValueError, match=r"no dataset of that name .*ConnectionError: Could") as e:
        parsed(Path("huggan/few-shot-cat"))
    assert "There is no file or folder huggan" in str(e.value)
    assert "\n" not in str(e.value)


@pytest.mark.parametrize(
    "path", ["data/cats/faces", "/nowhere/cats", "cats.parquet", "../cats", "a b", "~/cats", "."]
)
def test_what_can_only_be_a_path_is_not_asked_for(library: Any, path: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r": check the path\.|No dataset in \."):
        parsed(Path(path))


def test_files_of_other_kinds(library: Any, tmp_path: Path) -> None:
    (tmp_path / "cats.csv").write_text("a,b\n1,2\n")
    for source in (tmp_path, tmp_path / "cats.csv"):
        with pytest.raises(ValueError, match=r"expected files that end in \.parquet or \.arrow"):
            parsed(source)


@pytest.mark.parametrize("suffix", [".parquet", ".arrow"])
@pytest.mark.parametrize("content", [b"", b"milk, more milk" * 9, None])
def test_files_that_are_broken(
    make: Make, tmp_path: Path, suffix: str, content: bytes | None
) -> None:
    file = tmp_path / f"cats{suffix}"
    make(40).to_parquet(file)
    file.write_bytes(file.read_bytes()[:5000] if content is None else content)
    with pytest.raises(ValueError, match="cannot be read as a dataset") as caught:
        parsed(tmp_path)
    assert "\n" not in str(caught.value)


def test_the_columns_are_named_when_none_has_pictures(make: Make, tmp_path: Path) -> None:
    make(2).remove_columns("pic").to_parquet(tmp_path / "cats.parquet")
    with pytest.raises(ValueError, match=r"of the kind Image, found number .*int32.*, kind \(Cl"):
        parsed(tmp_path)


def test_the_first_column_of_pictures_is_taken(
    library: Any, make: Make, noisy: Noisy, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    table = make(2)
    second = {"bytes": png(noisy(5, 5)), "path": None}
    table = table.add_column("later", [second] * 2).cast_column("later", library.Image())
    table.to_parquet(tmp_path / "cats.parquet")
    with caplog.at_level(logging.INFO, "purrtrait"):
        expect(parsed(tmp_path), ["cats/000000", "cats/000001"], range(2), noisy)
    assert "the pictures are those of the column pic" in caplog.text


@pytest.mark.parametrize("missing", [None, -1])
def test_labels_that_some_pictures_lack_are_left_out(
    library: Any, make: Make, tmp_path: Path, missing: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    table = make(3)
    kind = table.features["kind"]
    table = table.remove_columns("kind").add_column("kind", [0, missing, 2])
    table.cast_column("kind", kind).to_parquet(tmp_path / "cats.parquet")
    found = parsed(tmp_path)
    assert found.labels == {}
    assert [one.labels for one in found.photos] == [{}] * 3
    assert "the labels kind are left out" in caplog.text


def test_of_two_columns_of_labels_none_is_taken(library: Any, make: Make, tmp_path: Path) -> None:
    table = make(3).add_column("other", [0, 1, 0])
    table = table.cast_column("other", library.ClassLabel(names=["in", "out"]))
    table.to_parquet(tmp_path / "cats.parquet")
    assert parsed(tmp_path).labels == {}


def test_splits_of_different_columns_are_refused(library: Any, make: Make, tmp_path: Path) -> None:
    make(2).to_parquet(tmp_path / "a.parquet")
    odd = make(2).cast_column("number", library.Value("string"))
    odd.to_parquet(tmp_path / "b.parquet")
    with pytest.raises(ValueError, match=r"The splits a, b of .* have different columns"):
        parsed(tmp_path)


def test_a_dataset_without_rows(make: Make, tmp_path: Path) -> None:
    pyarrow: Any = importlib.import_module("pyarrow")
    schema = make(1).data.table.schema
    with pyarrow.ipc.new_stream(tmp_path / "none.arrow", schema) as stream:
        stream.write_table(schema.empty_table())
    with pytest.raises(ValueError, match="is empty"):
        parsed(tmp_path)


def reasons(found: Collection) -> list[str]:
    """What is said of each picture; nothing of a sound one."""
    said = []
    for one in found.photos:
        try:
            assert one.read().dtype == np.uint8
            said.append("")
        except Unreadable as error:
            said.append(error.reason)
    return said


def stored(library: Any, pictures: list[dict[str, Any] | None], file: Path) -> Path:
    features = library.Features(pic=library.Image())
    library.Dataset.from_dict({"pic": pictures}, features=features).to_parquet(file)
    return file


def test_rows_without_a_picture_and_pictures_elsewhere(
    library: Any, noisy: Noisy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noisy(12, 9).save(tmp_path / "here.png")
    pictures = [
        None,
        {"bytes": None, "path": None},
        {"bytes": b"", "path": None},
        {"bytes": None, "path": str(tmp_path / "gone.png")},
        {"bytes": None, "path": str(tmp_path / "here.png")},
        {"bytes": b"milk", "path": str(tmp_path / "here.png")},
    ]
    table = library.Dataset.from_dict({"pic": pictures}).cast_column("pic", library.Image())
    found = library.DatasetDict({"train": table})
    monkeypatch.setattr(library, "load_dataset", lambda name: found)
    assert reasons(parsed(Path("cats"))) == [
        NO_PICTURE,
        NO_PICTURE,
        photo.NOT_A_PICTURE,
        photo.CANNOT_OPEN,
        "",
        photo.NOT_A_PICTURE,
    ]


def test_fuzzed_bytes_are_refused_one_by_one(library: Any, jpeg: bytes, tmp_path: Path) -> None:
    numbers = np.random.default_rng(0)
    pictures: list[dict[str, Any] | None] = [{"bytes": jpeg, "path": None}]
    for _ in range(200):
        data = bytearray(jpeg)
        for place in numbers.integers(0, len(data), 8):
            data[place] = numbers.integers(256)
        pictures.append({"bytes": bytes(data[: numbers.integers(1, len(data))]), "path": None})
    said = reasons(parsed(stored(library, pictures, tmp_path / "fuzz.parquet")))
    assert said[0] == ""
    assert {photo.DAMAGED, photo.NOT_A_PICTURE} <= set(said)


def test_pictures_are_decoded_by_us(
    library: Any, make: Make, noisy: Noisy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(2).to_parquet(tmp_path / "cats.parquet")
    monkeypatch.setattr(library.Image, "decode_example", None)
    expect(parsed(tmp_path), ["cats/000000", "cats/000001"], range(2), noisy)


def test_the_library_is_silent_and_left_as_it_was(
    library: Any,
    make: Make,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hub: Any = importlib.import_module("huggingface_hub")
    make(4).to_parquet(tmp_path / "cats.parquet")
    library.utils.enable_progress_bars()
    filters = list(warnings.filters)
    loggers = [logging.getLogger(name) for name in ("datasets", "huggingface_hub")]
    for logger in loggers:
        monkeypatch.setattr(logger, "level", logging.INFO)
    monkeypatch.setattr(logging.getLogger("purrtrait"), "handlers", [])  # what we say ourselves
    capfd.readouterr()
    list(parsed(tmp_path).photos)
    assert capfd.readouterr() == ("", "")
    assert not library.utils.are_progress_bars_disabled()
    assert not hub.utils.are_progress_bars_disabled()
    assert warnings.filters == filters
    assert [logger.level for logger in loggers] == [logging.INFO] * 2


def test_without_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(ValueError, match=r"pip install datasets, or.*\[hub\]"):
        parsed(tmp_path)
