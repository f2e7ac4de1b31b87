"""Says in plain words when training goes wrong: it blew up, or a player has lost."""

from __future__ import annotations

import logging
import math
from collections.abc import Collection, Mapping

from purrtrait.types import Progress

log = logging.getLogger(__name__)

PATIENCE = 200  # steps for which something must be so before it is said
ZERO = 1e-3
HUGE = 50.0
EVERY = 2000  # steps before the same thing is said again


class Diverged(RuntimeError):  # noqa: N818 - it is said of a training, not of the program
    """A score is no longer a number: training cannot go on from here."""


HINTS = {
    "critic won": (
        "the critic tells real from fake every time (loss {critic:.2g}, real {real:.2g}, fake "
        "{fake:.2g}): the generator learns little from it. Lower the critic's learning rate, "
        "raise the penalty's weight, or use soft labels or input noise"
    ),
    "generator won": (
        "the generator's loss is near 0 ({generator:.2g}): the critic no longer tells its "
        "pictures from real ones. Raise the critic's learning rate or its moves"
    ),
    "verdicts saturated": (
        "the critic's verdicts are huge (real {real:.2g}, fake {fake:.2g}): its loss gives hardly "
        "any slope. Add a penalty (r1), clip, or lower its learning rate"
    ),
}


WON = ("critic won", "generator won")


class Guard:
    """Watches the scores of every step.

    The critic has won when it loses nothing, or when no verdict of a step is on the wrong side.

    ``won_at_zero`` names the players who have won when their loss is near 0 or below; in a
    Wasserstein game that means nothing.
    """

    def __init__(self, won_at_zero: Collection[str]) -> None:
        self.won_at_zero = won_at_zero
        self.lasted = dict.fromkeys(HINTS, 0)

    @property
    def won(self) -> bool:
        """Whether a player has won, and for so long that it is said."""
        return any(self.lasted[name] >= PATIENCE for name in WON)

    def look(self, now: Progress) -> list[str]:
        """Hints that are new; raises Diverged when a score is not finite.

        The length of a gradient may be infinite: the gradient may yet be limited, or its player not
        step. Where it did harm, the losses of the next step show it.
        """
        losses = {name: v for name, v in now.scores.items() if not name.endswith("/gradient")}
        wrong = [name for name, value in losses.items() if not math.isfinite(value)]
        if wrong:
            raise Diverged(
                f"training blew up: {', '.join(wrong)} stopped being a number after "
                f"{now.images_seen} images. Lower the learning rates (--set lr=...), limit the "
                "gradients (--set clamp=1), or go on from the last checkpoint with such a change: "
                "purrtrait resume RUN --set lr=..."
            )
        short = _short(now.scores)
        said = []
        for name, holds in self._signs(short).items():
            self.lasted[name] = (self.lasted[name] + 1) * holds
            if self.lasted[name] % EVERY == PATIENCE:
                said.append(HINTS[name].format(**short))
        return said

    def _signs(self, short: Mapping[str, float]) -> dict[str, bool]:
        right = short["critic"] < ZERO or short["accuracy"] == 1
        return {
            "critic won": "critic" in self.won_at_zero and right,
            "generator won": "generator" in self.won_at_zero and short["generator"] < ZERO,
            "verdicts saturated": "critic" in self.won_at_zero and short["largest"] > HUGE,
        }


def _short(scores: Mapping[str, float]) -> dict[str, float]:
    names = {
        "critic": "critic/game",
        "generator": "generator/game",
        "real": "verdict/real",
        "fake": "verdict/fake",
        "accuracy": "critic/accuracy",
    }
    found = {short: scores.get(name, math.nan) for short, name in names.items()}
    return {**found, "largest": max(abs(found["real"]), abs(found["fake"]))}
