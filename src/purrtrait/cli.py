"""The command line: parse, call, print. Heavy imports stand inside the commands."""

from __future__ import annotations

from contextlib import nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from purrtrait import arguments
from purrtrait.commands import (
    activity,
    arena,
    bundle,
    directions,
    encode,
    evaluate,
    gallery_of,
    interpolate,
    neighbours,
    prepare,
    project,
    pull,
    reconstruct,
    sample,
    screen,
    spoil,
    walk,
)
from purrtrait.commands.common import (
    budget_option,
    device_option,
    json_option,
    set_option,
    show,
    threads_option,
)
from purrtrait.commands.upkeep import upkeep, upkeep_options
from purrtrait.version import VERSION

if TYPE_CHECKING:
    from purrtrait.trainer import Outcome

CONTEXT = {"help_option_names": ["-h", "--help"], "show_default": True, "max_content_width": 100}
PRECISIONS = click.Choice(["auto", "full", "mixed"])
INTERRUPTED = 128  # exit code of a process that a signal ended, plus the signal's number


@click.group(context_settings=CONTEXT)
@click.version_option(VERSION, prog_name="purrtrait")
def main() -> None:
    r"""Photos of faces in, a trained generator of new faces out.

    \b
    purrtrait prepare kittens --size 32          a pack of pictures
    purrtrait train portrait --data packs/kittens-32
    purrtrait sample runs/portrait-01 --count 64
    """


@main.command()
@click.argument("recipe", default="portrait")
@click.option("--data", required=True, help="The pack to train on, such as packs/kittens-32.")
@click.option("--name", help="The run's folder is runs/NAME-JJ; by default the recipe's name.")
@click.option("--runs", "runs_folder", default="runs", help="The folder of the runs.")
@click.option("--seed", type=int, help="By default drawn from 1 to 10,000, and printed.")
@budget_option
@device_option
@click.option(
    "--precision",
    type=PRECISIONS,
    default="auto",
    help="Of the networks: full is float32, mixed bfloat16; auto is mixed on CUDA devices.",
)
@threads_option
@set_option
@click.option(
    "--start-from", metavar="RUN", help="A run or checkpoint whose weights to begin with."
)
@click.option("--players", default="", help="Which of its players, such as generator,critic.")
@click.option("--stages", default="", help="Train only these stages, such as base,refine-22.")
@click.option("--from", "first", help="Train this stage and those after it.")
@click.option(
    "--denoise", metavar="RUN", help="Previews show portraits cleaned by its denoiser too."
)
@upkeep_options
@json_option
def train(recipe: str, data: str, as_json: bool, **asked: Any) -> None:
    """Train a recipe on a pack; Ctrl-C saves, and `purrtrait resume` goes on from there."""
    from purrtrait import face
    from purrtrait.console import StageBars

    budget = arguments.budget(asked["budget"])
    bars = StageBars()
    outcome = face.train(
        recipe,
        data,
        runs_folder=asked["runs_folder"],
        name=asked["name"],
        seed=asked["seed"],
        budget=budget.images,
        minutes=budget.minutes,
        tflop=budget.tflop,
        device=asked["device"] or "auto",
        precision=asked["precision"],
        threads=asked["threads"],
        settings=arguments.settings(asked["settings"]),
        upkeep=upkeep(asked),
        start_from=asked["start_from"],
        players=arguments.names(asked["players"]),
        stages=arguments.names(asked["stages"]),
        first=asked["first"],
        denoise=asked["denoise"],
        watch=bars.watch,
    )
    bars.close()
    _ended(outcome, as_json)


@main.command()
@click.argument("run")
@click.option("--data", help="Where the pack lies now, if it was moved.")
@budget_option
@device_option
@click.option("--precision", type=PRECISIONS, help="By default that with which the run began.")
@threads_option
@set_option
@click.option("--stages", default="", help="Train only these stages, such as base,refine-22.")
@click.option("--denoise", metavar="RUN", help="As in train; '' ends it.")
@click.option("--again", default="", help="Begin these stages anew; the old ones are set aside.")
@json_option
def resume(run: str, data: str | None, as_json: bool, **asked: Any) -> None:
    """Train a run on from its last checkpoint, as if it had never stopped.

    With --set it goes on with other options and so leaves its recorded path. Stages that stand on
    one that was trained anew since are stale: they begin anew too, and no others.
    """
    from purrtrait import face
    from purrtrait.console import StageBars

    budget = arguments.budget(asked["budget"])
    bars = StageBars()
    outcome = face.resume(
        run,
        data=data,
        budget=budget.images,
        minutes=budget.minutes,
        tflop=budget.tflop,
        device=asked["device"],
        precision=asked["precision"],
        threads=asked["threads"],
        settings=arguments.settings(asked["settings"]),
        stages=arguments.names(asked["stages"]),
        again=arguments.names(asked["again"]),
        denoise=asked["denoise"],
        watch=bars.watch,
    )
    bars.close()
    _ended(outcome, as_json)


