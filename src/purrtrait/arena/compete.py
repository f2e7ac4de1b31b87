"""Holds an arena: trains, judges, and rewrites the leaderboard after every training."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path
from urllib.parse import quote

from purrtrait import config, judging, trainer, wrapping
from purrtrait.arena import board, child
from purrtrait.arena.plan import Arena, Training
from purrtrait.evaluation import leaderboard_page, reference
from purrtrait.evaluation.judgement import FILE, NEIGHBOURS, Judgement
from purrtrait.evaluation.leaderboard import Board, Result
from purrtrait.evaluation.reference import Report, silent
from purrtrait.files import held
from purrtrait.sampling import bundle
from purrtrait.training.checkpoint import Checkpoint
from purrtrait.training.run import RECIPE, REQUEST, Run

log = logging.getLogger(__name__)

RUNS = "runs"
SEED = 0  # of the samples that are judged, whatever the seed of the training
BAD_INPUT = 2


def compete(
    arena: Arena, report: Report = silent, purrtrait: child.Command = child.purrtrait
) -> Board:
    """Train and judge whatever is not yet; what is done already is only read.

    ``purrtrait`` runs a command line and gives its exit code. Raises child.Stopped when it was
    interrupted: called again, the arena goes on where it was. ValueError where another process
    holds the same arena, or one of its runs was gone on with under another recipe.
    """
    advice = "wait until it ends, stop it, or name another folder with --out"
    with held(arena.path, "competed in", advice):
        return _compete(arena, report, purrtrait)


def _compete(arena: Arena, report: Report, purrtrait: child.Command) -> Board:
    trainings = arena.trainings
    for training in trainings:
        _expect_own_recipe(arena, training)
    log.info("%s: %d trainings", arena.path, len(trainings))
    entries = {name: board.entry(arena, name) for name in arena.recipes}
    # What has ended comes first: no leaderboard lacks it while a failed training is tried again.
    ended = [training for training in trainings if finished(arena, training)]
    results = {training: judged(arena, training, report) for training in ended}
    shown = failed_before(arena) | results
    made = board.board(arena, entries, shown)
    if ended:
        leaderboard_page.write(arena.path, made)
    for number, training in enumerate(trainings, 1):
        if training in results:
            continue
        log.info("training %d: %s with seed %d", number, training.name, training.seed)
        code = _train(arena, training, purrtrait)
        if finished(arena, training):
            shown[training] = judged(arena, training, report)
        else:
            shown[training] = failed(arena, training, f"failed (exit code {code})")
        made = board.board(arena, entries, shown)
        leaderboard_page.write(arena.path, made)
    return made


def failed_before(arena: Arena) -> dict[Training, Result]:
    """Trainings that had failed when the leaderboard was last written: until they are tried again.

    Nothing where there is none, or it cannot be read.
    """
    try:
        text = (arena.path / leaderboard_page.JSON).read_text(encoding="utf-8")
        found = {
            Training(entry["recipe"], told["seed"]): str(told["failed"])
            for entry in json.loads(text)["leaderboard"]
            for told in entry["trainings"]
            if told["failed"]
        }
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    there = (training for training in arena.trainings if training in found)
    return {training: failed(arena, training, found[training]) for training in there}


def failed(arena: Arena, training: Training, words: str) -> Result:
    """The result of a training that failed, with what its folder says of the reasons."""
    run = _run(arena, training)
    incidents = run.rows(run.incidents)
    return Result(seed=training.seed, failed=words, incidents=incidents, report=_address(run))


def _run(arena: Arena, training: Training) -> Run:
    return Run(arena.path / RUNS / f"{training.name}-{training.seed}-01")


def _expect_own_recipe(arena: Arena, training: Training) -> None:
    """ValueError where a training was changed since: by a larger budget, or by other options."""
    run, file = _run(arena, training), arena.recipe_file(training.name)
    found = run.path / RECIPE
    if found.is_file() and config.dump(config.read(found)) != file.read_text(encoding="utf-8"):
        raise ValueError(
            f"{run.path} was gone on with since, and its {RECIPE} is not that of the arena any "
            f"more ({file}), so that the leaderboard would compare unlike trainings. Move the "
            "folder away to have the training begun anew"
        )


def finished(arena: Arena, training: Training) -> bool:
    """Whether a training has come to the end of its budget, and its bundle is whole."""
    stage, run = arena.recipes[training.name].stages[-1], _run(arena, training)
    last = run.latest() if (run.path / "bundle" / bundle.CARD).is_file() else None
    return last is not None and last.stage == stage.name and last.images_seen >= stage.budget


def _train(arena: Arena, training: Training, purrtrait: child.Command) -> int:
    """Begin a training, or go on with it from its last checkpoint; returns the exit code."""
    (name, seed), run = training, _run(arena, training)
    if (run.path / REQUEST).is_file():
        words = ["resume", str(run.path), "--data", str(arena.pack.path)]
    else:
        _make_room(run)
        words = ["train", str(arena.recipe_file(name)), "--data", str(arena.pack.path)]
        words += ["--runs", str(run.path.parent), "--name", f"{name}-{seed}", "--seed", str(seed)]
        words += ["--threads", str(arena.asked["threads"]), "--device", arena.asked["device"]]
    code = purrtrait([*words, "--json"])
    if code == BAD_INPUT:
        raise ValueError(
            f"{run.path} cannot be trained (see above); when that is mended, the same command "
            "goes on here"
        )
    if code:
        log.warning("%s with seed %d ended with exit code %d", name, seed, code)
    return code


def _make_room(run: Run) -> None:
    """Remove what is left of a run that was killed before it had begun; there is no request."""
    if run.checkpoints.exists():
        raise ValueError(
            f"{run.path} has checkpoints and no {REQUEST}, without which it cannot go on; restore "
            "that from a copy, or move the folder away to have the training begun anew"
        )
    if run.path.exists():
        shutil.rmtree(run.path)


def judged(arena: Arena, training: Training, report: Report) -> Result:
    """The result of a finished training; what was judged before is not judged anew."""
    run, asked = _run(arena, training), arena.asked
    stages = list(run.latest_of_each().values())
    last = stages[-1]
    judgement = _known(run.path / FILE, arena, last)
    if judgement is None:
        with trainer.own_torch(asked["threads"]):
            judgement = judging.evaluate(
                run.path,
                arena.pack.path,
                asked["samples"],
                SEED,
                asked["extractor"],
                asked["device"],
                report,
                arena.wanted.validator,
            )
        _expect_same_validator(arena, judgement)
        judging.enter(judgement, run)
    elif not _reported(run):
        wrapping.wrap_report(run)
    grids = run.shown(last.stage)
    spent = [stage.facts.get("spent", {}) for stage in stages]
    return Result(
        seed=training.seed,
        judgement=judgement,
        images_seen=sum(stage.images_seen for stage in stages),
        seconds=sum(stage.get("seconds", 0.0) for stage in spent),
        peak_memory_bytes=max(stage.get("peak_memory_bytes", 0) for stage in spent),
        rows=run.rows(run.scores),
        incidents=run.rows(run.incidents),
        grid=grids[-1][1] if grids else None,
        film=_there(run.path / wrapping.FILM),
        neighbours=_there(run.path / NEIGHBOURS),
        report=_address(run),
        machine=board.machine_of(last.facts),
        versions=board.versions_of(last.facts),
    )


def _there(path: Path) -> Path | None:
    return path if path.is_file() else None


def _address(run: Run) -> str:
    """Where a run's report is, seen from the leaderboard's page; empty where there is none."""
    there = (run.path / wrapping.REPORT).is_file()
    return quote(f"{RUNS}/{run.path.name}/{wrapping.REPORT}") if there else ""


def _expect_same_validator(arena: Arena, judgement: Judgement) -> None:
    """ValueError where the validator has been trained on since the arena began."""
    found, expected = judgement.origin.get("validator"), arena.asked["validator"]
    if found != expected:
        raise ValueError(
            f"{arena.wanted.validator} has other weights now ({str(found)[:12]}) than when the "
            f"arena began ({str(expected)[:12]}), so that its word is another one. Name the "
            "checkpoint of then with --validator"
        )


def _reported(run: Run) -> bool:
    """Whether the report of a run knows its scores: whoever was stopped between has it not."""
    report = run.path / wrapping.REPORT
    return report.is_file() and report.stat().st_mtime >= (run.path / FILE).stat().st_mtime


def _known(path: Path, arena: Arena, last: Checkpoint) -> Judgement | None:
    """The judgement that is kept, if it is of this checkpoint and as the arena asks for it."""
    try:
        found = Judgement.read(path)
    except ValueError:
        return None
    asked = arena.asked
    expected = {
        "seed": SEED,
        "checkpoint": last.path.name,
        "weights": last.facts["sha256"].get(bundle.MODEL),
        "identity": judging.extractor(asked["extractor"]).identity,
        "metrics": reference.VERSION,
        "validator": asked["validator"],
    }
    same = all(found.origin.get(name) == value for name, value in expected.items())
    mine = (found.pack, found.samples, found.extractor)
    return found if same and mine == (asked["pack"], asked["samples"], asked["extractor"]) else None
