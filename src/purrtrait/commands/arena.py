"""The command `arena`: says which of several recipes draws best for the same budget."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from purrtrait import arguments
from purrtrait.commands.common import FAILED, device_option, json_option, threads_option


@click.command()
@click.argument("recipes", nargs=-1, required=True, metavar="RECIPE...")
@click.option("--data", required=True, type=click.Path(path_type=Path), help="The pack.")
@click.option("--seeds", default="1,2,3", help="A training of each recipe with each seed.")
@click.option(
    "--budget",
    required=True,
    metavar="N|Nmin|NTFLOP",
    help="Of each training: real pictures, minutes on this machine, or counted arithmetic.",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="[RECIPE:]KEY=VALUE",
    help="Override an option of one recipe, or of all that have it; may be repeated.",
)
@click.option("--samples", default=1000, help="How many pictures of each training are judged.")
@click.option("--extractor", default="efficientnet-lite0", help="What sees the pictures.")
@click.option(
    "--validator",
    type=click.Path(path_type=Path),
    metavar="RUN|CHECKPOINT",
    help="Whose validator says, too, how real it finds the pictures.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="By default arenas/NAME, NAME being the pack's."
)
@device_option
@threads_option
@json_option
def arena(recipes: tuple[str, ...], data: Path, as_json: bool, **asked: Any) -> None:
    """Train recipes under one budget, score them alike, and rank them in a leaderboard.

    Interrupted, the same command goes on where it was. The leaderboard is rewritten after every
    training.
    """
    budget, seeds = arguments.budget(asked["budget"]), arguments.seeds(asked["seeds"])
    from purrtrait.arena import child, compete, plan
    from purrtrait.console import Tasks

    wanted = plan.Wanted(
        recipes=recipes,
        data=data,
        seeds=seeds,
        images=budget.images,
        minutes=budget.minutes,
        tflop=budget.tflop,
        settings=arguments.settings(asked["settings"]),
        samples=asked["samples"],
        extractor=asked["extractor"],
        validator=asked["validator"],
        device=asked["device"],
        threads=asked["threads"],
    )
    entered = plan.enter(asked["out"] or Path("arenas") / data.resolve().name, wanted)
    tasks = Tasks()
    try:
        board = compete.compete(entered, tasks.report)
    except child.Stopped as stopped:
        with suppress(OSError):  # the terminal may be gone
            click.echo(f"stopped; the same command goes on in {entered.path}", err=True)
        raise SystemExit(child.STOPPED + stopped.number) from None
    finally:
        tasks.close()
    _tell(board, entered.path, as_json)


def _tell(board: Any, path: Path, as_json: bool) -> None:
    """Print the leaderboard, and where it stands."""
    import json

    from purrtrait.evaluation import leaderboard
    from purrtrait.judging import table

    files = {name: str(path / name) for name in ("report.html", "leaderboard.md")}
    if as_json:
        click.echo(json.dumps({**leaderboard.plain(board), "files": files}, indent=1))
    else:
        click.echo(table(leaderboard.table(board)))
        click.echo(f"\nwritten to {', '.join(files.values())}")
    if board.failed:
        click.echo(
            f"{len(board.failed)} of {board.planned} trainings failed ({', '.join(board.failed)}); "
            "the same command tries them again",
            err=True,
        )
        raise SystemExit(FAILED)
