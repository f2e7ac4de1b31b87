"""The public face: what purrtrait does, as functions; the command line calls them too."""

from __future__ import annotations

import math
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from purrtrait import config, judging, machine, trainer, wrapping
from purrtrait.assemble import arithmetic, build, options
from purrtrait.assemble.handing import expect_fit
from purrtrait.assemble.place import Request, expect_own_pack, requested
from purrtrait.assemble.plan import Plan, Source, as_trained, begin_anew
from purrtrait.config import Recipe, Upkeep
from purrtrait.datasets import manifest
from purrtrait.datasets.pack import Pack
from purrtrait.evaluation.judgement import Judgement
from purrtrait.evaluation.reference import Report, silent
from purrtrait.files import absolute, expect_folder
from purrtrait.model import Model, PathLike, load
from purrtrait.preparing import prepare
from purrtrait.trainer import Outcome, Watch
from purrtrait.training import checkpoint
from purrtrait.training import run as runs
from purrtrait.training.checkpoint import Checkpoint
from purrtrait.training.session import Stop
from purrtrait.types import Progress
from purrtrait.words import nearest

__all__ = ["Model", "evaluate", "film", "load", "prepare", "resume", "sample", "train"]

LONGEST = 200  # bytes of a run's name: file systems take 255, and something is put behind it
SEEDS = 10_000  # a seed that nobody chose is one of so many


def _unwatched(stage: str, now: Progress, budget: int) -> None:
    """Watch nothing."""


def train(
    recipe: str,
    data: PathLike,
    *,
    runs_folder: PathLike = "runs",
    name: str | None = None,
    seed: int | None = None,
    budget: int | None = None,
    minutes: float = float("inf"),
    tflop: float | None = None,
    device: str = "auto",
    precision: str = "auto",
    threads: int | None = None,
    settings: Mapping[str, str] | None = None,
    upkeep: Mapping[str, Any] | None = None,
    start_from: PathLike | None = None,
    players: Sequence[str] = (),
    stages: Sequence[str] = (),
    first: str | None = None,
    denoise: PathLike | None = None,
    watch: Watch = _unwatched,
) -> Outcome:
    """Train a recipe on a pack, in a new folder runs/NAME-JJ.

    ``settings`` override options of the recipe, as texts; ``budget`` is in images, or ``tflop`` in
    counted arithmetic, for which it sees as many images as that pays for; ``minutes`` only stops
    (the mathematics does not look at the clock on the wall). ``precision`` is full (float32), mixed
    (networks compute in bfloat16) or auto: mixed where a CUDA device does that, else full.
    ``start_from`` is a run or checkpoint whose ``players`` (all by default) hand their weights on.
    Of a recipe with several stages, only the ``stages`` that are named are trained, or those from
    ``first`` on; stages before them are taken over from ``start_from``. Previews also show what the
    denoiser of the run ``denoise`` makes of them. ``watch`` is told after each step. ValueError
    says what is wrong before anything is made.
    """
    chosen, _ = options.override(options.find(recipe), settings or {})
    images = _images(chosen, Path(_pack_folder(data)), budget, tflop)
    chosen, _ = options.override(chosen, _with_budget(images))
    named, root = _plain(name or chosen.name), Path(runs_folder)
    expect_folder(root)
    request = Request(
        _pack_folder(data),
        1 + secrets.randbelow(SEEDS) if seed is None else seed,
        device,
        machine.threads(threads),
        _upkeep(upkeep).model_dump(),
        start_from=str(start_from or ""),
        precision=precision,
        denoise=absolute(denoise),
    )
    stop, plan = Stop(seconds=minutes * 60), Plan(_chosen(chosen, stages, first))
    source = _source(start_from, players, chosen, request, plan)
    return _wrapped(trainer.begin(chosen, request, root, named, stop, watch, source, plan))


