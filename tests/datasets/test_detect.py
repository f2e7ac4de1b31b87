"""Faces are found where they are: with watchers of the tests' own, and with OpenCV's cascades."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from math import atan2, ceil, cos, degrees, dist, hypot, radians, sin
from pathlib import Path
from random import Random

import cv2
import matplotlib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from purrtrait.datasets import detect
from purrtrait.datasets.detect import (
    CATS,
    EYE_FACE,
    FINDERS,
    Spot,
    Watcher,
    agreed,
    cascade,
    expected_eyes,
    find,
    seen_eyes,
)
from purrtrait.images.affine import Point, moved

quick = settings(max_examples=30, deadline=None)
EYES = {"left eye": (0.3, 0.4), "right eye": (0.7, 0.4)}


def cat(turn: float = 0) -> np.ndarray:
    """A drawing that both cascades take for a cat, turned clockwise by degrees about its middle."""
    canvas = np.full((240, 240), 66, np.uint8)
    for side in (-1, 1):
        ear = [(120 + side * 58, 110), (120 + side * 48, 40), (120 + side * 15, 78)]
        cv2.fillPoly(canvas, [np.array(ear)], 159)
        inner = [(120 + side * 50, 95), (120 + side * 42, 55), (120 + side * 26, 82)]
        cv2.fillPoly(canvas, [np.array(inner)], 113)
    cv2.ellipse(canvas, (120, 125), (66, 52), 0, 0, 360, 159, -1)
    for side in (-1, 1):
        cv2.ellipse(canvas, (120 + side * 24, 115), (14, 11), 0, 0, 360, 44, -1)
        cv2.circle(canvas, (120 + side * 24, 115), 7, 15, -1)
        cv2.ellipse(canvas, (120 + side * 14, 148), (18, 14), 0, 0, 360, 252, -1)
    cv2.fillPoly(canvas, [np.array([(112, 132), (128, 132), (120, 141)])], 67)
    blurred = cv2.GaussianBlur(canvas, (0, 0), 2)
    matrix = cv2.getRotationMatrix2D((120, 120), -turn, 1)
    turned = cv2.warpAffine(blurred, matrix, (240, 240), borderMode=cv2.BORDER_REPLICATE)
    return cv2.cvtColor(turned, cv2.COLOR_GRAY2RGB)


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    """Grace Hopper, 512 x 600, who comes with matplotlib."""
    path = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    return np.asarray(Image.open(path).convert("RGB"))


def two_discs(width: int, height: int, middle: Point, apart: float, turn: float) -> np.ndarray:
    """A black photo with two white discs, one to the right of the other but for a turn."""
    canvas = np.zeros((height, width), np.uint8)
    for side in (-0.5, 0.5):
        x = middle[0] + side * apart * cos(radians(turn)) - 0.5
        y = middle[1] + side * apart * sin(radians(turn)) - 0.5
        place = (round(x * 16), round(y * 16))
        cv2.circle(canvas, place, round(apart * 16 / 5), 255, -1, cv2.LINE_AA, 4)
    return cv2.cvtColor(canvas, cv2.COLOR_GRAY2RGB)


def level_discs(grey: np.ndarray) -> np.ndarray:
    """Fire three times at two discs that are level, as at the eyes of a face."""
    count, _, _, centres = cv2.connectedComponentsWithStats((grey > 127).astype(np.uint8))
    if count != 3 or abs(centres[1, 1] - centres[2, 1]) > 2.5:
        return np.zeros((0, 3))
    middle = (centres[1] + centres[2]) / 2 + 0.5
    side = abs(centres[1, 0] - centres[2, 0]) / 0.4
    return np.array([[middle[0] + near, middle[1] + 0.1 * side, side] for near in (-1, 0, 1)])


@quick
@given(
    width=st.integers(100, 700),
    height=st.integers(100, 700),
    across=st.floats(0.3, 0.7),
    down=st.floats(0.3, 0.7),
    apart=st.floats(0.1, 0.15),
    turn=st.sampled_from([-28, 0, 28]),
)
def test_faces_are_found_at_their_place_and_turn(
    width: int, height: int, across: float, down: float, apart: float, turn: int
) -> None:
    middle, shorter = (across * width, down * height), min(width, height)
    photo = two_discs(width, height, middle, apart * shorter, turn)
    search = replace(
        CATS, watchers=(level_discs, level_discs), degrees=(-28, 0, 28), votes=6, eyes_at=EYES
    )
    (face,) = find(photo, search)
    pixel = max(width, height) / search.longest  # of the picture that is searched
    for name, side in (("left eye", -0.5), ("right eye", 0.5)):
        away = side * apart * shorter
        there = (middle[0] + away * cos(radians(turn)), middle[1] + away * sin(radians(turn)))
        assert dist(face.points[name], there) < 1.5 * pixel + 0.5
    assert face.box is not None
    left, top, right, bottom = face.box
    assert right - left == pytest.approx(bottom - top)
    assert right - left == pytest.approx(apart * shorter / 0.4, rel=0.05, abs=4 * pixel)


def test_a_turned_face_is_turned_clockwise() -> None:
    assert Spot(50, 60, 20, 90, 1).at(1, 0.5) == pytest.approx((50, 70))
    assert Spot(50, 60, 20, 30, 1).at(0.5, 0) == pytest.approx((55, 60 - 10 * cos(radians(30))))


@quick
@given(width=st.integers(5, 200), height=st.integers(5, 200), turn=st.floats(-90, 90))
def test_a_photo_is_turned_whole(width: int, height: int, turn: float) -> None:
    level, back = detect._levelled(np.full((height, width), 255, np.uint8), turn)
    assert level.sum() / 255 == pytest.approx(width * height, abs=width + height)
    middle = (level.shape[1] / 2, level.shape[0] / 2)
    assert moved(back, [middle])[0] == pytest.approx((width / 2, height / 2))


def at(spots: Sequence[tuple[float, float, float]], grey: np.ndarray) -> np.ndarray:
    """Fire at these places whatever there is to see."""
    return np.array(spots).reshape(-1, 3)


def watching(*spots: tuple[float, float, float]) -> Watcher:
    return partial(at, spots)


def test_only_what_lies_within_a_photo_is_a_face() -> None:
    photo = np.zeros((120, 240, 3), np.uint8)
    search = replace(CATS, degrees=(0,), votes=2, each=1, eyes=expected_eyes)
    for window, count in (
        ((30, 60, 60), 1),
        ((29, 60, 60), 0),
        ((60, 91, 60), 0),
        ((60, 90, 60), 1),
    ):
        watchers = (watching(window), watching(window))
        assert len(find(photo, replace(search, watchers=watchers))) == count


def seen(*rows: tuple[float, float, float, float, int], copies: int = 1) -> np.ndarray:
    return np.repeat(np.array(rows, np.float64), copies, axis=0)


def test_faces_need_votes_of_all_watchers() -> None:
    one = seen((50, 50, 40, 0, 0), copies=3)
    other = seen((52, 50, 40, 0, 1), copies=3)
    both = np.concatenate([one, other])
    (spot,) = agreed(both, 6, 3, 2)
    assert spot == Spot(51, 50, 40, 0, 6)
    assert agreed(both, 7, 3, 2) == []
    assert agreed(both, 6, 4, 2) == []
    assert agreed(one, 3, 1, 2) == []
    assert len(agreed(one, 3, 0, 2)) == 1
    assert agreed(np.zeros((0, 5)), 1, 0, 2) == []


def test_what_one_watcher_sees_hides_nothing() -> None:
    loud = seen((50, 50, 40, 0, 0), copies=9)
    agreeing = seen((80, 50, 40, 0, 0), (80, 50, 40, 0, 1), copies=2)
    (spot,) = agreed(np.concatenate([loud, agreeing]), 4, 1, 2)
    assert (spot.x, spot.votes) == (80, 4)


def test_a_nose_is_no_face_and_the_best_comes_first() -> None:
    face = seen((100, 100, 80, 0, 0), (100, 100, 80, 0, 1), copies=3)
    nose = seen((100, 115, 30, 0, 0), (100, 115, 30, 0, 1), copies=2)
    friend = seen((190, 100, 90, 10, 0), (190, 100, 90, -4, 1), copies=5)
    spots = agreed(np.concatenate([nose, face, friend]), 4, 1, 2)
    assert spots == [Spot(190, 100, 90, 3, 10), Spot(100, 100, 80, 0, 6)]


windows = st.tuples(
    st.integers(20, 80), st.integers(20, 80), st.integers(5, 40), st.just(0), st.integers(0, 1)
)


@quick
@given(rows=st.lists(windows, min_size=1, max_size=25), order=st.randoms(use_true_random=False))
def test_the_order_of_windows_changes_nothing(
    rows: list[tuple[float, float, float, float, int]], order: Random
) -> None:
    spots = agreed(seen(*rows), 1, 0, 2)
    assert sum(spot.votes for spot in spots) <= len(rows)
    assert [spot.votes for spot in spots] == sorted((s.votes for s in spots), reverse=True)
    order.shuffle(rows)
    assert agreed(seen(*rows), 1, 0, 2) == spots


@quick
@given(first=windows, second=windows)
def test_shared_surfaces_are_those_of_counted_pixels(
    first: tuple[int, int, int, int, int], second: tuple[int, int, int, int, int]
) -> None:
    counted = np.zeros((240, 240), int)
    for x, y, side, *_ in (first, second):  # in half pixels, so that all edges are whole
        counted[2 * y - side : 2 * y + side, 2 * x - side : 2 * x + side] += 1
    shared = detect._shared(seen(first), seen(second))
    assert shared[0, 0] == pytest.approx((counted == 2).sum() / 4)


def eyes_of(*spots: tuple[float, float], votes: int = 2, copies: int = 2) -> dict[str, Point]:
    """What a watcher that fires at shares of the face sees in one of 80 px at (100, 60)."""
    face = Spot(100, 60, 80, 0, 9)
    fired = [(x * EYE_FACE, y * EYE_FACE, 30.0) for x, y in spots for _ in range(copies)]
    watchers = (watching(*fired),)
    return seen_eyes(np.zeros((200, 200), np.uint8), face, EYES, watchers, votes)


def test_eyes_are_seen_if_there_is_one_pair() -> None:
    found = eyes_of((0.31, 0.42), (0.68, 0.38))
    assert found["left eye"] == pytest.approx((60 + 0.31 * 80, 20 + 0.42 * 80))
    assert found["right eye"] == pytest.approx((60 + 0.68 * 80, 20 + 0.38 * 80))
    assert eyes_of((0.68, 0.38), (0.31, 0.42)) == found
    # An ear is too far away to be an eye, and does no harm.
    assert eyes_of((0.31, 0.42), (0.68, 0.38), (0.1, 0.4)) == found


@pytest.mark.parametrize(
    "spots",
    [
        [],
        [(0.3, 0.4)],
        [(0.3, 0.4), (0.85, 0.4)],
        [(0.3, 0.4), (0.22, 0.32), (0.38, 0.48), (0.7, 0.4)],
    ],
)
def test_eyes_are_left_out_when_in_doubt(spots: list[tuple[float, float]]) -> None:
    small = [(x * EYE_FACE, y * EYE_FACE, 8.0) for x, y in spots]  # so that none hides another
    face = Spot(100, 60, 80, 0, 9)
    grey = np.zeros((200, 200), np.uint8)
    assert seen_eyes(grey, face, EYES, (watching(*small),), 1) == {}


def test_eyes_need_votes() -> None:
    pair = ((0.3, 0.4), (0.7, 0.4))
    assert eyes_of(*pair, votes=2, copies=2)
    assert eyes_of(*pair, votes=3, copies=2) == {}


@pytest.mark.parametrize("side", [0.5, 80])
def test_a_face_in_the_corner_of_a_photo_is_searched_for_eyes(side: float) -> None:
    middle = side / 2 - 1e-12  # as little as numbers of the computer may be beside the photo
    face, grey = Spot(middle, middle, side, 0, 9), np.zeros((ceil(side), ceil(side)), np.uint8)
    pair = watching(*[(x * EYE_FACE, y * EYE_FACE, 30) for x, y in EYES.values()])
    found = seen_eyes(grey, face, EYES, (pair,), 1)
    for name, (x, y) in EYES.items():
        assert found[name] == pytest.approx((x * side, y * side))


def test_people_are_found_with_their_eyes(portrait: np.ndarray) -> None:
    (face,) = FINDERS["people"](portrait)
    assert face.points["left eye"] == pytest.approx((219, 194), abs=8)
    assert face.points["right eye"] == pytest.approx((304, 187), abs=8)
    assert face.box is not None
    assert face.box == pytest.approx((149, 99, 382, 332), abs=20)
    assert FINDERS["cats"](portrait) == []


def test_a_smaller_photo_has_the_face_at_the_same_place(portrait: np.ndarray) -> None:
    (face,) = FINDERS["people"](portrait)
    (same,) = FINDERS["people"](cv2.resize(portrait, (256, 300), interpolation=cv2.INTER_AREA))
    for name, (x, y) in face.points.items():
        assert same.points[name] == pytest.approx((x / 2, y / 2), abs=3)


@pytest.mark.parametrize("turn", [-20, 0, 20])
def test_cats_are_found_with_their_eyes_and_turn(turn: int) -> None:
    (face,) = FINDERS["cats"](cat(turn))
    (left, right) = (face.points[name] for name in ("left eye", "right eye"))
    middle = ((left[0] + right[0]) / 2 - 120, (left[1] + right[1]) / 2 - 120)
    assert middle == pytest.approx((5 * sin(radians(turn)), -5 * cos(radians(turn))), abs=5)
    assert hypot(right[0] - left[0], right[1] - left[1]) == pytest.approx(48, abs=10)
    assert degrees(atan2(right[1] - left[1], right[0] - left[0])) == pytest.approx(turn, abs=5)
    assert FINDERS["people"](cat(turn)) == []


@pytest.mark.parametrize("name", FINDERS)
@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (1, 4000), (4000, 1), (8, 900), (300, 200)])
def test_nothing_is_found_in_blank_and_noisy_photos(name: str, shape: tuple[int, int]) -> None:
    blank = np.full((*shape, 3), 127, np.uint8)
    noise = np.random.default_rng(1).integers(0, 256, (*shape, 3), dtype=np.uint8)
    assert FINDERS[name](blank) == []
    assert FINDERS[name](noise) == []


def test_threads_find_the_same(portrait: np.ndarray) -> None:
    once = FINDERS["people"](portrait)
    before = cv2.getNumThreads()
    try:
        for threads in (1, 2):
            cv2.setNumThreads(threads)
            with ThreadPoolExecutor(3) as pool:
                assert list(pool.map(FINDERS["people"], [portrait] * 4)) == [once] * 4
    finally:
        cv2.setNumThreads(before)


def test_each_thread_has_cascades_of_its_own() -> None:
    name = "frontalface_alt2"
    with ThreadPoolExecutor(1) as pool:
        theirs = pool.submit(detect._loaded, name).result()
        assert pool.submit(detect._loaded, name).result() is theirs
    assert detect._loaded(name) is not theirs


def test_a_cascade_that_is_missing_is_said_when_it_is_needed() -> None:
    watcher = cascade("frontaldogface")
    with pytest.raises(ValueError, match=r'haarcascade_frontaldogface.*"opencv-python-headless<5"'):
        watcher(np.zeros((30, 30), np.uint8))
