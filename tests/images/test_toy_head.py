"""Toy cats lie where their points say: against larger drawings, and by what changes in a photo."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from purrtrait.images import warp
from purrtrait.images.affine import Matrix, composed, moved, scaling
from purrtrait.images.align import ALIGNMENTS, CAT_POINTS, Face
from purrtrait.images.brush import blend
from purrtrait.images.toy_head import MARKINGS, paint
from purrtrait.images.toy_look import MARKED, Look, any_look

SIDE = 320
GROUND = (90, 130, 110)
quick = settings(max_examples=25, deadline=None)
seeds = st.integers(0, 2**32 - 1)


def look(seed: int) -> Look:
    return any_look(np.random.Generator(np.random.Philox(key=seed)))


def posed(angle: float, scale: float, right: float = 160, down: float = 170) -> Matrix:
    along, across = scale * np.cos(angle), scale * np.sin(angle)
    return np.array([[along, -across, right], [across, along, down]])


poses = st.builds(
    posed,
    angle=st.floats(-0.6, 0.6),
    scale=st.floats(45, 90),
    right=st.floats(130, 190),
    down=st.floats(150, 180),
)


def painted(cat: Look, pose: Matrix, ground: tuple[int, int, int] = GROUND) -> np.ndarray:
    canvas = np.full((SIDE, SIDE, 3), ground, np.uint8)
    paint(canvas, cat, pose)
    return canvas


def face(cat: Look, pose: Matrix) -> Face:
    places = moved(pose, list(cat.points.values())).tolist()
    return Face({name: (x, y) for name, (x, y) in zip(cat.points, places, strict=True)})


def portrait(name: str, cat: Look, pose: Matrix) -> np.ndarray:
    placement = ALIGNMENTS[name].place(face(cat, pose), SIDE, SIDE)
    return warp.draw(painted(cat, pose), placement, 64)


def middle(changed: np.ndarray) -> np.ndarray:
    """The middle of the area (H, W) around which something has changed."""
    rows, columns = np.nonzero(changed)
    hull = cv2.convexHull(np.stack([columns, rows], 1).astype(np.int32))
    moments = cv2.moments(hull)
    return np.array([moments["m10"], moments["m01"]]) / moments["m00"] + 0.5


@quick
@given(seed=seeds, pose=poses)
def test_eyes_are_painted_where_the_points_say(seed: int, pose: Matrix) -> None:
    cat = replace(look(seed), irises=((250, 200, 60), (250, 200, 60)))
    for number, name in enumerate(("left eye", "right eye")):
        irises = [(250, 200, 60), (250, 200, 60)]
        irises[number] = (90, 40, 200)
        other = replace(cat, irises=(irises[0], irises[1]))
        changed = (painted(cat, pose) != painted(other, pose)).any(-1)
        assert middle(changed) == pytest.approx(face(cat, pose).points[name], abs=1)


@quick
@given(seed=seeds, pose=poses)
def test_ears_end_at_their_tips(seed: int, pose: Matrix) -> None:
    cat = look(seed)
    clear = (painted(cat, pose, (0, 0, 0)) != painted(cat, pose, (255, 255, 255))).any(-1)
    points = {name: np.array(point) for name, point in face(cat, pose).points.items()}
    for side in ("left", "right"):
        tip = points[f"{side} ear tip"]
        along = tip - (points[f"{side} ear outer"] + points[f"{side} ear inner"]) / 2
        along /= np.hypot(*along)
        (x, y), (far, high) = (np.floor(tip + way * along).astype(int) for way in (-3, 3))
        # Ears of a large head may end outside.
        assume(min(far, high) >= 0 and max(far, high) < SIDE)
        assert not clear[y, x]
        assert clear[high, far]


@quick
@given(seed=seeds)
def test_ears_stand_on_the_skull_and_the_mouth_below_the_eyes(seed: int) -> None:
    cat = look(seed)
    assert list(cat.points) == list(CAT_POINTS)
    for name in ("left ear outer", "left ear inner", "right ear inner", "right ear outer"):
        x, y = cat.points[name]
        assert (x / cat.cheeks) ** 2 + ((y - 0.12) / cat.chin) ** 2 == pytest.approx(1)
    left, right, mouth, outer, tip, inner = (np.array(cat.points[n]) for n in CAT_POINTS[:6])
    assert (left + right) / 2 == pytest.approx([mouth[0], left[1]])
    assert left[1] < mouth[1]
    assert tip[1] < inner[1] < outer[1] < left[1]
    assert outer[0] < inner[0] < 0


def test_every_marking_that_is_drawn_from_can_be_painted() -> None:
    assert tuple(MARKINGS) == MARKED


@pytest.mark.parametrize("marking", MARKINGS)
def test_a_head_is_painted_as_an_eightfold_one_is_reduced(marking: str) -> None:
    cat, pose = replace(look(5), marking=marking), posed(0.3, 70.0, 158.3, 171.6)
    large = np.full((8 * SIDE, 8 * SIDE, 3), GROUND, np.uint8)
    paint(large, cat, composed(scaling(8), pose))
    reduced = cv2.resize(large, (SIDE, SIDE), interpolation=cv2.INTER_AREA)

    def difference(right: float) -> float:
        there = painted(cat, posed(0.3, 70.0, 158.3 + right, 171.6))
        return float(np.abs(there.astype(int) - reduced).mean())

    # Edges are a little thicker, and lines whole pixels wide: alike, not equal.
    assert difference(0) < 2.2
    assert difference(0) < difference(0.7) < difference(1.4)
    assert difference(0) < difference(-0.7) < difference(-1.4)


@pytest.mark.parametrize("name", ["cat-generator", "meow", "eyes"])
def test_a_cat_turned_scaled_and_shifted_has_the_same_portrait(name: str) -> None:
    for seed in range(8):
        cat = look(seed)
        first = portrait(name, cat, posed(0, 75))
        second = portrait(name, cat, posed(0.55, 95, 148.4, 171.8))
        stranger = portrait(name, look(seed + 1), posed(0, 75))
        assert np.corrcoef(first.ravel(), second.ravel())[0, 1] > 0.98
        assert np.corrcoef(first.ravel(), stranger.ravel())[0, 1] < 0.8


@pytest.mark.parametrize("marking", [name for name in MARKINGS if name != "plain"])
def test_every_marking_is_seen(marking: str) -> None:
    cat, pose = replace(look(3), fur=(240, 200, 150), mark=(60, 40, 30)), posed(0.1, 80)
    plain = painted(replace(cat, marking="plain"), pose)
    marked = painted(replace(cat, marking=marking), pose)
    assert (plain != marked).any(-1).mean() > 0.01


def test_traits_are_drawn_from_the_numbers_alone() -> None:
    pose = posed(0.2, 80)
    assert np.array_equal(painted(look(4), pose), painted(look(4), pose))
    cats = [look(seed) for seed in range(60)]
    assert {cat.marking for cat in cats} == set(MARKINGS)
    assert len({painted(cat, pose).tobytes() for cat in cats}) == 60
    assert {len(cat.collar) for cat in cats} == {0, 1}


def test_colours_are_blended_in_proportion() -> None:
    assert blend((0, 100, 255), (100, 0, 255), 0.25) == (25, 75, 255)
