"""Draws docs/images/balance.png: the losses of runs with different balances, and their portraits.

Run ``python docs/panels.py "A: TITLE"=runs/a-01 "B: TITLE"=runs/b-01 ...``; docs/balance.md says
how the runs are trained.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from purrtrait.evaluation.curves import running_mean
from purrtrait.training.run import Run

CURVES = {
    "generator/game": ("generator", "tab:green"),
    "verdict/loss-fake": ("critic, of fakes", "tab:blue"),
    "verdict/loss-real": ("critic, of reals", "tab:orange"),
}
SPAN = 5  # rows of the log to either side
SHOWN = 4  # portraits along a side
HIGHEST = 3.0  # nats; what lies above is cut


def curves(axes: Axes, run: Path) -> None:
    """The three losses over the pictures seen, and what a guess would lose."""
    lines = Run(run).scores.read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    rows = [row for row in rows if "generator/game" in row["scores"]]
    seen = np.array([row["images_seen"] for row in rows])
    for name, (label, colour) in CURVES.items():
        values = np.array([row["scores"][name] for row in rows])
        axes.plot(seen, values, color=colour, linewidth=0.5, alpha=0.4)
        axes.plot(seen, running_mean(values, SPAN), color=colour, label=label)
    axes.axhline(math.log(2), color="grey", linewidth=0.7, linestyle="--", label="a guess (ln 2)")
    axes.set(ylim=(0, HIGHEST), xlabel="pictures seen", ylabel="nats")


def portraits(axes: Axes, run: Path) -> None:
    """Some portraits of the last preview, enlarged."""
    last = max(Run(run).previews.glob("*.png"), key=lambda path: path.name)
    grid = np.asarray(Image.open(last).convert("RGB"))
    side = len(grid) // 8  # previews are 8 portraits wide
    axes.imshow(grid[: SHOWN * side, : SHOWN * side], interpolation="nearest")
    axes.set_axis_off()


def main() -> None:
    """Draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("panels", nargs="+", metavar="TITLE=RUN")
    panels = [panel.rsplit("=", 1) for panel in parser.parse_args().panels]
    figure = Figure(figsize=(3.6 * len(panels), 6.4), dpi=90, layout="constrained")
    upper, lower = figure.subplots(2, len(panels), squeeze=False)
    for (title, run), top, bottom in zip(panels, upper, lower, strict=True):
        top.set_title(title)
        curves(top, Path(run))
        portraits(bottom, Path(run))
    upper[0].legend(fontsize=8)
    figure.savefig(Path(__file__).parent / "images" / "balance.png")


if __name__ == "__main__":
    main()
