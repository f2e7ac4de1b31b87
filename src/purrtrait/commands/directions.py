"""The command `directions`: what changes along the principal directions of the latents."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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
@click.argument("path", metavar="RUN|CHECKPOINT|BUNDLE", type=click.Path(path_type=Path))
@click.option("--count", default=8, type=click.IntRange(1), help="How many directions.")
@click.option(
    "--of",
    type=click.Choice(["portraits", "first-layer"]),
    default="portraits",
    help="In what the change is measured.",
)
@click.option("--portraits", default=2, type=click.IntRange(1), help="How many move along each.")
@click.option("--seed", default=0, help="Of them, and of random latents.")
@temperature_option
@truncation_option
@click.option("--out", type=click.Path(path_type=Path), help="By default a new folder in samples/.")
@device_option
@threads_option
@json_option
def directions(path: Path, out: Path | None, as_json: bool, **asked: Any) -> None:
    """Draw strips that show what changes along each principal direction of the latents.

    The portraits move from -3 to 3 standard deviations; the first direction changes most.
    """
    from purrtrait import model, studio, walking, wrapping
    from purrtrait.console import Tasks
    from purrtrait.sampling import bundle

    arguments.temperature(asked["temperature"])
    arguments.truncation(asked["truncation"])
    for line in wrapping.warnings(path):
        click.echo(line, err=True)
    folder, tasks = wrapping.sampler_folder(path), Tasks()
    drawer = model.load(folder, asked["device"] or "auto")
    base = bundle.pyramid(folder, drawer.device)[0]
    with (
        studio.placed(out, f"{path.resolve().name}-directions") as place,
        on_threads(asked["threads"]),
    ):
        found = walking.directions(base, asked["of"], asked["count"], asked["seed"], drawer.device)
        z = walking.rows(
            drawer,
            asked["portraits"],
            asked["seed"],
            temperature=asked["temperature"],
            truncation=asked["truncation"],
        )
        files = walking.write_directions(drawer, found, z, place, tasks.report)
        tasks.close()
    shares = [round(share, 4) for share in found.shares.tolist()]
    show({**{name: str(file) for name, file in files.items()}, "shares": shares}, as_json)
