"""Where portraits lie: closed forms, OpenCV's own solver, and what must hold for any pose."""

from __future__ import annotations

from collections.abc import Mapping
from math import atan2, cos, degrees, hypot, radians, sin

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from purrtrait.images import align
from purrtrait.images.affine import Point, composed, inverted, moved, scaling, shift
from purrtrait.images.align import (
    ALIGNMENTS,
    CAT_POINTS,
    Box,
    Face,
    Placement,
    Unalignable,
    centred,
    rectangles,
)

WIDTH, HEIGHT = 500, 400
# A cat that looks straight at the viewer, from the middle of its eyes.
CAT: dict[str, Point] = {
    "left eye": (-20, 0),
    "right eye": (20, 0),
    "mouth": (0, 30),
    "left ear outer": (-50, -10),
    "left ear tip": (-45, -55),
    "left ear inner": (-15, -35),
    "right ear inner": (15, -35),
    "right ear tip": (45, -55),
    "right ear outer": (50, -10),
}
quick = settings(max_examples=60, deadline=None)


def posed(angle: float, scale: float, right: float, down: float) -> np.ndarray:
    """A similarity: turned clockwise as seen by the viewer, in radians."""
    along, across = scale * cos(angle), scale * sin(angle)
    return np.array([[along, -across, right], [across, along, down]])


def seen(points: Mapping[str, Point], pose: np.ndarray) -> dict[str, Point]:
    places = moved(pose, list(points.values())).tolist()
    return {name: (x, y) for name, (x, y) in zip(points, places, strict=True)}


def exchanged(points: Mapping[str, Point]) -> dict[str, Point]:
    return {**points, "left eye": points["right eye"], "right eye": points["left eye"]}


def place(name: str, face: Face, width: int = WIDTH, height: int = HEIGHT) -> Placement:
    return ALIGNMENTS[name].place(face, width, height)


def reason(name: str, face: Face, width: int = WIDTH, height: int = HEIGHT) -> str:
    with pytest.raises(Unalignable) as caught:
        place(name, face, width, height)
    return caught.value.reason


def middle(points: Mapping[str, Point]) -> np.ndarray:
    return np.add(points["left eye"], points["right eye"]) / 2


poses = st.builds(
    posed,
    angle=st.floats(-3.1, 3.1),
    scale=st.floats(0.3, 2),
    right=st.floats(150, 350),
    down=st.floats(100, 300),
)
jitters = st.lists(
    st.tuples(st.floats(-4, 4), st.floats(-4, 4)),
    min_size=len(CAT_POINTS),
    max_size=len(CAT_POINTS),
)
# Cats of any pose whose heads are not all alike.
cats = st.builds(
    lambda pose, jitter: seen(
        {
            name: (x + right, y + down)
            for (name, (x, y)), (right, down) in zip(CAT.items(), jitter, strict=True)
        },
        pose,
    ),
    poses,
    jitters,
)
sizes = st.sampled_from([16, 64, 100])


@quick
@given(points=cats)
def test_cat_generator_levels_the_eyes_about_the_centre_of_its_canvas(
    points: dict[str, Point],
) -> None:
    placement = place("cat-generator", Face(points))
    left, right, mouth = moved(placement.upright, [points[name] for name in CAT_POINTS[:3]])
    assert left[1] == pytest.approx(right[1], abs=1e-9)
    assert left[0] < right[0]
    assert mouth[1] > left[1]
    assert (left + right) / 2 == pytest.approx([WIDTH / 2, HEIGHT / 2], abs=1e-9)
    carried = placement.carry(points, 64)
    assert carried["left eye"][1] == pytest.approx(carried["right eye"][1], abs=1e-9)


@quick
@given(points=cats)
def test_the_five_rectangles_are_what_they_are_called(points: dict[str, Point]) -> None:
    found = {name: np.array(box) for name, box in rectangles(points, WIDTH, HEIGHT).items()}
    assert list(found) == ["r0", "r1", "r2", "r3", "r4"]
    r0, r1, r2, r3, r4 = found.values()
    level = moved(centred(points, WIDTH, HEIGHT), list(points.values()))
    assert r0 == pytest.approx(np.concatenate([level.min(0), level.max(0)]), abs=1e-9)
    assert r1[2:] - r1[:2] == pytest.approx(r0[2:] - r0[:2], abs=1e-9)
    assert (r1[:2] + r1[2:]) / 2 == pytest.approx(level[:3].mean(0), abs=1e-9)
    canvas = np.array([WIDTH, HEIGHT] * 2)
    assert r2 == pytest.approx(np.clip((r0 + r1) / 2, 0, canvas), abs=1e-9)
    assert r3[:2].tolist() == np.minimum(r0[:2], r2[:2]).tolist()
    assert r3[2:].tolist() == np.maximum(r0[2:], r2[2:]).tolist()
    assert r4[2:] - r4[:2] == pytest.approx([(r3[2:] - r3[:2]).min()] * 2, abs=1e-9)
    assert r4[:2] + r4[2:] == pytest.approx(r3[:2] + r3[2:], abs=1e-9)


