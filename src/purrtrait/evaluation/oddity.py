"""How odd a picture is among its kind: what is far from everything is no face, or badly cut."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import normalize

from purrtrait.evaluation.distances import radii
from purrtrait.types import Features

NEIGHBOURS = 5


def oddity(features: Features, neighbours: int = NEIGHBOURS) -> Tensor:
    """The distance (N,) of each picture to the k-th nearest other one, over the median of all.

    (Ramaswamy et al. 2000, SIGMOD, section 2: outliers by the distance to the k-th neighbour.) 1 is
    usual; several equal pictures, up to k, do not hide each other. Distances are those of the
    features' directions: a picture with hardly anything in it has short features, which would pass
    for the middle of all.
    """
    found = radii(normalize(features), min(neighbours, len(features) - 1))
    return found / found.median().clamp_min(1e-12)