main.add_command(sample.sample)
main.add_command(prepare.prepare)
main.add_command(activity.activity)
main.add_command(arena.arena)
main.add_command(evaluate.evaluate)
main.add_command(neighbours.neighbours)
main.add_command(screen.screen)
main.add_command(spoil.spoil)
main.add_command(walk.walk)
main.add_command(interpolate.interpolate)
main.add_command(directions.directions)
main.add_command(project.project)
main.add_command(gallery_of.gallery)
main.add_command(reconstruct.reconstruct)
main.add_command(encode.encode)
main.add_command(bundle.bundle)
main.add_command(pull.pull)


@main.command()
@click.argument("run")
@json_option
def film(run: str, as_json: bool) -> None:
    """Make a GIF and an MP4 of a run's previews, with the image count drawn in."""
    from purrtrait import face

    gif, mp4 = face.film(run)
    show({"gif": str(gif), "mp4": str(mp4)}, as_json)


@main.command()
@click.argument("path", metavar="RUN|CHECKPOINT|BUNDLE|PACK")
@json_option
def inspect(path: str, as_json: bool) -> None:
    """Say what a run, checkpoint, bundle or pack is: recipe, progress, networks, origin."""
    from purrtrait import studio

    show(studio.inspect(Path(path)), as_json)


@main.group(invoke_without_command=True)
@click.pass_context
def recipes(context: click.Context) -> None:
    """List the recipes, or show one with every option."""
    if context.invoked_subcommand is None:
        context.invoke(list_recipes, as_json=False)


@recipes.command("list")
@json_option
def list_recipes(as_json: bool) -> None:
    """Name every recipe with a line about it."""
    from purrtrait import config

    show({name: config.read(path).summary for name, path in config.shipped().items()}, as_json)


@recipes.command("show")
@click.argument("recipe")
@json_option
def show_recipe(recipe: str, as_json: bool) -> None:
    """Show every option of a recipe: value, whose word it is, meaning; and its source."""
    from purrtrait.assemble import options

    found = options.find(recipe)
    listed = list(options.listed(found))
    if as_json:
        rows = {
            o.name: {
                "value": o.value,
                "from": o.origin,
                "default": None if o.default is ... else o.default,
                "meaning": o.meaning,
            }
            for o in listed
        }
        show({"name": found.name, "source": found.source, "options": rows}, as_json)
        return
    click.echo(f"{found.name}: {found.summary}\nsource: {found.source}\n")
    for option in listed:
        known = "" if option.default is ... else f" (default: {option.default})"
        mark = known if option.origin == "recipe" else " (default)"
        click.echo(f"{option.name} = {option.value}{mark}\n    {option.meaning}")


def _ended(outcome: Outcome, as_json: bool) -> None:
    from purrtrait import machine

    run = outcome.run
    made = {
        "run": str(run),
        "images_seen": outcome.images_seen,
        "finished": outcome.finished,
        **{name: str(run / file) for name, file in _RESULTS.items() if (run / file).exists()},
    }
    grids = list((run / "previews").glob("*.png"))
    if grids:
        made["grid"] = str(max(grids, key=lambda grid: grid.stat().st_mtime_ns))
    if machine.first():
        # Where a signal came, whom it tells may be gone: that shall not hide it.
        with suppress(OSError) if outcome.signal else nullcontext():
            show(made, as_json)
            if not outcome.finished:
                click.echo(f"stopped; go on with: purrtrait resume {run}", err=True)
    if outcome.signal:
        raise SystemExit(INTERRUPTED + outcome.signal)


_RESULTS = {"film": "film.mp4", "gif": "film.gif", "report": "report.html", "bundle": "bundle"}