def test_the_five_rectangles_of_a_level_cat_by_hand() -> None:
    points = seen(CAT, shift(250, 200))
    assert as_numbers(rectangles(points, WIDTH, HEIGHT)) == {
        "r0": (200, 145, 300, 230),  # its middle is (250, 187.5)
        "r1": (200, 167.5, 300, 252.5),  # eyes and mouth: (250, 210), 22.5 pixels below
        "r2": (200, 156.25, 300, 241.25),  # half of it
        "r3": (200, 145, 300, 241.25),
        "r4": (201.875, 145, 298.125, 241.25),  # of 100 x 96.25, 3.75 too wide
    }
    wide = rectangles({**points, "right ear outer": (303.0, 190.0)}, WIDTH, HEIGHT)
    assert as_numbers(wide) == {
        "r0": (200, 145, 303, 230),  # its middle is (251.5, 187.5)
        "r1": (198.5, 167.5, 301.5, 252.5),
        "r2": (199.25, 156.25, 302.25, 241.25),
        "r3": (199.25, 145, 303, 241.25),
        "r4": (203, 145, 299.25, 241.25),  # of 103.75 x 96.25, 7.5 too wide
    }


def as_numbers(found: dict[str, Box]) -> dict[str, tuple[float, ...]]:
    return {name: tuple(round(edge, 9) for edge in box) for name, box in found.items()}


@quick
@given(points=cats, size=sizes)
def test_meow_puts_the_middle_of_the_eyes_at_its_place(points: dict[str, Point], size: int) -> None:
    placement = place("meow", Face(points))
    carried = placement.carry(points, size)
    assert middle(carried) == pytest.approx([0.5 * size, 0.4 * size], abs=1e-6)
    assert carried["left eye"][1] == pytest.approx(carried["right eye"][1], abs=1e-6)
    ears = carried["left ear outer"][0] - carried["right ear outer"][0]
    assert abs(ears) == pytest.approx(size, abs=1e-6)


@quick
@given(points=cats, size=sizes)
def test_eyes_go_to_fixed_places_as_opencv_would_move_them(
    points: dict[str, Point], size: int
) -> None:
    matrix = place("eyes", Face(points)).matrix(size)
    there = np.array([align.LEFT_EYE, align.RIGHT_EYE]) * size
    here = np.array([points["left eye"], points["right eye"]])
    # A similarity turns the third corner of a square over the eyes as it turns the eyes.
    corners = [
        np.vstack([two, two[0] + (two[1] - two[0])[::-1] * (-1, 1)]).astype(np.float32)
        for two in (here, there)
    ]
    expected = cv2.getAffineTransform(*corners)
    assert moved(matrix, here) == pytest.approx(there, abs=1e-6)
    assert matrix == pytest.approx(expected, abs=1e-2)


@quick
@given(points=cats, size=sizes, name=st.sampled_from(["cat-generator", "eyes", "box", "none"]))
def test_a_round_trip_restores_the_points(points: dict[str, Point], size: int, name: str) -> None:
    places = np.array(list(points.values()))
    box = (*places.min(0).tolist(), *places.max(0).tolist())
    placement = place(name, Face(points, box))
    restored = placement.restore(placement.carry(points, size), size)
    assert list(restored) == list(points)
    for point, expected in zip(restored.values(), points.values(), strict=True):
        assert point == pytest.approx(expected, abs=1e-6)


def test_no_points_are_carried_as_no_points() -> None:
    assert place("none", Face({})).carry({}, 64) == {}


@quick
@given(pose=poses, change=poses, name=st.sampled_from(["meow", "eyes"]))
def test_a_cat_turned_scaled_and_shifted_lies_at_the_same_place(
    pose: np.ndarray, change: np.ndarray, name: str
) -> None:
    points = seen(CAT, pose)
    matrix = place(name, Face(points)).matrix(64)
    again = place(name, Face(seen(points, change))).matrix(64)
    assert composed(again, change) == pytest.approx(matrix, abs=1e-6)


