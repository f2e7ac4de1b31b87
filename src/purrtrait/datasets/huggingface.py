"""Reads datasets of the Hugging Face kind: parquet or Arrow files, or a name on their Hub."""

from __future__ import annotations

import glob
import hashlib
import importlib
import io
import logging
import re
import warnings
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from purrtrait.datasets.folder import Entry, files_below, fingerprint, sample
from purrtrait.datasets.pack import MOST_CLASSES
from purrtrait.datasets.photo import (
    DAMAGED,
    Collection,
    Photo,
    Picture,
    Shrink,
    Unreadable,
    Wanted,
    look,
)

NO_PICTURE = "the dataset has no picture in this row"
ONLY_SPLIT = "train"  # what the library calls a split that has no name
HUB_NAME = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")  # a dataset's, with its owner's before it
SHARD = re.compile(r"(.+)-\d{5}-of-\d{5}")  # a file that holds a part of a split

log = logging.getLogger(__name__)

Library: TypeAlias = Any  # the module `datasets`, which has no types
Table: TypeAlias = Any  # a `datasets.Dataset`
Splits: TypeAlias = Mapping[str, Table]


class _Labels(NamedTuple):
    """How many classes a column of labels tells apart, and the class of each row."""

    classes: int
    values: np.ndarray


def parse_huggingface(wanted: Wanted) -> Collection:
    """Find the pictures in a dataset's first column of pictures, one split after the other.

    ``source`` is a parquet or Arrow file, a folder of them or of ``save_to_disk``, or the name of a
    dataset on the Hub. A column of class labels is kept if it is the only one. When ``count`` is
    below what there is, it is a sample keyed by the seed, in the same order.
    """
    assert wanted.source is not None, "the table says that this parser needs a source"
    with _library() as library:
        opened = _from_disk if wanted.source.exists() else _from_hub
        splits, digest = opened(library, wanted.source)
        rows = _joined(library, wanted.source, splits)
        pictures = _picture_column(library, wanted.source, rows)
        labels = _labels(library, rows)
        # The library would decode the pictures itself, in its own way.
        stored = rows.select_columns([pictures]).cast_column(pictures, library.Image(decode=False))
    chosen = sample(range(len(rows)), wanted)
    return Collection(
        count=len(chosen),
        fingerprint=digest,
        photos=(
            Photo(
                name,
                partial(_look, stored, pictures, row),
                {label: int(column.values[row]) for label, column in labels.items()},
            )
            for name, row in _named(splits, chosen)
        ),
        labels={label: column.classes for label, column in labels.items()},
    )


