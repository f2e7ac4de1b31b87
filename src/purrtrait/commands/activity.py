"""The command `activity`: shows what the layers of a run's networks make of a picture."""

from __future__ import annotations

from pathlib import Path

import click

from purrtrait.commands.common import device_option, json_option, show


@click.command()
@click.argument("path", metavar="RUN|CHECKPOINT", type=click.Path(path_type=Path))
@click.option(
    "--against",
    type=click.Path(path_type=Path),
    metavar="PACK",
    help="Whose picture is the real one; by default of the pack that the run was trained on.",
)
@click.option("--seed", default=0, help="Of the picture that is drawn.")
@click.option("--out", type=click.Path(path_type=Path), help="By default a new folder in samples/.")
@device_option
@json_option
def activity(
    path: Path,
    against: Path | None,
    seed: int,
    out: Path | None,
    device: str | None,
    as_json: bool,
) -> None:
    """Write a sheet of maps for each layer of the generator and the critic.

    The generator draws one picture; the critic judges it, and a real one. Every sheet goes from the
    lowest value of its layer (black) to the highest (white).
    """
    from purrtrait import looking, studio

    with studio.placed(out, f"{path.resolve().name}-activity") as place:
        looked = looking.into(path, against, seed, device or "auto")
        looking.write(looked, place)
    layers = {name: len(sheets) for name, sheets in looked.layers.items()}
    show({"folder": str(place), "layers": layers}, as_json)