@quick
@given(angle=st.floats(-3.1, 3.1), right=st.floats(-99, 99), down=st.floats(-99, 99))
def test_the_rectangles_of_a_turned_cat_are_the_same(
    angle: float, right: float, down: float
) -> None:
    found = rectangles(seen(CAT, posed(angle, 1, right, down)), WIDTH, HEIGHT)
    for name, box in rectangles(CAT, WIDTH, HEIGHT).items():
        assert found[name] == pytest.approx(box, abs=1e-6)


@quick
@given(points=cats, name=st.sampled_from(["cat-generator", "meow"]))
def test_eyes_named_upside_down_are_exchanged(points: dict[str, Point], name: str) -> None:
    placement = place(name, Face(points))
    repaired = place(name, Face(exchanged(points)))
    assert repaired.matrix(64) == pytest.approx(placement.matrix(64), abs=1e-9)


REMARKING = ["cat-generator", "meow", "eyes"]


@quick
@given(points=cats, name=st.sampled_from(REMARKING))
def test_it_is_remarked_that_eyes_were_exchanged(points: dict[str, Point], name: str) -> None:
    assert place(name, Face(points)).remark == ""
    assert place(name, Face(exchanged(points))).remark == align.EYES_EXCHANGED


@quick
@given(points=cats, name=st.sampled_from(REMARKING))
def test_a_mouth_above_the_eyes_alone_turns_no_face(points: dict[str, Point], name: str) -> None:
    """Where the ears say that the eyes are named rightly, it is remarked, and no more."""
    right = place(name, Face(points))
    wrong = {**points, "mouth": tuple(2 * middle(points) - points["mouth"])}
    found = place(name, Face(wrong))
    assert found.remark == align.MOUTH_ABOVE
    assert found.upright == pytest.approx(right.upright, abs=1e-9)
    carried = found.carry(wrong, 64)
    assert carried["mouth"][1] < middle(carried)[1]
    assert carried["left ear tip"][1] < middle(carried)[1]


def test_without_ears_the_mouth_decides_alone_and_without_a_mouth_nobody() -> None:
    few = seen({name: CAT[name] for name in CAT_POINTS[:3]}, shift(250, 200))
    placement = place("eyes", Face(exchanged(few)))
    assert placement.remark == align.EYES_EXCHANGED
    assert placement.matrix(64) == pytest.approx(place("eyes", Face(few)).matrix(64))
    eyes = {name: few[name] for name in align.EYES}
    assert place("eyes", Face(exchanged(eyes))).remark == ""


@pytest.mark.parametrize("tilt", [-10, -45, -80])
def test_the_known_sign_of_exchanged_eyes_is_among_those_repaired(tilt: int) -> None:
    points = exchanged(seen(CAT, posed(radians(tilt), 1, 250, 200)))
    left, right, mouth = (points[name] for name in CAT_POINTS[:3])
    assert left[0] > right[0]
    assert left[1] < right[1]
    assert mouth[0] > right[0]
    for name in ("cat-generator", "meow"):
        carried = place(name, Face(points)).carry(points, 64)
        assert carried["left ear tip"][1] < middle(carried)[1] < carried["mouth"][1]


def test_face_generator_and_torch_gan_cut_squares_in_proportion() -> None:
    photo = Face({})
    assert place("face-generator", photo, 250, 250).box == (83, 92, 167, 176)
    assert place("face-generator", photo, 125, 125).box == (41.5, 46, 83.5, 88)
    assert place("torch-gan", photo, 250, 250).box == (50, 50, 200, 200)
    assert place("torch-gan", photo, 500, 500).box == (100, 100, 400, 400)
    for name in ("face-generator", "torch-gan"):
        assert reason(name, photo, 250, 251) == "it is not square"


@pytest.mark.parametrize(
    ("width", "height", "box"),
    [(500, 400, (50, 0, 450, 400)), (90, 41, (24, 0, 65, 41)), (40, 91, (0, 25, 40, 65))],
)
def test_none_is_the_middle_square(width: int, height: int, box: Box) -> None:
    placement = place("none", Face({}), width, height)
    assert placement.box == box
    assert placement.matrix(int(box[2] - box[0])).tolist() == shift(-box[0], -box[1]).tolist()


def test_a_found_box_is_made_square_with_a_margin() -> None:
    placement = place("box", Face({}, (100, 120, 200, 200)))
    assert placement.box == pytest.approx((90, 100, 210, 220))
    assert placement.upright.tolist() == shift(0, 0).tolist()


