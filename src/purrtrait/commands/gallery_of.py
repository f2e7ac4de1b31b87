"""The command `gallery`: portraits of one seed by each of a run's checkpoints, in one picture."""

from __future__ import annotations

from pathlib import Path

import click

from purrtrait import arguments
from purrtrait.commands.common import (
    device_option,
    json_option,
    on_threads,
    show,
    temperature_option,
    threads_option,
    truncation_option,
)


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--count", default=8, type=click.IntRange(1), help="How many portraits in a row.")
@click.option("--seed", default=0, help="Whose first portraits they are.")
@temperature_option
@truncation_option
@click.option("--out", type=click.Path(path_type=Path), help="By default a new folder in samples/.")
@device_option
@threads_option
@json_option
def gallery(
    run: Path,
    count: int,
    seed: int,
    temperature: float,
    truncation: float,
    out: Path | None,
    device: str | None,
    threads: int | None,
    as_json: bool,
) -> None:
    """Show how a run learnt: a row of the same portraits for each checkpoint that it keeps."""
    from purrtrait import history, studio
    from purrtrait.console import Tasks
    from purrtrait.images import sheet

    arguments.temperature(temperature)
    arguments.truncation(truncation)
    tasks, where = Tasks(), device or "auto"
    with studio.placed(out, f"{run.resolve().name}-gallery") as place, on_threads(threads):
        made = history.gallery(run, count, seed, temperature, where, tasks.report, truncation)
        tasks.close()
        file = place / "gallery.png"
        sheet.write_png(file, made)
    show({"gallery": str(file)}, as_json)