def resume(
    run: PathLike,
    *,
    data: PathLike | None = None,
    budget: int | None = None,
    minutes: float = float("inf"),
    tflop: float | None = None,
    device: str | None = None,
    precision: str | None = None,
    threads: int | None = None,
    settings: Mapping[str, str] | None = None,
    stages: Sequence[str] = (),
    again: Sequence[str] = (),
    denoise: PathLike | None = None,
    watch: Watch = _unwatched,
) -> Outcome:
    """Train a run on from its last whole checkpoint, with all that was asked for at its beginning.

    Without changes it ends in the bits of a run that was never interrupted. ``settings`` override
    options of the recipe from here on: the run then leaves its recorded path, which its log says.
    Only the ``stages`` that are named are trained, if any are; those of ``again`` begin anew, and
    so does every stage that stands on one that has changed. An empty ``denoise`` ends cleaning.
    """
    there = runs.open_run(Path(run))
    recipe = config.read(there.path / runs.RECIPE)
    known, plan = requested(there), Plan(_chosen(recipe, stages, None), tuple(again))
    _chosen(recipe, again, None)
    folder = known.data if data is None else _pack_folder(data)
    expect_own_pack(there, known, folder)
    with_settings, _ = options.override(recipe, settings or {})
    budget = _images(with_settings, Path(folder), budget, tflop)
    longer, spent = options.override(recipe, _with_budget(budget))
    changed, done = options.override(longer, settings or {})
    done |= spent if longer != recipe and options.looks_at_budget(changed) else {}
    request = replace(
        known,
        data=folder,
        device=device or known.device,
        threads=known.threads if threads is None else machine.threads(threads),
        precision=precision or known.precision,
        denoise=known.denoise if denoise is None else absolute(denoise),
    )
    last = there.latest()
    if last is None and there.found():
        raise ValueError(
            f"no checkpoint in {there.checkpoints} can be read (see above); begin a new run, or "
            "use the version that wrote them"
        )
    if budget is not None and last and not again and budget <= last.images_seen:
        raise ValueError(
            f"--budget {budget}: the run has seen {last.images_seen} images already; expected more"
        )
    found = there.latest_of_each()
    stop = Stop(seconds=minutes * 60)
    anew = begin_anew(changed, found, plan)
    for stage in changed.stages:
        if done and stage.name in found and stage.name not in anew:
            expect_fit(stage, request, found[stage.name], tuple(stage.players))
    noted, done = as_trained(changed, recipe, done, found, plan, anew)
    return _wrapped(trainer.go_on(there, noted, done, request, stop, watch, plan))


def sample(
    path: PathLike,
    count: int = 64,
    *,
    seed: int = 0,
    temperature: float = 1.0,
    truncation: float = math.inf,
) -> np.ndarray:
    """Portraits by a run, checkpoint or bundle: uint8 (count, H, W, C)."""
    return load(path).sample(count, seed=seed, temperature=temperature, truncation=truncation)


def evaluate(
    path: PathLike,
    against: PathLike | None = None,
    *,
    samples: int = judging.COUNT,
    seed: int = 0,
    extractor: str = "efficientnet-lite0",
    validator: PathLike | None = None,
    device: str = "auto",
    threads: int | None = None,
    out: PathLike | None = None,
    progress: Report = silent,
) -> Judgement:
    """Score what a run, checkpoint or bundle draws, or a folder's pictures, against real ones.

    ``against`` is a pack, of whose held-out part as many pictures are taken; by default the one
    that a run was trained on; ``validator``, a run or checkpoint, says how real it finds them, too.
    Each score comes with its standard error, its floor and its ceilings. They are written to
    ``out``, or into a run's own folder and report. ``progress`` hears what is done, and how much.
    """
    there, file = Path(path), None if out is None else Path(out)
    pack = None if against is None else Path(_pack_folder(against))
    valid = None if validator is None else Path(validator)
    judging.place(there, file)  # which complains before there is long work
    with trainer.own_torch(machine.threads(threads)):
        found = judging.evaluate(there, pack, samples, seed, extractor, device, progress, valid)
        judging.put(found, there, file)
    return found


def film(run: PathLike) -> tuple[Path, Path]:
    """Make the GIF and the MP4 of a run's previews; returns their paths."""
    return wrapping.film(runs.open_run(Path(run)))


def _wrapped(outcome: Outcome) -> Outcome:
    """The outcome, once the run's film, report and bundle are made."""
    if machine.first():
        wrapping.wrap(runs.Run(outcome.run), outcome.finished)
    return outcome


