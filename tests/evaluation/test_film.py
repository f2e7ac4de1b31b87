"""Films are read back: how many frames, how large, how long, and what stands below them."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from purrtrait.evaluation import film
from purrtrait.images import sheet

GREY = 90


def _preview(
    folder: Path, images_seen: int, wide: int = 70, high: int = 40, level: int = GREY
) -> Path:
    path = folder / f"base-{images_seen:09d}.png"
    sheet.write_png(path, np.full((high, wide, 3), level, np.uint8))
    return path


@pytest.fixture
def previews(tmp_path: Path) -> list[tuple[int, Path]]:
    # All alike, so that whatever differs between frames is the count.
    return [(seen, _preview(tmp_path, seen)) for seen in (0, 6_400, 12_800, 19_200)]


def _gif_frames(path: Path) -> list[tuple[np.ndarray, int]]:
    with Image.open(path) as image:
        found = []
        for number in range(getattr(image, "n_frames", 1)):
            image.seek(number)
            found.append((np.asarray(image.convert("RGB")), int(image.info["duration"])))
        return found


def _mp4_frames(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def test_frames_are_alike_and_wide_enough(previews: list[tuple[int, Path]]) -> None:
    made = list(film.frames(previews))
    assert len(made) == len(previews)
    assert {frame.shape for frame in made} == {(5 * 40 + sheet.STRIP, 350, 3)}
    assert all(frame.dtype == np.uint8 for frame in made)


def test_the_picture_stays_and_the_count_changes(previews: list[tuple[int, Path]]) -> None:
    made = list(film.frames(previews))
    for frame in made:
        assert (frame[: 5 * 40] == GREY).all()
    footers = [frame[5 * 40 :] for frame in made]
    for footer in footers:
        assert footer.min() < 128 and (footer[:2] == sheet.WHITE).all()
    for one, other in pairwise(footers):
        assert (one != other).any()


def test_the_count_is_written_with_commas(tmp_path: Path) -> None:
    path = _preview(tmp_path, 0, wide=320, high=4)
    (frame,) = film.frames([(12_800, path)])
    expected = sheet.captioned(np.full((4, 320, 3), GREY, np.uint8), "12,800 images")
    assert (frame == expected).all()


def test_letters_grow_with_the_film(tmp_path: Path) -> None:
    small = next(film.frames([(12_800, _preview(tmp_path, 1, wide=330))]))
    large = next(film.frames([(12_800, _preview(tmp_path, 2, wide=655))]))
    assert small.shape == (40 + sheet.STRIP, 330, 3)
    assert large.shape == (40 + 2 * sheet.STRIP, 655, 3)


def test_previews_of_other_sizes_are_padded_on_white(tmp_path: Path) -> None:
    odd = [(1, _preview(tmp_path, 1, 170, 50)), (2, _preview(tmp_path, 2, 165, 90))]
    first, second = film.frames(odd)
    assert first.shape == second.shape == (180 + sheet.STRIP, 340, 3)
    assert (first[:100, :340] == GREY).all() and (first[100:180] == sheet.WHITE).all()
    assert (second[:180, :330] == GREY).all() and (second[:180, 330:] == sheet.WHITE).all()


def test_grey_previews(tmp_path: Path) -> None:
    path = tmp_path / "grey.png"
    sheet.write_png(path, np.full((320, 320, 1), GREY, np.uint8))
    (frame,) = film.frames([(0, path)])
    assert frame.shape == (320 + sheet.STRIP, 320, 3)


def test_both_films_hold_every_preview_and_the_last_one_longer(
    previews: list[tuple[int, Path]], tmp_path: Path
) -> None:
    gif, mp4 = tmp_path / "new" / "film.gif", tmp_path / "new" / "film.mp4"
    film.film(previews, gif, mp4, seconds=2.0)  # two frames a second

    shown = _gif_frames(gif)
    assert len(shown) == len(previews)
    assert [duration for _, duration in shown] == [500, 500, 500, 500 + 1500]
    assert {frame.shape for frame, _ in shown} == {(216, 350, 3)}

    moving = _mp4_frames(mp4)
    assert len(moving) == len(previews) + 3
    assert {frame.shape for frame in moving} == {(216, 350, 3)}
    footers = [frame[200:].astype(int) for frame in moving]
    assert np.abs(footers[0] - footers[1]).max() > 100
    assert np.abs(footers[-1] - footers[-3]).max() < 60  # the same, but for compression
    with av.open(str(mp4)) as container:
        assert float(container.duration or 0) / av.time_base == pytest.approx(3.5, abs=0.1)


@pytest.mark.parametrize(("count", "frames_a_second"), [(1, 1), (60, 25)])
def test_very_few_and_very_many_previews(tmp_path: Path, count: int, frames_a_second: int) -> None:
    path = _preview(tmp_path, 0, 32, 32)
    film.film([(n, path) for n in range(count)], tmp_path / "a.gif", tmp_path / "a.mp4", 1.0)
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert container.streams.video[0].average_rate == frames_a_second
    assert len(_gif_frames(tmp_path / "a.gif")) == count


def test_no_previews_is_an_error_in_words(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no previews"):
        list(film.frames([]))
    with pytest.raises(ValueError, match="no previews"):
        film.film([], tmp_path / "a.gif", tmp_path / "a.mp4")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan")])
def test_a_film_lasts_some_time(
    previews: list[tuple[int, Path]], tmp_path: Path, seconds: float
) -> None:
    with pytest.raises(ValueError, match="more than 0"):
        film.film(previews, tmp_path / "a.gif", tmp_path / "a.mp4", seconds)


def test_a_preview_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    whole = _preview(tmp_path, 0)
    cut = tmp_path / "cut.png"
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    sheet.write_png(cut, noise)
    cut.write_bytes(cut.read_bytes()[:4000])
    for bad in (cut, tmp_path / "missing.png"):
        with pytest.raises(ValueError, match=bad.name):
            list(film.frames([(0, whole), (1, bad)]))
