"""Schedules: numbers that depend on how far training has come, and on nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, TypeAlias

from annotated_types import Ge

from purrtrait.types import Amount, Chance, Count, Progress, Schedule

# Names one of the players; a recipe whose stage has no such player is refused.
Whose: TypeAlias = Annotated[str, "a player"]


def constant(value: Amount) -> Schedule:
    """Always the same number.

    Args:
        value: the number
    """
    return lambda now: value


def linear(
    start: Amount, end: Amount, until_images: Count, from_images: Annotated[int, Ge(0)] = 0
) -> Schedule:
    """From one number to another in a straight line, and constant before and after.

    Args:
        start: the number up to from_images
        end: the number from until_images on
        until_images: real pictures seen when it arrives
        from_images: real pictures seen when it sets out
    """
    if until_images <= from_images:
        raise ValueError(
            f"a linear schedule ends at {until_images} images; expected more than its beginning, "
            f"{from_images}"
        )

    def value(now: Progress) -> float:
        way = (now.images_seen - from_images) / (until_images - from_images)
        return start + (end - start) * min(1.0, max(0.0, way))

    return value


def decay(start: Amount, factor: Amount, every_images: Count, floor: Amount = 0.0) -> Schedule:
    """Multiplied by a factor after every so many real pictures, never below a floor.

    Args:
        start: the number at the beginning
        factor: what it is multiplied with, such as 0.99
        every_images: real pictures between two multiplications
        floor: the smallest number
    """
    if every_images < 1:
        raise ValueError(f"every_images is {every_images}; expected at least 1")
    return lambda now: max(floor, start * factor ** (now.images_seen // every_images))


def ending(start: Amount, end: Amount, share: Chance, budget: int) -> Schedule:
    """The same number until the last share of the budget, then in a straight line to another.

    The one schedule that looks at the stage's budget: with another budget it runs another way.

    Args:
        start: the number until the end begins
        end: the number when the budget is used up
        share: the last part of the budget in which it changes, such as 0.4
        budget: the stage's budget in real pictures
    """
    if not 0 < share <= 1:
        raise ValueError(f"share is {share}; expected a part of the budget, above 0 and up to 1")
    return linear(
        start, end, until_images=budget, from_images=budget - max(1, round(share * budget))
    )


def rounds(start: Amount, end: Amount, last: Count, first: Annotated[int, Ge(0)] = 0) -> Schedule:
    """From one number to another in a straight line, as the pack goes by again and again.

    For what keeps a critic from knowing pictures by heart: small packs need it early, large ones
    late or never.

    Args:
        start: the number up to the round first
        end: the number from the round last on
        last: times that the pack has gone by when it arrives
        first: times that the pack has gone by when it sets out
    """
    if last <= first:
        raise ValueError(
            f"a schedule by rounds ends at {last}; expected more than its beginning, {first}"
        )

    def value(now: Progress) -> float:
        way = (now.round - first) / (last - first)
        return start + (end - start) * min(1.0, max(0.0, way))

    return value


def bursts(
    usual: Amount, burst: Amount, first: int = 25, every: Count = 500, player: Whose = "generator"
) -> Schedule:
    """A usual number, and another in the first moves of a player and at every so-many-th.

    WGAN's number of critic moves: 5, but 100 while the generator has made fewer than 25 moves or
    a multiple of 500 (Arjovsky et al. 2017, their published code).

    Args:
        usual: the number at most times
        burst: the number in a burst
        first: moves of the player for which the first burst lasts
        every: another burst at each multiple of so many moves of the player
        player: whose moves are counted
    """

    def value(now: Progress) -> float:
        moves = now.moves.get(player, 0)
        return burst if moves < first or moves % every == 0 else usual

    return value


# Calls up to which a player's rate is divided, and by how much; afterwards it is whole.
WARM_UP = ((10, 50), (30, 5))


def warm_up(usual: Amount, player: Whose, factor: Amount = 1.0, floor: Amount = 0.0) -> Schedule:
    """Small in the first turns of a player, then a number that falls with every round.

    torch-gan's learning rate: usual * factor^round, never below the floor; a fiftieth of that in
    the player's first 10 turns and a fifth in the next 20. Turns in which it does not step count.

    Args:
        usual: the number after the warm-up, in the first round
        player: whose turns are counted
        factor: what it is multiplied with each time that the pack has gone by, such as 0.99
        floor: the smallest number, before it is divided
    """

    def value(now: Progress) -> float:
        turns = now.moves.get(player, 0)
        parts = next((parts for until, parts in WARM_UP if turns < until), 1)
        return max(floor, usual * factor**now.round) / parts

    return value


SCHEDULES: dict[str, Callable[..., Schedule]] = {
    "constant": constant,
    "linear": linear,
    "decay": decay,
    "ending": ending,
    "rounds": rounds,
    "bursts": bursts,
    "warm-up": warm_up,
}
