"""The command `gallery`: portraits of one seed by each of a run's checkpoints, in one picture."""

from __future__ import annotations

from pathlib import Path

import click

from purrtrait import arguments
from purrtrait.commands.common import device_option, json_option, show


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--count", default=8, type=click.IntRange(1), help="How many portraits in a row.")
@click.option("--seed", default=0, help="Whose first portraits they are.")
@click.option("--temperature", default=1.0, help="Below 1 more alike, above 1 more daring.")
@click.option("--out", type=click.Path(path_type=Path), help="By default a new folder in samples/.")
@device_option
@json_option
def gallery(
    run: Path,
    count: int,
    seed: int,
    temperature: float,
    out: Path | None,
    device: str | None,
    as_json: bool,
) -> None:
    """Show how a run learnt: a row of the same portraits for each checkpoint that it keeps."""
    from purrtrait import history, studio
    from purrtrait.console import Tasks
    from purrtrait.images import sheet

    arguments.temperature(temperature)
    tasks = Tasks()
    with studio.placed(out, f"{run.resolve().name}-gallery") as place:
        made = history.gallery(run, count, seed, temperature, device or "auto", tasks.report)
        tasks.close()
        file = place / "gallery.png"
        sheet.write_png(file, made)
    show({"gallery": str(file)}, as_json)
