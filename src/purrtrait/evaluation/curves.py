"""Draws the scores of a run as curves: SVG that takes its colours from the page around it."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Sequence
from typing import Any, TypeAlias

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator

COLOURS = 6  # the page defines --curve-0 to --curve-5
MANY = 40  # rows from which on a mean is drawn over the single steps
SPAN = 30  # that mean goes over such a part of the rows to either side
POINTS = 300  # parts of a line whose extremes are drawn; a panel is about as many pixels wide

_NOTHING = (-0.055, 0.055)  # the heights of axes in which nothing could be drawn yet

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


class Paper:
    """An empty pair of axes on which one drawing is made after the other.

    To make axes and their ticks takes about as long as to draw with them.
    """

    def __init__(self) -> None:
        with mpl.rc_context(_STYLE):
            self._figure = Figure(figsize=(4.4, 2.4))
            self._axes = axes = self._figure.add_axes((0.12, 0.19, 0.86, 0.71))
            axes.set_xlabel("images seen")
            axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
            axes.xaxis.set_major_formatter(EngFormatter(sep=""))
            axes.yaxis.set_major_locator(MaxNLocator(5))
            axes.grid(alpha=0.5, linewidth=0.5)
            axes.spines[["top", "right"]].set_visible(False)

    def svg(
        self,
        seen: np.ndarray,
        curves: Sequence[np.ndarray],
        salt: str,
        mean_from_rows: float = MANY,
    ) -> str:
        """The curves (each (N,), NaN where there is a gap) over the images seen (N,), as an SVG.

        ``salt`` keeps the names within the element apart from those of others in the page.
        """
        return self.drawing([(seen, values) for values in curves], salt, mean_from_rows)

    def drawing(self, lines: Sequence[Line], salt: str, mean_from_rows: float = MANY) -> str:
        """Lines that each have images seen of their own, as an SVG."""
        axes = self._axes
        with mpl.rc_context({**_STYLE, "svg.hashsalt": salt}):
            for colour, (seen, values) in zip(_CURVES * len(lines), lines, strict=False):
                _draw(axes, seen, values, colour, mean_from_rows)
            axes.set_xlim(0, max(1.0, *(float(seen.max()) for seen, _ in lines)))
            page = io.StringIO()
            # Without metadata the drawing names no address and no date.
            nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
            self._figure.savefig(page, format="svg", transparent=True, metadata=nothing)
        for line in [*axes.lines]:
            line.remove()
        axes.relim()  # or the next drawing would show the heights of this one as well
        axes.set_ylim(_NOTHING, auto=True)
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
