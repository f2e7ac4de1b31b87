"""The options of `train` that say how a run is logged, shown, scored and kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

_OPTIONS = (
    click.option(
        "--log-every", type=click.IntRange(1), default=50, help="Steps between lines of the log."
    ),
    click.option(
        "--preview-every",
        type=click.IntRange(0),
        default=0,
        help="Pictures between previews; 0: forty in all.",
    ),
    click.option(
        "--previews", type=click.IntRange(0), default=64, help="Portraits in a preview; 0: none."
    ),
    click.option(
        "--ranked",
        type=click.IntRange(0),
        default=0,
        help="Portraits that the critic ranks; 0: 300, in short trainings fewer.",
    ),
    click.option(
        "--extra-images",
        type=click.IntRange(0),
        default=0,
        help="Single portraits beside each preview.",
    ),
    click.option(
        "--checkpoint-every",
        type=click.IntRange(0),
        default=0,
        help="Pictures between checkpoints; 0: ten in all.",
    ),
    click.option(
        "--keep",
        type=click.IntRange(1),
        default=3,
        help="How many checkpoints stay, beside the best.",
    ),
    click.option(
        "--score-every",
        type=click.IntRange(0),
        default=0,
        help="Pictures between scores; 0: five in all, or fewer.",
    ),
    click.option(
        "--scores", type=click.IntRange(0), default=500, help="Portraits that are scored; 0: none."
    ),
    click.option(
        "--truths", type=click.IntRange(1), default=50, help="Pictures that a refiner is scored on."
    ),
    click.option("--tries", type=click.IntRange(1), default=8, help="Refinements of each of them."),
    click.option(
        "--best-by",
        type=click.Choice(["frechet", "refinement"]),
        default="frechet",
        help="The score by which a refiner's best checkpoint is kept.",
    ),
    click.option(
        "--best-after",
        type=click.IntRange(0),
        default=0,
        help="Pictures before which no checkpoint is the best.",
    ),
    click.option("--tensorboard/--no-tensorboard", default=True, help="Write TensorBoard events."),
    click.option("--stop-when-won", is_flag=True, help="Stop when critic or generator has won."),
)
# What an option is called in the upkeep of a run, where that is not its own name.
_NAMES = {
    "log_every": "log_every_steps",
    "preview_every": "preview_every_images",
    "checkpoint_every": "checkpoint_every_images",
    "score_every": "score_every_images",
    "scores": "score_samples",
    "best_after": "best_after_images",
}
_OWN = (
    *("previews", "ranked", "extra_images", "keep", "truths", "tries", "best_by"),
    *("tensorboard", "stop_when_won"),
)


def upkeep_options(command: Command) -> Command:
    """Give a command these options."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def upkeep(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The upkeep of a run, of all that a command was asked for."""
    named = {name: asked[option] for option, name in _NAMES.items()}
    return named | {name: asked[name] for name in _OWN}
