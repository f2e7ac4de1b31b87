"""Draws the scores of a run as curves: SVG that takes its colours from the page around it."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Any, TypeAlias

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator

COLOURS = 6  # the page defines --curve-0 to --curve-5
MANY = 40  # rows from which on a mean is drawn over the single steps
NEVER = math.inf
SPAN = 30  # that mean goes over such a part of the rows to either side
POINTS = 300  # parts of a line whose extremes are drawn; a panel is about as many pixels wide
LARGEST = 1e30  # beyond it nothing can be drawn to scale

# Stand for the page's own colours until the drawing is done: matplotlib knows no CSS.
_INK, _LINE = "#010203", "#010204"
_CURVES = [f"#0102{number:02x}" for number in range(0x10, 0x10 + COLOURS)]
_STYLE: Any = {  # matplotlib's own type for this lists every one of its options
    "svg.fonttype": "none",
    "svg.hashsalt": "purrtrait",
    "font.family": "sans-serif",
    "font.size": 9.5,
    "axes.edgecolor": _LINE,
    "axes.labelcolor": _INK,
    "xtick.color": _LINE,
    "ytick.color": _LINE,
    "xtick.labelcolor": _INK,
    "ytick.labelcolor": _INK,
    "text.color": _INK,
    "grid.color": _LINE,
    "axes.formatter.limits": (-3, 4),
    "axes.formatter.use_mathtext": False,
    "path.simplify": True,
    "path.simplify_threshold": 0.3,
}


Line: TypeAlias = tuple[np.ndarray, np.ndarray]  # images seen (N,), values (N,) with NaN for gaps


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
        "How far portraits lie from real pictures that were kept aside, as a network sees them. "
        "Lower is better. The checkpoint in which it is lowest is kept as the best.",
        ("score/frechet",),
        NEVER,
    ),
    Group(
        "Likeness to unseen pictures",
        "Precision and density fall where portraits look like no real picture; recall, coverage "
        "and diversity where they are too much alike. All would be near 1 for real pictures, and "
        "duplicates near 0.",
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
        ("score/order-*",),
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
    return [_panel(group, held, rows, explained) for group, held in groups.items() if held]


def _group(name: str) -> Group:
    return next(g for g in GROUPS if any(fnmatch(name, pattern) for pattern in g.patterns))


def _panel(
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
        svg(seen, list(drawable.values()), ascii((rows[0]["stage"], names)), group.mean_from_rows),
        len(rows) >= group.mean_from_rows,
        given - drawn,
    )


def svg(
    seen: np.ndarray, curves: Sequence[np.ndarray], salt: str, mean_from_rows: float = MANY
) -> str:
    """The curves (each (N,), NaN where there is a gap) over the images seen (N,), as an SVG.

    ``salt`` keeps the names within the element apart from those of other drawings in the page.
    """
    return drawing([(seen, values) for values in curves], salt, mean_from_rows)


def drawing(lines: Sequence[Line], salt: str, mean_from_rows: float = MANY) -> str:
    """Lines that each have images seen of their own, as an SVG."""
    with mpl.rc_context({**_STYLE, "svg.hashsalt": salt}):
        figure = Figure(figsize=(4.4, 2.4))
        axes = figure.add_axes((0.12, 0.19, 0.86, 0.71))
        for colour, (seen, values) in zip(_CURVES * len(lines), lines, strict=False):
            _draw(axes, seen, values, colour, mean_from_rows)
        axes.set_xlim(0, max(1.0, *(float(seen.max()) for seen, _ in lines)))
        axes.set_xlabel("images seen")
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.grid(alpha=0.5, linewidth=0.5)
        axes.spines[["top", "right"]].set_visible(False)
        page = io.StringIO()
        # Without metadata the drawing names no address and no date.
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(page, format="svg", transparent=True, metadata=nothing)
    return _for_a_page(page.getvalue())


def _draw(
    axes: Any, seen: np.ndarray, values: np.ndarray, colour: str, mean_from_rows: float
) -> None:
    """A line; of many rows the single steps faintly below their running mean."""
    if len(values) < mean_from_rows:
        dots = "o" if len(values) < MANY else ""
        axes.plot(seen, values, color=colour, linewidth=1.5, marker=dots, markersize=3)
        return
    few = extremes(values, POINTS)
    axes.plot(seen[few], values[few], color=colour, linewidth=0.6, alpha=0.35)
    axes.plot(seen, running_mean(values, len(values) // SPAN), color=colour, linewidth=1.6)


def extremes(values: np.ndarray, parts: int) -> np.ndarray:
    """Which of the values (N,) to draw so that it looks like all: of each part least and greatest.

    Rising row numbers, at most two for each of ``parts``; where a part has a gap, that too.
    """
    if len(values) <= 2 * parts:
        return np.arange(len(values))
    kept = [
        rows[place]
        for rows in np.array_split(np.arange(len(values)), parts)
        for some in (values[rows],)
        for place in {
            int(np.where(np.isfinite(some), some, np.inf).argmin()),
            int(np.where(np.isfinite(some), some, -np.inf).argmax()),
            *np.flatnonzero(~np.isfinite(some))[:1].tolist(),
        }
    ]
    return np.sort(np.array(kept))


def running_mean(values: np.ndarray, span: int) -> np.ndarray:
    """The mean (N,) over ``span`` values either way, nearer ones counting more, NaN not at all."""
    there = np.isfinite(values)
    window = np.hanning(2 * span + 3)[1:-1]  # without its zeros at the ends
    total = np.convolve(np.where(there, values, 0.0), window)[span : span + len(values)]
    weight = np.convolve(there.astype(float), window)[span : span + len(values)]
    return np.where(there, total / np.where(there, weight, 1.0), math.nan)


def _for_a_page(drawing: str) -> str:
    """The drawing as part of a page: its size left to the page, its colours the page's own."""
    text = drawing[drawing.index("<svg") :]
    head, body = text.split(">", 1)
    box = re.search(r'viewBox="[^"]*"', head)
    assert box, "matplotlib gives a view box"
    body = re.sub(r"<style.*?</style>", "", body, flags=re.DOTALL)
    body = re.sub(r"<!--.*?-->", "", body, flags=re.DOTALL)
    body = re.sub(r"(\.\d\d)\d+", r"\1", body)  # a hundredth of a point is less than one sees
    # Groups are named alike in every drawing, and nothing refers to them.
    body = re.sub(r'<g id="[^"]*"', "<g", body).replace("xlink:href", "href")
    body = body.replace(_INK, "currentColor").replace(_LINE, "var(--rule)")
    for number, colour in enumerate(_CURVES):
        body = body.replace(colour, f"var(--curve-{number})")
    return f'<svg {box.group()} aria-hidden="true">{body}'
