"""Divides the rows of a pack between training and scores; what belongs together stays together."""

from __future__ import annotations

from collections.abc import Sequence

from purrtrait.datasets.pack import HELD_OUT, TRAIN
from purrtrait.types import Draw


def split(groups: Sequence[str], share: float, seed: int) -> list[str]:
    """Return the split of each row, of which ``share`` are held out, or a few less.

    Rows of one group (a person's photos, copies of a photo) are never divided. Groups are taken in
    an order keyed by the seed, passing over those that would make the held-out part too large; at
    least one group is left to train on.
    """
    rows: dict[str, int] = {}
    for group in groups:
        rows[group] = rows.get(group, 0) + 1
    names = list(rows)
    most = min(round(share * len(groups)), len(groups) - 1)
    chosen: set[str] = set()
    count = 0
    for place in Draw(seed, "prepare", 0).permutation(len(names), "split").tolist():
        group = names[place]
        if count + rows[group] <= most and len(chosen) + 1 < len(names):
            chosen.add(group)
            count += rows[group]
    return [HELD_OUT if group in chosen else TRAIN for group in groups]


def joined(groups: Sequence[str], families: Sequence[int]) -> list[str]:
    """Return the group of each row, where groups that share a family of copies become one.

    ``families`` gives for each row the first row that shows the same photo, or itself.
    """
    parents = {group: group for group in groups}
    for row, first in enumerate(families):
        one, other = _root(parents, groups[first]), _root(parents, groups[row])
        parents[other] = one
    return [_root(parents, group) for group in groups]


def _root(parents: dict[str, str], group: str) -> str:
    while parents[group] != group:
        parents[group] = parents[parents[group]]
        group = parents[group]
    return group
