"""Augmented copies: what they are changed by, where they lie, and the files that hold them."""

from __future__ import annotations

import cmath
import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from helpers import files
from purrtrait.images import warp, written
from purrtrait.images.affine import composed, inverted, moved, shift
from purrtrait.images.align import ALIGNMENTS, Border, Face, Placement
from purrtrait.images.vary import Ranges
from purrtrait.images.written import PLANS, Change, Plan, Writer, changes, copies, jpeg, noise
from purrtrait.types import Draw

DRAW = Draw(3, "test", 5)
SIZE = 32
QUIET = {
    name: replace(plan, ranges=plan.ranges._replace(brightness=(1.0, 1.0), noise=0.0))
    for name, plan in PLANS.items()
}


def smooth(width: int = 250, height: int = 250) -> np.ndarray:
    """A photo of slow waves, another one in each channel."""
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(x / 23 + y / 41), np.cos(x / 37 - y / 29), np.sin((x + y) / 31)]
    return (127.5 + 100 * np.stack(waves, -1)).astype(np.uint8)


def placed(name: str, tilt: float = 0.2, centre: complex = 130 + 110j) -> Placement:
    """A face in a photo of 250 x 250: with eyes, mouth and ears, as a cat has them."""
    shape = {"left eye": -20 + 0j, "right eye": 20 + 0j, "mouth": 0 + 35j}
    for side, sign in (("left", -1), ("right", 1)):
        shape[f"{side} ear outer"] = sign * 45 - 25j
        shape[f"{side} ear tip"] = sign * 40 - 65j
        shape[f"{side} ear inner"] = sign * 15 - 35j
    turn = cmath.exp(1j * tilt)
    points = {key: centre + turn * value for key, value in shape.items()}
    face = Face({key: (value.real, value.imag) for key, value in points.items()})
    return ALIGNMENTS[name].place(face, 250, 250)


def extra(placement: Placement, change: Change, plan: Plan) -> np.ndarray:
    cut = placement.cut(SIZE)
    return composed(cut, composed(change.matrix(plan.middle(placement)), inverted(cut)))


@pytest.mark.parametrize(
    ("name", "brightness", "scale", "translation", "count"),
    [
        ("cat-generator", (0.85, 1.15), (0.93, 1.08), 4, 10),
        ("face-generator", (0.90, 1.10), (0.82, 1.10), 5, 20),
    ],
)
def test_changes_fill_their_ranges(
    name: str,
    brightness: tuple[float, float],
    scale: tuple[float, float],
    translation: int,
    count: int,
) -> None:
    found = changes(PLANS[name], DRAW, 2000)
    assert PLANS[name].count == count
    assert sum(change.mirrored for change in found) == pytest.approx(1000, abs=100)
    assert {change.degrees for change in found} == set(range(-8, 9))
    for axis in (0, 1):
        moves = [change.move[axis] for change in found]
        assert set(moves) == set(range(-translation, translation + 1))
    for values, (low, high) in (
        ([change.brightness for change in found], brightness),
        ([change.scale for change in found], scale),
    ):
        assert low <= min(values) < low + 0.001
        assert high - 0.001 < max(values) <= high
    assert np.corrcoef([(c.mirrored, c.scale, c.degrees, *c.move) for c in found], rowvar=False)[
        np.triu_indices(5, 1)
    ] == pytest.approx(0, abs=0.1)


def test_only_cat_generator_has_noise() -> None:
    assert {name: plan.ranges.noise for name, plan in PLANS.items()} == {
        "cat-generator": 0.02,
        "face-generator": 0.0,
    }


def test_copies_do_not_depend_on_how_many_there_are() -> None:
    plan = PLANS["cat-generator"]
    assert changes(plan, DRAW, 20)[:4] == changes(plan, DRAW, 4)
    few, many = (
        list(copies(smooth(), placed("cat-generator"), SIZE, plan, DRAW, n)) for n in (3, 5)
    )
    assert (len(few), len(many)) == (3, 5)
    assert all(np.array_equal(a, b) for a, b in zip(few, many, strict=False))
    assert len({portrait.tobytes() for portrait in many}) == 5


NUMBER = st.floats(-50, 50)


