"""Drawn portraits against the scene they show, Pillow, ``fit`` and what any resampling keeps."""

from __future__ import annotations

import io
from math import cos, radians, sin
from typing import TypeAlias

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from purrtrait.images.affine import Point, composed, inverted, moved, scaling, shift
from purrtrait.images.align import ALIGNMENTS, Border, Face, Placement
from purrtrait.images.resize import fit
from purrtrait.images.warp import draw, shrink_for, warp

WIDTH, HEIGHT, SIZE = 260, 200, 32
CAT: dict[str, Point] = {
    "left eye": (-20, 0),
    "right eye": (20, 0),
    "mouth": (0, 30),
    "left ear outer": (-42, -5),
    "left ear tip": (-40, -40),
    "left ear inner": (-12, -27),
    "right ear inner": (12, -27),
    "right ear tip": (40, -40),
    "right ear outer": (42, -5),
}
# Colours of soft discs around the points, and how far they reach; nothing in it is symmetric.
Colour: TypeAlias = tuple[int, int, int]
DISCS: dict[str, Colour] = {
    "left eye": (-200, -60, 90),
    "right eye": (-90, -150, 60),
    "mouth": (80, -180, -120),
    "left ear tip": (-60, 100, -80),
    "right ear tip": (110, 40, -130),
}
REACH = 7.0
quick = settings(max_examples=15, deadline=None)


def posed(angle: float, scale: float, right: float, down: float) -> np.ndarray:
    along, across = scale * cos(angle), scale * sin(angle)
    return np.array([[along, -across, right], [across, along, down]])


def seen(pose: np.ndarray) -> Face:
    places = moved(pose, list(CAT.values())).tolist()
    return Face({name: (x, y) for name, (x, y) in zip(CAT, places, strict=True)})


def scene(places: np.ndarray) -> np.ndarray:
    """Colours (N, 3) of a smooth cat, unbounded in all directions, at points (N, 2) around it."""
    x, y = places.T
    waves = np.stack([np.sin(x / 15 + y / 25), np.cos(y / 20), np.sin((x - y) / 30)], 1)
    colours = 140 + 40 * waves
    for name, colour in DISCS.items():
        distance = ((places - CAT[name]) ** 2).sum(1)
        colours += np.exp(-distance / (2 * REACH**2))[:, None] * np.array(colour)
    levels: np.ndarray = np.clip(colours, 0, 255)
    return levels


def middles(width: int, height: int) -> np.ndarray:
    rows, columns = np.indices((height, width)) + 0.5
    return np.stack([columns.ravel(), rows.ravel()], 1)


def shown(matrix: np.ndarray, width: int, height: int, finer: int = 1) -> np.ndarray:
    """The scene where ``matrix`` puts it, each pixel the mean of finer x finer points."""
    places = middles(width * finer, height * finer) / finer
    colours = scene(moved(inverted(matrix), places))
    means: np.ndarray = colours.reshape(height, finer, width, finer, 3).mean((1, 3))
    return means


