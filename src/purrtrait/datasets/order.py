"""What a pack is ordered with, and what of it has to hold."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from purrtrait.datasets import PARSERS
from purrtrait.datasets.alike import COPIES
from purrtrait.datasets.cut import LEAST_SIDE
from purrtrait.datasets.detect import FINDERS
from purrtrait.datasets.photo import Collection, ParserEntry
from purrtrait.datasets.screen import SCREENS
from purrtrait.images.align import ALIGNMENTS
from purrtrait.words import lookup

SMALLEST, LARGEST = 8, 1024  # sizes of a pack in pixels
FOUND = frozenset({"box", "left eye", "right eye"})  # what a search may tell of a face


@dataclass(frozen=True)
class Order:
    """What a pack is made from and how.

    ``parser``: a name of the table; ``source``: the folder it reads, for parsers that need one.
    ``size``: side in pixels, 8 ... 1024. ``count``: how many photos, None for the parser's default
    (a folder: all). ``grey``: one channel. ``seed`` keys what is drawn, which photos are taken when
    ``count`` is below what there is, and the split. ``split``: the share that is held out.
    ``exclude``: a text file of photos' names, one a line, that are left out.
    ``flip_natural``: whether a mirror image is as likely as the picture; None for the parser's.
    ``find``: a name of the table of finders, which search photos for faces; None takes what the
    parser knows of them. ``align``: a name of the table of alignments; None for the parser's, or
    for ``box`` where faces are searched. ``least``: photo pixels that a portrait must have along
    its side. ``screens``: what portraits have to pass; None for the parser's.
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
    find: str | None = None
    align: str | None = None
    least: int = LEAST_SIDE
    screens: tuple[str, ...] | None = None


def expect_order(order: Order) -> ParserEntry:
    """Find the order's row in the table of parsers; ValueError if a value is out of range."""
    entry = lookup(PARSERS, "parser", order.parser)
    for fits, found, expected in (
        (SMALLEST <= order.size <= LARGEST, f"size {order.size}", f"{SMALLEST} to {LARGEST}"),
        (order.count is None or order.count >= 1, f"count {order.count}", "at least 1"),
        (0 <= order.split < 1, f"split {order.split}", "a share from 0 to below 1"),
        (0 <= order.seed < 2**64, f"seed {order.seed}", "a whole number from 0 to below 2^64"),
        (order.least >= LEAST_SIDE, f"least {order.least}", f"at least {LEAST_SIDE} pixels"),
        (
            entry.needs_source == (order.source is not None),
            f"source {order.source} for {order.parser}",
            "a folder" if entry.needs_source else "none, its pictures come with purrtrait",
        ),
    ):
        if not fits:
            raise ValueError(f"Found {found}, expected {expected}.")
    for name in wanted_screens(order, entry):
        lookup({**SCREENS, **COPIES}, "screen", name)
    _expect_points(order, entry)
    return entry


def _expect_points(order: Order, entry: ParserEntry) -> None:
    """ValueError if the alignment needs to know more of faces than anybody can tell."""
    align = alignment(order, entry)
    knows = entry.knows
    if order.find is not None:
        lookup(FINDERS, "finder", order.find)
        knows = FOUND
    missing = lookup(ALIGNMENTS, "alignment", align).needs - knows
    if missing:
        said = "a search tells" if order.find else f"{order.parser} tells"
        least = [name for name, known in ALIGNMENTS.items() if known.needs <= knows]
        raise ValueError(
            f"The alignment {align} needs the {', the '.join(sorted(missing))} of each face, "
            f"which {said} nothing about: choose one of {', '.join(least)}, or search for faces "
            f"with one of the finders {', '.join(FINDERS)}."
        )


def alignment(order: Order, entry: ParserEntry, collection: Collection | None = None) -> str:
    """The name of the alignment that is asked for, or suits what was found."""
    suits = (collection.align if collection else "") or entry.align
    return order.align or (suits if order.find is None else "box")


def wanted_screens(order: Order, entry: ParserEntry) -> tuple[str, ...]:
    """The names of the screens that portraits have to pass."""
    return entry.screens if order.screens is None else order.screens


def seeks_copies(order: Order, entry: ParserEntry) -> bool:
    """Whether pictures are compared with each other: photos always, drawn ones if asked for."""
    return entry.photographs or not COPIES.keys().isdisjoint(wanted_screens(order, entry))


def flips(order: Order, entry: ParserEntry) -> bool:
    """Whether the pack will say that a mirror image is natural."""
    return entry.flip_natural if order.flip_natural is None else order.flip_natural


def described_as(
    order: Order, entry: ParserEntry, count: int | None, collection: Collection
) -> dict[str, object]:
    """Fill in the order's defaults and the source's fingerprint: two alike are one pack."""
    return {
        "parser": order.parser,
        "source": _named(order.source),
        "fingerprint": collection.fingerprint,
        "size": order.size,
        "count": count,
        "grey": order.grey,
        "seed": order.seed,
        "split": order.split,
        "flip_natural": flips(order, entry),
        **excluded_as(order),
        **_unusual(order, entry, collection),
    }


def _named(source: Path | None) -> str | None:
    """A source as a manifest names it: what is no file or folder may be a dataset elsewhere."""
    if source is None:
        return None
    return (source.resolve() if source.exists() else source).as_posix()


def _unusual(order: Order, entry: ParserEntry, collection: Collection) -> dict[str, object]:
    """What the order says of faces and screens: nothing where it says nothing."""
    said: dict[str, tuple[object, object]] = {
        "find": (order.find, None),
        "align": (alignment(order, entry, collection), "none"),
        "least": (order.least, LEAST_SIDE),
        "screens": (list(wanted_screens(order, entry)), []),
    }
    return {name: value for name, (value, usual) in said.items() if value != usual}


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
    if any("\0" in line for line in lines):
        raise ValueError(
            f"The list {order.exclude} is no text: expected the name of a photo on each line, such "
            "as exclude.txt of `purrtrait screen`."
        )
    said = (line.rstrip() for line in lines)  # names end in no space, but may begin with one
    return frozenset(n.removeprefix("./") for n in said if n and not n.startswith("#"))


def excluded_as(order: Order) -> dict[str, object]:
    """What the order says of the list: nothing where there is none, so that older packs fit."""
    if order.exclude is None:
        return {}
    names = "\n".join(sorted(excluded(order)))
    return {"exclude": hashlib.sha256(names.encode("utf-8", "surrogateescape")).hexdigest()}
