"""The leaderboard of an arena: what it holds, as a table in Markdown, and as plain data."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from purrtrait.evaluation.judgement import Judgement, number
from purrtrait.evaluation.report import Row

SCHEMA = 1
RANKED_BY = "frechet"  # lower is better


@dataclass(frozen=True, kw_only=True)
class Result:
    """What one training of a recipe came to.

    ``judgement`` is None where the training failed, which ``failed`` then says in words; ``rows``
    are the lines of its scores.jsonl, and ``incidents`` those of its incidents.jsonl;
    ``peak_memory_bytes`` is 0 where it is not known. ``grid`` is its last preview, ``film`` an MP4
    and ``neighbours`` a PNG of samples before training pictures, None where there is none;
    ``report`` is the address of its own report, seen from the leaderboard's page, or empty.
    """

    seed: int
    judgement: Judgement | None = None
    failed: str = ""
    images_seen: int = 0
    seconds: float = 0.0
    peak_memory_bytes: int = 0
    rows: Sequence[Row] = ()
    incidents: Sequence[Row] = ()
    grid: Path | None = None
    film: Path | None = None
    neighbours: Path | None = None
    report: str = ""
    machine: str = ""
    versions: str = ""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A recipe in the arena with its trainings that have ended.

    ``recipe`` is TOML; ``parameters`` are those of each player; ``budget_images`` and ``flop`` are
    of one training.
    """

    name: str
    summary: str
    recipe: str
    parameters: Mapping[str, int]
    budget_images: int
    flop: int
    results: Sequence[Result] = ()

    def values(self, score: str = RANKED_BY) -> list[float]:
        """A score of every training that has it."""
        judged = [r.judgement for r in self.results if r.judgement]
        return [j.scores[score].value for j in judged if score in j.scores]

    @property
    def done(self) -> list[Result]:
        """The trainings that came to their end."""
        return [result for result in self.results if result.judgement]

    @property
    def seconds(self) -> float:
        """Mean seconds of a training."""
        return mean([result.seconds for result in self.done])

    @property
    def images_per_second(self) -> float:
        """Real pictures a second, over all trainings."""
        seconds = sum(result.seconds for result in self.done)
        return sum(result.images_seen for result in self.done) / seconds if seconds else math.nan

    @property
    def peak_memory_bytes(self) -> int:
        """The most that any of its trainings held at once."""
        return max((result.peak_memory_bytes for result in self.done), default=0)


@dataclass(frozen=True, kw_only=True)
class Board:
    """All that a leaderboard says; ``facts`` are what one needs to know to read it."""

    title: str
    entries: Sequence[Entry]
    planned: int  # trainings in all
    facts: Mapping[str, str]
    command: str
    credit: str
    notes: Sequence[str] = field(default_factory=tuple)

    @property
    def ranked(self) -> list[Entry]:
        """The best mean score first, behind it recipes some of whose trainings failed.

        Those without any score come last, as they were named.
        """
        return sorted(self.entries, key=_place)

    @property
    def ended(self) -> int:
        """Trainings that have ended, well or badly."""
        return sum(len(entry.results) for entry in self.entries)

    @property
    def failed(self) -> list[str]:
        """The trainings that failed, in words."""
        return [f"{e.name} seed {r.seed}" for e in self.entries for r in e.results if r.failed]

    @property
    def judgements(self) -> list[Judgement]:
        """Every judgement, that of the best recipe first."""
        return [r.judgement for entry in self.ranked for r in entry.results if r.judgement]

    @property
    def floor(self) -> float | None:
        """What real pictures get in the place of samples, in the score of the ranking."""
        first = self.judgements[:1]
        return first[0].scores[RANKED_BY].floor if first else None

    @property
    def scores(self) -> list[str]:
        """The names of all scores that some training has."""
        return list(dict.fromkeys(name for found in self.judgements for name in found.scores))


def _place(entry: Entry) -> tuple[bool, bool, float]:
    """By what entries are sorted: failing where it is hard makes no mean better."""
    values = entry.values()
    return not values, len(entry.done) < len(entry.results), mean(values) if values else math.inf


def mean(values: Sequence[float]) -> float:
    """The mean, or not a number where there is no value."""
    return statistics.fmean(values) if values else math.nan


def spread(values: Sequence[float]) -> str:
    """Mean and standard deviation over seeds as text; of one seed there is no deviation."""
    if not values:
        return "–"
    deviation = f" ± {number(statistics.stdev(values))}" if len(values) > 1 else ""
    return f"{number(mean(values))}{deviation}"


