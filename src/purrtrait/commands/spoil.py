"""The command `spoil`: shows what a validator takes for fakes, a sheet for each technique."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from purrtrait.commands.common import json_option, show

if TYPE_CHECKING:
    from purrtrait.datasets.pack import Pack
    from purrtrait.types import Images

SETS = 4  # rows of spoilt pictures on a sheet, each with masks of its own


@click.command()
@click.argument("pack", type=click.Path(path_type=Path))
@click.option("--count", default=8, type=click.IntRange(2), help="How many pictures are spoilt.")
@click.option("--seed", default=0, help="Of the choice of the pictures and of their spoiling.")
@click.option(
    "--size",
    type=click.IntRange(2),
    help="Width in pixels to which they are reduced before; by default that of the pack.",
)
@click.option("--out", type=click.Path(path_type=Path), help="By default a new folder in samples/.")
@json_option
def spoil(pack: Path, out: Path | None, as_json: bool, **asked: Any) -> None:
    """Lay training pictures above what they are spoilt to when a validator is trained.

    There is a sheet for each technique, and one of two techniques combined; each row is a set of
    its own. Sizes matter: shifts and warps are counted in pixels.
    """
    from purrtrait import studio
    from purrtrait.datasets.pack import Pack

    opened = Pack.open(pack)
    images = _pictures(opened, asked["count"], asked["seed"], asked["size"] or opened.size)
    with studio.placed(out, f"{pack.resolve().name}-spoilt") as place:
        sheets = _write(images, asked["seed"], place)
    show({name: str(file) for name, file in sheets.items()}, as_json)


def _pictures(pack: Pack, count: int, seed: int, size: int) -> Images:
    """Training pictures (count, C, size, size) at random; ValueError where there are no such."""
    from purrtrait.images import resize
    from purrtrait.types import Draw

    rows = pack.rows("train")
    if size > pack.size or count > len(rows):
        raise ValueError(
            f"{pack.path} holds {len(rows)} training pictures of {pack.size} px, and {count} of "
            f"{size} px are asked for; expected at most as many, and at most as large"
        )
    chosen = rows[Draw(seed, "spoil", 0).permutation(len(rows), "choice")[:count]]
    return resize.area(resize.to_images(pack.images[chosen]), size)


def _write(images: Images, seed: int, place: Path) -> dict[str, Path]:
    """A sheet for each technique, by its name: the pictures, and below them spoilt sets."""
    import torch

    from purrtrait.images import sheet
    from purrtrait.images.resize import to_uint8
    from purrtrait.images.spoil import TECHNIQUES, combined
    from purrtrait.types import Draw

    files = {}
    for name, technique in {**TECHNIQUES, "combined": combined}.items():
        sets = [technique(images, Draw(seed, "spoil", number), name) for number in range(SETS)]
        pixels = to_uint8(torch.cat([images, *sets]))
        files[name] = place / f"{name}.png"
        grid = sheet.grid(pixels, len(images), scale=sheet.enlargement(pixels.shape[1]))
        sheet.write_png(files[name], grid)
    return files
