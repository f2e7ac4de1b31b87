"""What a report shows of a judgement: each score on a scale from noise to real pictures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Any

from purrtrait.evaluation.judgement import Judgement, Score, explained, meaning, number

WIDE, HIGH = 400, 100  # of the histogram, in its own units
# Squared distances are drawn by their roots: noise is so far away that all else would look alike.
SQUARED = ("frechet", "frechet-infinite", "kernel")
COPIED = "copied"
COLOURS: Mapping[str, int] = {"blurred reals": 4, "noise": 3, "training pictures": 3}


@dataclass(frozen=True)
class Group:
    """Scores that are about one thing: its title, what it shows, and patterns of their names."""

    title: str
    explanation: str
    patterns: tuple[str, ...]

    @property
    def copies(self) -> bool:
        """Whether the histogram of distances belongs to it."""
        return COPIED in self.patterns

    @property
    def parts(self) -> bool:
        """Whether it holds several scores for each of several parts."""
        return any(pattern.endswith("/*") for pattern in self.patterns)


# A score belongs to the first group that one of its patterns fits.
GROUPS = (
    Group(
        "How far from real pictures, as a whole",
        "One number for quality and variety together. These are the scores to compare models by.",
        SQUARED,
    ),
    Group(
        "How real each one is, and how varied all are",
        "Precision and density fall where pictures look wrong; recall and coverage fall where some "
        "kinds of pictures are never drawn, and nothing comes near those that are held out.",
        (
            "precision",
            "recall",
            "density",
            "coverage",
            "diversity",
            "duplicates",
            "nearest-held-out",
            "validity",
        ),
    ),
    Group(
        "Learnt or copied",
        "A generator that has learnt draws pictures of its own, which lie no nearer to the "
        "training pictures than photos do that nobody trained on.",
        (COPIED, "leaning", "nearest-training"),
    ),
    Group(
        "Which parts were drawn",
        "The training pictures are put together from known parts. A small network that has learnt "
        "to name them says which ones a sample shows.",
        ("modes/*", "divergence/*", "confidence/*"),
    ),
    Group("Other scores", "What else was measured.", ("*",)),
)


@dataclass(frozen=True)
class Mark:
    """Something beside which a score is read: its name, its score as text, place and colour."""

    name: str
    value: str
    place: float | None  # in percent from the left, None where there is no scale
    colour: int


@dataclass(frozen=True)
class Scale:
    """A score in words, and where it stands: ``left`` and ``wide`` are of its error's band."""

    name: str
    words: str
    better: str
    value: str
    error: str
    place: float | None
    left: float
    wide: float
    marks: Sequence[Mark]


@dataclass(frozen=True)
class Histogram:
    """Outlines of two histograms as paths, in a box of ``WIDE`` by ``HIGH``; and the threshold."""

    samples: str
    unseen: str
    threshold: float


@dataclass(frozen=True)
class Section:
    """All that the report shows of a judgement; scores of one kind share their words."""

    judgement: Judgement
    groups: Sequence[tuple[Group, Sequence[tuple[str, Sequence[Scale]]]]]
    histogram: Histogram | None
    verdict: str


def section(judgement: Judgement) -> Section:
    """The scores of a judgement in groups, each on its scale; and what there is about copying."""
    held: dict[Group, dict[str, list[Scale]]] = {group: {} for group in GROUPS}
    for name, score in judgement.scores.items():
        group = next(g for g in GROUPS if any(fnmatch(name, p) for p in g.patterns))
        found = scale(name, score)
        held[group].setdefault(found.words, []).append(found)
    return Section(
        judgement,
        [(group, list(kinds.items())) for group, kinds in held.items() if kinds],
        histogram(judgement.copying) if "edges" in judgement.copying else None,
        str(judgement.copying.get("verdict", "")),
    )


def scale(name: str, score: Score) -> Scale:
    """Where a score stands among its floor and ceilings, the better end to the right."""
    root = _signed_root if name in SQUARED else float
    towards = -1 if meaning(name) == "lower" else 1
    others = {**({} if score.floor is None else {"real pictures": score.floor}), **score.ceilings}
    points = [towards * root(value) for value in (score.value, *others.values())]
    low, high = min(points), max(points)
    there = all(map(math.isfinite, points)) and high > low

    def place(value: float) -> float | None:
        return round(100 * (towards * root(value) - low) / (high - low), 2) if there else None

    ends = [place(score.value + side * (score.error or 0)) or 0.0 for side in (-1, 1)]
    left, right = (min(100.0, max(0.0, end)) for end in sorted(ends))
    return Scale(
        name,
        explained(name).words,
        meaning(name),
        score.said,
        "" if score.error is None else number(score.error),
        place(score.value),
        left,
        round(right - left, 2),
        [Mark(n, number(v), place(v), COLOURS.get(n, 2)) for n, v in others.items()],
    )


def _signed_root(value: float) -> float:
    return math.copysign(math.sqrt(abs(value)), value)


def histogram(copying: Mapping[str, Any]) -> Histogram:
    """The two histograms of distances to the training pictures, as outlines."""
    edges, bins = copying["edges"], len(copying["samples"])
    most = max(*copying["samples"], *copying["unseen"], 1e-9)
    step = WIDE / bins

    def outline(shares: Sequence[float]) -> str:
        levels = [f"V{HIGH * (1 - share / most):.1f}h{step:.2f}" for share in shares]
        return f"M0 {HIGH}{''.join(levels)}V{HIGH}Z"

    threshold = min(WIDE, WIDE * copying["threshold"][0] / edges[-1])
    return Histogram(outline(copying["samples"]), outline(copying["unseen"]), round(threshold, 2))
