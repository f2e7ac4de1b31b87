"""The command `encode`: finds the latents of photos."""

from __future__ import annotations

from pathlib import Path

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
@click.option("--out", type=click.Path(path_type=Path), help="By default a new folder in samples/.")
@device_option
@threads_option
@json_option
def encode(
    path: Path,
    photos: tuple[Path, ...],
    out: Path | None,
    device: str | None,
    threads: int | None,
    as_json: bool,
) -> None:
    """Write the latents of photos, as a run's encoder finds them: an array, and a table.

    Of each photo the middle square is taken, in the size that the run draws. A row is the mean of
    what the encoder says; the run draws the photo anew from it.
    """
    from purrtrait import encoding, studio
    from purrtrait.console import Tasks

    pair = encoding.opened(path, device or "auto")
    found = encoding.pictures(photos, pair)
    tasks = Tasks()
    with studio.placed(out, f"{path.resolve().name}-latents") as place:
        with on_threads(threads):
            latents = pair.encode(found.pixels, tasks.report)
        tasks.close()
        files = encoding.write(latents, found.names, place)
    counts = {"pictures": len(latents), "latent_size": latents.shape[1]}
    show({**counts, **{name: str(file) for name, file in files.items()}}, as_json)
