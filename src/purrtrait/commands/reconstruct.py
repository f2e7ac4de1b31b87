"""The command `reconstruct`: shows photos as the encoder and decoder of runs draw them anew."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from purrtrait.commands.common import device_option, json_option, on_threads, show, threads_option


@click.command()
@click.argument("path", metavar="RUN|CHECKPOINT", type=click.Path(path_type=Path))
@click.argument(
    "photos",
    metavar="PHOTO|FOLDER|PACK...",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path, exists=True),
)
@click.option(
    "--beside",
    multiple=True,
    metavar="RUN|CHECKPOINT",
    type=click.Path(path_type=Path),
    help="Another run, whose reconstructions stand in a row below; may be repeated.",
)
@click.option("--count", default=8, type=click.IntRange(1), help="How many photos are shown.")
@click.option(
    "--measured", default=1000, type=click.IntRange(0), help="How many are measured, at the most."
)
@click.option("--extractor", default="efficientnet-lite0", help="Whose features are compared.")
@click.option("--out", type=click.Path(path_type=Path), help="By default a new folder in samples/.")
@device_option
@threads_option
@json_option
def reconstruct(
    path: Path,
    photos: tuple[Path, ...],
    beside: tuple[Path, ...],
    out: Path | None,
    device: str | None,
    threads: int | None,
    as_json: bool,
    **asked: Any,
) -> None:
    """Lay photos above what runs draw of them: encoded, and decoded again.

    Of a pack, the pictures held out are taken. Beside the sheet stands how far each run's pictures
    are from the originals: the mean squared difference of values from 0 to 1, their sharpness over
    that of the originals, and the Frechet distance between the features of both.
    """
    from purrtrait import encoding, judging, reconstructing, studio
    from purrtrait.console import Tasks
    from purrtrait.images import sheet

    known = judging.extractor(asked["extractor"])
    runs = list(dict.fromkeys((path, *beside)))
    pairs = [encoding.opened(one, device or "auto") for one in runs]
    reconstructing.expect_alike(pairs)
    for line in encoding.strange(photos, pairs):
        click.echo(line, err=True)
    count, measured = asked["count"], asked["measured"]
    found = encoding.pictures(photos, pairs[0], encoding.held_out, max(count, measured)).pixels
    tasks = Tasks()
    with studio.placed(out, f"{path.resolve().name}-reconstructed") as place:
        with on_threads(threads):
            made = reconstructing.sheet_of(pairs, found[:count])
            likeness = reconstructing.compared(pairs, found[:measured], known, tasks.report)
        tasks.close()
        file = place / "reconstructions.png"
        sheet.write_png(file, made)
        written = {"sheet": str(file), "measured": min(measured, len(found)), **likeness}
        (place / "likeness.json").write_text(json.dumps(written, indent=1), encoding="utf-8")
    show(written, as_json)
