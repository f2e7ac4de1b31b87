"""The command `bundle`: makes a bundle of a run, to keep or to give away."""

from __future__ import annotations

from pathlib import Path

import click

from purrtrait.commands.common import json_option, show


@click.command()
@click.argument("path", metavar="RUN|CHECKPOINT", type=click.Path(path_type=Path))
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="A new folder; its name names it."
)
@click.option(
    "--precision",
    type=click.Choice(["full", "half"]),
    default="full",
    help="How weights are kept; half is half the size.",
)
@click.option("--best", is_flag=True, help="Take a run's best checkpoint, not its last.")
@json_option
def bundle(path: Path, out: Path, precision: str, best: bool, as_json: bool) -> None:
    """Make a bundle: what it takes to draw portraits, and a card that says what it is.

    The card has the scores of the run's last evaluation, if that was of this checkpoint.
    """
    from purrtrait import bundling, wrapping
    from purrtrait.training import checkpoint

    for line in wrapping.warnings(path):
        click.echo(line, err=True)
    folder = wrapping.best_checkpoint(path) if best else wrapping.checkpoint_folder(path)
    found = checkpoint.read(folder)
    made = bundling.make(found, out, precision, wrapping.judgement_of(found))
    facts = {"bundle": str(made.path), "bytes": made.size_bytes}
    show({**facts, "largest_difference": made.apart.largest}, as_json)
