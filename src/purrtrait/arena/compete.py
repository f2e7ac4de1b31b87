"""Holds an arena: trains, judges, and rewrites the leaderboard after every training."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

from purrtrait import judging, trainer
from purrtrait.arena import board, child
from purrtrait.arena.plan import Arena
from purrtrait.evaluation import leaderboard_page
from purrtrait.evaluation.judgement import FILE, Judgement
from purrtrait.evaluation.leaderboard import Board, Result
from purrtrait.evaluation.reference import Report, silent
from purrtrait.files import held
from purrtrait.training.run import REQUEST, Run

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
    holds the same arena.
    """
    advice = "wait until it ends, stop it, or name another folder with --out"
    with held(arena.path, "competed in", advice):
        return _compete(arena, report, purrtrait)


def _compete(arena: Arena, report: Report, purrtrait: child.Command) -> Board:
    log.info("%s: %d trainings", arena.path, len(arena.recipes) * len(arena.seeds))
    results: dict[str, list[Result]] = {name: [] for name in arena.recipes}
    entries = {name: board.entry(arena, name) for name in arena.recipes}
    made = board.board(arena, entries, results)
    for number, (seed, name) in enumerate(_order(arena), 1):
        run = Run(arena.path / RUNS / f"{name}-{seed}-01")
        code = 0
        if not finished(arena, name, run):
            log.info("training %d: %s with seed %d", number, name, seed)
            code = _train(arena, name, seed, run, purrtrait)
        if finished(arena, name, run):
            results[name].append(judged(arena, seed, run, report))
        else:
            results[name].append(Result(seed=seed, failed=f"failed (exit code {code})"))
        made = board.board(arena, entries, results)
        leaderboard_page.write(arena.path, made)
    return made


def _order(arena: Arena) -> Iterator[tuple[int, str]]:
    """Seed by seed, so that a leaderboard that is not yet whole compares all recipes."""
    return ((seed, name) for seed in arena.seeds for name in arena.recipes)


def finished(arena: Arena, name: str, run: Run) -> bool:
    """Whether a training has come to the end of its budget, and its bundle is made."""
    stage = arena.recipes[name].stages[-1]
    last = run.latest() if (run.path / "bundle").is_dir() else None
    return last is not None and last.stage == stage.name and last.images_seen >= stage.budget


def _train(arena: Arena, name: str, seed: int, run: Run, purrtrait: child.Command) -> int:
    """Begin a training, or go on with it from its last checkpoint; returns the exit code."""
    if (run.path / REQUEST).is_file():
        words = ["resume", str(run.path), "--data", str(arena.pack.path)]
    else:
        if run.path.is_dir():  # a run that was stopped before it had written anything
            run.path.rmdir()
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


def judged(arena: Arena, seed: int, run: Run, report: Report) -> Result:
    """The result of a finished training; what was judged before is not judged anew."""
    last = run.latest()
    assert last, "a finished training has a checkpoint"
    kept = run.path / FILE
    asked = arena.asked
    judgement = _known(kept, arena, last.path.name)
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
            )
        judging.enter(judgement, run)
    grids = run.shown(last.stage)
    spent = last.facts.get("spent", {})
    return Result(
        seed=seed,
        judgement=judgement,
        images_seen=last.images_seen,
        seconds=spent.get("seconds", 0.0),
        peak_memory_bytes=spent.get("peak_memory_bytes", 0),
        rows=run.rows(run.scores),
        grid=grids[-1][1] if grids else None,
    )


def _known(path: Path, arena: Arena, checkpoint: str) -> Judgement | None:
    """The judgement that is kept, if it is of this checkpoint and as the arena asks for it."""
    try:
        found = Judgement.read(path)
    except ValueError:
        return None
    asked = arena.asked
    expected = (asked["pack"], asked["samples"], asked["extractor"], SEED, checkpoint)
    origin = found.origin
    there = (found.pack, found.samples, found.extractor, origin.get("seed"))
    return found if (*there, origin.get("checkpoint")) == expected else None
