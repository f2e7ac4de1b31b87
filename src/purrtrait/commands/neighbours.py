"""The command `neighbours`: shows the training pictures nearest to what a model draws."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from purrtrait.commands.common import device_option, json_option, on_threads, show, threads_option


@click.command()
@click.argument("path", metavar="RUN|CHECKPOINT|BUNDLE|FOLDER", type=click.Path(path_type=Path))
@click.option(
    "--against",
    type=click.Path(path_type=Path),
    metavar="PACK",
    help="Whose training pictures are searched; by default the pack that a run was trained on.",
)
@click.option("--count", default=1024, type=click.IntRange(1), help="How many samples are drawn.")
@click.option("--best", default=16, type=click.IntRange(1), help="How many of them are shown.")
@click.option("--seed", default=0, help="Of the samples.")
@click.option("--extractor", default="efficientnet-lite0", help="What sees them beside pixels.")
@click.option("--out", type=click.Path(path_type=Path), help="By default a new folder in samples/.")
@device_option
@threads_option
@json_option
def neighbours(
    path: Path, against: Path | None, out: Path | None, as_json: bool, **asked: Any
) -> None:
    """Lay the best samples beside the training pictures that are nearest to them.

    The search is exact and goes through all training pictures, by their pixels and by features.
    """
    from purrtrait import copying, judging, studio
    from purrtrait.console import Tasks

    pack = judging.open_pack(path, against)
    tasks = Tasks()
    with studio.placed(out, f"{path.resolve().name}-neighbours") as place:
        with on_threads(asked["threads"]):
            made = copying.pairs(
                path,
                pack,
                asked["count"],
                asked["best"],
                asked["seed"],
                asked["extractor"],
                asked["device"] or "auto",
                tasks.report,
            )
        tasks.close()
        files = copying.write(made, pack, place)
    show({"chosen": made.chosen, **{name: str(file) for name, file in files.items()}}, as_json)
