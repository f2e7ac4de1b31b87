"""Says in plain words when the generator draws little more than one picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

ALIKE = 0.5  # of the diversity of real pictures
MANY = 0.2  # share of duplicates
AGAIN = 5  # moments of scoring before the same thing is said again

WORDS = (
    "the portraits are too much alike: they differ {diversity:.0%} as much as real pictures do, "
    "and {duplicates:.0%} of them are nearly the same as another one. Early in a training this "
    "passes by itself. Otherwise the generator has collapsed to what pleases the critic: go on "
    "from an earlier checkpoint (train --start-from), with a lower learning rate of the generator, "
    "the game 'relativistic', a penalty (r1, r1-r2), or more moves of the critic"
)


def hint(history: Sequence[Mapping[str, float]]) -> str | None:
    """What to say of a stage's scores, oldest first, of which the last are new; None for nothing.

    It is said when portraits become too much alike, and once in a while for as long as they are.
    A generator that has only begun is given time until the second scores.
    """
    lasted = 0
    for scores in reversed(history):
        if not _alike(scores):
            break
        lasted += 1
    silent = lasted == len(history)
    if lasted == silent or (lasted - silent) % AGAIN != 1:
        return None
    short = {name.removeprefix("score/"): value for name, value in history[-1].items()}
    return WORDS.format(diversity=short["diversity"], duplicates=short["duplicates"])


def _alike(scores: Mapping[str, float]) -> bool:
    return scores["score/diversity"] < ALIKE or scores["score/duplicates"] > MANY
