"""Sheets pixel by pixel, and files read back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image, ImageSequence

from purrtrait.images.sheet import (
    STRIP,
    captioned,
    enlargement,
    grid,
    panel,
    upscale,
    write_gif,
    write_mp4,
    write_png,
)


def pictures(count: int, high: int = 5, wide: int = 7, channels: int = 3) -> np.ndarray:
    """Draw pictures of one level each, none of them white."""
    levels = np.arange(count, dtype=np.uint8).reshape(-1, 1, 1, 1) * 20
    return np.broadcast_to(levels, (count, high, wide, channels)).copy()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("columns", "across", "down"), [(None, 3, 2), (2, 2, 3), (9, 5, 1)])
def test_grid_puts_every_picture_in_its_place(
    columns: int | None, across: int, down: int, channels: int
) -> None:
    shown = pictures(5, channels=channels)
    sheet = grid(shown, columns, padding=2, scale=3)
    assert sheet.shape == (down * (15 + 2) + 2, across * (21 + 2) + 2, channels)
    seen = np.zeros(sheet.shape[:2], bool)
    for number, picture in enumerate(shown):
        top, left = 2 + number // across * 17, 2 + number % across * 23
        place = np.s_[top : top + 15, left : left + 21]
        assert np.array_equal(sheet[place], upscale(picture, 3))
        seen[place] = True
    assert (sheet[~seen] == 255).all()


def test_grid_without_padding_or_pictures() -> None:
    assert grid(pictures(4), 2, padding=0).shape == (10, 14, 3)
    with pytest.raises(ValueError, match="no pictures"):
        grid(pictures(0))


def test_upscale_repeats_pixels() -> None:
    picture = np.arange(4, dtype=np.uint8).reshape(2, 2, 1)
    assert upscale(picture, 2)[..., 0].tolist() == [
        [0, 0, 1, 1],
        [0, 0, 1, 1],
        [2, 2, 3, 3],
        [2, 2, 3, 3],
    ]


@pytest.mark.parametrize("channels", [1, 3])
def test_a_caption_is_a_strip_of_one_height(channels: int) -> None:
    picture = pictures(1, 40, 120, channels)[0]
    short, long = captioned(picture, "1,024 images"), captioned(picture, "much text " * 30)
    assert short.shape == long.shape == (40 + STRIP, 120, channels)
    assert np.array_equal(short[:40], picture)
    assert (short[40:] < 100).any()
    assert not np.array_equal(short, captioned(picture, "2,048 images"))
    narrow = captioned(pictures(1, 8, 8)[0], "1,024 images")
    assert narrow.shape == (8 + STRIP, 8, 3)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_panel_has_a_row_for_each_picture_and_a_column_for_each_title(channels: int) -> None:
    shown = pictures(6, 16, 16, channels)
    sheet = panel({"coarse": shown[:3], "truth": shown[3:]})
    assert sheet.shape == (STRIP + 3 * 66 + 2, 2 * 68, channels)
    for number, picture in enumerate(shown):
        top, left = STRIP + 2 + number % 3 * 66, 2 + number // 3 * 68
        assert np.array_equal(sheet[top : top + 64, left : left + 64], upscale(picture, 4))
    titles = sheet[:STRIP, :68], sheet[:STRIP, 68:]
    assert not np.array_equal(*titles)
    for words, title in zip(("coarse", "truth"), titles, strict=True):
        assert np.array_equal(title, captioned(shown[0].repeat(68, 1)[:, :68], words)[16:])


def test_a_panel_of_large_pictures_leaves_them_as_they_are() -> None:
    assert panel({"a": pictures(2, 70, 70)}).shape == (STRIP + 2 * 72 + 2, 74, 3)


@pytest.mark.parametrize("columns", [{}, {"a": pictures(2), "b": pictures(3)}])
def test_a_panel_needs_columns_of_one_shape(columns: dict[str, np.ndarray]) -> None:
    with pytest.raises(ValueError, match="all of one shape"):
        panel(columns)


@pytest.mark.parametrize("channels", [1, 3])
def test_png_comes_back_to_the_bit(tmp_path: Path, channels: int) -> None:
    image = np.random.default_rng(2).integers(0, 256, (9, 11, channels), dtype=np.uint8)
    path = tmp_path / "new folder" / "a.png"
    write_png(path, image)
    with Image.open(path) as back:
        assert np.array_equal(np.asarray(back).reshape(image.shape), image)
    assert [file.name for file in path.parent.iterdir()] == ["a.png"]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    write_png(path, pictures(1)[0])
    before = path.read_bytes()
    with pytest.raises(TypeError):
        write_png(path, np.zeros((4, 4, 7), np.uint8))
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize("channels", [1, 3])
def test_gif_comes_back(tmp_path: Path, channels: int) -> None:
    write_gif(tmp_path / "a.gif", pictures(6, 8, 12, channels), 5)
    with Image.open(tmp_path / "a.gif") as back:
        assert getattr(back, "n_frames", 0) == 6
        assert back.size == (12, 8)
        assert back.info["duration"] == 200
        assert back.info["loop"] == 0
        back.seek(3)
        assert np.asarray(back.convert("RGB"))[4, 4].tolist() == [60, 60, 60]


@pytest.mark.parametrize(("high", "wide"), [(64, 96), (35, 51)])
@pytest.mark.parametrize("channels", [1, 3])
def test_mp4_comes_back(tmp_path: Path, high: int, wide: int, channels: int) -> None:
    path = tmp_path / "a.mp4"
    write_mp4(path, iter(pictures(9, high, wide, channels)), 10)
    with av.open(str(path)) as back:
        stream = back.streams.video[0]
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert stream.average_rate == 10
        frames = [frame.to_ndarray(format="rgb24") for frame in back.decode(stream)]
    assert len(frames) == 9
    assert frames[0].shape == (high + high % 2, wide + wide % 2, 3)
    for number, frame in enumerate(frames):
        assert abs(float(frame.mean()) - 20 * number) < 3
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat"), "a browser cannot start before the end"


@pytest.mark.parametrize(
    ("side", "least", "factor"), [(16, 64, 4), (22, 64, 2), (64, 64, 1), (100, 64, 1), (32, 256, 8)]
)
def test_small_pictures_are_enlarged_by_a_whole_factor(side: int, least: int, factor: int) -> None:
    assert enlargement(side, least) == factor


@pytest.mark.parametrize("rate", [4, 12, 24, 30, 40, 50, 60, 7.5])
def test_a_gif_takes_as_long_as_its_frames(rate: float, tmp_path: Path) -> None:
    """GIFs count in hundredths of a second, which few rates are a multiple of."""
    write_gif(tmp_path / "a.gif", pictures(61, 8, 8, 1), rate)
    with Image.open(tmp_path / "a.gif") as back:
        lasting = []
        for frame in ImageSequence.Iterator(back):
            lasting.append(frame.info["duration"])
    assert sum(lasting) == pytest.approx(1000 * 61 / rate, abs=21)
    assert min(lasting) >= 20  # browsers slow shorter ones down
    assert max(lasting) - min(lasting) <= 20
    assert len(lasting) == 61 if rate <= 50 else len(lasting) >= 40


@pytest.mark.parametrize("write", [write_gif, write_mp4])
def test_films_need_frames_of_one_shape(
    tmp_path: Path, write: Callable[[Path, list[np.ndarray], float], None]
) -> None:
    with pytest.raises(ValueError, match="no frames"):
        write(tmp_path / "a", [], 5)
    with pytest.raises(ValueError, match="Frame 1"):
        write(tmp_path / "a", [pictures(1)[0], pictures(1, 6, 6)[0]], 5)
    assert not list(tmp_path.iterdir())