@given(
    mirrored=st.booleans(),
    scale=st.floats(0.5, 2),
    degrees=st.integers(-90, 90),
    move=st.tuples(st.integers(-9, 9), st.integers(-9, 9)),
    middle=st.tuples(NUMBER, NUMBER),
    point=st.tuples(NUMBER, NUMBER),
)
def test_a_change_mirrors_then_scales_and_turns_then_moves(
    mirrored: bool,
    scale: float,
    degrees: int,
    move: tuple[int, int],
    middle: tuple[float, float],
    point: tuple[float, float],
) -> None:
    change = Change(mirrored, 1.0, scale, degrees, move)
    ((x, y),) = moved(change.matrix(middle), [point])
    away = complex(*point) - complex(*middle)
    if mirrored:
        away = complex(-away.real, away.imag)
    turned = scale * cmath.exp(1j * math.radians(degrees)) * away
    expected = complex(*middle) + turned + complex(*move)
    assert abs(complex(x, y) - expected) < 1e-9


@pytest.mark.parametrize("name", PLANS)
def test_everything_turns_about_the_crop_or_the_photo(name: str) -> None:
    placement = placed(name)
    middle = PLANS[name].middle(placement)
    left, top, right, bottom = placement.box
    crop = (left + right) / 2, (top + bottom) / 2
    assert middle == {"cat-generator": crop, "face-generator": (125, 125)}[name]
    assert crop != (125, 125)


@pytest.mark.parametrize("name", PLANS)
@pytest.mark.parametrize("border", ["edge", "median", "grey"])
@pytest.mark.parametrize("centre", [130 + 110j, 40 + 60j, 215 + 205j])
def test_what_is_cut_out_first_is_enough(name: str, border: Border, centre: complex) -> None:
    """The portraits are those that the whole photo gives, at its edge too."""
    plan = QUIET[name]
    placement = replace(placed("cat-generator", centre=centre), border=border)
    found = list(copies(smooth(), placement, SIZE, plan, DRAW, 6))
    assert np.array_equal(found[0], warp.draw(smooth(), placement, SIZE))
    for portrait, change in zip(found[1:], changes(plan, DRAW, 5), strict=True):
        whole = warp.warp(smooth(), placement, SIZE, extra=extra(placement, change, plan))
        # Where a place falls between two that OpenCV tells apart, it may be either.
        apart = np.abs(portrait.astype(int) - whole)
        assert apart.max() <= 2
        assert (apart > 0).mean() < 0.02


def test_the_border_has_the_colour_of_the_whole_portrait() -> None:
    """Though a copy that is much larger shows, and is drawn from, nothing but its dark middle."""
    photo = np.full((250, 250, 3), 200, np.uint8)
    photo[100:220, :100] = 50  # 45 % of what of the box lies on the canvas
    placement = Placement(shift(0, 0), (-60, 60, 140, 260), (250, 250), "median")
    plan = Plan(Ranges((1, 1), 0, (2, 2), 0), 0, written.middle_of_crop, 2)
    _, copy = copies(photo, placement, 64, plan, DRAW, 2)
    assert np.unique(copy[:, [0, -1]]).tolist() == [50, 200]


@pytest.mark.parametrize("name", PLANS)
def test_a_mark_of_the_photo_is_found_where_the_transforms_lead(name: str) -> None:
    photo = np.full((250, 250, 3), 60, np.uint8)
    y, x = np.mgrid[:250, :250] + 0.5
    spot = (118.0, 121.0)
    photo[np.hypot(x - spot[0], y - spot[1]) < 8] = 220
    placement, plan = placed(name), QUIET[name]
    portraits = list(copies(photo, placement, SIZE, plan, DRAW, 9))[1:]
    for portrait, change in zip(portraits, changes(plan, DRAW, 8), strict=True):
        weight = portrait[..., 0].astype(float) - 60
        rows, columns = np.mgrid[:SIZE, :SIZE] + 0.5
        centre = np.array([(weight * columns).sum(), (weight * rows).sum()]) / weight.sum()
        level = moved(placement.upright, [spot])
        moved_there = moved(change.matrix(plan.middle(placement)), level)
        (expected,) = moved(placement.cut(SIZE), moved_there)
        assert centre == pytest.approx(expected, abs=0.1)


def lit(value: int, ranges: Ranges) -> Iterator[np.ndarray]:
    """Copies of a plain photo, neither scaled nor turned nor moved, a photo pixel in each pixel."""
    plan = Plan(ranges, 0, written.middle_of_crop, 6)
    placement = ALIGNMENTS["none"].place(Face({}), 60, 60)
    photo = np.full((60, 60, 3), value, np.uint8)
    yield from list(copies(photo, placement, 60, plan, DRAW, 6))[1:]


