"""A run folder: the recipe as trained, scores, log, previews and checkpoints of one training."""

from __future__ import annotations

import itertools
import json
import logging
import math
import os
import re
import shutil
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from purrtrait.files import expect_folder, held, reason
from purrtrait.training import checkpoint
from purrtrait.training.checkpoint import Checkpoint

log = logging.getLogger(__name__)

RECIPE = "recipe.toml"
REQUEST = "run.json"  # what was asked for beside the recipe: data, seed, device, upkeep
SCORES = "scores.jsonl"
SINGLE = "single"  # the folder of single portraits among the previews
INCIDENTS = "incidents.jsonl"  # what went wrong, and when

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Run:
    """The folder ``runs/NAME-JJ``."""

    path: Path

    @property
    def checkpoints(self) -> Path:
        """The folder of the checkpoints."""
        return self.path / "checkpoints"

    @property
    def previews(self) -> Path:
        """The folder of the preview grids."""
        return self.path / "previews"

    @property
    def scores(self) -> Path:
        """The file of the scores, one json object a line."""
        return self.path / SCORES

    @property
    def incidents(self) -> Path:
        """The file of what went wrong, one json object a line."""
        return self.path / INCIDENTS

    def rows(self, file: Path) -> list[dict[str, Any]]:
        """The objects in one of the files of lines; none where there is no such file."""
        lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
        return [row for line in lines if (row := _row(line)) is not None]

    def found(self) -> list[Path]:
        """The checkpoint folders, oldest first; those half-written have other names."""
        if not self.checkpoints.is_dir():
            return []
        folders = [p for p in self.checkpoints.iterdir() if not p.name.startswith(".")]
        return sorted((p for p in folders if (p / checkpoint.FACTS).is_file()), key=_place)

    def latest(self) -> Checkpoint | None:
        """The last checkpoint that is whole, or None where there is none yet."""
        for path in reversed(self.found()):
            try:
                return checkpoint.read(path)
            except ValueError as error:
                log.warning("%s; going back to the one before", error)
        return None

    def latest_of_each(self) -> dict[str, Checkpoint]:
        """The last whole checkpoint of each stage that has one."""
        last: dict[str, Checkpoint] = {}
        for path in reversed(self.found()):
            if _stage(path) in last:
                continue
            try:
                last[_stage(path)] = checkpoint.read(path)
            except ValueError as error:
                log.warning("%s; going back to the one before", error)
        return dict(reversed(last.items()))

    def adopt(self, other: Checkpoint, number: int, stages: Collection[str]) -> None:
        """Take over a checkpoint of another run as the ``number``-th of the stages of this one.

        What it was trained on elsewhere, and what this run has no stage of, is no matter here.
        """
        self.checkpoints.mkdir(exist_ok=True)
        temporary = self.checkpoints / f".{other.path.name}.part"
        shutil.copytree(other.path, temporary)
        known = {name: weights for name, weights in other.stands_on.items() if name in stages}
        adopted = {"stands_on": known, "stage_number": number, checkpoint.ADOPTED: True}
        facts = {**other.facts, **adopted}
        write_text(temporary / checkpoint.FACTS, json.dumps(facts, indent=1))
        temporary.rename(self.checkpoints / other.path.name)

    def set_aside(self, stage: str) -> Path:
        """Move what there is of a stage to replaced/STAGE-JJ, so that it can begin anew."""
        aside = create(self.path / "replaced", stage).path
        for file in (self.scores, self.incidents):
            rows = [json.dumps(row) for row in self.rows(file) if row["stage"] == stage]
            write_text(aside / file.name, "".join(row + "\n" for row in rows))
        for path in [p for p in self.previews.rglob("*.png") if _shows(p, stage)]:
            kept = aside / path.relative_to(self.path)
            kept.parent.mkdir(parents=True, exist_ok=True)
            path.rename(kept)
        for path in (p for p in self.found() if _stage(p) == stage):
            path.rename(aside / path.name)
        self.forget_after(-1, stage)
        return aside

    def best(self) -> Checkpoint | None:
        """The whole checkpoint with the best score, of the last stage; None where none has any."""
        found = self.found()
        for path in self.ranked(_stage(found[-1])) if found else []:
            try:
                return checkpoint.read(path)
            except ValueError as error:
                log.warning("%s; taking the second best", error)
        return None

    def ranked(self, stage: str) -> list[Path]:
        """The checkpoints of a stage that were scored, best first; of equal ones the earlier."""
        mine = [path for path in self.found() if _stage(path) == stage]
        return sorted((path for path in mine if _score(path) < math.inf), key=_score)

    def prune(self, keep: int, stage: str) -> None:
        """Remove all of a stage's checkpoints but the last ``keep``, the best, and those in use.

        A later stage may stand on one: there is the critic that judges what it draws. What a kill
        left behind goes too.
        """
        mine = [path for path in self.found() if re.fullmatch(rf"{stage}-\d{{9}}", path.name)]
        stood = {w for path in self.found() for w in _stands_on(path)}
        used = [path for path in mine[:-keep] if _told(path, lambda f: f.weights, "") in stood]
        spared = {*mine[-keep:], *self.ranked(stage)[:1], *used}
        for path in mine:
            if path in spared:
                continue
            gone = path.with_name(f".{path.name}.old.part")
            path.rename(gone)  # whoever looks for checkpoints now no longer finds it
            shutil.rmtree(gone, ignore_errors=True)
        for path in self.checkpoints.glob(".*.part"):
            shutil.rmtree(path, ignore_errors=True)

    def request(self) -> dict[str, Any]:
        """What was asked for beside the recipe."""
        try:
            data: dict[str, Any] = json.loads((self.path / REQUEST).read_text(encoding="utf-8"))
            for name in ("data", "seed", "device", "threads"):
                _ = data[name]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"{self.path / REQUEST} cannot be read ({reason(error)}); restore it from a copy, "
                "or begin a new run with --start-from this one's checkpoint"
            ) from None
        return data

    def describe(self, recipe: str, request: Mapping[str, object]) -> None:
        """Write down the recipe as trained (TOML) and the request."""
        write_text(self.path / RECIPE, recipe)
        write_text(self.path / REQUEST, json.dumps(request, indent=1) + "\n")

    def rewrite(self, recipe: str, changed: Mapping[str, object]) -> None:
        """Note the recipe (TOML) with which the run goes on; if options changed, keep the old one.

        Another budget is a change only where a schedule looks at it.
        """
        if changed:
            last = self.latest()
            before = _free(self.path / f"recipe-until-{last.images_seen if last else 0:09d}.toml")
            write_text(before, (self.path / RECIPE).read_text(encoding="utf-8"))
            said = ", ".join(f"{name} = {value}" for name, value in changed.items())
            log.warning(
                "%s leaves its recorded path: %s (its recipe so far is kept in %s)",
                self.path,
                said,
                before.name,
            )
        write_text(self.path / RECIPE, recipe)

    def forget_after(self, images_seen: int, stage: str) -> None:
        """Drop what lies after a checkpoint from which training goes on: it is made again."""
        for file in (self.scores, self.incidents):
            if file.is_file():
                lines = file.read_text(encoding="utf-8").splitlines()
                kept = [line for line in lines if _belongs(line, images_seen, stage)]
                write_text(file, "".join(line + "\n" for line in kept))
        for path in self.previews.rglob("*.png"):
            if _shows(path, stage) and int(path.stem[-9:]) > images_seen:
                path.unlink()

    def shown(self, stage: str) -> list[tuple[int, Path]]:
        """The previews of a stage in order, with the images seen."""
        paths = sorted(self.previews.glob(f"{stage}-{'[0-9]' * 9}.png"))
        return [(int(path.stem[-9:]), path) for path in paths]

    def locked(self) -> AbstractContextManager[None]:
        """Keep every other trainer out; the system lifts the lock when this process ends."""
        advice = "wait until it ends, stop it, or start a run of another --name"
        return held(self.path, "trained", advice)


