"""What belongs together is never divided; the share is as near as groups allow."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from purrtrait.datasets.pack import HELD_OUT, TRAIN
from purrtrait.datasets.split import joined, split

groups = st.lists(st.sampled_from("abcdefghijkl"), min_size=1, max_size=40)
shares = st.floats(0, 0.99)


@given(groups, shares, st.integers(0, 9))
def test_a_group_is_on_one_side(names: list[str], share: float, seed: int) -> None:
    sides = split(names, share, seed)
    assert len(sides) == len(names)
    assert len({(name, side) for name, side in zip(names, sides, strict=True)}) == len(set(names))
    assert sides.count(HELD_OUT) <= round(share * len(names))
    assert TRAIN in sides


@given(st.integers(1, 60), shares, st.integers(0, 9))
def test_rows_of_their_own_give_the_share_exactly(count: int, share: float, seed: int) -> None:
    sides = split([str(row) for row in range(count)], share, seed)
    assert sides.count(HELD_OUT) == min(round(share * count), count - 1)


def test_a_large_group_does_not_keep_small_ones_out() -> None:
    names = ["many"] * 60 + [f"one {number}" for number in range(40)]
    for seed in range(6):
        sides = split(names, 0.3, seed)
        assert sides.count(HELD_OUT) == 30
        assert sides[:60] == [TRAIN] * 60


def test_the_seed_decides() -> None:
    names = [str(row) for row in range(30)]
    assert len({tuple(split(names, 0.3, seed)) for seed in range(5)}) == 5
    assert split(names, 0.3, 7) == split(names, 0.3, 7)


def test_groups_that_share_a_copy_become_one() -> None:
    names = ["ann", "ann", "bob", "carl", "dora", "dora"]
    # bob's photo is the second of ann's; dora's first is carl's.
    found = joined(names, [0, 1, 1, 3, 3, 5])
    assert found[0] == found[1] == found[2]
    assert found[3] == found[4] == found[5]
    assert found[0] != found[3]
    assert joined(names, range(6)) == names
