"""The command `neighbours`: shows the training pictures nearest to what a model draws."""

from __future__ import annotations

from pathlib import Path

import click

from purrtrait.commands.common import json_option, show


@click.command()
@click.argument("path", metavar="RUN|CHECKPOINT|BUNDLE", type=click.Path(path_type=Path))
@click.option(
    "--against",
    type=click.Path(path_type=Path),
    metavar="PACK",
    help="The pack it was trained on; a run knows its own.",
)
@click.option("--count", default=1024, type=click.IntRange(1), help="How many samples are drawn.")
@click.option("--best", default=16, type=click.IntRange(1), help="How many of them are shown.")
@click.option("--seed", default=0, help="Of the samples.")
@click.option("--extractor", default="efficientnet-lite0", help="What sees them beside pixels.")
@click.option("--out", type=click.Path(path_type=Path), help="By default a new folder in samples/.")
@json_option
def neighbours(
    path: Path,
    against: Path | None,
    count: int,
    best: int,
    seed: int,
    extractor: str,
    out: Path | None,
    as_json: bool,
) -> None:
    """Lay the best samples beside the training pictures that are nearest to them.

    The search is exact and goes through all training pictures, by their pixels and by features.
    """
    from purrtrait import copying, judging, studio
    from purrtrait.console import Tasks

    pack = judging.open_pack(path, against)
    tasks = Tasks()
    made = copying.pairs(path, pack, count, best, seed, extractor, tasks.report)
    tasks.close()
    files = copying.write(made, pack, studio.place(out, f"{path.resolve().name}-neighbours"))
    facts = {"chosen": f"{len(made.numbers)} of {count}, {made.chosen_by}"}
    show(facts | {name: str(file) for name, file in files.items()}, as_json)
