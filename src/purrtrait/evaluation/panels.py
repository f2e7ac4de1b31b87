"""Which scores share a panel of the report, and what stands beside each."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Any

import numpy as np

from purrtrait.evaluation.curves import COLOURS, MANY, Paper

NEVER = math.inf
LARGEST = 1e30  # beyond it nothing can be drawn to scale


@dataclass(frozen=True)
class Group:
    """Scores that share a panel: its title, what it shows, and the patterns of their names.

    From ``mean_from_rows`` on a running mean is drawn over the single steps.
    """

    title: str
    explanation: str
    patterns: tuple[str, ...]
    mean_from_rows: float = MANY


# A score belongs to the first group that one of its patterns fits.
GROUPS = (
    Group(
        "Distance to unseen pictures",
        "How far portraits lie from real pictures that were kept aside, as EfficientNet-Lite0 sees "
        "them. Lower is better. The checkpoint in which it is lowest is kept as the best.",
        ("score/frechet",),
        NEVER,
    ),
    Group(
        "Likeness to unseen pictures",
        "As EfficientNet-Lite0 sees them. Precision and density fall where portraits look like no "
        "real picture; recall, coverage and diversity where they are too much alike. All would be "
        "near 1 for real pictures, and duplicates near 0.",
        (
            "score/precision",
            "score/recall",
            "score/density",
            "score/coverage",
            "score/di*",
            "score/dup*",
        ),
        NEVER,
    ),
    Group(
        "What the critic knows by heart",
        "How often it puts a real picture above a fake: one that it is trained on, and one that it "
        "has never seen. Where the two come apart, it has learnt its own pictures by heart, and "
        "more of them are needed, or augmentation.",
        ("score/order-*", "score/accuracy-*"),
        NEVER,
    ),
    Group(
        "Losses on average",
        "Moving averages over some hundred steps. Where the critic's loss is a distance, a level "
        "at which it stays says that little is learnt any more.",
        ("average/*/game",),
    ),
    Group(
        "Losses",
        "What each player tries to lower. In a game between two, falling curves are no proof of "
        "better pictures: look for curves that stay level and away from zero.",
        ("*/game", "verdict/loss-*"),
    ),
    Group(
        "How often the critic is right",
        "At 1 the critic tells every real picture from every fake; at 0.5 it is guessing. "
        "Between the two the generator has something to learn from.",
        ("critic/order", "critic/accuracy"),
    ),
    Group(
        "Verdicts",
        "What the critic says of real pictures and of fakes. Higher is more real, and the scale is "
        "the critic's own.",
        ("verdict/real", "verdict/fake", "verdict/answer"),
    ),
    Group(
        "Distance between the verdicts",
        "How far the critic keeps real pictures and fakes apart.",
        ("verdict/distance",),
    ),
    Group(
        "Penalties",
        "What the critic pays for verdicts that change too steeply from picture to picture.",
        ("*/penalty",),
    ),
    Group(
        "Gradients on average",
        "Moving averages of the lengths of the gradients over some hundred steps.",
        ("average/*/gradient",),
    ),
    Group(
        "Gradients",
        "How steep it is where each player stands. Lengths that grow without end come before "
        "losses that blow up; lengths near 0 say that a player has nothing to learn from.",
        ("*/gradient",),
    ),
    Group("Learning rates", "How large a step each player takes.", ("*/lr",), NEVER),
    Group(
        "Distance to the truth",
        "How far pictures that are decoded, cleaned or retouched are from those that they should "
        "be like, here and on pictures held out. Where the two come apart, what was seen is known "
        "by heart.",
        ("*/difference", "*/change", "score/refinement"),
    ),
    Group(
        "Latents of pictures",
        "How unlikely pictures are once decoded, how far their latents are from the prior, and the "
        "lower bound on their likelihood that follows.",
        ("*/reconstruction", "*/divergence", "*latent/bound"),
    ),
    Group(
        "Balance",
        "How often each player was let step, and what it is held back by.",
        ("balance/*", "critic/l2", "decoder/share", "latent/weight"),
        NEVER,
    ),
    Group(
        "The game beside an autoencoder",
        "By what the game's gradient is multiplied at the decoded pictures. Growing without end, "
        "it makes much of what a fooled critic hardly says.",
        ("decoder/factor",),
        NEVER,
    ),
    Group(
        "Size of the weights",
        "What each player pays for the size of its weights.",
        ("*/decay",),
        NEVER,
    ),
    Group(
        "The validator",
        "How often it is right about real and about spoilt pictures, and what it thinks of "
        "portraits; 1 is real.",
        ("validator/*", "held-out/validator/*"),
    ),
    Group(
        "Probes",
        "Where a real picture and a pattern of noise stand among portraits, as the critic ranks "
        "them. The first should be near 1 and the second near 0.",
        ("probe/*",),
        NEVER,
    ),
    Group("Noise", "How much noise is laid over what the critic sees.", ("*/noise",), NEVER),
    Group(
        "Augmentation",
        "How often pictures, reals and fakes alike, are changed before the critic sees them.",
        ("critic/augmentation",),
        NEVER,
    ),
    Group("Other scores", "What else was written down.", ("*",)),
)


@dataclass(frozen=True)
class Curve:
    """One score's line in a panel: its name, its meaning, and the number of its colour."""

    name: str
    meaning: str
    colour: int


@dataclass(frozen=True)
class Panel:
    """A drawing with its words; ``missing`` counts the values that cannot be drawn."""

    title: str
    explanation: str
    curves: Sequence[Curve]
    svg: str
    averaged: bool
    missing: int


def panels(rows: Sequence[Mapping[str, Any]], explained: Mapping[str, str]) -> list[Panel]:
    """One panel for each group of scores that the rows of one stage hold."""
    names = dict.fromkeys(name for row in rows for name in row["scores"])
    groups: dict[Group, list[str]] = {group: [] for group in GROUPS}
    for name in names:
        groups[_group(name)].append(name)
    paper = Paper()
    return [_panel(paper, group, held, rows, explained) for group, held in groups.items() if held]


def _group(name: str) -> Group:
    return next(g for g in GROUPS if any(fnmatch(name, pattern) for pattern in g.patterns))


def _panel(
    paper: Paper,
    group: Group,
    names: Sequence[str],
    rows: Sequence[Mapping[str, Any]],
    explained: Mapping[str, str],
) -> Panel:
    # Some scores are taken more rarely than others: what was not asked for is no gap.
    rows = [row for row in rows if row["scores"].keys() & set(names)]
    seen = np.array([row["images_seen"] for row in rows], float)
    values = {n: np.array([row["scores"].get(n, math.nan) for row in rows], float) for n in names}
    drawable = {n: np.where(np.abs(v) < LARGEST, v, math.nan) for n, v in values.items()}
    given = sum(name in row["scores"] for name in names for row in rows)
    drawn = sum(int(np.isfinite(v).sum()) for v in drawable.values())
    return Panel(
        group.title,
        group.explanation,
        [Curve(n, explained.get(n, ""), k % COLOURS) for k, n in enumerate(names)],
        paper.svg(
            seen, list(drawable.values()), ascii((rows[0]["stage"], names)), group.mean_from_rows
        ),
        len(rows) >= group.mean_from_rows,
        given - drawn,
    )
