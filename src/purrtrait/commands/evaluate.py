"""The command `evaluate`: says what the pictures of a model, or of a folder, are worth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from purrtrait.commands.common import device_option, json_option, threads_option


@click.command()
@click.argument("path", metavar="RUN|CHECKPOINT|BUNDLE|FOLDER", type=click.Path(path_type=Path))
@click.option(
    "--against",
    type=click.Path(path_type=Path),
    metavar="PACK",
    help="Whose held-out pictures to compare with; by default the pack that a run was trained on.",
)
@click.option("--samples", default=1000, help="How many pictures are judged.")
@click.option("--seed", default=0, help="Of the samples.")
@click.option("--extractor", default="efficientnet-lite0", help="What sees the pictures.")
@click.option(
    "--validator",
    type=click.Path(path_type=Path),
    metavar="RUN|CHECKPOINT",
    help="Whose validator says, too, how real it finds the pictures.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="A file for the scores; by default a run's own scores.json, and its report.",
)
@click.option(
    "--page",
    type=click.Path(path_type=Path),
    help="Also write them as a page, such as scores.html.",
)
@device_option
@threads_option
@json_option
def evaluate(
    path: Path,
    against: Path | None,
    samples: int,
    seed: int,
    extractor: str,
    out: Path | None,
    page: Path | None,
    as_json: bool,
    **asked: Any,
) -> None:
    """Score pictures against real ones that no training saw.

    Beside each score stand its standard error, its floor (real pictures in the place of samples)
    and, as ceilings, what blurred pictures and noise get.
    """
    from purrtrait import face, judging
    from purrtrait.console import Tasks

    tasks, file, shown = Tasks(), judging.place(path, out), judging.page_place(page)
    judgement = face.evaluate(
        path,
        against,
        samples=samples,
        seed=seed,
        extractor=extractor,
        validator=asked["validator"],
        device=asked["device"] or "auto",
        threads=asked["threads"],
        out=out,
        progress=tasks.report,
    )
    tasks.close()
    if shown:
        judging.show(judgement, shown)
    if as_json:
        click.echo(judgement.to_json(), nl=False)
        return
    click.echo(
        f"{judgement.samples:,} samples against {judgement.reference:,} held-out pictures, "
        f"as {judgement.extractor} sees them\n"
    )
    click.echo(judging.table(judgement.rows()))
    click.echo(f"\ncopying: {judgement.copying['verdict']}")
    for note in judgement.notes:
        click.echo(f"note: {note}", err=True)
    for place in filter(None, (file, shown)):
        click.echo(f"\nwritten to {place}")
