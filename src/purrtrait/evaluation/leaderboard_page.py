"""Writes an arena's leaderboard to its folder: a page in one file, Markdown, and JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from markupsafe import Markup

from purrtrait.evaluation import curves, leaderboard, report
from purrtrait.evaluation.judgement import meaning, number
from purrtrait.evaluation.leaderboard import RANKED_BY, Board, Entry, mean, spread
from purrtrait.files import replacing

JSON = "leaderboard.json"
IN_TRAINING = f"score/{RANKED_BY}"  # its name among the scores of a training
MARGIN = 1.04  # the longest bar ends a little before the edge


@dataclass(frozen=True)
class Row:
    """A line of the leaderboard: texts by head, and where bar and dots end, in percent."""

    place: int
    texts: Mapping[str, str]
    summary: str
    bar: float
    dots: Sequence[float]


@dataclass(frozen=True)
class Score:
    """A line of the table of all scores: texts of the floor and of each recipe.

    ``total`` is of how many a count is, or empty.
    """

    name: str
    total: str
    better: str
    floor: str
    values: Sequence[str]


@dataclass(frozen=True)
class Pictures:
    """Portraits of one recipe, drawn from the same random numbers as those of the others."""

    name: str
    seed: int
    picture: report.Picture


def write(folder: Path, board: Board) -> None:
    """Write report.html, leaderboard.md and leaderboard.json, each as a whole."""
    texts = {
        "leaderboard.md": leaderboard.markdown(board),
        JSON: json.dumps(leaderboard.plain(board), indent=1) + "\n",
        "report.html": render(board),
    }
    for name, text in texts.items():
        with replacing(folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8", errors="replace", newline="\n")


def render(board: Board) -> str:
    """The leaderboard as HTML; the same board gives the same text."""
    ranked = board.ranked
    lines = {entry.name: line for entry in ranked if (line := curve(entry))}
    return report.page("arena.html").render(
        board=board,
        heads=leaderboard.HEADS,
        rows=rows(board),
        floor=None if board.floor is None else number(board.floor),
        floor_at=percent(board, board.floor or 0.0),
        names=[entry.name for entry in ranked],
        scores=scores(board),
        pictures=[shown for entry in ranked for shown in pictures(entry)],
        curves=list(lines),
        drawing=Markup(curves.Paper().drawing(list(lines.values()), board.title)) if lines else "",
        colours=curves.COLOURS,
    )


def rows(board: Board) -> list[Row]:
    """The lines of the leaderboard."""
    found = []
    for place, entry in enumerate(board.ranked, 1):
        values = entry.values()
        texts = dict(zip(leaderboard.HEADS, leaderboard.cells(entry), strict=True))
        bar = percent(board, mean(values)) if values else 0.0
        dots = [percent(board, value) for value in values]
        found.append(Row(place if values else 0, texts, entry.summary, bar, dots))
    return found


def percent(board: Board, value: float) -> float:
    """Where a score ends on the scale that all bars share."""
    most = max([v for entry in board.entries for v in entry.values()], default=1.0)
    whole = MARGIN * max(most, board.floor or 0.0, 1e-12)
    return round(min(100.0, max(0.0, 100 * value / whole)), 2)


def scores(board: Board) -> list[Score]:
    """Every score of every recipe, beside its floor."""
    first = board.judgements[:1]
    floors = {n: s.floor for judged in first for n, s in judged.scores.items()}
    totals = {n: s.total for judged in board.judgements for n, s in judged.scores.items()}
    return [
        Score(
            name,
            "" if (total := totals[name]) is None else number(total),
            meaning(name),
            "–" if (floor := floors.get(name)) is None else number(floor),
            [spread(entry.values(name)) for entry in board.ranked],
        )
        for name in board.scores
    ]


def pictures(entry: Entry) -> list[Pictures]:
    """The last preview of the recipe's first seed, as all previews are of the same latents."""
    return [
        Pictures(entry.name, result.seed, report.picture(result.grid))
        for result in entry.done[:1]
        if result.grid
    ]


def curve(entry: Entry) -> curves.Line | None:
    """The score of the ranking over the images seen, as training wrote it down: mean over seeds."""
    found: dict[int, list[float]] = {}
    for row in (row for result in entry.results for row in result.rows):
        if IN_TRAINING in row["scores"]:
            found.setdefault(int(row["images_seen"]), []).append(row["scores"][IN_TRAINING])
    if not found:
        return None
    seen = sorted(found)
    return np.array(seen, float), np.array([mean(found[images]) for images in seen])
