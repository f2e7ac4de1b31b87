"""The command `interpolate`: a strip of portraits from one to another, or from photo to photo."""

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
from purrtrait.commands.walk import WAYS


@click.command()
@click.argument("path", metavar="RUN|CHECKPOINT|BUNDLE", type=click.Path(path_type=Path))
@click.argument("first", metavar="FROM")
@click.argument("last", metavar="TO")
@click.option("--count", default=9, type=click.IntRange(2), help="How many portraits.")
@click.option("--way", type=WAYS, help="Lines or arcs; by default arcs for normal latents.")
@temperature_option
@truncation_option
@click.option("--out", type=click.Path(path_type=Path), help="By default a new folder in samples/.")
@device_option
@threads_option
@json_option
def interpolate(
    path: Path, first: str, last: str, out: Path | None, as_json: bool, **asked: Any
) -> None:
    """Draw a strip of portraits FROM one TO another.

    Each is a seed such as 7, number 12 of a seed as 7:12, or a photo. A photo is found again among
    the portraits by the run's encoder, or else as `project` does, and stands at its end.
    """
    from purrtrait import encoding, model, projecting, studio, walking, wrapping
    from purrtrait.console import Tasks

    arguments.temperature(asked["temperature"])
    arguments.truncation(asked["truncation"])
    for line in wrapping.warnings(path):
        click.echo(line, err=True)
    folder = wrapping.sampler_folder(path)
    drawer, tasks = model.load(folder, asked["device"] or "auto"), Tasks()
    photos = [Path(text) for text in (first, last) if not walking.is_portrait(text)]
    for photo in photos:  # looked at before there is long work on either
        projecting.photo(photo, drawer)
    encode = encoding.encoder(folder, drawer) if photos else None
    warmth, cut = asked["temperature"], asked["truncation"]
    with (
        studio.placed(out, f"{path.resolve().name}-interpolated") as place,
        on_threads(asked["threads"]),
    ):
        ends = [
            projecting.end(drawer, text, encode, tasks.report, warmth, cut)
            for text in (first, last)
        ]
        tasks.close()
        (start, before), (stop, after) = ends
        strip = walking.strip(drawer, (start, stop), asked["count"], asked["way"])
        file = walking.write_strip([*before, *strip, *after], place / "strip.png")
    show({"strip": str(file)}, as_json)
