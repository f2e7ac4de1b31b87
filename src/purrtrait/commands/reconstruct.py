"""The command `reconstruct`: shows photos as the encoder and decoder of runs draw them anew."""

from __future__ import annotations

from pathlib import Path

import click

from purrtrait.commands.common import device_option, json_option, show, threads_option


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
@click.option("--out", type=click.Path(path_type=Path), help="By default a new folder in samples/.")
@device_option
@threads_option
@json_option
def reconstruct(
    path: Path,
    photos: tuple[Path, ...],
    beside: tuple[Path, ...],
    count: int,
    out: Path | None,
    device: str | None,
    threads: int | None,
    as_json: bool,
) -> None:
    """Lay photos above what runs draw of them: encoded, and decoded again.

    Of a pack, the pictures held out are taken. Beside the sheet stands how far each run's pictures
    are from the originals: the mean squared difference of values from 0 to 1.
    """
    from purrtrait import encoding, machine, studio, trainer
    from purrtrait.images import sheet

    pairs = [encoding.opened(one, device or "auto") for one in (path, *beside)]
    found = encoding.pictures(photos, pairs[0], encoding.held_out, count)
    with studio.placed(out, f"{path.resolve().name}-reconstructed") as place:
        with trainer.own_torch(threads or machine.threads()):
            made = encoding.redrawn(pairs, found.pixels)
        file = place / "reconstructions.png"
        sheet.write_png(file, made.rows)
    show({"sheet": str(file), "squared_difference": made.squares}, as_json)
