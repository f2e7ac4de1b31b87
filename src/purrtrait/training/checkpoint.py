"""Checkpoints: folders of safetensors and json that appear whole or not at all."""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from purrtrait.files import reason

SCHEMA = 1
FACTS = "training.json"
ADOPTED = "adopted"  # the fact that a checkpoint was taken over from another run
MODEL = "model.safetensors"  # the averaged weights: with sampler.json this is a bundle
TRAINING = "training.safetensors"
JUDGED_BY = "score/frechet"  # by this the best checkpoint is chosen, if by nothing else


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint on disk: averaged weights, all that training remembers, and plain facts."""

    path: Path
    facts: Mapping[str, Any]

    @property
    def images_seen(self) -> int:
        """Real pictures seen when it was written."""
        return int(self.facts["now"]["images_seen"])

    @property
    def place(self) -> tuple[int, int]:
        """How far it is: the number of its stage and the pictures seen in it."""
        return int(self.facts.get("stage_number", 0)), self.images_seen

    @property
    def stage(self) -> str:
        """The stage that was in training."""
        return str(self.facts["stage"])

    @property
    def weights(self) -> str:
        """The fingerprint of what the stage has learnt: that of its averaged weights."""
        known = self.facts.get("weights")
        return str(known) if known else fingerprint(self.average(), f"{self.stage}/")

    @property
    def stands_on(self) -> Mapping[str, str]:
        """The fingerprints of the earlier stages that this one was trained on, by their names."""
        return dict(self.facts.get("stands_on", {}))

    @property
    def score(self) -> float:
        """The score by which checkpoints are compared, lower is better; infinite where none is."""
        return float(self.facts.get("scored", {}).get(self.judged_by, math.inf))

    @property
    def adopted(self) -> bool:
        """Whether it was taken over from another run."""
        return bool(self.facts.get(ADOPTED, False))

    @property
    def judged_by(self) -> str:
        """The name of that score; empty for one that was too early to be the best."""
        return str(self.facts.get("judged_by", JUDGED_BY))

    def training(self) -> dict[str, Tensor]:
        """Players and optimisers."""
        return load_file(self.path / TRAINING)

    def average(self) -> dict[str, Tensor]:
        """The averaged weights."""
        return load_file(self.path / MODEL)


def fingerprint(tensors: Mapping[str, Tensor], prefix: str = "") -> str:
    """A SHA-256 of the tensors, on the CPU, whose names begin with a prefix: names and values."""
    found = hashlib.sha256()
    for name in sorted(name for name in tensors if name.startswith(prefix)):
        tensor = tensors[name].contiguous()
        found.update(f"{name.removeprefix(prefix)} {tensor.dtype} {tuple(tensor.shape)}".encode())
        found.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return found.hexdigest()


def under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose name begins with a prefix, without it."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def moved(mine: Checkpoint, found: Mapping[str, Checkpoint]) -> str:
    """The name of a stage that has other weights than when ``mine`` was trained on it, or none."""
    names = mine.stands_on.items()
    return next((n for n, weights in names if n in found and found[n].weights != weights), "")


def stale(found: Mapping[str, Checkpoint]) -> dict[str, str]:
    """Stages that stand on others than those that are there: which, and on whose account.

    ``found`` holds the last checkpoint of each stage, in the order of training. A stage is stale
    where one that it stands on has other weights by now, is gone, or is stale itself.
    """
    because: dict[str, str] = {}
    for name, mine in found.items():
        gone = [s for s in mine.stands_on if s not in found or s in because]
        source = moved(mine, found) or next(iter(gone), "")
        if source:
            because[name] = source
    return because


def anew(
    found: Mapping[str, Checkpoint], again: Collection[str], further: Collection[str] = ()
) -> set[str]:
    """The stages that begin anew when those that are asked for do.

    So does whatever is stale, or stands on one that is trained ``further``.
    """
    names = set(again)
    for name, mine in found.items():  # in the order of training
        if moved(mine, found) or not names.union(further).isdisjoint(mine.stands_on):
            names.add(name)
    return names


def write(
    path: Path,
    training: dict[str, Tensor],
    average: dict[str, Tensor],
    facts: Mapping[str, Any],
    texts: Mapping[str, str],
) -> Checkpoint:
    """Write a checkpoint folder: under a temporary name, flushed to the disk, then renamed.

    ``texts`` are further small files by name, such as ``sampler.json``.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    save_file(training, temporary / TRAINING)
    save_file(average, temporary / MODEL)
    digests = {name: digest(temporary / name) for name in (TRAINING, MODEL)}
    whole = {"schema": SCHEMA, "sha256": digests, **facts}
    for name, text in {**texts, FACTS: json.dumps(whole, indent=1)}.items():
        (temporary / name).write_text(text, encoding="utf-8")
    for file in temporary.iterdir():
        flush(file)
    before = path.with_name(f".{path.name}.before.part")
    if path.exists():  # moved aside rather than removed: at no moment is there none
        path.rename(before)
    temporary.rename(path)
    shutil.rmtree(before, ignore_errors=True)
    flush(path.parent)
    return Checkpoint(path, whole)


def read(path: Path) -> Checkpoint:
    """The checkpoint in a folder, checked byte by byte; ValueError says what is wrong with it."""
    try:
        facts = json.loads((path / FACTS).read_text(encoding="utf-8"))
        newer = facts["schema"] > SCHEMA
        digests = {} if newer else _expected(facts)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} is not a checkpoint: {FACTS} cannot be read ({reason(error)}). "
            "Name a run folder, or one of the folders in its checkpoints/"
        ) from None
    if newer:
        raise ValueError(
            f"{path} has schema {facts['schema']}, written by purrtrait "
            f"{facts.get('version', '?')}; this version reads up to {SCHEMA}. Install that version "
            "or a later one"
        )
    for name, expected in digests.items():
        found = digest(path / name) if (path / name).is_file() else "no such file"
        if found != expected:
            raise ValueError(
                f"{path / name} is damaged (SHA-256 {found[:12]}..., expected "
                f"{expected[:12]}...). Use an earlier checkpoint"
            )
    return Checkpoint(path, facts)


def _expected(facts: Mapping[str, Any]) -> dict[str, str]:
    """The SHA-256 of each file; KeyError, TypeError or ValueError where facts are not whole."""
    _ = str(facts["stage"]), int(facts["now"]["images_seen"])
    return dict(facts["sha256"])


def digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def flush(path: Path) -> None:
    """Have the system write a file to the disk now, and a folder where that can be asked for."""
    if path.is_dir():
        with suppress(OSError):  # Windows opens no folders
            _synchronise(path, os.O_RDONLY)
    else:
        _synchronise(path, os.O_RDWR)  # Windows flushes only what may be written to


def _synchronise(path: Path, mode: int) -> None:
    handle = os.open(path, mode)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
