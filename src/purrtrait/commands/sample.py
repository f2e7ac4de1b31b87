"""The command `sample`: draws portraits, all of them or those that the critics choose."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import click
from click.core import ParameterSource

from purrtrait import arguments
from purrtrait.commands.common import (
    device_option,
    json_option,
    on_threads,
    show,
    temperature_option,
    threads_option,
    truncation_option,
)

# The options that make sense in one of the two ways only; asking for one asks for its way.
if TYPE_CHECKING:
    from purrtrait.choosing import Pyramid
    from purrtrait.datasets.pack import Pack

Choice: TypeAlias = Literal["yes", "no", "if-they-can"]
PLAIN = {
    "count": "--count",
    "enlarge": "--enlarge",
    "temperatures": "--grid",
    "denoise": "--denoise",
}
JUDGED = {
    "drawn": "--drawn",
    "keep": "--keep",
    "refine_k": "--refine-k",
    "runs": "--runs",
    "neighbours": "--neighbours",
    "against": "--against",
}
MEMBERS = {"g1": 1, "g2": 2, "g3": 3}
SHOWN = 16  # of the best stand beside their neighbours


@click.command()
@click.argument(
    "path",
    metavar="[RUN|CHECKPOINT|BUNDLE]",
    default="kittens",
    type=click.Path(path_type=Path),
)
@click.option("--count", default=64, type=click.IntRange(1), help="How many portraits.")
@click.option(
    "--enlarge", default=1, type=click.IntRange(1, 16), help="How wide the grid shows each pixel."
)
@click.option("--seed", default=0, help="The same seed gives the same portraits.")
@temperature_option
@truncation_option
@click.option("--grid", "temperatures", help="Temperatures such as 0.4,0.7,1,1.3: a strip of each.")
@click.option("--denoise", metavar="RUN", help="Show them cleaned by this run's denoiser too.")
@click.option("--best", is_flag=True, help="Draw with a run's best checkpoint, not its last.")
@click.option(
    "--generator", type=click.Choice(list(MEMBERS)), help="Up to which of a chain draws the base."
)
@click.option("--until", type=int, metavar="PIXELS", help="Stop at a pyramid's stage of this size.")
@click.option(
    "--judged/--no-judge",
    default=None,
    help="Let the critics choose; by default for a pyramid's run.",
)
@click.option("--drawn", default=1024, type=click.IntRange(1), help="How many are judged.")
@click.option("--keep", default=64, type=click.IntRange(1), help="How many make a set.")
@click.option(
    "--refine-k", default=10, type=click.IntRange(1), help="Refinements of which one is chosen."
)
@click.option("--runs", default=1, type=click.IntRange(1), help="How often all this is done.")
@click.option("--neighbours", is_flag=True, help="Show the training pictures nearest to the best.")
@click.option(
    "--against",
    type=click.Path(path_type=Path),
    metavar="PACK",
    help="Whose training pictures are shown; by default the pack that a run was trained on.",
)
@click.option("--out", type=click.Path(path_type=Path), help="By default a new folder in samples/.")
@device_option
@threads_option
@json_option
@click.pass_context
def sample(
    context: click.Context,
    /,
    path: Path,
    out: Path | None,
    best: bool,
    as_json: bool,
    **asked: Any,
) -> None:
    """Draw new portraits: single PNGs and a grid, or sheets of the best and worst of many.

    Where nothing is named, with the bundle of kittens that comes with purrtrait.
    """
    from purrtrait import wrapping

    for line in wrapping.warnings(path):
        click.echo(line, err=True)
    arguments.temperature(asked["temperature"])
    arguments.truncation(asked["truncation"])
    arguments.temperatures(asked["temperatures"])
    folder = wrapping.sampler_folder(wrapping.best_checkpoint(path) if best else path)
    judges = _judges(_critics_choose(context, path, folder), path, folder, asked)
    with on_threads(asked["threads"]):
        made = _judged(path, *judges, out, asked) if judges else _plain(path, folder, out, asked)
    show({name: str(value) for name, value in made.items()}, as_json)


def _critics_choose(context: click.Context, path: Path, folder: Path) -> Choice:
    """Whether the critics choose: as asked for, otherwise if they can, where a run is a pyramid."""
    from purrtrait.sampling import bundle
    from purrtrait.training import run as runs

    plain, judged = (
        [option for name, option in options.items() if _said(context, name)]
        for options in (PLAIN, JUDGED)
    )
    match context.params["judged"]:
        case True:
            judged.append("--judged")
        case False:
            plain.append("--no-judge")
    if plain and judged:
        raise ValueError(
            f"{plain[0]} draws without a judge, {judged[0]} with the critics; expected only one of "
            "the two"
        )
    if plain or judged:
        return "yes" if judged else "no"
    pyramid = len(bundle.describe(folder).get("stages", ())) > 1
    return "if-they-can" if pyramid and (path / runs.REQUEST).is_file() else "no"


def _judges(
    choose: Choice, path: Path, folder: Path, asked: Mapping[str, Any]
) -> tuple[Pyramid, Pack] | None:
    """Who judges, and the pack beside whose pictures; None where portraits are drawn without.

    ValueError where they cannot, if they were asked for; otherwise a line says why.
    """
    from purrtrait import choosing, judging, machine

    if choose == "no":
        return None
    members, where = MEMBERS.get(asked["generator"]), machine.device(asked["device"] or "auto")
    try:
        pyramid = choosing.opened(folder, where, members, asked["until"])
        return pyramid, judging.open_pack(path, asked["against"])
    except ValueError as error:
        if choose == "yes":
            raise
        click.echo(f"no critics choose here: {error}", err=True)
        return None


def _said(context: click.Context, name: str) -> bool:
    return context.get_parameter_source(name) is not ParameterSource.DEFAULT


def _plain(
    path: Path, folder: Path, out: Path | None, asked: Mapping[str, Any]
) -> Mapping[str, object]:
    """Single portraits and their grid, and a strip for each temperature."""
    from purrtrait import machine, studio

    rows = arguments.temperatures(asked["temperatures"])
    where = machine.device(asked["device"] or "auto")
    model = studio.opened(folder, where, MEMBERS.get(asked["generator"]), asked["until"])
    denoiser = studio.denoiser(asked["denoise"], model)
    with studio.placed(out, path.resolve().name) as place:
        count, seed, scale = asked["count"], asked["seed"], asked["enlarge"]
        warmth, cut = asked["temperature"], asked["truncation"]
        made = studio.draw(model, place, count, seed, warmth, cut, rows, scale)
        return made | studio.cleaned(model, place, count, denoiser, seed, warmth, cut, scale)


def _judged(
    path: Path, pyramid: Pyramid, pack: Pack, out: Path | None, asked: Mapping[str, Any]
) -> Mapping[str, object]:
    """Sheets of the best, the worst and others, stage by stage, and all verdicts."""
    from purrtrait import choosing, studio
    from purrtrait.console import Tasks
    from purrtrait.gallery import Gallery

    wanted = choosing.Asked(
        drawn=asked["drawn"],
        keep=asked["keep"],
        k=asked["refine_k"],
        seed=asked["seed"],
        temperature=asked["temperature"],
        truncation=asked["truncation"],
        neighbours=SHOWN * asked["neighbours"],
    )
    tasks = Tasks()
    with studio.placed(out, f"{path.resolve().name}-judged") as place:
        gallery = Gallery(pyramid, pack, wanted, place, tasks.report)
        files = [gallery.run(number) for number in range(asked["runs"])]
        tasks.close()
    return {"folder": place, **files[0]}
