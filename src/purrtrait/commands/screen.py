"""The command `screen`: shows which pictures of a pack are odd."""

from __future__ import annotations

from pathlib import Path

import click

from purrtrait.commands.common import json_option, on_threads, show, threads_option


@click.command()
@click.argument("pack", type=click.Path(path_type=Path))
@click.option("--count", default=64, type=click.IntRange(1), help="How many of the oddest to show.")
@click.option("--extractor", default="efficientnet-lite0", help="What sees the pictures.")
@click.option(
    "--redrawn-by",
    metavar="RUN|CHECKPOINT",
    type=click.Path(path_type=Path),
    help="Rank by how badly this run's encoder and decoder redraw them instead.",
)
@click.option(
    "--judged-by",
    metavar="RUN|CHECKPOINT",
    type=click.Path(path_type=Path),
    help="Rank by this run's critic instead.",
)
@click.option("--out", type=click.Path(path_type=Path), help="By default a new folder in samples/.")
@threads_option
@json_option
def screen(
    pack: Path,
    count: int,
    extractor: str,
    redrawn_by: Path | None,
    judged_by: Path | None,
    out: Path | None,
    threads: int | None,
    as_json: bool,
) -> None:
    """Rank the pictures of a pack by how odd they are: to others, an encoder or a critic.

    Writes a grid of the oddest, a table of all, and a list of names for `prepare --exclude`.
    """
    from purrtrait import encoding, screening, studio
    from purrtrait.console import Tasks
    from purrtrait.datasets.pack import Pack

    if redrawn_by and judged_by:
        raise click.UsageError("--redrawn-by and --judged-by exclude each other; expected one")
    opened, tasks = Pack.open(pack), Tasks()
    pair = encoding.opened(redrawn_by) if redrawn_by else None
    judge = screening.judge_of(judged_by) if judged_by else None
    with studio.placed(out, f"{pack.resolve().name}-oddest") as place:
        with on_threads(threads):
            if pair:
                order, odd = screening.screen_by(pair, opened, tasks.report)
            elif judge:
                order, odd = screening.screen_judged(judge, opened, tasks.report)
            else:
                order, odd = screening.screen(opened, extractor, tasks.report)
        tasks.close()
        files = screening.write(opened, order, odd, min(count, len(order)), place)
    show({name: str(file) for name, file in files.items()}, as_json)
