"""Moving averages of losses and of gradients' lengths, and plain words on where they are going."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection, Mapping
from typing import Any

from purrtrait.types import Progress

NO_FACTS: Mapping[str, Any] = {}
KEPT = 0.99  # of an average in a step: it looks back some hundred steps
FOLLOWED = ("game", "gradient")  # terms of a player: what it loses, how steep that is
OBJECTIVE = "critic/game"
WINDOW = 500  # steps: a short time
QUIET = 0.1  # an average that moved by less than this share of its size has settled
JUMP = 2.0

HINTS = {
    "settled": (
        "the critic's objective has settled near {now:.3g}: its average moved by less than "
        "{quiet:.0%} in {window} steps. In a Wasserstein game that says that little is learnt any "
        "more: look at the previews, and stop or lower the learning rates (--set lr=...)"
    ),
    "jumped": (
        "the critic's objective is {factor:.1f} times what it was {window} steps ago, on average "
        "({before:.3g}, now {now:.3g}): portraits often get worse after that. Compare the "
        "previews, and go on from an earlier checkpoint with lower learning rates "
        "(--set lr=...) or, in a new run, with a larger latent"
    ),
}


class Trend:
    """Follows the scores of every step: e <- 0.99 e + 0.01 v, begun with the first value.

    A step in which any followed score is no number moves none of the averages. ``won_at_zero``
    names the players who have won when their loss is near 0: where the critic is none of them, its
    loss is a distance, and a level at which it stays, or which it leaves, says how far training has
    come. Where it can win, more loss may as well mean that it leads by less. ``facts`` is
    what a checkpoint holds of one, so that a resumed run goes on with its averages.
    """

    def __init__(self, won_at_zero: Collection[str], facts: Mapping[str, Any] = NO_FACTS) -> None:
        self.distance = "critic" not in won_at_zero
        self.averages: dict[str, float] = dict(facts.get("averages", {}))
        self.recent: deque[float] = deque(facts.get("recent", ()), maxlen=2 * WINDOW + 1)
        self.settled = bool(facts.get("settled", False))

    def facts(self) -> dict[str, Any]:
        """All that it remembers, as plain data."""
        return {
            "averages": dict(self.averages),
            "recent": list(self.recent),
            "settled": self.settled,
        }

    def look(self, now: Progress) -> list[str]:
        """What is to be said after this step: that the objective has settled, or has jumped."""
        followed = {name: v for name, v in now.scores.items() if name.split("/")[-1] in FOLLOWED}
        if not all(map(math.isfinite, followed.values())):
            return []
        for name, value in followed.items():
            before = self.averages.get(name, value)
            self.averages[name] = KEPT * before + (1 - KEPT) * value
        if OBJECTIVE not in self.averages:
            return []
        self.recent.append(self.averages[OBJECTIVE])
        return self._said() if len(self.recent) > WINDOW else []

    def scores(self) -> Mapping[str, float]:
        """The averages under the names by which they are logged, such as average/critic/game."""
        return {f"average/{name}": value for name, value in self.averages.items()}

    def _said(self) -> list[str]:
        if not self.distance:
            return []
        before, now = self.recent[-1 - WINDOW], self.recent[-1]
        if self._jumped(before, now):
            self.settled = False
            self.recent.clear()  # once told, it is measured from where it is now
            return self._words("jumped", before, now)
        if not self.settled and self._quiet():
            self.settled = True
            return self._words("settled", before, now)
        return []

    def _jumped(self, before: float, now: float) -> bool:
        """Whether it is a multiple of what it was: from a level, or beyond how it grew before.

        Nobody wonders that the objective grows at the beginning. So where it never settled it must
        have changed twice as much as in the window before, by its difference and by its factor.
        """
        if abs(now) < JUMP * abs(before):
            return False
        if self.settled:
            return True
        if len(self.recent) <= 2 * WINDOW:
            return False
        earlier = self.recent[0]
        faster = abs(now - before) >= JUMP * abs(before - earlier)
        return faster and abs(now) * abs(earlier) >= JUMP * before**2

    def _quiet(self) -> bool:
        short = list(self.recent)[-1 - WINDOW :]
        return max(short) - min(short) < QUIET * abs(short[-1])

    def _words(self, name: str, before: float, now: float) -> list[str]:
        factor = abs(now) / max(abs(before), 1e-12)
        words = HINTS[name].format(
            before=before, now=now, factor=factor, window=WINDOW, quiet=QUIET
        )
        return [words]
