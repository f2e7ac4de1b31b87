"""Writes the pages that follow from the code and from what arenas came to."""

from __future__ import annotations

import inspect
import json
import re
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from purrtrait import config
from purrtrait.assemble.options import Option, find, listed
from purrtrait.assemble.tables import parameters
from purrtrait.config import Recipe
from purrtrait.datasets.kittens import FAMILIES, part_files
from purrtrait.evaluation.judgement import number
from purrtrait.evaluation.leaderboard import duration, spread
from purrtrait.images.vary import VARIATIONS
from purrtrait.training import SCHEDULES
from purrtrait.training.record import SCORES

HERE = Path(__file__).parent
SCORES_TABLE = re.compile(r"(<!-- scores: begin -->\n).*(<!-- scores: end -->)", re.DOTALL)

RECIPES_HEAD = """\
<!-- Written by docs/generate.py from the recipes themselves: do not change it here. -->

# Recipes

A recipe says what is trained, and how. These come with purrtrait. `purrtrait recipes` lists them,
and `purrtrait recipes show NAME` shows one as it is shown here.

Each option can be set for one training with `--set`, by the end of its name, such as
`--set critic.lr=1e-4`. A value that is marked as *default* is left by the recipe to the defaults. A
learning rate, and whatever else is "a number or a schedule", may also be a table with the name of a
schedule: {schedules}. Of a schedule that the recipe has, one number can be set alone, such as
`--set critic.lr.start=1e-4`.
"""

VARIATIONS_HEAD = """\
## Varied pictures

The option `variation` changes the pictures of the pack afresh each time that they come, before a
stage sees them, such as `--set variation=cat-generator`. Each kind has options of its own, such as
`--set variation.noise=0`. (Mirror images are made by the option `flip`.)

| variation | option | default | meaning |
|---|---|---|---|
"""

LEADERBOARDS_HEAD = """\
<!-- Written by docs/generate.py from docs/leaderboards/*.json: do not change it here. -->

# Leaderboards

What the recipes that come with purrtrait draw after the same counted arithmetic. The
[arena](arena.md) held them, and says what the columns mean. All scores are those of 1,000 samples
against 1,000 held-out pictures, as EfficientNet-Lite0 sees them (see [Scores](scores.md)); ± is the
standard deviation over seeds, and each score without it is a mean over them. Distances and the
share of copied pictures are better when lower, diversity when near to 1, and the other scores when
higher. Of kittens it is also counted how many [parts](scores.md#parts) are drawn. They were
compared with the first 1,000 of 2,000 that are held out; `evaluate` draws its 1,000 by lot since.
Of those, real training pictures get 29.1, and the first training of `portrait`, which is the bundle
[`kittens`](pretrained.md#kittens-at-once), gets 196.

Time is the mean of a training, and memory the most that one held at once. Unlike counted
arithmetic, time depends on the machine and on what else it did: one seed of a recipe took up to
{slowest} times as long as another.

`dcgan`, `lsgan` and `wgan-gp` have networks of half the width of their recipes (`--set width=64`),
and draw at the size of the pack (`--set pixels=0`).
"""

# What must be the same of leaderboards that are joined, or their scores could not be compared.
ALIKE = ("budget of each training", "pack", "pictures", "scored by")


def pages() -> dict[Path, str]:
    """Every page that is written here, by its path, with its whole text."""
    scores = HERE / "scores.md"
    made = {
        HERE / "recipes.md": recipes(),
        scores: with_table(scores.read_text(encoding="utf-8")),
    }
    return made | ({HERE / "leaderboards.md": leaderboards()} if packs() else {})


def recipes() -> str:
    """The page of the recipes."""
    found = [find(name) for name in config.shipped()]
    overview = ["| recipe | what it is |", "|---|---|"]
    overview += [f"| [`{r.name}`](#{r.name}) | {cell(r.summary)} |" for r in found]
    head = RECIPES_HEAD.format(schedules=", ".join(f"`{name}`" for name in SCHEDULES))
    parts = [head, "\n".join(overview) + "\n", variations(), *map(section, found)]
    return "\n".join(parts)