def _with_budget(budget: int | None) -> dict[str, str]:
    return {} if budget is None else {"budget": str(budget)}


def _images(recipe: Recipe, data: Path, budget: int | None, tflop: float | None) -> int | None:
    """The budget in images that was asked for, if any was."""
    if tflop is None:
        return budget
    if budget is not None:
        raise ValueError("a budget is given in images and in TFLOP; expected one of the two")
    pack = Pack.open(data)
    return arithmetic.images_for(recipe, build.Shape(pack.size, pack.channels), tflop)


def _upkeep(asked: Mapping[str, Any] | None) -> Upkeep:
    try:
        return Upkeep.model_validate(dict(asked or {}))
    except ValidationError as error:
        raise config.complain(error, "the upkeep of the run") from None


def _plain(name: str) -> str:
    """A name that is that of one folder."""
    if not name.strip(". ") or set(name) & set("/\\:\0"):
        raise ValueError(f"--name {name}: expected the name of one folder, such as kittens")
    if len(name.encode("utf-8", "surrogateescape")) > LONGEST:
        raise ValueError(f"--name {name[:20]}...: expected at most {LONGEST} bytes")
    return name


def _pack_folder(path: PathLike) -> str:
    """The absolute path of a pack; ValueError with the nearest name if there is no such folder."""
    folder = Path(path).resolve()
    if not folder.is_dir():
        known = {found.parent.name for found in folder.parent.glob(f"*/{manifest.FILE}")}
        raise ValueError(
            f"there is no pack {path}.{nearest(folder.name, known)} {manifest.HOW_TO_MAKE_ONE}"
        )
    return str(folder)


def _chosen(recipe: Recipe, stages: Sequence[str], first: str | None) -> tuple[str, ...]:
    """The names of the stages that are to be trained; none where all are."""
    names = [stage.name for stage in recipe.stages]
    for name in stages:
        if name not in names:
            raise ValueError(
                f"the recipe '{recipe.name}' has no stage '{name}'.{nearest(name, names)} "
                f"Its stages: {', '.join(names)}"
            )
    if first is None:
        return tuple(stages)
    if stages or first not in names:
        raise ValueError(
            f"the stages from '{first}' on are asked for; expected one of {', '.join(names)}, and "
            "no list of stages beside it"
        )
    return tuple(names[names.index(first) :])


def _source(
    path: PathLike | None, players: Sequence[str], recipe: Recipe, request: Request, plan: Plan
) -> Source | None:
    if path is None:
        if players:
            raise ValueError("players hand weights on from another run: name it with --start-from")
        return None
    number = next(place for place, stage in enumerate(recipe.stages) if plan.has(stage.name))
    found = _of_stage(Path(path), recipe.stages[number].name)
    known = tuple(recipe.stages[number].players)
    for player in players:
        if player not in known:
            raise ValueError(
                f"unknown player '{player}'.{nearest(player, known)} This recipe's are: "
                f"{', '.join(known)}"
            )
    chosen = tuple(players) or known * (number == 0)
    if chosen:
        expect_fit(recipe.stages[number], request, found, chosen)
    return Source(found, chosen, _earlier(Path(path), recipe, request, number))


def _of_stage(path: Path, name: str) -> Checkpoint:
    """The last checkpoint of a stage of that name, where there is one, or else the last of all."""
    last = checkpoint.read(wrapping.checkpoint_folder(path))
    if (path / runs.REQUEST).is_file():
        return runs.Run(path).latest_of_each().get(name, last)
    return last


def _earlier(path: Path, recipe: Recipe, request: Request, number: int) -> tuple[Checkpoint, ...]:
    """The checkpoints of a run for the stages before the first that is trained."""
    if not number:
        return ()
    there = runs.open_run(path).latest_of_each()
    earlier: list[Checkpoint] = []
    for stage in recipe.stages[:number]:
        if stage.name not in there:
            raise ValueError(
                f"{path} has no stage '{stage.name}' (it has {', '.join(there) or 'none'}), on "
                "which the stages that are to be trained may stand; train that too"
            )
        expect_fit(stage, request, there[stage.name], tuple(stage.players))
        earlier.append(there[stage.name])
    return tuple(earlier)