def test_light_is_multiplied_then_grained_then_cut_off() -> None:
    still = Ranges((1.0, 1.0), 0.0, (1.0, 1.0), 0)
    for portrait in lit(100, still._replace(brightness=(1.5, 1.5))):
        assert (portrait == 150).all()
    for portrait in lit(100, still._replace(brightness=(9.0, 9.0))):
        assert (portrait == 255).all()
    grained = list(lit(100, still._replace(noise=0.02)))
    assert len({p.tobytes() for portrait in grained for p in (portrait, portrait[:, ::-1])}) == 10
    for portrait in grained:
        assert portrait.mean() == pytest.approx(100, abs=0.2)
        # Rounding adds a twelfth to the variance.
        assert portrait.std() == pytest.approx(math.hypot(5.1, 12**-0.5), rel=0.03)
    for portrait in lit(100, still._replace(brightness=(0.0, 0.0), noise=0.02)):
        assert (portrait == 0).mean() == pytest.approx(0.54, abs=0.02)  # of all, up to a half level
        assert portrait.max() > 12


def test_noise_is_normal_and_of_each_copy_its_own() -> None:
    found = noise((120, 90, 3), DRAW, "one")
    assert found.dtype == np.float32
    assert found.mean() == pytest.approx(0, abs=0.02)
    assert found.std() == pytest.approx(1, abs=0.01)
    assert (np.abs(found) < 1).mean() == pytest.approx(0.6827, abs=0.01)
    assert (found**4).mean() == pytest.approx(3, abs=0.15)
    assert np.array_equal(found, noise((120, 90, 3), DRAW, "one"))
    of_another_copy = noise((120, 90, 3), DRAW, "two")
    shifted = (np.roll(found, 1, axis) for axis in range(3))
    for other in (of_another_copy, *shifted):
        assert np.corrcoef(found.ravel(), other.ravel())[0, 1] == pytest.approx(0, abs=0.05)
    assert noise((2, 20_000, 3), DRAW, "wide").std() == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("name", PLANS)
def test_files_have_the_names_and_pictures_of_their_portraits(name: str, tmp_path: Path) -> None:
    placement, plan = placed(name), PLANS[name]
    Writer(tmp_path, SIZE, plan, 7, 4).write(12, smooth(), placement)
    names = {f"000012_00{number}.jpg" for number in range(4)}
    assert files(tmp_path / "out_aug_32x32") == names
    assert files(tmp_path / "out_unaug_32x32") == {"000012_000.jpg"}
    assert len(files(tmp_path)) == 5
    first = tmp_path / "out_aug_32x32" / "000012_000.jpg"
    again = tmp_path / "out_unaug_32x32" / "000012_000.jpg"
    assert first.read_bytes() == again.read_bytes()
    draw = Draw(7, "written copies", 12)
    drawn = copies(smooth(), placement, SIZE, plan, draw, 4)
    for file, portrait in zip(sorted(names), drawn, strict=True):
        assert (tmp_path / "out_aug_32x32" / file).read_bytes() == jpeg(portrait)


def test_jpeg_keeps_the_colours_in_their_order() -> None:
    picture = smooth(64, 64)
    back = np.asarray(Image.open(BytesIO(jpeg(picture))))
    assert np.abs(back.astype(int) - picture).mean() < 3


def test_files_follow_from_the_seed_and_the_photos_number_alone(tmp_path: Path) -> None:
    placement = placed("cat-generator")

    def contents(folder: str, seed: int, numbers: list[int], threads: int) -> dict[str, bytes]:
        writer = Writer(tmp_path / folder, 16, PLANS["cat-generator"], seed, 3)
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(lambda number: writer.write(number, smooth(), placement), numbers))
        return {n: (tmp_path / folder / n).read_bytes() for n in files(tmp_path / folder)}

    first = contents("first", 1, [0, 1, 2, 3], 1)
    assert first == contents("again", 1, [3, 1, 0, 2], 3)
    other = contents("other", 2, [0, 1, 2, 3], 1)
    changed = {name for name in first if first[name] != other[name]}
    assert changed == {name for name in first if not name.endswith("000.jpg")}
    augmented = [name for name in first if name.endswith("001.jpg")]
    assert len({first[name] for name in augmented}) == 4


@pytest.mark.parametrize("count", [0, 1001])
def test_counts_that_names_cannot_hold_are_refused(count: int, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"Found {count} portraits of each photo"):
        Writer(tmp_path, SIZE, PLANS["cat-generator"], 0, count)
    assert not files(tmp_path)


def test_one_portrait_is_the_one_that_is_not_augmented(tmp_path: Path) -> None:
    Writer(tmp_path, SIZE, PLANS["cat-generator"], 0, 1).write(5, smooth(), placed("cat-generator"))
    expected = {"out_aug_32x32/000005_000.jpg", "out_unaug_32x32/000005_000.jpg"}
    assert files(tmp_path) == expected
