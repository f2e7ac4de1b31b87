"""What a pack is ordered with, and what of it has to hold."""

from __future__ import annotations

import difflib
import hashlib
from dataclasses import dataclass
from pathlib import Path

from purrtrait.datasets import PARSERS
from purrtrait.datasets.photo import Collection, ParserEntry

SMALLEST, LARGEST = 8, 1024  # sizes of a pack in pixels


@dataclass(frozen=True)
class Order:
    """What a pack is made from and how.

    ``parser``: a name of the table; ``source``: the folder it reads, for parsers that need one.
    ``size``: side in pixels, 8 ... 1024. ``count``: how many photos, None for the parser's default
    (a folder: all). ``grey``: one channel. ``seed`` keys what is drawn, which photos are taken when
    ``count`` is below what there is, and the split. ``split``: the share that is held out.
    ``exclude``: a text file of photos' names, one a line, that are left out.
    ``flip_natural``: whether a mirror image is as likely as the picture; None for the parser's.
    """

    parser: str
    size: int = 64
    count: int | None = None
    grey: bool = False
    seed: int = 0
    split: float = 0.1
    source: Path | None = None
    flip_natural: bool | None = None
    exclude: Path | None = None


def expect_order(order: Order) -> ParserEntry:
    """Find the order's row in the table of parsers; ValueError if a value is out of range."""
    if order.parser not in PARSERS:
        near = difflib.get_close_matches(order.parser, PARSERS, 1, 0.0)[0]
        raise ValueError(
            f"There is no parser {order.parser!r}: did you mean {near!r}? "
            f"Expected one of {', '.join(PARSERS)}."
        )
    entry = PARSERS[order.parser]
    for fits, found, expected in (
        (SMALLEST <= order.size <= LARGEST, f"size {order.size}", f"{SMALLEST} to {LARGEST}"),
        (order.count is None or order.count >= 1, f"count {order.count}", "at least 1"),
        (0 <= order.split < 1, f"split {order.split}", "a share from 0 to below 1"),
        (0 <= order.seed < 2**64, f"seed {order.seed}", "a whole number from 0 to below 2^64"),
        (
            entry.needs_source == (order.source is not None),
            f"source {order.source} for {order.parser}",
            "a folder" if entry.needs_source else "none, its pictures come with purrtrait",
        ),
    ):
        if not fits:
            raise ValueError(f"Found {found}, expected {expected}.")
    return entry


def flips(order: Order, entry: ParserEntry) -> bool:
    """Whether the pack will say that a mirror image is natural."""
    return entry.flip_natural if order.flip_natural is None else order.flip_natural


def described_as(
    order: Order, entry: ParserEntry, count: int | None, collection: Collection
) -> dict[str, object]:
    """Fill in the order's defaults and the source's fingerprint: two alike are one pack."""
    return {
        "parser": order.parser,
        "source": None if order.source is None else order.source.resolve().as_posix(),
        "fingerprint": collection.fingerprint,
        "size": order.size,
        "count": count,
        "grey": order.grey,
        "seed": order.seed,
        "split": order.split,
        "flip_natural": flips(order, entry),
        **excluded_as(order),
    }


def excluded(order: Order) -> frozenset[str]:
    """The names in the list of what to leave out; ValueError if it cannot be read.

    A line that begins with # is a comment; a photo whose name does is written as ./#name.
    """
    if order.exclude is None:
        return frozenset()
    try:
        lines = order.exclude.read_text("utf-8-sig", "surrogateescape").split("\n")
    except OSError as error:
        raise ValueError(
            f"The list {order.exclude} cannot be read ({error.strerror}): expected a text file "
            "with the name of a photo on each line, such as exclude.txt of `purrtrait screen`."
        ) from error
    said = (line.rstrip() for line in lines)  # names end in no space, but may begin with one
    return frozenset(n.removeprefix("./") for n in said if n and not n.startswith("#"))


def excluded_as(order: Order) -> dict[str, object]:
    """What the order says of the list: nothing where there is none, so that older packs fit."""
    if order.exclude is None:
        return {}
    names = "\n".join(sorted(excluded(order)))
    return {"exclude": hashlib.sha256(names.encode("utf-8", "surrogateescape")).hexdigest()}
