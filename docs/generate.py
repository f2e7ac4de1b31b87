"""Writes the pages that follow from the code: docs/recipes.md, and the table in docs/scores.md."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from purrtrait import config
from purrtrait.assemble.options import Option, find, listed
from purrtrait.config import Recipe
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
schedule: {schedules}.
"""


def pages() -> dict[Path, str]:
    """Every page that is written here, by its path, with its whole text."""
    scores = HERE / "scores.md"
    return {
        HERE / "recipes.md": recipes(),
        scores: with_table(scores.read_text(encoding="utf-8")),
    }


def recipes() -> str:
    """The page of the recipes."""
    found = [find(name) for name in config.shipped()]
    overview = ["| recipe | what it is |", "|---|---|"]
    overview += [f"| [`{r.name}`](#{r.name}) | {cell(r.summary)} |" for r in found]
    head = RECIPES_HEAD.format(schedules=", ".join(f"`{name}`" for name in SCHEDULES))
    parts = [head, "\n".join(overview) + "\n", *(section(recipe) for recipe in found)]
    return "\n".join(parts)


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


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8", newline="\n")
        print(path)