@contextmanager
def _library() -> Iterator[Library]:
    """Import the library, which takes a while, and keep it silent."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            importlib.import_module("datasets")
        except ImportError as error:
            raise ValueError(
                "Datasets of Hugging Face need one more package: pip install datasets, or "
                'pip install ".[hub]" in a clone of purrtrait'
            ) from error
        with _silent("huggingface_hub"), _silent("datasets") as library:
            yield library


@contextmanager
def _silent(name: str) -> Iterator[Library]:
    module: Library = importlib.import_module(name)
    logger = logging.getLogger(name)
    level, shows_bars = logger.level, not module.utils.are_progress_bars_disabled()
    logger.setLevel(logging.CRITICAL)
    module.utils.disable_progress_bars()
    try:
        yield module
    finally:
        logger.setLevel(level)
        if shows_bars:
            module.utils.enable_progress_bars()


def _from_disk(library: Library, source: Path) -> tuple[Splits, str]:
    """Open local files, each split with its name; the digest of their names, sizes and times."""
    files: Sequence[Entry] = []
    for suffix in READERS:
        files = files or _files(source, suffix)
    if not files:
        raise ValueError(
            f"No dataset in {source}: expected files that end in {' or '.join(READERS)}, or the "
            "folder that save_to_disk wrote. For a folder of pictures use the parser folder."
        )
    try:
        splits = _opened(library, source, files)
    except Exception as error:  # the library and what it is built on raise all kinds
        raise ValueError(
            f"{source} cannot be read as a dataset ({_reason(error)}): expected whole parquet "
            "files, or Arrow files as the library datasets writes them."
        ) from error
    return splits, fingerprint(files)


def _files(source: Path, suffix: str) -> Sequence[Entry]:
    if source.is_dir():
        return files_below(source, {suffix})
    status = source.stat()
    file = Entry(source.name, source, status.st_size, status.st_mtime_ns)
    return [file] if source.suffix.lower() == suffix else []


def _opened(library: Library, source: Path, files: Sequence[Entry]) -> Splits:
    if (source / "dataset_dict.json").is_file():
        return dict(library.DatasetDict.load_from_disk(str(source)))
    if (source / "state.json").is_file():
        return {ONLY_SPLIT: library.Dataset.load_from_disk(str(source))}
    shards: dict[str, list[Path]] = defaultdict(list)
    for file in files:
        named = SHARD.match(file.path.name)
        shards[named[1] if named else file.path.stem].append(file.path)
    read = READERS[files[0].path.suffix.lower()]
    return {split: read(library, paths) for split, paths in shards.items()}


def _parquet(library: Library, files: Sequence[Path]) -> Table:
    # It takes paths for patterns.
    return library.Dataset.from_parquet([glob.escape(file.as_posix()) for file in files])


def _arrow(library: Library, files: Sequence[Path]) -> Table:
    return library.concatenate_datasets([library.Dataset.from_file(str(file)) for file in files])


READERS: dict[str, Callable[[Library, Sequence[Path]], Table]] = {
    ".parquet": _parquet,
    ".arrow": _arrow,
}


def _from_hub(library: Library, source: Path) -> tuple[Splits, str]:
    """Fetch a dataset from the Hub; the digest of where the library keeps it."""
    name = source.as_posix()
    if not HUB_NAME.fullmatch(name) or source.suffix in READERS:
        raise ValueError(
            f"There is no file or folder {source}: check the path. A dataset on the Hugging Face "
            "Hub is named as in huggan/few-shot-cat."
        )
    log.info("asking the Hugging Face Hub for the dataset %s", name)
    try:
        splits = library.load_dataset(name)
    except Exception as error:
        raise ValueError(
            f"There is no file or folder {source}, and no dataset of that name could be had from "
            f"the Hugging Face Hub ({_reason(error)}). Check the name and the network; or fetch "
            "its parquet files by hand and name their folder."
        ) from error
    digest = hashlib.sha256()
    for split, table in splits.items():
        # The last folder is named by the dataset's version on the Hub.
        kept = sorted("/".join(Path(file["filename"]).parts[-2:]) for file in table.cache_files)
        digest.update(f"{name}\0{split}\0{len(table)}\0{kept}\n".encode())
    return splits, digest.hexdigest()


def _reason(error: BaseException) -> str:
    """Return the first line of what went wrong in the first place."""
    first = error.__cause__ or error
    return f"{type(first).__name__}: {str(first).strip().partition(chr(10))[0][:200]}"


def _joined(library: Library, source: Path, splits: Splits) -> Table:
    if not any(splits.values()):
        raise ValueError(f"The dataset {source} is empty: expected at least one row.")
    try:
        return library.concatenate_datasets(list(splits.values()))
    except ValueError as error:
        raise ValueError(
            f"The splits {', '.join(splits)} of {source} have different columns "
            f"({_reason(error)}): expected the same in each; name the files of one split."
        ) from error


def _picture_column(library: Library, source: Path, rows: Table) -> str:
    kinds: dict[str, Any] = rows.features
    found = [name for name, kind in kinds.items() if isinstance(kind, library.Image)]
    if not found:
        columns = ", ".join(f"{name} ({kind})" for name, kind in kinds.items())
        raise ValueError(
            f"No pictures in {source}: expected a column of the kind Image, found {columns}."
        )
    log.info("the pictures are those of the column %s", found[0])
    return found[0]


def _labels(library: Library, rows: Table) -> dict[str, _Labels]:
    """Return the only column of class labels by its name, if a pack can hold it."""
    kinds = {n: kind for n, kind in rows.features.items() if isinstance(kind, library.ClassLabel)}
    if len(kinds) != 1:
        return {}
    [(name, kind)] = kinds.items()
    values = rows.select_columns([name]).with_format("arrow")[:].column(name)
    labels = _Labels(kind.num_classes, values.fill_null(-1).to_numpy())
    if labels.classes > MOST_CLASSES or (labels.values < 0).any():
        log.warning(
            "the labels %s are left out: expected one for each picture, of at most %d classes",
            name,
            MOST_CLASSES,
        )
        return {}
    return {name: labels}


def _named(splits: Splits, chosen: Sequence[int]) -> Iterator[tuple[str, int]]:
    """Each chosen row of the joined splits, with a name that says its split and place in it."""
    ends = list(accumulate(len(table) for table in splits.values()))
    for row in chosen:
        place = bisect_right(ends, row)
        first = ends[place - 1] if place else 0
        yield f"{[*splits][place]}/{row - first:06d}", row


def _look(stored: Table, column: str, row: int, shrink: Shrink) -> Picture:
    """Look at the picture of a row: a file's bytes, or the path of one."""
    try:
        picture = stored[row][column] or {"bytes": None, "path": None}
    except Exception as error:
        raise Unreadable(DAMAGED) from error
    if picture["bytes"] is not None:
        return look(io.BytesIO(picture["bytes"]), shrink)
    if picture["path"] is not None:
        return look(Path(picture["path"]), shrink)
    raise Unreadable(NO_PICTURE)
