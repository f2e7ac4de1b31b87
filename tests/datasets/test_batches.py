"""Which pictures come when: every row once a round, by the place on the clock alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from purrtrait.datasets.batches import Feed
from purrtrait.images.resize import to_images
from purrtrait.images.vary import VARIATIONS
from purrtrait.types import Draw, Images, Progress, Share

IMAGES = np.random.default_rng(0).integers(0, 256, (30, 8, 8, 3), dtype=np.uint8)
ROWS = np.arange(4, 27)  # 23 of them, not from the first on


def feed(
    batch: int = 5, seed: int = 1, stage: str = "base", share: Share = Share(), **more: Any
) -> Feed:
    return Feed(IMAGES, ROWS, batch, Draw(seed, stage, 0, share), **more)


def rows(made: Feed, count: int, first: int = 0) -> list[int]:
    """The rows of so many images, in order."""
    found: list[int] = []
    while len(found) < count:
        found += made.picked(first + len(found)).tolist()
    return found[:count]


@pytest.mark.parametrize("batch", [1, 5, 23, 24, 100])
def test_every_row_comes_once_a_round(batch: int) -> None:
    made = feed(batch)
    assert len(made) == 23
    seen = rows(made, 23 * 5)
    for number in range(5):
        assert sorted(seen[23 * number : 23 * (number + 1)]) == ROWS.tolist()


def test_each_round_has_an_order_of_its_own() -> None:
    seen = rows(feed(), 23 * 5)
    orders = {tuple(seen[23 * number : 23 * (number + 1)]) for number in range(5)}
    assert len(orders) == 5
    assert tuple(ROWS) not in orders


def test_rows_follow_from_seed_stage_and_clock_alone() -> None:
    made = feed()
    late = made.picked(1000)
    assert np.array_equal(late, feed().picked(1000))
    made.picked(3)
    assert np.array_equal(late, made.picked(1000))
    assert rows(feed(batch=5), 100) == rows(feed(batch=7), 100)  # the order of a round is its own
    assert rows(feed(seed=2), 23) != rows(feed(), 23)
    assert rows(feed(stage="detail"), 23) != rows(feed(), 23)


def test_torch_and_numpy_are_left_alone() -> None:
    torch.manual_seed(0)
    np.random.seed(0)
    first = feed(mirror=0.5).portraits(Progress(7, position=2))
    torch.manual_seed(9)
    np.random.seed(9)
    before = torch.get_rng_state()
    assert torch.equal(first, feed(mirror=0.5).portraits(Progress(7, position=2)))
    assert torch.equal(before, torch.get_rng_state())


def test_portraits_are_the_pictures() -> None:
    made = feed()
    now = Progress(images_seen=20, position=4)
    expected = to_images(IMAGES[made.picked(20)])
    found = made.portraits(now)
    assert found.shape == (5, 3, 8, 8)
    assert torch.equal(found, expected)
    assert found.min() >= -1
    assert found.max() <= 1


@pytest.mark.parametrize("ranks", [2, 3])
def test_shares_of_ranks_join_to_the_global_batch(ranks: int) -> None:
    now = Progress(images_seen=18, position=3)
    whole = feed(6, mirror=0.5)
    parts = [feed(6, mirror=0.5, share=Share(rank, ranks)) for rank in range(ranks)]
    joined = torch.cat([part.portraits(now) for part in parts])
    assert torch.equal(joined, whole.portraits(now))
    drawn = [part.draw(now).normal((6 // ranks, 4), "noise") for part in parts]
    assert torch.equal(torch.cat(drawn), whole.draw(now).normal((6, 4), "noise"))


def test_position_alone_decides_randomness() -> None:
    made = feed()
    at = [made.draw(Progress(seen, position=3)).normal((2, 2), "noise") for seen in (0, 50)]
    assert torch.equal(*at)
    other = made.draw(Progress(0, position=4)).normal((2, 2), "noise")
    assert not torch.equal(at[0], other)


def test_about_half_are_mirrored_and_only_when_asked() -> None:
    for mirror, low, high in ((0.0, 0, 0), (0.5, 0.4, 0.6), (1.0, 1, 1)):
        made = feed(400, mirror=mirror)
        plain = to_images(IMAGES[made.picked(0)])
        found = made.portraits(Progress(position=1))
        flipped = (found == plain.flip(3)).flatten(1).all(1)
        kept = (found == plain).flatten(1).all(1)
        assert bool((flipped | kept).all())
        assert low <= float(flipped.float().mean()) <= high


def test_portraits_are_varied_after_they_are_mirrored_with_the_batchs_randomness() -> None:
    now = Progress(images_seen=20, position=4)
    asked: list[tuple[Images, Draw]] = []

    def vary(images: Images, draw: Draw) -> Images:
        asked.append((images, draw))
        return -images

    plain = feed(mirror=0.5).portraits(now)
    assert not torch.equal(plain, feed().portraits(now))
    found = feed(mirror=0.5, variation=vary).portraits(now)
    ((images, draw),) = asked
    assert torch.equal(images, plain)
    assert draw == feed().draw(now)
    assert torch.equal(found, -plain)


@pytest.mark.parametrize("name", VARIATIONS)
def test_varied_portraits_follow_from_the_place_on_the_clock_in_any_process(name: str) -> None:
    late = Progress(images_seen=18, position=3)
    whole = feed(6, mirror=0.5, variation=VARIATIONS[name]())
    first = whole.portraits(late)
    whole.portraits(Progress())
    resumed = feed(6, mirror=0.5, variation=VARIATIONS[name]())
    assert torch.equal(resumed.portraits(late), first)
    parts = [
        feed(6, mirror=0.5, share=Share(rank, 2), variation=VARIATIONS[name]()) for rank in (0, 1)
    ]
    torch.testing.assert_close(torch.cat([part.portraits(late) for part in parts]), first)


def test_no_variation_leaves_every_bit() -> None:
    now = Progress(images_seen=20, position=4)
    before = feed(mirror=0.5).portraits(now)
    after = feed(mirror=0.5, variation=VARIATIONS["none"]()).portraits(now)
    assert torch.equal(after, before)
    assert after.stride() == before.stride()


def test_a_batch_larger_than_the_pack() -> None:
    found = feed(60).picked(0)
    assert len(found) == 60
    assert np.bincount(found)[ROWS].tolist().count(3) == 60 - 2 * 23
    assert set(np.bincount(found)[ROWS].tolist()) == {2, 3}


def test_what_cannot_be_fed_is_said() -> None:
    with pytest.raises(ValueError, match="multiple of 2"):
        feed(5, share=Share(0, 2))
    with pytest.raises(ValueError, match="no training pictures"):
        Feed(IMAGES, ROWS[:0], 5, Draw(0, "base", 0))


def test_a_round_may_be_fewer_pictures_drawn_anew_each_time() -> None:
    made = feed(batch=5, round_images=10)
    assert len(made) == 10
    first, second, third = (rows(made, 10, first) for first in (0, 10, 20))
    for some in (first, second, third):
        assert len(set(some)) == 10  # none of them twice
        assert set(some) <= set(ROWS.tolist())
    assert set(first) != set(second) != set(third)
    assert set(rows(made, 600)) == set(ROWS.tolist())  # and all of them in the end
    assert len(feed(round_images=1000)) == len(ROWS)
