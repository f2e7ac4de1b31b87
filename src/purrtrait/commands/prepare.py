"""The command `prepare`: photos to a pack."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from purrtrait import arguments
from purrtrait.commands.common import json_option, show

if TYPE_CHECKING:
    from purrtrait.datasets.pack import Pack

NAMED = 10  # photos left out that are named on the screen


@click.command()
@click.argument("parser", metavar="PARSER")
@click.argument("source", required=False, type=click.Path(path_type=Path), metavar="[PATH]")
@click.option("--size", default=64, help="Width and height of the pictures in pixels.")
@click.option(
    "--count",
    type=int,
    help="How many photos; by default all; of drawn ones 20,000, of toy-cats 1,000.",
)
@click.option("--grey", is_flag=True, help="One channel instead of colours.")
@click.option("--seed", default=0, help="What is drawn, and what is held out, follow from it.")
@click.option("--split", default=0.1, help="Share of the photos that is held out for scores.")
@click.option(
    "--flip/--no-flip",
    "flip_natural",
    default=None,
    help="Whether a mirror image is natural; by default it is in photos, not in kittens.",
)
@click.option("--find", metavar="cats|people", help="Search the photos for faces.")
@click.option(
    "--align",
    metavar="NAME",
    help="How faces are cut out: none, cat-generator, meow, eyes, box, face-generator, torch-gan.",
)
@click.option("--least", default=8, help="Photo pixels that a portrait must be wide.")
@click.option(
    "--screen",
    "screens",
    metavar="NAMES",
    help="What is left out: names such as blank,equal,alike,blurred; all; or none.",
)
@click.option(
    "--exclude",
    type=click.Path(path_type=Path),
    help="A text file of photos' names, one a line, that are left out.",
)
@click.option("--contact-sheet", is_flag=True, help="Pictures of what is kept and left out.")
@click.option(
    "--debug",
    type=click.Path(path_type=Path),
    help="A new folder for the photos with points and rectangles drawn in.",
)
@click.option(
    "--write-augmented",
    "augmented",
    type=click.Path(path_type=Path),
    help="A new folder for the portraits and augmented copies as files.",
)
@click.option(
    "--augmented-count",
    type=click.IntRange(1, 1000),
    help="Files of each photo in it, the first one as it is; by default 10, of people 20.",
)
@click.option(
    "--photos",
    type=click.Path(path_type=Path),
    help="A new folder for the photos of toy-cats, as files of the CAT dataset.",
)
@click.option("--download", is_flag=True, help="Fetch what cat10k or lfw needs.")
@click.option("--out", type=click.Path(path_type=Path), help="By default packs/NAME-SIZE.")
@json_option
def prepare(parser: str, source: Path | None, as_json: bool, **asked: Any) -> None:
    """Make a pack of pictures from photos.

    PARSER is kittens, people or toy-cats, which purrtrait draws itself, or says what lies at PATH:
    cat10k, lfw, folder, archive or huggingface.
    """
    from purrtrait import face
    from purrtrait.console import Bar
    from purrtrait.datasets.beside import Beside

    wanted = ("debug", "augmented", "contact_sheet", "augmented_count")
    beside = Beside(**{name: asked.pop(name) for name in wanted})
    asked["screens"] = arguments.screens(asked["screens"])
    bar = Bar(" photos", parser)
    pack = face.prepare(parser, source, progress=bar, beside=beside, **asked)
    bar.close()
    _tell(pack)
    show(_facts(pack), as_json)


def _facts(pack: Pack) -> dict[str, Any]:
    manifest = pack.manifest
    facts = {
        "pack": str(pack.path),
        "pictures": len(pack.images),
        "train": len(pack.rows("train")),
        "held_out": len(pack.rows("held-out")),
        "size": pack.size,
        "channels": pack.channels,
        "quarantined": len(manifest.quarantined),
        "credit": manifest.credit,
    }
    if manifest.faces:
        facts["faces"] = ", ".join(
            f"{manifest.faces.get(count, 0)} photos with {count}" for count in ("0", "1", "more")
        )
    if manifest.remarks:
        facts["odd"] = len(manifest.remarks)
    sheets = {path.stem: str(path) for path in sorted(pack.path.glob("*.png"))}
    return {**facts, **sheets}


def _tell(pack: Pack) -> None:
    """Name the first photos that were left out, and count what is odd about others."""
    lost = pack.manifest.quarantined
    for item in lost[:NAMED]:
        of = f": {item.copy_of}" if item.copy_of else ""
        click.echo(f"left out: {item.name} ({item.reason}{of})", err=True)
    if len(lost) > NAMED:
        click.echo(f"... and {len(lost) - NAMED} more, listed in its manifest.json", err=True)
    remarks = pack.manifest.remarks
    for remark, count in Counter(remarks.values()).most_common():
        first = next(name for name, said in remarks.items() if said == remark)
        click.echo(f"odd: {count} x {remark} ({first} ...; its manifest.json lists all)", err=True)