def photographed(pose: np.ndarray, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    return shown(pose, width, height).round().astype(np.uint8)


def noise(high: int, wide: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (high, wide, 3), dtype=np.uint8)


def alike(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.corrcoef(first.ravel(), second.ravel())[0, 1])


def square(left: float, top: float, side: float, border: Border = "edge") -> Placement:
    return Placement(shift(0, 0), (left, top, left + side, top + side), (WIDTH, HEIGHT), border)


def place(name: str, face: Face, width: int = WIDTH, height: int = HEIGHT) -> Placement:
    return ALIGNMENTS[name].place(face, width, height)


turned = st.builds(
    posed,
    angle=st.floats(-0.6, 0.6),
    scale=st.floats(0.8, 1.15),
    right=st.floats(120, 140),
    down=st.floats(95, 105),
)


@quick
@given(pose=turned, name=st.sampled_from(["cat-generator", "meow", "eyes"]))
def test_a_portrait_shows_the_scene_at_its_place(pose: np.ndarray, name: str) -> None:
    face = seen(pose)
    placement = place(name, face)
    portrait = draw(photographed(pose), placement, SIZE)
    assert portrait.shape == (SIZE, SIZE, 3)
    assert portrait.dtype == np.uint8
    expected = shown(composed(placement.matrix(SIZE), pose), SIZE, SIZE, 4)
    inside = in_photo(placement)
    # A shift by a quarter of a portrait's pixel would be off by more than 10.
    assert np.abs(portrait - expected)[inside].max() <= 4


def in_photo(placement: Placement) -> np.ndarray:
    """Which pixels (SIZE, SIZE) of a portrait come from well within the photo."""
    places = moved(inverted(placement.matrix(SIZE)), middles(SIZE, SIZE))
    within = ((places > 5) & (places < np.array([WIDTH, HEIGHT]) - 5)).all(1)
    inside: np.ndarray = within.reshape(SIZE, SIZE)
    return inside


@quick
@given(pose=turned, change=turned, name=st.sampled_from(["cat-generator", "meow", "eyes"]))
def test_a_cat_turned_scaled_and_shifted_gives_the_same_portrait(
    pose: np.ndarray, change: np.ndarray, name: str
) -> None:
    first, second = (
        draw(photographed(p, 340, 300), place(name, seen(p), 340, 300), SIZE)
        for p in (composed(shift(40, 50), pose), composed(shift(40, 50), change))
    )
    assert alike(first, second) > 0.98


@quick
@given(pose=turned, name=st.sampled_from(["meow", "cat-generator"]))
def test_eyes_are_level_and_at_their_place_in_the_pixels(pose: np.ndarray, name: str) -> None:
    face = seen(pose)
    photo = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    places = middles(WIDTH, HEIGHT)
    for channel, eye in enumerate(("left eye", "right eye")):
        disc = ((places - face.points[eye]) ** 2).sum(1) < 8**2
        photo[..., channel] = 255 * disc.reshape(HEIGHT, WIDTH)
    placement = place(name, face)
    left, right = (centroid(draw(photo, placement, SIZE)[..., channel]) for channel in (0, 1))
    assert left[1] == pytest.approx(right[1], abs=0.5)
    expected = {"meow": np.array([0.5, 0.4]) * SIZE, "cat-generator": canvas_centre(placement)}
    assert (left + right) / 2 == pytest.approx(expected[name], abs=0.5)


def centroid(levels: np.ndarray) -> np.ndarray:
    weights = levels.ravel() / levels.sum()
    mean: np.ndarray = weights @ middles(*levels.shape)
    return mean


def canvas_centre(placement: Placement) -> np.ndarray:
    centre: np.ndarray = moved(placement.cut(SIZE), [(WIDTH / 2, HEIGHT / 2)])[0]
    return centre


LARGE = posed(0.3, 3, 410, 310)  # a pose in a photo with sides that no factor divides
LARGE_WIDTH, LARGE_HEIGHT = 803, 601


@pytest.fixture(scope="module")
def large() -> bytes:
    stored = io.BytesIO()
    photo = photographed(LARGE, LARGE_WIDTH, LARGE_HEIGHT)
    Image.fromarray(photo).save(stored, "JPEG", quality=98)
    return stored.getvalue()


def decoded(stored: bytes, shrunk: int) -> np.ndarray:
    with Image.open(io.BytesIO(stored)) as picture:
        picture.draft(None, (LARGE_WIDTH // shrunk, LARGE_HEIGHT // shrunk))
        pixels = np.asarray(picture)
    assert pixels.shape == (-(-LARGE_HEIGHT // shrunk), -(-LARGE_WIDTH // shrunk), 3)
    return pixels


@pytest.mark.parametrize("shrunk", [2, 4, 8])
@pytest.mark.parametrize("name", ["cat-generator", "meow", "eyes", "none"])
def test_a_photo_decoded_smaller_gives_the_same_portrait(
    large: bytes, shrunk: int, name: str
) -> None:
    placement = place(name, seen(LARGE), LARGE_WIDTH, LARGE_HEIGHT)
    whole, smaller = (
        draw(decoded(large, factor), placement, SIZE, factor).astype(int) for factor in (1, shrunk)
    )
    assert alike(whole, smaller) > 0.99
    assert np.abs(whole - smaller).mean() < 2.5


@pytest.mark.parametrize("size", [22, 64, 200])
@pytest.mark.parametrize("name", ["none", "face-generator"])
def test_a_plain_cut_is_what_fit_gives(name: str, size: int) -> None:
    photo = noise(250, 250)
    placement = place(name, Face({}), 250, 250)
    left, top, right, bottom = (int(edge) for edge in placement.box)
    expected = fit(photo[top:bottom, left:right], size)
    assert np.array_equal(draw(photo, placement, size), expected)


def test_the_middle_square_is_what_fit_gives_also_when_decoded_smaller() -> None:
    photo = noise(HEIGHT // 2, WIDTH // 2)
    placement = place("none", Face({}), WIDTH, HEIGHT)
    assert np.array_equal(draw(photo, placement, SIZE, 2), fit(photo, SIZE))


@pytest.mark.parametrize("left", [20, 20.5])
def test_a_plain_cut_and_a_warp_agree(left: float) -> None:
    photo = photographed(shift(130, 100))
    placement = square(left, 30, 128)
    drawn, warped = draw(photo, placement, SIZE), warp(photo, placement, SIZE)
    assert np.abs(drawn.astype(int) - warped).max() <= 1


def test_torch_gan_is_pillows_bicubic_of_the_crop() -> None:
    photo = noise(250, 250)
    crop = Image.fromarray(photo[50:200, 50:200])
    expected = np.asarray(crop.resize((64, 64), Image.Resampling.BICUBIC))
    portraits = [
        draw(photo, place("torch-gan", Face({}), 250, 250), 64),
        draw(photo, place("torch-gan", Face({}), 500, 500), 64, 2),
    ]
    for portrait in portraits:
        # At the rim, the crop alone knows nothing of the pixels beside it.
        assert np.array_equal(portrait[2:-2, 2:-2], expected[2:-2, 2:-2])


def test_torch_gan_draws_a_slope_straight_to_the_rim() -> None:
    slope = np.arange(250, dtype=np.uint8)[None, :, None].repeat(250, 0).repeat(3, 2)
    portrait = draw(slope, place("torch-gan", Face({}), 250, 250), 50)
    # Pixels 3 wide from 50 on: the middle of the first is pixel 51.
    assert (portrait == (51 + 3 * np.arange(50))[None, :, None]).all()


@quick
@given(
    angle=st.floats(-3, 3),
    side=st.floats(3, 3000),
    size=st.integers(1, 70),
    level=st.integers(0, 255),
)
def test_one_colour_stays_one_colour(angle: float, side: float, size: int, level: int) -> None:
    photo = np.full((HEIGHT, WIDTH, 3), level, np.uint8)
    upright = posed(angle, 1, 100, 50)
    for border in ("edge", "median"):
        placement = Placement(upright, (0, 0, side, side), (WIDTH, HEIGHT), border)
        portrait = draw(photo, placement, size)
        assert portrait.shape == (size, size, 3)
        assert (portrait == level).all()


@pytest.mark.parametrize("side", [70, 100, 190])
def test_a_fine_pattern_does_not_come_out_as_a_coarse_one(side: int) -> None:
    rows, columns = np.indices((HEIGHT, WIDTH))
    board = (255 * ((rows + columns) % 2)).astype(np.uint8)[..., None].repeat(3, 2)
    upright = posed(radians(10), 1, 20, -20)
    placement = Placement(upright, (30, 5, 30 + side, 5 + side), (WIDTH, HEIGHT))
    inside = draw(board, placement, 32)[2:-2, 2:-2].astype(float)
    assert inside.mean() == pytest.approx(127.5, abs=3)
    assert inside.std() < 25


@pytest.mark.parametrize(
    ("border", "left", "right"),
    [("edge", (200, 10, 90), (1, 2, 3)), ("grey", (128, 128, 128), (128, 128, 128))],
)
def test_the_edge_is_repeated_or_grey_outside_of_the_photo(
    border: Border, left: Colour, right: Colour
) -> None:
    photo = noise(HEIGHT, WIDTH)
    photo[:, 0], photo[:, -1] = (200, 10, 90), (1, 2, 3)
    portrait = draw(photo, square(-70, -100, 400, border), 100)
    assert (portrait[26:74, :17] == left).all()
    assert (portrait[26:74, 83:] == right).all()


def test_grey_begins_at_the_edge_of_the_photo() -> None:
    photo = np.full((HEIGHT, WIDTH, 3), 28, np.uint8)
    portrait = draw(photo, square(-50, 0, 100, "grey"), 50)
    assert (portrait[:, :24] == 128).all()
    assert (portrait[:, 26:] == 28).all()
    # The photo's edge lies between these pixels; a bilinear sample knows it to half a pixel.
    assert portrait[:, 24:26].mean() == pytest.approx(78, abs=1)


@pytest.mark.parametrize("shrunk", [1, 2])
def test_outside_of_the_canvas_is_the_median_colour_of_the_box(shrunk: int) -> None:
    photo = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    photo[:, :40] = (10, 250, 30)
    photo[:, 40:100] = (200, 100, 50)
    photo[:, 100:] = (0, 0, 255)  # outside of the box
    placement = square(-100, 0, 200, "median")
    portrait = draw(photo[::shrunk, ::shrunk], placement, 50, shrunk)
    assert (portrait[:, :25] == (200, 100, 50)).all()
    assert (portrait[:, 25:34] == (10, 250, 30)).all()
    assert (portrait[:, 36:49] == (200, 100, 50)).all()


def test_a_square_of_whole_pixels_is_not_cut_out_plainly_outside_of_the_canvas() -> None:
    photo = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    photo[:, :100] = 10
    # The photo reaches further left than the canvas, which begins at its pixel 60.
    placement = Placement(shift(-60, 0), (-50, 0, 150, 200), (WIDTH, HEIGHT), "median")
    assert (draw(photo, placement, 50)[:, :12] == 90).all()


def test_a_square_of_whole_pixels_is_not_cut_out_plainly_outside_of_the_photo() -> None:
    photo = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    photo[:, 0] = 10
    # The canvas reaches further left than the photo, which begins at its pixel 60.
    placement = Placement(shift(60, 0), (0, 0, 200, 200), (WIDTH, HEIGHT), "median")
    portrait = draw(photo, placement, 50)
    assert (portrait[:, :15] == 10).all()
    assert (portrait[:, 16:] == 90).all()


def test_within_the_canvas_the_edge_of_a_turned_photo_is_repeated() -> None:
    photo = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    photo[0] = (255, 0, 0)
    # A quarter turn about the centre: the canvas, 260 wide, is wider by 30 pixels on each side
    # than the photo, 200 high, whose upper edge comes to lie on the left.
    upright = place("cat-generator", seen(posed(radians(90), 0.5, WIDTH / 2, HEIGHT / 2))).upright
    placement = Placement(upright, (-20, -50, 280, 250), (WIDTH, HEIGHT), "median")
    portrait = draw(photo, placement, 150)
    assert (portrait[25:125, 10:25] == (255, 0, 0)).all()
    assert (portrait[:, 27:] == 90).all()
    for outside in (portrait[:25], portrait[125:], portrait[:, :10]):
        assert (outside == 90).all()


def test_extra_moves_the_pixels_of_the_portrait() -> None:
    photo = photographed(shift(130, 100))
    placement = place("meow", seen(shift(130, 100)))
    plain = warp(photo, placement, SIZE).astype(int)
    aside = warp(photo, placement, SIZE, extra=shift(8, -4))
    assert np.abs(aside[:-4, 8:] - plain[4:, :-8]).max() <= 1
    mirror = np.array([[-1.0, 0, SIZE], [0, 1, 0]])
    assert np.abs(warp(photo, placement, SIZE, extra=mirror) - plain[:, ::-1]).max() <= 1
    half = warp(photo, placement, SIZE, extra=scaling(0.5))[:16, :16]
    assert np.abs(half - plain.reshape(16, 2, 16, 2, 3).mean((1, 3))).max() <= 2


def test_a_canvas_that_is_moved_along_has_the_median_outside() -> None:
    photo = np.full((HEIGHT, WIDTH, 3), 60, np.uint8)
    photo[:, :2] = 255
    placement = square(0, 0, 200, "median")
    aside = warp(photo, placement, 50, extra=shift(10, 0))
    assert (aside[:, :10] == 60).all()
    assert (aside[:, 10] > 60).all()
    assert (aside[:, 12:] == 60).all()


@pytest.mark.parametrize("shape", [(3, 40000), (40000, 3), (1, 1), (1, 2000)])
@pytest.mark.parametrize("border", ["edge", "grey", "median"])
def test_photos_of_any_shape_are_drawn(shape: tuple[int, int], border: Border) -> None:
    photo = np.full((*shape, 3), 128, np.uint8)
    for side in (2.5, 70.0, 50000.0):
        start = np.array(shape[::-1]) / 2 - side / 3
        box = (*start.tolist(), *(start + side).tolist())
        placement = Placement(shift(0, 0), box, shape[::-1], border)
        assert (draw(photo, placement, 16) == 128).all()


def test_a_photo_far_larger_than_its_portrait_is_averaged_and_lies_where_it_should() -> None:
    pose = posed(0.4, 4, 420, 350)
    photo = photographed(pose, 803, 701)
    placement = place("eyes", seen(pose), 803, 701)
    assert placement.side > 12 * 32
    portrait = draw(photo, placement, SIZE)
    expected = shown(composed(placement.matrix(SIZE), pose), SIZE, SIZE, 8)
    assert np.abs(portrait - expected).max() <= 4


def test_photos_that_may_only_be_read_and_parts_of_photos_are_drawn() -> None:
    photo = noise(HEIGHT, WIDTH)
    photo.setflags(write=False)
    placement = place("eyes", seen(posed(0.2, 0.5, 100, 80)), 200, 160)
    part = photo[20:180, 30:230]
    assert np.array_equal(draw(part, placement, SIZE), draw(part.copy(), placement, SIZE))


@pytest.mark.parametrize(
    ("side", "size", "factor"),
    [
        (127, 64, 1),
        (255.9, 64, 1),
        (256, 64, 2),
        (511, 64, 2),
        (512, 64, 4),
        (1024, 64, 8),
        (9999, 64, 8),
    ],
)
def test_photos_shrink_while_two_pixels_are_left_for_each(
    side: float, size: int, factor: int
) -> None:
    assert shrink_for(side, size) == factor
