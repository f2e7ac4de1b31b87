"""What a run is wrapped up in for people: bundle, model card, film and report."""

from __future__ import annotations

import logging
import shlex
from pathlib import Path

from purrtrait import bundling, config, shelf
from purrtrait.config import Recipe
from purrtrait.evaluation import film as films
from purrtrait.evaluation import judgement as judgements
from purrtrait.evaluation import report
from purrtrait.evaluation.judgement import Judgement
from purrtrait.sampling import bundle
from purrtrait.training import checkpoint, record
from purrtrait.training import run as runs
from purrtrait.training.checkpoint import Checkpoint
from purrtrait.training.run import Run

log = logging.getLogger(__name__)

REPORT = "report.html"
FILM = "film.mp4"


def stale(run: Run) -> dict[str, str]:
    """The stages of a run that no longer fit what they stand on, each with the reason."""
    because = checkpoint.stale(run.latest_of_each())
    return {
        name: f"'{source}', on which it stands, is stale, gone or another one now"
        for name, source in because.items()
    }


def warnings(path: Path) -> list[str]:
    """What one should know before drawing with what lies there: which stages of a run are stale."""
    if not (path / runs.REQUEST).is_file():
        return []
    return [
        f"stage '{name}' is stale: {why}. It still draws on what it was trained with; "
        f"`purrtrait resume {path}` trains it again"
        for name, why in stale(Run(path)).items()
    ]


def checkpoint_folder(path: Path) -> Path:
    """The checkpoint that a path means: itself, or the last whole one of a run."""
    if (path / checkpoint.FACTS).is_file():
        return path
    _expect_no_bundle(path)
    run = runs.open_run(path)
    last = run.latest()
    if last is None and run.found():
        raise ValueError(
            f"no checkpoint in {run.checkpoints} can be read (see above); restore one from a copy, "
            "or train a new run"
        )
    if last is None:
        raise ValueError(
            f"{path} has no whole checkpoint yet; train on with `purrtrait resume {path}`"
        )
    return last.path


def best_checkpoint(path: Path) -> Path:
    """The checkpoint of a run that has the best score; ValueError where none was scored."""
    _expect_no_bundle(path)
    best = runs.open_run(path).best()
    if best is None:
        raise ValueError(
            f"{path} has no checkpoint that was scored, so that none is known as the best. Leave "
            "--best out for the last; scores are taken with train --scores above 0, on a pack that "
            "holds out enough pictures"
        )
    return best.path


def _expect_no_bundle(path: Path) -> None:
    """ValueError where a bundle, or the name of one, stands for what only a run has."""
    place = shelf.found(path)
    if (place / bundle.DESCRIPTION).is_file() and not (place / runs.REQUEST).is_file():
        raise ValueError(
            f"{path} is a bundle, which has its weights and nothing else; expected a run, or "
            "a checkpoint of one"
        )


def sampler_folder(path: Path) -> Path:
    """The folder with a sampler that a path means: a bundle, a checkpoint, or a run's last one.

    A path where there is nothing may be the name of a bundle.
    """
    place = shelf.found(path)
    if (place / checkpoint.FACTS).is_file():
        return checkpoint.read(place).path  # whole, byte by byte
    if (place / bundle.DESCRIPTION).is_file():
        return place
    if (place / runs.REQUEST).is_file():
        return checkpoint_folder(place)
    kinds = {"it holds no sampler": path.is_dir(), "it is a file": path.is_file()}
    there = next((kind for kind, holds in kinds.items() if holds), "there is no such folder")
    raise ValueError(
        f"{path}: {there}; expected a run (such as runs/portrait-01), a checkpoint or a bundle"
        f"{shelf.hint(path)}"
    )


def film(run: Run) -> tuple[Path, Path]:
    """Make film.gif and film.mp4 of a run's previews, stage after stage."""
    recipe = config.read(run.path / runs.RECIPE)
    previews = [shown for stage in recipe.stages for shown in run.shown(stage.name)]
    if not previews:
        raise ValueError(
            f"{run.path} has no previews to make a film of; train with --previews above 0"
        )
    gif, mp4 = run.path / "film.gif", run.path / FILM
    films.film(previews, gif, mp4)
    return gif, mp4


