"""Writes report.html: all that is known about a run, in one file that needs nothing else."""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup
from PIL import Image

from purrtrait.evaluation import panels, scales
from purrtrait.evaluation.judgement import Judgement
from purrtrait.files import replacing

GRID_PIXELS = 520  # about how wide the grid is shown; each of its pixels is a whole number wide

Row = Mapping[str, Any]  # a line of scores.jsonl


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What the report of a run says.

    ``scores`` are the rows of scores.jsonl and ``explained`` the meaning of each score by name;
    ``grid`` is a preview PNG and ``film`` an MP4, None where there is none; ``recipe`` is TOML,
    ``command`` what makes the same run again, ``credit`` says whose pictures it was trained on.
    ``judgement`` is the last evaluation, ``neighbours`` a PNG of samples, each before the training
    picture that is nearest to it. ``incidents`` are the rows of incidents.jsonl.
    """

    title: str
    summary: str
    source: str
    facts: Mapping[str, str]
    recipe: str
    scores: Sequence[Row]
    explained: Mapping[str, str]
    grid: Path | None
    film: Path | None
    credit: str
    command: str
    judgement: Judgement | None = None
    neighbours: Path | None = None
    incidents: Sequence[Row] = ()


@dataclass(frozen=True)
class Stage:
    """What the report shows of one stage: its panels, and its last row as text."""

    name: str
    panels: Sequence[panels.Panel]
    images_seen: str
    values: Mapping[str, str]


@dataclass(frozen=True)
class Picture:
    """A picture as a data URI, and how wide it is shown, in pixels."""

    address: str
    width: int


def write(target: Path, contents: Contents) -> None:
    """Write the report of a run."""
    write_page(target, render(contents))


def write_judged(target: Path, judgement: Judgement) -> None:
    """Write a page of a judgement alone, as a report shows it."""
    judged = scales.section(judgement)
    write_page(target, page("judged.html").render(judged=judged, neighbours=None))


def write_page(target: Path, text: str) -> None:
    """Write a page; the file appears whole or not at all."""
    with replacing(target) as temporary:
        # A name that is not Unicode (a lone surrogate) must not keep the rest from being read.
        temporary.write_text(text, encoding="utf-8", errors="replace", newline="\n")


def page(name: str) -> Template:
    """A page of this package, such as report.html; all of them extend page.html."""
    house = Environment(
        loader=PackageLoader("purrtrait", "evaluation"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return house.get_template(name)


def _by_stage(rows: Sequence[Row]) -> list[Row]:
    """The rows of each stage together, in the order in which the stages were first trained."""
    order = list(dict.fromkeys(str(row["stage"]) for row in rows))
    return sorted(rows, key=lambda row: order.index(str(row["stage"])))


def render(contents: Contents) -> str:
    """The report as HTML; the same contents give the same text."""
    stages = [
        stage(name, list(rows), contents.explained)
        for name, rows in groupby(_by_stage(contents.scores), key=lambda row: str(row["stage"]))
    ]
    return page("report.html").render(
        contents=contents,
        stages=stages,
        grid=None if contents.grid is None else picture(contents.grid),
        judged=None if contents.judgement is None else scales.section(contents.judgement),
        neighbours=None if contents.neighbours is None else picture(contents.neighbours),
        film=None if contents.film is None else address(contents.film, "video/mp4"),
        meanings=contents.explained,
        svg=Markup,  # our own drawing, in which every text is escaped already
    )


def stage(name: str, rows: Sequence[Row], explained: Mapping[str, str]) -> Stage:
    """What is shown of a stage, from its rows; there is at least one."""
    last = rows[-1]
    values = {score: shown(value) for score, value in last["scores"].items()}
    return Stage(name, panels.panels(rows, explained), f"{last['images_seen']:,}", values)


def shown(value: float) -> str:
    """A score as text, with six digits."""
    if math.isnan(value):
        return "not a number"
    return f"{value:.6g}" if math.isfinite(value) else "infinite"


def picture(path: Path) -> Picture:
    """A PNG, to be shown so many whole times as wide as it is."""
    with Image.open(path) as image:
        wide = image.width
    return Picture(address(path, "image/png"), wide * max(1, round(GRID_PIXELS / wide)))


def address(path: Path, kind: str) -> str:
    """The file as a data URI."""
    return f"data:{kind};base64,{b64encode(path.read_bytes()).decode()}"
