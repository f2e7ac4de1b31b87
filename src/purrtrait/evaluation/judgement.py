"""What a judgement says: each score with its uncertainty, its floor and its ceilings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from operator import index
from pathlib import Path
from typing import Any

from purrtrait.evaluation.metric import MEANINGS, Meaning
from purrtrait.files import reason

SCHEMA = 1
FILE = "scores.json"  # in a run folder
NEIGHBOURS = "neighbours.png"  # beside it: the samples nearest to training pictures, with these
CEILINGS = ("blurred reals", "noise")


@dataclass(frozen=True)
class Score:
    """A number and what it takes to read it.

    ``error`` is the standard error that comes from having drawn only so many samples (of `leaning`,
    from having held out pictures by lot); ``floor`` the same score of as many real pictures in the
    place of samples, which are training pictures, or held-out ones where a score knows those;
    ``ceilings`` that of pictures which are plainly bad, by what they are. ``total`` is of how many
    it counts, if it is a count that cannot be higher.
    """

    value: float
    error: float | None = None
    floor: float | None = None
    ceilings: Mapping[str, float] = field(default_factory=dict)
    total: int | None = None

    @property
    def said(self) -> str:
        """The value as text, and of how many it is."""
        return number(self.value) + ("" if self.total is None else f" of {number(self.total)}")


def beside(
    values: Mapping[str, float],
    errors: Mapping[str, float],
    bounds: Mapping[str, Mapping[str, float]],
) -> dict[str, Score]:
    """Scores by name, each with its error and its bounds: the floor comes first, then CEILINGS."""
    floor, *worse = bounds.values()
    ceilings = {
        name: {what: bad[name] for what, bad in zip(CEILINGS, worse, strict=True)}
        for name in values
    }
    return {n: Score(v, errors[n], floor[n], ceilings[n]) for n, v in values.items()}


@dataclass(frozen=True)
class Judgement:
    """Scores of some pictures against the held-out part of a pack, and how to come by them again.

    ``reference`` counts the held-out pictures; ``notes`` say what a reader should know, such as a
    score that refused itself. ``copying`` is the finding in a sentence, with a histogram: shares of
    samples and of unseen pictures by their distance to the nearest training picture; and the
    samples that come closest. ``origin`` says what was judged, and with which versions.
    """

    subject: str
    pack: str
    extractor: str
    samples: int
    reference: int
    scores: Mapping[str, Score]
    notes: tuple[str, ...] = ()
    copying: Mapping[str, Any] = field(default_factory=dict)
    origin: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """The text of scores.json."""
        return json.dumps({"schema": SCHEMA, **asdict(self)}, indent=1) + "\n"

    @classmethod
    def read(cls, path: Path) -> Judgement:
        """The judgement in a file; ValueError if it cannot be read."""
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            newer = found.pop("schema") > SCHEMA
            found["scores"] = {name: _score(**said) for name, said in found["scores"].items()}
            found["notes"] = tuple(map(str, found["notes"]))
            made = cls(**found)
            _expect_showable(made)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f"{path} cannot be read as scores ({reason(error)}); delete it and evaluate again"
            ) from None
        if newer:
            raise ValueError(f"{path} was written by a later version of purrtrait; install that")
        return made

    def rows(self) -> list[tuple[str, ...]]:
        """A table: score, value, standard error, floor, ceilings, which direction is better."""
        return [("score", "value", "±", "floor", "ceiling", "better"), *map(_row, *_parts(self))]


def _score(
    value: Any,
    error: Any = None,
    floor: Any = None,
    ceilings: Mapping[str, Any] | None = None,
    total: Any = None,
) -> Score:
    """A score from a file; ValueError or TypeError where a number is none."""
    scatter, real = (None if other is None else float(other) for other in (error, floor))
    bad = {what: float(score) for what, score in (ceilings or {}).items()}
    return Score(float(value), scatter, real, bad, None if total is None else index(total))


def _expect_showable(made: Judgement) -> None:
    """TypeError, ValueError or KeyError where a report could not show what was read."""
    said, origin = made.copying, made.origin
    if not (isinstance(said, dict) and isinstance(origin, dict)):
        raise TypeError("copying and origin are no objects")
    for count in (made.samples, made.reference, origin.get("images_seen", 0)):
        index(count)
    for name in ("edges", "samples", "unseen", "threshold") if "edges" in said else ():
        if not [float(value) for value in said[name]]:
            raise ValueError(f"the histogram has no {name}")


def _parts(judgement: Judgement) -> tuple[list[str], list[Score]]:
    return list(judgement.scores), list(judgement.scores.values())


def _row(name: str, score: Score) -> tuple[str, ...]:
    ceilings = ", ".join(f"{number(value)} {what}" for what, value in score.ceilings.items())
    return (
        name,
        score.said,
        "" if score.error is None else number(score.error),
        "" if score.floor is None else number(score.floor),
        ceilings,
        meaning(name),
    )


def explained(name: str) -> Meaning:
    """What a score says; those of one kind share an entry, such as modes/*."""
    kind = name if name in MEANINGS else f"{name.partition('/')[0]}/*"
    return MEANINGS.get(kind, Meaning("neither", "a score of another version of purrtrait"))


def meaning(name: str) -> str:
    """Which direction of a score is better, or nothing."""
    better = explained(name).better
    return "" if better == "neither" else better


def number(value: float) -> str:
    """A score with as many digits as can be read."""
    if abs(value) >= 100 or float(value).is_integer():
        return f"{value + 0.0:,.0f}"  # and no "-0"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3g}"
