"""Options that several commands take, and how a command prints what it found."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

import click

FAILED = 1  # exit code of work that was done but for some part of it
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
set_option = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="Override an option of the recipe, such as lr=1e-4 or critic.width=64; may be repeated.",
)
device_option = click.option(
    "--device", help="cpu, cuda, cuda:1, mps; by default the fastest here."
)
threads_option = click.option(
    "--threads", type=click.IntRange(1), help="CPU threads; by default the cores that are ours."
)
temperature_option = click.option(
    "--temperature", default=1.0, help="Below 1 more alike, above 1 more daring."
)
truncation_option = click.option(
    "--truncation",
    default=math.inf,
    help="No number of a latent lies beyond this, such as 1; less is more alike.",
)
budget_option = click.option(
    "--budget",
    metavar="N|Nmin|NTFLOP",
    help="Real pictures that the critic sees; minutes such as 5min, after which training stops; or "
    "counted arithmetic such as 70TFLOP.",
)


class Number(click.FloatRange):
    """A number within a range; nan lies in none."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The number, or a message that says what was expected."""
        number: float = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value} is not a number {self._describe_range()}.", param, ctx)
        return number


def on_threads(threads: int | None) -> AbstractContextManager[None]:
    """While it lasts, torch uses so many threads, or as many as there are cores that are ours."""
    from purrtrait import machine, trainer

    return trainer.own_torch(machine.threads(threads))


def show(facts: Mapping[str, Any], as_json: bool) -> None:
    """Print facts, a line each, or as JSON."""
    if as_json:
        click.echo(json.dumps(facts, indent=1, default=str))
        return
    width = max(map(len, facts), default=0)
    for name, value in facts.items():
        click.echo(f"{name.replace('_', ' '):<{width}}  {words(value)}")


def words(value: Any) -> str:
    """A fact in a line of text."""
    match value:
        case dict():
            return ", ".join(f"{name} {words(part)}" for name, part in value.items()) or "none"
        case list():
            return ", ".join(map(words, value)) or "none"
        case float():
            return f"{value:.4g}"
        case bool():
            return "yes" if value else "no"
        case _:
            return str(value)