def variations() -> str:
    """What pictures can be varied by, with all options."""
    lines = []
    for name, factory in VARIATIONS.items():
        words = " ".join((inspect.getdoc(factory) or "").partition("Args:\n")[0].split())
        lines.append(f"| `{name}` | | | {cell(words)} |")
        lines += [
            f"| | `{option.name}` | `{toml(option.default)}` | {cell(option.meaning)} |"
            for option in parameters(factory).values()
        ]
    return VARIATIONS_HEAD + "\n".join(lines) + "\n"


def section(recipe: Recipe) -> str:
    """What is said of one recipe."""
    lines = [
        f"## {recipe.name}",
        "",
        f"{sentence(recipe.summary)}",
        "",
        f"Source: {sentence(recipe.source)}",
        "",
        "| option | value | said by | meaning |",
        "|---|---|---|---|",
        *map(row, listed(recipe)),
    ]
    return "\n".join(lines) + "\n"


def row(option: Option) -> str:
    """One option as a line of the table."""
    said = "the recipe" if option.origin == "recipe" else "*default*"
    # Names are long: they may be broken after a dot, and there only (see style.css).
    name = option.name.replace(".", ".<wbr>")
    return f"| <code>{name}</code> | `{toml(option.value)}` | {said} | {cell(option.meaning)} |"


def toml(value: Any) -> str:
    """A value as a recipe file would say it, short enough for a table."""
    match value:
        case bool():
            return str(value).lower()
        case int():
            return f"{value:_}" if abs(value) >= 10_000 else str(value)
        case float():
            return str(value).removesuffix(".0")
        case dict():
            return "{ " + ", ".join(f"{k} = {inner(v)}" for k, v in value.items()) + " }"
        case list() | tuple():
            return "[" + ", ".join(map(inner, value)) + "]"
        case _:
            return str(value)


def inner(value: Any) -> str:
    """A value within another one, where texts stand in quotes."""
    return f'"{value}"' if isinstance(value, str) else toml(value)


def with_table(text: str) -> str:
    """The page of the scores, with the table of all of them between its marks."""
    table = "\n".join(scores())
    return SCORES_TABLE.sub(lambda marks: f"{marks[1]}\n{table}\n\n{marks[2]}", text)


def scores() -> Iterator[str]:
    """The lines of the table of scores."""
    yield "| score | meaning |"
    yield "|---|---|"
    for name, meaning in SCORES.items():
        yield f"| `{name}` | {cell(meaning)} |"


def cell(text: str) -> str:
    """Text that does not end the cell of a table, and is not taken for a tag."""
    return text.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def sentence(text: str) -> str:
    """The text with a capital at its beginning and a stop at its end."""
    return text[:1].upper() + text[1:] + "." * (not text.endswith("."))


@dataclass(frozen=True)
class Joined:
    """What several arenas on one pack under one budget came to."""

    title: str
    facts: Mapping[str, str]
    floor: float
    recipes: Mapping[str, Sequence[Mapping[str, Any]]]  # the trainings of each
    about: Mapping[str, Mapping[str, Any]]
    machines: Sequence[str]


def leaderboards() -> str:
    """The page of all leaderboards."""
    boards = [joined(path) for path in packs()]
    head = LEADERBOARDS_HEAD.format(slowest=number(slowest(boards)))
    return "\n".join([head, *("\n".join(lines(board)) for board in boards)])


def packs() -> list[Path]:
    """The folders of leaderboards, one for each pack and budget."""
    return sorted({file.parent for file in (HERE / "leaderboards").glob("*/*.json")})


def joined(path: Path) -> Joined:
    """The leaderboards in a folder as one; ValueError where they cannot be compared."""
    boards = [json.loads(file.read_text("utf-8")) for file in sorted(path.glob("*.json"))]
    first = boards[0]["facts"]
    trainings: dict[str, list[Mapping[str, Any]]] = {}
    about: dict[str, Mapping[str, Any]] = {}
    for board in boards:
        for name in ALIKE:
            if board["facts"][name] != first[name]:
                raise ValueError(f"{path}: {name} is {board['facts'][name]} and {first[name]}")
        for entry in board["leaderboard"]:
            name, ended = entry["recipe"], [t for t in entry["trainings"] if t["scores"]]
            kept = about.setdefault(name, entry)
            if (kept["images"], kept["parameters"]) != (entry["images"], entry["parameters"]):
                raise ValueError(f"{path}: the recipe {name} is not the same everywhere")
            trainings.setdefault(name, []).extend(ended)
    for name, ended in trainings.items():
        seeds = [training["seed"] for training in ended]
        if len(set(seeds)) < len(seeds):
            raise ValueError(f"{path}: {name} has a seed twice")
    floor = next(board["floor"] for board in boards if board["floor"] is not None)
    machines = sorted({board["facts"]["machine"] for board in boards})
    ran = {name: ended for name, ended in trainings.items() if ended}
    return Joined(path.name, first, floor, ran, about, machines)


