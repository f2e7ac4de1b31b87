"""Annotations are read as written, or refused in plain words whatever they hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from purrtrait.datasets import annotation
from purrtrait.datasets.annotation import clipped, keypoints
from purrtrait.datasets.photo import Unreadable
from purrtrait.images.align import CAT_POINTS, Box, Face

LINE = "9 175 160 239 162 199 199 149 121 137 78 166 93 281 101 312 96 296 133 "


def refused(text: str) -> str:
    with pytest.raises(Unreadable) as caught:
        keypoints(text)
    return caught.value.reason


def test_the_points_come_in_the_documented_order() -> None:
    assert keypoints(LINE) == {
        "left eye": (175.5, 160.5),
        "right eye": (239.5, 162.5),
        "mouth": (199.5, 199.5),
        "left ear outer": (149.5, 121.5),
        "left ear tip": (137.5, 78.5),
        "left ear inner": (166.5, 93.5),
        "right ear inner": (281.5, 101.5),
        "right ear tip": (312.5, 96.5),
        "right ear outer": (296.5, 133.5),
    }


@pytest.mark.parametrize(
    "text",
    [
        LINE.replace("137 78", "-137 -78"),
        LINE.rstrip(),
        "  " + LINE + "\r\nby whom, and when",
        LINE.replace(" ", "  \t"),
    ],
)
def test_signs_spaces_and_further_lines_do_not_matter(text: str) -> None:
    assert keypoints(text) == keypoints(LINE)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", annotation.NOT_NUMBERS),
        ("\n" + LINE, annotation.NOT_NUMBERS),
        (LINE.replace("160", "16O"), annotation.NOT_NUMBERS),
        (LINE.replace("160", "160.5"), annotation.NOT_NUMBERS),
        (LINE.replace("160", "1_6"), annotation.NOT_NUMBERS),
        (LINE.replace("160", "１６"), annotation.NOT_NUMBERS),
        (LINE.replace("160", "1" * 5000), annotation.NOT_NUMBERS),
        ("9", annotation.NOT_NINE),
        ("8" + LINE[1:], annotation.NOT_NINE),
        (LINE + "1", annotation.NOT_NINE),
        (LINE + "1 2", annotation.NOT_NINE),
        (LINE.removesuffix("133 "), annotation.NOT_NINE),
    ],
)
def test_malformed_lines_are_refused(text: str, reason: str) -> None:
    assert refused(text) == reason


@given(st.binary(max_size=200))
def test_bytes_at_random_are_refused(data: bytes) -> None:
    assert refused(data.decode("ascii", "replace"))
    assert refused(data.decode("latin-1"))


@given(st.lists(st.text("9 -0\t\n", max_size=4), max_size=40))
def test_what_looks_like_an_annotation_is_one_or_is_refused(words: list[str]) -> None:
    line = "".join(words).partition("\n")[0].split()
    try:
        points = keypoints("".join(words))
    except Unreadable as error:
        assert error.reason in (annotation.NOT_NUMBERS, annotation.NOT_NINE)
    else:
        assert len(line) == 1 + 2 * len(points)


numbers = st.integers(-999_999, 999_999)


@given(st.lists(st.tuples(numbers, numbers), min_size=9, max_size=9))
def test_what_is_written_is_read(places: list[tuple[int, int]]) -> None:
    line = " ".join(["9", *(f"{x} {y}" for x, y in places)])
    points = keypoints(line)
    assert tuple(points) == CAT_POINTS
    assert list(points.values()) == [(abs(x) + 0.5, abs(y) + 0.5) for x, y in places]


places = st.floats(-2000, 2000)


@given(st.tuples(places, places), st.integers(1, 999), st.integers(1, 999))
def test_clipped_points_lie_in_the_photo_and_others_stay(
    point: tuple[float, float], width: int, height: int
) -> None:
    box: Box = (1.0, 2.0, 3.0, 4.0)
    face = clipped(Face({"mouth": point}, box), width, height)
    assert face.box == box
    for there, was, side in zip(face.points["mouth"], point, (width, height), strict=True):
        assert 0.5 <= there <= side - 0.5
        # What an integer keypoint is clipped to by the dataset's rule, 0 ... side - 1.
        assert there - 0.5 == pytest.approx(min(max(was - 0.5, 0), side - 1))
    assert clipped(face, width, height) == face