HEADS = (
    "recipe",
    "Frechet distance",
    "of each seed",
    "images",
    "time",
    "images/s",
    "memory",
    "parameters",
    "GFLOP/picture",
)


@dataclass(frozen=True)
class Told:
    """What a training came to, as text, and the address of its report, or nothing."""

    text: str
    report: str


def of_each_seed(entry: Entry) -> list[Told]:
    """The score of every training that has it, and then those that failed, in words."""
    scored = [
        Told(number(r.judgement.scores[RANKED_BY].value), r.report)
        for r in entry.done
        if r.judgement and RANKED_BY in r.judgement.scores
    ]
    failed = [Told(f"seed {r.seed} {r.failed}", r.report) for r in entry.results if r.failed]
    return [*scored, *failed]


def cells(entry: Entry) -> list[str]:
    """What the table says of a recipe, under the heads."""
    memory = entry.peak_memory_bytes
    return [
        entry.name,
        spread(entry.values()),
        ", ".join(told.text for told in of_each_seed(entry)) or "not yet trained",
        f"{entry.budget_images:,}",
        duration(entry.seconds) if entry.done else "–",
        f"{entry.images_per_second:,.0f}" if entry.done else "–",
        f"{memory / 1e6:,.0f} MB" if memory else "–",
        f"{sum(entry.parameters.values()):,}",
        f"{entry.flop / entry.budget_images / 1e9:.3g}",
    ]


def duration(seconds: float) -> str:
    """A time in minutes and seconds."""
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {left} s" if minutes else f"{seconds:.3g} s"


def table(board: Board) -> list[list[str]]:
    """The leaderboard as rows of texts, heads first."""
    ranks = [str(place) if e.values() else "–" for place, e in enumerate(board.ranked, 1)]
    rows = [[rank, *cells(entry)] for rank, entry in zip(ranks, board.ranked, strict=True)]
    return [["", *HEADS], *rows]


def markdown(board: Board) -> str:
    """The leaderboard for a page of documentation."""
    heads, *rows = table(board)
    lines = [f"# {board.title}", "", _line(heads), _line(["---"] * len(heads)), *map(_line, rows)]
    said = "Lower is better; ± is the standard deviation over seeds."
    if board.floor is not None:
        said += f" Real training pictures in the place of samples get {number(board.floor)}."
    lines += ["", said]
    if board.ended < board.planned:
        lines += ["", f"{board.ended} of {board.planned} trainings have ended."]
    lines += ["", *(f"- {name}: {value}" for name, value in board.facts.items())]
    lines += ["", "```", board.command, "```"]
    return "\n".join(lines) + "\n"


def _line(texts: Sequence[str]) -> str:
    return f"| {' | '.join(text.replace('|', '/') for text in texts)} |"


def plain(board: Board) -> dict[str, Any]:
    """The leaderboard as plain data."""
    return {
        "schema": SCHEMA,
        "ranked_by": RANKED_BY,
        "floor": board.floor,
        "facts": dict(board.facts),
        "command": board.command,
        "trainings": {"ended": board.ended, "planned": board.planned},
        "leaderboard": [_plain(entry, board.scores) for entry in board.ranked],
    }


def _plain(entry: Entry, scores: Sequence[str]) -> dict[str, Any]:
    spreads = {
        name: {
            "mean": mean(values),
            "deviation": statistics.stdev(values) if len(values) > 1 else None,
        }
        for name in scores
        if (values := entry.values(name))
    }
    return {
        "recipe": entry.name,
        "scores": spreads,
        "images": entry.budget_images,
        "tflop": entry.flop / 1e12,
        "gflop_per_image": entry.flop / entry.budget_images / 1e9,
        "parameters": dict(entry.parameters),
        "seconds": entry.seconds if entry.done else None,
        "images_per_second": entry.images_per_second if entry.done else None,
        "peak_memory_bytes": entry.peak_memory_bytes or None,
        "trainings": [
            {
                "seed": result.seed,
                "failed": result.failed or None,
                "seconds": result.seconds,
                "images_seen": result.images_seen,
                "peak_memory_bytes": result.peak_memory_bytes or None,
                "scores": {n: s.value for n, s in result.judgement.scores.items()}
                if result.judgement
                else {},
            }
            for result in entry.results
        ],
    }
