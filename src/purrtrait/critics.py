"""The critics of a sampler: who judged what each of its stages draws while it was trained."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch

from purrtrait.assemble.restored import players
from purrtrait.sampling import bundle
from purrtrait.training import checkpoint
from purrtrait.training import run as runs
from purrtrait.training.checkpoint import Checkpoint
from purrtrait.training.run import Run
from purrtrait.types import Critic


def critic(found: Checkpoint, device: torch.device) -> Critic | None:
    """The critic of a checkpoint as it was then, in evaluation mode; None if its stage has none."""
    critic = players(found, device).get("critic")
    return critic if isinstance(critic, Critic) else None


def critics(folder: Path, count: int, device: torch.device) -> list[Critic | None]:
    """The critics of the lowest ``count`` stages of a checkpoint's sampler; None for one without.

    Those of the stages below lie in other checkpoints of the run: in those that hold the very
    weights on which the stages above were trained. ValueError where one is gone.
    """
    if not (folder / checkpoint.FACTS).is_file():
        raise ValueError(
            f"{folder} is a bundle, which has no critic to judge what it draws; name the run or a "
            "checkpoint, or draw without (--no-judge)"
        )
    top, stages = checkpoint.read(folder), bundle.describe(folder)["stages"]
    weights = top.average()
    found = [
        top
        if stage["name"] == top.stage
        else _trained(top, stage["name"], checkpoint.fingerprint(weights, stage["prefix"]))
        for stage in stages[:count]
    ]
    return [critic(one, device) for one in found]


def _trained(top: Checkpoint, stage: str, weights: str) -> Checkpoint:
    """The checkpoint of a stage that has these weights, in the run that ``top`` is from."""
    for path in _siblings(top.path, stage):
        try:
            found = checkpoint.read(path)
        except ValueError:  # damaged: another one may hold the same
            continue
        if found.weights == weights:
            return found
    raise ValueError(
        f"the critic that judges stage '{stage}' is gone: no checkpoint beside {top.path} has the "
        f"weights on which '{top.stage}' was trained. Draw without it (--no-judge), or train "
        f"'{top.stage}' again on the '{stage}' that is there (`purrtrait resume`)"
    )


def _siblings(folder: Path, stage: str) -> Iterator[Path]:
    """The checkpoints of a stage in a checkpoint's run, those that were set aside too; last first.

    A checkpoint lies two folders below its run, and one that was set aside three.
    """
    for place in folder.resolve().parents[:3]:
        if (place / runs.REQUEST).is_file():
            aside = sorted(place.glob(f"replaced/*/{stage}-*"), reverse=True)
            kept = [*reversed(Run(place).found()), *aside]
            yield from (path for path in kept if path.name.rpartition("-")[0] == stage)
            return