@pytest.mark.parametrize(("tilt", "levelled"), [(0, 0), (29, 29), (-29, -29), (31, 0), (150, 0)])
def test_a_found_face_is_levelled_about_its_box_when_its_eyes_are_credible(
    tilt: int, levelled: int
) -> None:
    eyes = {name: CAT[name] for name in align.EYES}
    points = seen(eyes, posed(radians(tilt), 1, 150, 150))
    placement = place("box", Face(points, (100, 120, 200, 200)))
    assert moved(placement.upright, [(150, 160)])[0] == pytest.approx([150, 160])
    turn = placement.upright[:, :2]
    assert degrees(atan2(turn[0, 1], turn[0, 0])) == pytest.approx(levelled, abs=1e-9)


def test_one_eye_or_two_at_one_point_do_not_turn_a_found_face() -> None:
    box = (100.0, 120.0, 200.0, 200.0)
    both = {"left eye": (140.0, 150.0), "right eye": (140.0, 150.0)}
    for points in ({}, {"left eye": (140.0, 150.0)}, both):
        assert place("box", Face(points, box)).upright.tolist() == shift(0, 0).tolist()


@pytest.mark.parametrize("name", list(ALIGNMENTS))
def test_a_recipe_needs_no_more_than_it_says(name: str) -> None:
    points = {key: at for key, at in seen(CAT, shift(200, 200)).items() if key in needs(name)}
    box = (150.0, 140.0, 250.0, 230.0) if "box" in needs(name) else None
    placement = place(name, Face(points, box), 400, 400)
    assert placement.side >= 1
    assert placement.box[3] - placement.box[1] == pytest.approx(placement.side)
    assert placement.canvas == (400, 400)
    assert placement.border == {"cat-generator": "median", "meow": "grey"}.get(name, "edge")
    assert placement.filter == {"torch-gan": "bicubic"}.get(name, "area")
    assert needs(name) <= {*CAT_POINTS, "box"}


def needs(name: str) -> frozenset[str]:
    return ALIGNMENTS[name].needs


@pytest.mark.parametrize("name", ["cat-generator", "meow", "eyes"])
def test_eyes_at_one_point_give_no_direction(name: str) -> None:
    points = seen(CAT, shift(250, 200))
    points["right eye"] = points["left eye"]
    assert reason(name, Face(points)) == "its eyes are at one point"


def test_faces_without_a_size_are_refused() -> None:
    points = seen(CAT, shift(250, 200))
    ears = {**points, "right ear outer": (points["left ear outer"][0], 150.0)}
    assert reason("meow", Face(ears)) == "its ears are one above the other"
    line = {name: (x, 200.0) for name, (x, _) in points.items()}
    assert reason("cat-generator", Face(line)) == "its points are on one line"
    assert reason("box", Face({}, (10, 10, 10, 50))) == "the box around its face is empty"
    assert reason("box", Face({}, (10, 50, 20, 10))) == "the box around its face is empty"


def test_a_face_beside_its_photo_is_refused() -> None:
    # One ear drags the rectangle so far away that, made square, it no longer meets the photo.
    points = {**seen(CAT, shift(250, 200)), "left ear tip": (-4000.0, 150.0)}
    assert reason("cat-generator", Face(points)) == "its face is outside of the photo"


@quick
@given(first=poses, second=poses, x=st.floats(-500, 500), y=st.floats(-500, 500))
def test_transforms_compose_and_invert_as_homogeneous_matrices_do(
    first: np.ndarray, second: np.ndarray, x: float, y: float
) -> None:
    whole = [np.vstack([matrix, [0, 0, 1]]) for matrix in (second, first)]
    assert composed(second, first) == pytest.approx((whole[0] @ whole[1])[:2], abs=1e-9)
    assert inverted(first) == pytest.approx(np.linalg.inv(whole[1])[:2], abs=1e-9)
    assert moved(first, [(x, y)])[0] == pytest.approx((whole[1] @ [x, y, 1])[:2], abs=1e-9)


def test_scaling_and_shift_by_hand() -> None:
    assert moved(scaling(2), [(3, 5)]).tolist() == [[6, 10]]
    assert moved(shift(1, -1), [(3, 5)]).tolist() == [[4, 4]]


@quick
@given(points=cats, size=sizes)
def test_portraits_are_never_stretched(points: dict[str, Point], size: int) -> None:
    placement = place("cat-generator", Face(points))
    matrix = placement.matrix(size)
    assert hypot(*matrix[:, 0]) == pytest.approx(size / placement.side)
    assert matrix[:, 0] == pytest.approx([matrix[1, 1], -matrix[0, 1]])
