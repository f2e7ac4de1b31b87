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
from purrtrait.evaluation.leaderboard import RANKED_BY, Board, Entry, Told, mean, spread
from purrtrait.files import replacing

JSON = "leaderboard.json"
IN_TRAINING = f"score/{RANKED_BY}"  # its name among the scores of a training
MARGIN = 1.04  # the longest bar ends a little before the edge
FILM_BYTES = 24_000_000  # of all films in the page, which makes 32 MB of it
MOST_INCIDENTS = 20  # of a training; its own report has them all


@dataclass(frozen=True)
class Row:
    """A line of the leaderboard: texts by head, and where bar and dots end, in percent.

    ``seeds`` are the texts of its trainings with links to their reports.
    """

    place: int
    texts: Mapping[str, str]
    seeds: Sequence[Told]
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
    """Portraits of one recipe, drawn from the same random numbers as those of the others.

    ``film`` is an MP4 as a data URI, None where there is none, or where it is ``elsewhere``: in the
    training's own report, at the address ``report``.
    """

    name: str
    seed: int
    picture: report.Picture | None
    film: str | None
    elsewhere: bool
    report: str


@dataclass(frozen=True)
class Verdict:
    """What is said of copying in one training, and the address of its report, or nothing."""

    text: str
    verdict: str
    report: str


@dataclass(frozen=True)
class Copies:
    """What is said of copying of a recipe's trainings, with the neighbours of the first of them."""

    name: str
    verdicts: Sequence[Verdict]
    neighbours: report.Picture | None


@dataclass(frozen=True)
class Incident:
    """Something that went wrong in a training, after so many real pictures."""

    name: str
    seed: int
    report: str
    stage: str
    images_seen: int
    words: str


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
    drawn = pictures(ranked)
    return report.page("arena.html").render(
        board=board,
        heads=leaderboard.HEADS,
        rows=rows(board),
        floor=None if board.floor is None else number(board.floor),
        floor_at=percent(board, board.floor or 0.0),
        names=[entry.name for entry in ranked],
        scores=scores(board),
        pictures=drawn,
        films=any(shown.film for shown in drawn),
        copies=[shown for entry in ranked if (shown := copies(entry)).verdicts],
        incidents=[one for entry in ranked for one in incidents(entry)],
        links=any(result.report for entry in ranked for result in entry.results),
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
        seeds = leaderboard.of_each_seed(entry)
        found.append(Row(place if values else 0, texts, seeds, entry.summary, bar, dots))
    return found


def percent(board: Board, value: float) -> float:
    """Where a score ends on the scale that all bars share."""
    most = max([v for entry in board.entries for v in entry.values()], default=1.0)
    whole = MARGIN * max(most, board.floor or 0.0, 1e-12)
    return round(min(100.0, max(0.0, 100 * value / whole)), 2)


def scores(board: Board) -> list[Score]:
    """Every score of every recipe, beside its floor."""
    # The best recipe's last: older judgements may lack a score that it has, or the other way round.
    floors = {n: s.floor for judged in board.judgements[::-1] for n, s in judged.scores.items()}
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


def pictures(entries: Sequence[Entry]) -> list[Pictures]:
    """Last preview and film of each recipe's first seed, as all previews are of the same latents.

    The films of the best recipes, as many as fit into FILM_BYTES: the page shall stay light.
    """
    found, left = [], FILM_BYTES
    for name, first in ((entry.name, entry.done[0]) for entry in entries if entry.done):
        if first.grid is None and first.film is None:
            continue
        size = first.film.stat().st_size if first.film else 0
        fits = size <= left
        left -= size * fits
        shown = None if first.grid is None else report.picture(first.grid)
        film = report.address(first.film, "video/mp4") if first.film and fits else None
        found.append(Pictures(name, first.seed, shown, film, not fits, first.report))
    return found


def copies(entry: Entry) -> Copies:
    """What the judgements of a recipe's trainings say of copying."""
    said = [
        Verdict(f"seed {result.seed}", str(result.judgement.copying["verdict"]), result.report)
        for result in entry.done
        if result.judgement and "verdict" in result.judgement.copying
    ]
    shown = next((result.neighbours for result in entry.done if result.neighbours), None)
    return Copies(entry.name, said, None if shown is None else report.picture(shown))


def incidents(entry: Entry) -> list[Incident]:
    """What went wrong in a recipe's trainings, the last MOST_INCIDENTS of each."""
    return [
        Incident(
            entry.name,
            result.seed,
            result.report,
            str(row["stage"]),
            int(row["images_seen"]),
            str(row["words"]),
        )
        for result in entry.results
        for row in result.incidents[-MOST_INCIDENTS:]
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
