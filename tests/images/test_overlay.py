"""What is drawn onto a photo, looked up at single pixels."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from purrtrait.images.affine import Point
from purrtrait.images.align import ALIGNMENTS, CAT_POINTS, Face, Placement
from purrtrait.images.overlay import CYAN, GREEN, POINT, RECTANGLES, WHITE, overlay

# The middle of its eyes is the photo's centre, so that its level canvas is the photo itself.
CAT: dict[str, Point] = {
    "left eye": (100, 100),
    "right eye": (140, 100),
    "mouth": (120, 130),
    "left ear outer": (70, 90),
    "left ear tip": (60, 45),
    "left ear inner": (105, 65),
    "right ear inner": (135, 65),
    "right ear tip": (165, 45),
    "right ear outer": (170, 90),
}
WIDTH, HEIGHT = 240, 200


def photo(scale: int = 1) -> np.ndarray:
    return np.zeros((HEIGHT * scale, WIDTH * scale, 3), np.uint8)


def placed(name: str, face: Face) -> Placement:
    return ALIGNMENTS[name].place(face, WIDTH, HEIGHT)


def colours(picture: np.ndarray) -> set[tuple[int, ...]]:
    return {tuple(colour) for colour in np.unique(picture.reshape(-1, 3), axis=0).tolist()}


def test_the_five_rectangles_of_a_cat_by_hand() -> None:
    face = Face(CAT)
    picture = overlay(photo(), face, placed("cat-generator", face))
    # r0 is (60, 45, 170, 130) with its middle in pixel (115, 87), that of eyes and mouth is
    # (120, 110): r1 lies 5 and 23 pixels from r0, r2 lies 2 and 11, r3 is (60, 45, 172, 141), and
    # r4 (68, 45, 164, 141). Each is looked up where no later one covers it.
    assert picture[80, 60].tolist() == [255, 255, 0]
    assert picture[129, 100].tolist() == [0, 255, 0]
    assert picture[152, 100].tolist() == [0, 0, 255]
    assert picture[56, 100].tolist() == [255, 0, 0]
    assert picture[45, 100].tolist() == [0, 255, 255]
    assert picture[100, 68].tolist() == [0, 255, 255]
    assert picture[140, 163].tolist() == [0, 255, 255]
    assert colours(picture) == {(0, 0, 0), POINT, *RECTANGLES.values()}


def test_crosses_lie_on_the_points() -> None:
    face = Face(CAT)
    picture = overlay(photo(), face, placed("cat-generator", face))
    for x, y in CAT.values():
        assert tuple(picture[int(y), int(x)]) == POINT
        assert tuple(picture[int(y) + 3, int(x)]) == POINT
        assert tuple(picture[int(y), int(x) - 3]) == POINT


def test_rectangles_turn_with_the_head() -> None:
    # A quarter turn, clockwise, about the centre of a square photo.
    upright = {name: (x, y + 20) for name, (x, y) in CAT.items()}
    turned = {name: (240 - y, x) for name, (x, y) in upright.items()}
    pictures = []
    for points in (turned, upright):
        face = Face(points)
        placement = ALIGNMENTS["cat-generator"].place(face, 240, 240)
        picture = overlay(np.zeros((240, 240, 3), np.uint8), face, placement)
        pictures.append(picture)
    for colour in RECTANGLES.values():
        lines, expected = ((picture == colour).all(-1) for picture in pictures)
        near = cv2.dilate(np.rot90(expected, -1).astype(np.uint8), np.ones((3, 3)))
        assert lines.sum() > 100
        assert near[lines].mean() > 0.95  # an edge may fall to either side of a pixel


def test_the_portrait_of_another_recipe_is_white_beside_the_five() -> None:
    face = Face(CAT)
    picture = overlay(photo(), face, placed("none", face))
    assert tuple(picture[150, 20]) == WHITE
    assert tuple(picture[150, 219]) == WHITE


def test_a_found_face_has_its_box_in_green_and_its_portrait_in_cyan() -> None:
    eyes = {name: CAT[name] for name in ("left eye", "right eye")}
    face = Face(eyes, (80, 60, 160, 140))
    picture = overlay(photo(), face, placed("box", face))
    assert tuple(picture[100, 80]) == tuple(picture[139, 90]) == GREEN
    assert tuple(picture[100, 72]) == tuple(picture[147, 90]) == CYAN
    assert colours(picture) == {(0, 0, 0), GREEN, CYAN, POINT}


def test_a_photo_without_a_face_has_only_its_portrait() -> None:
    picture = overlay(photo(), Face({}), placed("none", Face({})))
    assert colours(picture) == {(0, 0, 0), CYAN}


def test_nine_points_that_make_no_rectangle_are_still_shown() -> None:
    face = Face(dict.fromkeys(CAT_POINTS, (120.0, 100.0)))
    picture = overlay(photo(), face, placed("none", face))
    assert colours(picture) == {(0, 0, 0), CYAN, POINT}


@pytest.mark.parametrize("scale", [1, 5, 20])
def test_lines_grow_with_the_photo(scale: int) -> None:
    face = Face({}, (60.0 * scale, 60.0 * scale, 180.0 * scale, 140.0 * scale))
    placement = ALIGNMENTS["none"].place(face, WIDTH * scale, HEIGHT * scale)
    picture = overlay(photo(scale), face, placement)
    across = (picture[100 * scale, : 120 * scale] == GREEN).all(-1).sum()
    assert scale * 0.7 <= across <= scale * 1.3 + 1


def test_the_photo_itself_is_left_alone() -> None:
    pixels = photo()
    pixels.setflags(write=False)
    overlay(pixels, Face({}), placed("none", Face({})))
    assert not pixels.any()
