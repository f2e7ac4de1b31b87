"""The command `project`: finds the latent of which a generator best redraws a photo."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from purrtrait.commands.common import (
    device_option,
    json_option,
    on_threads,
    show,
    threads_option,
)


@click.command()
@click.argument("path", metavar="RUN|CHECKPOINT|BUNDLE", type=click.Path(path_type=Path))
@click.argument("photo", type=click.Path(path_type=Path))
@click.option(
    "--tries", default=256, type=click.IntRange(1), help="Random portraits to begin with."
)
@click.option("--steps", default=200, type=click.IntRange(1), help="Steps down the distance.")
@click.option("--seed", default=0, help="Of the random portraits.")
@click.option("--out", type=click.Path(path_type=Path), help="By default a new folder in samples/.")
@device_option
@threads_option
@json_option
def project(path: Path, photo: Path, out: Path | None, as_json: bool, **asked: Any) -> None:
    """Find the portrait that is most like a photo, of all that a generator can draw.

    Writes the photo beside the best random portrait and the best one found, and its latent.
    """
    from purrtrait import encoding, model, projecting, studio, wrapping
    from purrtrait.console import Tasks

    for line in wrapping.warnings(path):
        click.echo(line, err=True)
    folder, tasks = wrapping.sampler_folder(path), Tasks()
    drawer = model.load(folder, asked["device"] or "auto")
    pixels, encode = projecting.photo(photo, drawer), encoding.encoder(folder, drawer)
    with (
        studio.placed(out, f"{path.resolve().name}-projected") as place,
        on_threads(asked["threads"]),
    ):
        made = projecting.project(
            drawer, pixels, asked["tries"], asked["steps"], asked["seed"], tasks.report, encode
        )
        tasks.close()
        files = projecting.write(made, place)
    show({name: str(file) for name, file in files.items()} | {"distance": made.distances}, as_json)
