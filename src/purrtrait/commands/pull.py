"""The command `pull`: fetches a trained bundle."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from purrtrait.commands.common import json_option, show

if TYPE_CHECKING:
    from purrtrait.pulling.catalogue import Catalogue


@click.command()
@click.argument("source", required=False, metavar="[NAME|ADDRESS|hub:OWNER/NAME]")
@click.option(
    "--to",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Where the folder of the bundle is made; by default where it is found by its name.",
)
@click.option(
    "--catalogue",
    "listed",
    metavar="FILE|ADDRESS",
    help="What names mean; by default the catalogue that comes with purrtrait.",
)
@json_option
def pull(source: str | None, to: Path | None, listed: str | None, as_json: bool) -> None:
    """Fetch a trained bundle, checked by its SHA-256; without a name, list what there is.

    An address of an archive ends in #sha256=..., and so does hub:OWNER/NAME@REVISION.
    """
    from purrtrait.console import Bar
    from purrtrait.pulling import pull as pulling

    known = pulling.catalogued(listed, Bar("B", "catalogue"))
    if source is None:
        show(_overview(known), as_json)
        return
    bar = Bar("B", source.partition("#")[0])
    made = pulling.pull(source, known, to, bar)
    bar.close()
    name = made.path if to else made.path.name
    show(
        {"bundle": str(made.path), "sha256": made.sha256, "draw": f"purrtrait sample {name}"},
        as_json,
    )


def _overview(known: Catalogue) -> dict[str, str]:
    """Each bundle of a catalogue and each that is here, with what it is and where."""
    from purrtrait import shelf

    here = shelf.known()
    listed = {
        name: f"{entry.about} ({here.get(name, f'{entry.size_bytes / 1e6:.1f} MB to fetch')})"
        for name, entry in known.bundles.items()
    }
    return listed | {name: f"pulled ({path})" for name, path in here.items() if name not in listed}
