"""Moving averages against their formula, and words on levels and jumps."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable

import pytest

from purrtrait.training.record import SCORES
from purrtrait.training.trend import FOLLOWED, WINDOW, Trend
from purrtrait.types import Progress

LOSS, STEEP = "critic/game", "generator/gradient"


def told(trend: Trend, values: Iterable[float], name: str = LOSS) -> list[str]:
    return [hint for value in values for hint in trend.look(Progress(scores={name: value}))]


def test_averages_begin_with_the_first_value_and_follow_by_a_hundredth() -> None:
    trend, values = Trend(()), [3.0, -1.0, 0.5, 8.0]
    expected = values[0]
    for value in values:
        trend.look(Progress(scores={LOSS: value, STEEP: 10 * value, "critic/lr": 5.0}))
        expected = 0.99 * expected + 0.01 * value
    assert trend.averages == {LOSS: pytest.approx(expected), STEEP: pytest.approx(10 * expected)}
    assert trend.scores() == {f"average/{name}": v for name, v in trend.averages.items()}


def test_every_average_is_explained() -> None:
    followed = [name for name in SCORES if name.split("/")[-1] in FOLLOWED]
    own = {name for name in followed if not name.startswith("average/")}
    assert {f"average/{name}" for name in own} == set(followed) - own


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("where", [LOSS, STEEP])
def test_a_step_without_numbers_moves_none_of_them(bad: float, where: str) -> None:
    trend = Trend(())
    trend.look(Progress(scores={LOSS: 1.0, STEEP: 2.0}))
    trend.look(Progress(scores={LOSS: 5.0, STEEP: 5.0} | {where: bad}))
    assert trend.averages == {LOSS: 1.0, STEEP: 2.0}
    trend = Trend(())
    trend.look(Progress(scores={LOSS: 1.0, STEEP: 2.0} | {where: bad}))
    assert trend.averages == {}


def test_an_objective_that_settles_is_told_once() -> None:
    trend = Trend(())
    assert told(trend, [-0.4] * WINDOW) == []
    (hint,) = told(trend, [-0.4, -0.41] * 5 * WINDOW)
    assert "settled near -0.4" in hint


@pytest.mark.parametrize("factor", [2.5, -3.0])
def test_a_jump_from_a_level_is_told_with_its_size(factor: float) -> None:
    trend = Trend(())
    told(trend, [-0.4] * 2 * WINDOW)
    (hint,) = told(trend, [-0.4 * factor] * WINDOW)
    assert "2.0 times" in hint
    assert "-0.4" in hint
    (hint,) = told(trend, [-0.4 * factor] * 3 * WINDOW)
    assert "settled" in hint


def test_growth_at_the_beginning_and_slow_drift_are_no_jumps() -> None:
    rising = [-0.001 * 2 ** (step / WINDOW) for step in range(6 * WINDOW)]
    assert told(Trend(()), rising) == []
    trend = Trend(())
    told(trend, [-0.4] * 2 * WINDOW)
    assert told(trend, [-0.4 * 1.0003**step for step in range(8 * WINDOW)]) == []


def swinging(steps: int, level: float = -0.4) -> list[float]:
    """An objective whose average never keeps still for long."""
    return [level * (1 + 0.3 * math.sin(step / 50)) for step in range(steps)]


def test_a_jump_is_told_where_nothing_ever_settled() -> None:
    trend = Trend(())
    assert told(trend, swinging(3 * WINDOW)) == []
    assert told(trend, swinging(WINDOW, -0.55)) == []
    (hint,) = told(trend, swinging(2 * WINDOW, -1.65))
    assert "times what it was" in hint
    assert not trend.settled


@pytest.mark.parametrize(
    "grown",
    [
        lambda step: 0.001 * (step + 1),
        lambda step: 0.001 * 3 ** (step / WINDOW),
        lambda step: (step / WINDOW) ** 2,
        lambda step: math.tanh(step / WINDOW) * (1 + 0.5 * math.sin(step / 50)),
        lambda step: 1 - step / WINDOW / 2,
    ],
)
def test_no_kind_of_growth_is_a_jump(grown: Callable[[int], float]) -> None:
    """Nor is a change of the sign, near which any number is many times another."""
    hints = told(Trend(()), [-grown(step) for step in range(4 * WINDOW)])
    assert [hint for hint in hints if "times what it was" in hint] == []


def test_a_checkpoint_with_a_shorter_memory_goes_on() -> None:
    """As they were written when one window was kept."""
    whole = Trend(())
    told(whole, [-0.4] * 3 * WINDOW)
    facts = whole.facts()
    short = Trend((), facts | {"recent": facts["recent"][-WINDOW - 1 :]})
    (hint,) = told(short, [-1.2] * WINDOW)
    assert "2.0 times" in hint
    young = Trend((), {"averages": {LOSS: -0.4}, "recent": [-0.4] * 5})
    assert told(young, swinging(WINDOW)) == []


def test_where_the_critic_can_win_neither_a_level_nor_a_jump_says_anything() -> None:
    """From 0.2 to 0.6 it leads by less, and the game may be the better for it."""
    trend = Trend(("critic", "generator"))
    assert told(trend, [0.2] * 4 * WINDOW) == []
    assert told(trend, [0.6] * WINDOW) == []
    assert len(told(Trend(()), [0.2] * 4 * WINDOW + [0.6] * WINDOW)) == 2


def test_without_a_critic_there_is_nothing_to_say() -> None:
    trend = Trend(())
    assert told(trend, [1.0] * 3 * WINDOW + [9.0] * WINDOW, STEEP) == []
    assert trend.averages[STEEP] > 8


def test_what_a_checkpoint_holds_goes_on_as_if_nothing_had_been() -> None:
    whole, first = Trend(()), Trend(())
    values = [3.0 + 0.01 * step for step in range(700)]
    steps = [Progress(scores={"critic/game": value}) for value in values]
    for now in steps:
        whole.look(now)
    for now in steps[:350]:
        first.look(now)
    second = Trend((), json.loads(json.dumps(first.facts())))
    for now in steps[350:]:
        second.look(now)
    assert second.facts() == whole.facts()
    assert second.scores() == whole.scores()