SCORED = ("precision", "recall", "coverage", "diversity", "copied")
COUNTED = ("body", "accessories")  # parts, of which the values that were drawn are counted
COSTS = ("recipe", "images", "time", "images/s", "memory", "GFLOP/picture", "parameters")


def lines(board: Joined) -> Iterator[str]:
    """Tables and facts of one pack, the best recipe first."""
    yield f"## {board.title}"
    yield ""
    ranked = sorted(board.recipes, key=lambda name: mean(board.recipes[name], "frechet"))
    counted = [part for part in COUNTED if has(board, f"modes/{part}")]
    heads = ["recipe", "Frechet distance", "of each seed", *SCORED]
    heads += [f"{part}{of(board, part)}" for part in counted]
    yield from table(heads, (scored(name, board.recipes[name], counted) for name in ranked))
    yield f"Real training pictures in the place of samples get {number(board.floor)}."
    yield ""
    yield from table(COSTS, (costs(n, board.recipes[n], board.about[n]) for n in ranked))
    yield from (f"- {name}: {board.facts[name]}" for name in ALIKE)
    yield from (f"- machine: {machine}" for machine in board.machines)
    yield ""


def table(heads: Sequence[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    """A table, and a blank line behind it."""
    yield f"| {' | '.join(heads)} |"
    yield "|---" * len(heads) + "|"
    yield from (f"| {' | '.join(row)} |" for row in rows)
    yield ""


def has(board: Joined, score: str) -> bool:
    """Whether every training has a score."""
    return all(score in t["scores"] for trainings in board.recipes.values() for t in trainings)


def of(board: Joined, part: str) -> str:
    """Of how many a part's modes are, where the pack's pictures are drawn by us."""
    family = board.title.partition("-")[0]
    return f", of {len(part_files(family)[part])}" if family in FAMILIES else ""


def scored(
    name: str, trainings: Sequence[Mapping[str, Any]], counted: Sequence[str]
) -> Iterator[str]:
    """The line of a recipe in the table of scores."""
    distances = {t["seed"]: t["scores"]["frechet"] for t in trainings}
    found = [distances[seed] for seed in sorted(distances)]
    yield f"`{name}`"
    yield spread(found)
    yield ", ".join(map(number, found))
    yield from (f"{mean(trainings, score):.2f}" for score in SCORED)
    yield from (number(mean(trainings, f"modes/{part}")) for part in counted)


def costs(
    name: str, trainings: Sequence[Mapping[str, Any]], about: Mapping[str, Any]
) -> Iterator[str]:
    """The line of a recipe in the table of what its trainings cost."""
    seconds = [training["seconds"] for training in trainings]
    memory = max(training["peak_memory_bytes"] or 0 for training in trainings)
    yield f"`{name}`"
    yield f"{about['images']:,}"
    yield duration(statistics.fmean(seconds))
    yield f"{sum(training['images_seen'] for training in trainings) / sum(seconds):,.0f}"
    yield f"{memory / 1e6:,.0f} MB" if memory else "–"
    yield f"{about['gflop_per_image']:.3g}"
    yield f"{sum(about['parameters'].values()):,}"


def slowest(boards: Sequence[Joined]) -> float:
    """How many times as long the slowest seed of a recipe took as its fastest one, at the most."""
    times = [[t["seconds"] for t in some] for board in boards for some in board.recipes.values()]
    return max(max(seconds) / min(seconds) for seconds in times)


def mean(trainings: Sequence[Mapping[str, Any]], score: str) -> float:
    """The mean of a score."""
    return statistics.fmean(training["scores"][score] for training in trainings)


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8", newline="\n")
        print(path)
