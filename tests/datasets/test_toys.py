"""Toy photos keep their promises, and their files are read back as those of the CAT dataset."""

from __future__ import annotations

from math import atan2, degrees
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from purrtrait.datasets import toys
from purrtrait.datasets.annotation import keypoints
from purrtrait.datasets.cat10k import parse_cat10k
from purrtrait.datasets.photo import Photo, Wanted
from purrtrait.datasets.toys import annotation, parse_toy_cats, toy_scene, write_cat_layout
from purrtrait.images.affine import moved
from purrtrait.images.align import CAT_POINTS, Face

places = st.tuples(st.floats(0, 9999), st.floats(0, 9999))


def photos(count: int, seed: int = 0) -> list[Photo]:
    return list(parse_toy_cats(Wanted(None, 64, count, seed)).photos)


def points(photo: Photo) -> np.ndarray:
    assert photo.face is not None
    assert list(photo.face.points) == list(CAT_POINTS)
    return np.array(list(photo.face.points.values()))


def test_the_parser_draws_as_many_as_are_wanted() -> None:
    found = parse_toy_cats(Wanted(None, 64, 7, 3))
    drawn = list(found.photos)
    assert found.count == len(drawn) == 7
    assert drawn[5].name == "toy-cat-0000005"
    assert found.memory_bytes == 0
    for photo in drawn:
        pixels = photo.read()
        assert pixels.dtype == np.uint8
        assert all(300 <= side <= 600 for side in pixels.shape[:2])
        assert pixels.shape[2] == 3


def test_a_photo_follows_from_its_seed_and_number_alone() -> None:
    few, many, others = photos(2), photos(4), photos(2, seed=1)
    assert np.array_equal(few[1].read(), many[1].read())
    assert np.array_equal(few[1].read(), few[1].read())
    assert np.array_equal(points(few[1]), points(many[1]))
    different = {photo.read().tobytes() for photo in (*many, *others)}
    assert len(different) == 6


def test_points_lie_in_the_photo_and_a_cheek_now_and_then_does_not() -> None:
    cut_off, tilts = 0, []
    for number in range(300):
        scene = toy_scene(9, number)
        face = scene.face().points
        inside = np.array(list(face.values()))
        assert (inside > 0).all()
        assert (inside < (scene.width, scene.height)).all()
        edges = np.array([(-1, 0.4), (1, 0.4), (0, 1)]) * (scene.look.cheeks, scene.look.chin)
        around = moved(scene.pose, edges)
        cut_off += bool((around < 0).any() or (around > (scene.width, scene.height)).any())
        right, down = np.subtract(face["right eye"], face["left eye"])
        tilts.append(degrees(atan2(down, right)))
    assert 15 < cut_off < 120
    assert -35 <= min(tilts) < -30
    assert 30 < max(tilts) <= 35


def test_the_layout_is_read_back_by_the_parser_of_the_cat_dataset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toys, "FOLDER_PHOTOS", 2)
    heard: list[tuple[int, int]] = []
    write_cat_layout(tmp_path / "cats", 5, 4, lambda done, total: heard.append((done, total)))
    assert heard == [(number, 5) for number in range(1, 6)]
    found = list(parse_cat10k(Wanted(tmp_path / "cats", 64, None, 0)).photos)
    assert [photo.name for photo in found] == [
        f"CAT_{number // 2:02d}/{number + 1:08d}_000.jpg" for number in range(5)
    ]
    for photo, drawn in zip(found, photos(5, seed=4), strict=True):
        assert points(photo) == pytest.approx(points(drawn), abs=0.5)
        difference = photo.read().astype(int) - drawn.read()
        assert np.abs(difference).mean() < 2  # JPEG
    line = (tmp_path / "cats" / "CAT_00" / "00000001_000.jpg.cat").read_text()
    assert line.startswith("9 ")
    assert len(line.split(" ")) == 20  # as in the dataset, there is a space at the end
    assert [path.name for path in tmp_path.iterdir()] == ["cats"]


@settings(max_examples=60, deadline=None)
@given(where=st.lists(places, min_size=9, max_size=9))
def test_annotations_are_read_back_to_the_pixel(where: list[tuple[float, float]]) -> None:
    face = Face(dict(zip(CAT_POINTS, where, strict=True)))
    read = np.array([keypoints(annotation(face))[name] for name in CAT_POINTS])
    assert np.array_equal(read, np.floor(where) + 0.5)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    kept = tmp_path / "cats" / "kept.txt"
    kept.parent.mkdir()
    kept.write_text("mine")
    for target in (kept.parent, kept):
        with pytest.raises(ValueError, match="is there already, expected a new or an empty folder"):
            write_cat_layout(target, 1)
    assert kept.read_text() == "mine"
    (tmp_path / "empty").mkdir()
    write_cat_layout(tmp_path / "empty", 1)
    assert (tmp_path / "empty" / "CAT_00" / "00000001_000.jpg").is_file()


def test_what_is_interrupted_leaves_nothing(tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_cat_layout(tmp_path / "cats", 3, progress=interrupt)
    assert list(tmp_path.iterdir()) == []


def test_less_than_one_cat_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a count of 0 toy cats, expected at least 1"):
        write_cat_layout(tmp_path / "cats", 0)
