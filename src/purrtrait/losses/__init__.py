"""The tables of games and penalties."""

from collections.abc import Callable

from purrtrait.losses import games, penalties
from purrtrait.losses.exchange import Game, Penalty

GAMES: dict[str, Callable[..., Game]] = {
    "non-saturating": games.non_saturating,
    "least-squares": games.least_squares,
    "hinge": games.hinge,
    "wasserstein": games.wasserstein,
    "relativistic": games.relativistic,
}

PENALTIES: dict[str, Callable[..., Penalty]] = {
    "none": penalties.none,
    "unit-norm": penalties.unit_norm,
    "r1": penalties.r1,
    "r1-r2": penalties.r1_r2,
}
