"""What a pack says about itself: ``manifest.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from itertools import groupby
from pathlib import Path
from typing import Any

from purrtrait.files import reason

SCHEMA = 1
FILE = "manifest.json"
HOW_TO_MAKE_ONE = "Make a pack with: purrtrait prepare kittens (or people, or folder PATH)."

# What each entry has to be in the file; anything else is a damaged or foreign file.
_KINDS: Mapping[str, type] = {
    "purrtrait_version": str,
    "order": dict,
    "size": int,
    "channels": int,
    "crop": str,
    "flip_natural": bool,
    "credit": str,
    "labels": dict,
    "photos": list,
    "split": list,
    "images_sha256": str,
    "labels_sha256": str,
    "quarantined": list,
}
# What packs of earlier versions do not have.
_LATER: Mapping[str, list | dict] = {"groups": [], "faces": {}, "remarks": {}}


@dataclass(frozen=True)
class Quarantined:
    """A photo that was left out, and why; of a copy, which photo stays."""

    name: str
    reason: str
    copy_of: str = ""


@dataclass(frozen=True)
class Manifest:
    """Everything about a pack but its numbers.

    ``order`` is what was asked for; ``labels`` the number of values of each label; ``photos`` the
    source photo of each row; ``split`` runs of rows, each a split's name and a length. ``groups``
    says of each row what it belongs to and is never divided from (a person), empty when each row is
    its own. ``faces`` counts the photos in which so many faces were found ("0", "1", "more").
    ``remarks`` says what is odd about a few photos that are used all the same, by their names.
    """

    purrtrait_version: str
    order: Mapping[str, object]
    size: int
    channels: int
    crop: str
    flip_natural: bool
    credit: str
    labels: Mapping[str, int]
    photos: Sequence[str]
    split: Sequence[tuple[str, int]]
    images_sha256: str
    labels_sha256: str
    quarantined: Sequence[Quarantined]
    groups: Sequence[str] = ()
    faces: Mapping[str, int] = field(default_factory=dict)
    remarks: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return the text of the file; names that are not Unicode survive as escapes."""
        return json.dumps({"schema": SCHEMA, **asdict(self)}, indent=1)

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Read the manifest of the pack in ``folder``; ValueError when there is none to be read."""
        path = folder / FILE
        if not path.is_file():
            raise ValueError(f"{folder} is not a pack: it holds no {FILE}. {HOW_TO_MAKE_ONE}")
        try:
            found = json.loads(path.read_text("utf-8"))
            return cls._from(folder, found)
        except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
            raise ValueError(
                f"{path} is damaged ({reason(error)}): expected the manifest of a pack. "
                f"Delete {folder} and prepare it again."
            ) from error

    @classmethod
    def _from(cls, folder: Path, found: dict[str, Any]) -> Manifest:
        _expect_readable(folder, found)
        values = {name: found[name] for name in _KINDS}
        values |= {name: found.get(name, absent) for name, absent in _LATER.items()}
        kinds = {**_KINDS, **{name: type(absent) for name, absent in _LATER.items()}}
        for name, kind in kinds.items():
            if type(values[name]) is not kind:
                raise TypeError(f"{name} is {values[name]!r}")
        values["photos"] = tuple(values["photos"])
        values["groups"] = tuple(values["groups"])
        values["split"] = tuple(_run(*row) for row in values["split"])
        values["quarantined"] = tuple(Quarantined(**row) for row in values["quarantined"])
        return cls(**values)


def _expect_readable(folder: Path, found: dict[str, Any]) -> None:
    schema, writer = found["schema"], found["purrtrait_version"]
    if schema > SCHEMA:
        raise ValueError(
            f"The pack {folder} has schema {schema}, written by purrtrait {writer}; this is "
            f"purrtrait {own_version()}, which reads up to {SCHEMA}. Install purrtrait {writer} or "
            "newer, or prepare the pack again."
        )


def _run(name: object, rows: object) -> tuple[str, int]:
    if not isinstance(name, str) or not isinstance(rows, int):
        raise TypeError(f"split has a run of {rows!r} rows for {name!r}")
    return name, rows


def runs(splits: Sequence[str]) -> tuple[tuple[str, int], ...]:
    """Return the split of each row, run by run: (name, how many rows)."""
    return tuple((name, len(list(rows))) for name, rows in groupby(splits))


def own_version() -> str:
    """Return the version of purrtrait that is running."""
    try:
        return version("purrtrait")
    except PackageNotFoundError:  # run from a source tree that nobody installed
        return "0+source"
