"""The command `walk`: a film that goes round through several portraits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from purrtrait import arguments
from purrtrait.commands.common import (
    Number,
    device_option,
    json_option,
    on_threads,
    show,
    temperature_option,
    threads_option,
    truncation_option,
)

WAYS = click.Choice(["lerp", "slerp"])


@click.command()
@click.argument("path", metavar="RUN|CHECKPOINT|BUNDLE", type=click.Path(path_type=Path))
@click.option("--anchors", default=6, type=click.IntRange(1), help="How many portraits it goes by.")
@click.option("--seed", default=0, help="Whose first portraits they are.")
@click.option("--through", default="", help="Portraits instead, such as 3,0:17: seeds, or SEED:N.")
@click.option("--way", type=WAYS, help="Lines or arcs; by default arcs for normal latents.")
@click.option("--seconds", default=12.0, type=Number(0, 120, min_open=True), help="Once round.")
@click.option("--fps", default=25.0, type=Number(1, 50), help="Frames in a second.")
@temperature_option
@truncation_option
@click.option("--out", type=click.Path(path_type=Path), help="By default a new folder in samples/.")
@device_option
@threads_option
@json_option
def walk(path: Path, out: Path | None, as_json: bool, **asked: Any) -> None:
    """Make a film of a walk from portrait to portrait: a GIF, an MP4 and a strip.

    It ends where it begins, and so can be shown for ever.
    """
    from purrtrait import model, studio, walking, wrapping
    from purrtrait.console import Tasks

    arguments.temperature(asked["temperature"])
    arguments.truncation(asked["truncation"])
    for line in wrapping.warnings(path):
        click.echo(line, err=True)
    through, warmth = arguments.portraits(asked["through"]), asked["temperature"]
    drawer, tasks = model.load(path, asked["device"] or "auto"), Tasks()
    anchors = walking.rows(
        drawer, asked["anchors"], asked["seed"], through, warmth, asked["truncation"]
    )
    wanted = walking.Walk(asked["seconds"], asked["fps"], asked["way"])
    with studio.placed(out, f"{path.resolve().name}-walk") as place, on_threads(asked["threads"]):
        made = walking.film(drawer, anchors, wanted, place, tasks.report)
        tasks.close()
    show({name: str(file) for name, file in made.items()} | {"frames": wanted.frames}, as_json)