def create(root: Path, name: str) -> Run:
    """A new folder ``root/NAME-JJ``, JJ being the first number that is free."""
    number = 1
    while True:
        path = root / f"{name}-{number:02d}"
        try:
            root.mkdir(parents=True, exist_ok=True)
            path.mkdir()
        except FileExistsError:
            expect_folder(root)
            number += 1
            continue
        except OSError as error:
            raise ValueError(
                f"the folder {path} cannot be made ({error.strerror}); expected a place that is "
                "yours, and a name that a folder can have"
            ) from None
        return Run(path)


def open_run(path: Path) -> Run:
    """The run in a folder; ValueError says what is there instead."""
    if not (path / REQUEST).is_file():
        there = "no such folder" if not path.exists() else f"it has no {REQUEST}"
        near = sorted(p.parent.name for p in path.parent.glob(f"*-[0-9][0-9]/{REQUEST}"))[-5:]
        hint = f" Runs beside it: {', '.join(near)}." if near else ""
        raise ValueError(
            f"{path} is not a run folder: {there}.{hint} Expected such as runs/NAME-01"
        )
    return Run(path)


def write_text(path: Path, text: str) -> None:
    """Replace a text file as a whole."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    temporary.write_text(text, encoding="utf-8")
    checkpoint.flush(temporary)
    temporary.replace(path)


def _free(path: Path) -> Path:
    """The path, or the first with a number that is free."""
    others = (path.with_stem(f"{path.stem}-{number}") for number in itertools.count(1))
    return next(p for p in itertools.chain([path], others) if not p.exists())


def _told(path: Path, ask: Callable[[Checkpoint], Answer], otherwise: Answer) -> Answer:
    """What a checkpoint says by its own word, unchecked; ``otherwise`` if it cannot be read."""
    try:
        facts = json.loads((path / checkpoint.FACTS).read_text(encoding="utf-8"))
        return ask(Checkpoint(path, facts))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return otherwise


def _place(path: Path) -> tuple[tuple[int, int], str]:
    """How far a checkpoint is; one that cannot be read comes first."""
    return _told(path, lambda found: found.place, (-1, 0)), path.name


def _stage(path: Path) -> str:
    return _told(path, lambda found: found.stage, "")


def _stands_on(path: Path) -> list[str]:
    return _told(path, lambda found: list(found.stands_on.values()), [])


def _score(path: Path) -> float:
    return _told(path, lambda found: found.score, math.inf)


def _shows(path: Path, stage: str) -> bool:
    """Whether a picture is a preview of a stage; single portraits are numbered before its name."""
    number = r"\d{3}-" if path.parent.name == SINGLE else ""
    return re.fullmatch(rf"{number}{stage}-\d{{9}}", path.stem) is not None


def _row(line: str) -> dict[str, Any] | None:
    """The object of a line; None for the last one where a kill cut it off."""
    try:
        row: dict[str, Any] = json.loads(line)
    except ValueError:
        return None
    return row


def _belongs(line: str, images_seen: int, stage: str) -> bool:
    row = _row(line)
    if row is None:
        return False
    return row["stage"] != stage or int(row["images_seen"]) <= images_seen