def wrap(run: Run, finished: bool) -> None:
    """Make the film and report of a run, and its bundle where training came to its end.

    It did not where only an earlier stage was to be trained, and a later one has begun.
    """
    last = run.latest()
    if last is None:
        return
    recipe = config.read(run.path / runs.RECIPE)
    if any(run.previews.glob("*.png")):
        try:
            film(run)
        except (ValueError, OSError, RuntimeError) as error:  # the training is worth more
            log.warning("there is no film: %s", error)
    wrap_report(run)
    # Last, and its card last of all: where that is, everything is.
    complete = finished and (last.adopted or last.images_seen >= _budget(recipe, last.stage))
    if complete and bundle.describe(last.path)["stages"]:
        bundle.write(run.path / "bundle", last.path, bundling.card(recipe, last))


def _budget(recipe: Recipe, stage: str) -> int:
    return next(one.budget for one in recipe.stages if one.name == stage)


def wrap_report(run: Run) -> None:
    """Write the report of a run anew, from all that its folder holds by now."""
    last = run.latest()
    if last is None:
        return
    recipe = config.read(run.path / runs.RECIPE)
    mp4, neighbours = run.path / FILM, run.path / judgements.NEIGHBOURS
    judgement = judged(run)
    grids = run.shown(last.stage)
    report.write(
        run.path / REPORT,
        report.Contents(
            title=run.path.name,
            summary=recipe.summary,
            source=recipe.source,
            facts=facts(run, last),
            recipe=config.dump(recipe),
            scores=run.rows(run.scores),
            incidents=run.rows(run.incidents),
            explained=record.SCORES,
            grid=grids[-1][1] if grids else None,
            film=mp4 if mp4.is_file() else None,
            credit=bundle.describe(last.path)["credit"],
            command=command(run),
            judgement=judgement,
            neighbours=neighbours if judgement and neighbours.is_file() else None,
        ),
    )


def judged(run: Run) -> Judgement | None:
    """What a run's last evaluation said; None where there was none, or it cannot be read."""
    if not (run.path / judgements.FILE).is_file():
        return None
    try:
        return Judgement.read(run.path / judgements.FILE)
    except ValueError as error:
        log.warning("%s; the report goes without", error)
        return None


def judgement_of(found: Checkpoint) -> Judgement | None:
    """What the last evaluation of a checkpoint's run said, if it was of this checkpoint."""
    judgement = judged(Run(found.path.resolve().parent.parent))
    # A stage that is trained again gives its checkpoints the same names.
    weights = found.facts["sha256"].get(bundle.MODEL)
    mine = judgement is not None and judgement.origin.get("weights") == weights
    return judgement if mine else None


def facts(run: Run, last: Checkpoint) -> dict[str, str]:
    """What one wants to know about a run, in words."""
    asked, now = run.request(), last.facts["now"]
    moves = ", ".join(f"{player} {count:,}" for player, count in now["moves"].items())
    best = run.best()
    judged = f"{record.BEST[best.judged_by]} {best.score:.3g}" if best else ""
    return {
        "real pictures seen": f"{now['images_seen']:,} in {now['round']} rounds",
        "steps": f"{now['steps']:,}",
        "moves": moves,
        "seed": str(asked["seed"]),
        "pack": f"{asked['data']} ({str(asked['pack'])[:12]})",
        "device": f"{last.facts['device']}, {last.facts['threads']} threads",
        "processes": str(last.facts["ranks"]),
        **({"best checkpoint": f"{best.path.name} ({judged})"} if best else {}),
        "versions": f"purrtrait {last.facts['version']}, torch {last.facts['torch']}",
    }


def command(run: Run) -> str:
    """A command that trains the same again, where options were not changed on the way."""
    asked = run.request()
    words = ["purrtrait", "train", str(run.path / runs.RECIPE), "--data", asked["data"]]
    words += ["--seed", asked["seed"], "--threads", asked["threads"], "--device", asked["device"]]
    words += ["--precision", asked.get("precision", "full")]
    words += ["--denoise", asked["denoise"]] * bool(asked.get("denoise"))
    words += ["--name", run.path.name.rpartition("-")[0]]
    words += ["--start-from", asked["start_from"]] * bool(asked["start_from"])
    own = [name for name, found in run.latest_of_each().items() if not found.adopted]
    if own and len(own) < len(run.latest_of_each()):
        words += ["--from", own[0]]
    return shlex.join(map(str, words))
