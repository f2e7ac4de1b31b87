"""Every odd file is decoded rightly or refused in plain words."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from purrtrait.datasets import photo
from purrtrait.datasets.photo import Unreadable, decode

Noisy = Callable[..., Image.Image]


def stored(image: Image.Image, kind: str = "PNG", **options: object) -> io.BytesIO:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    buffer.seek(0)
    return buffer


def refused(data: bytes) -> str:
    with pytest.raises(Unreadable) as caught:
        decode(io.BytesIO(data))
    return caught.value.reason


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "BMP", "PPM"])
def test_lossless_files_come_back_to_the_bit(noisy: Noisy, kind: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    pixels = decode(stored(noisy(), kind, **options))
    assert pixels.dtype == np.uint8
    assert np.array_equal(pixels, np.asarray(noisy()))


def test_a_path_with_spaces_and_letters_of_any_language(tmp_path: Path, noisy: Noisy) -> None:
    path = tmp_path / "mein Kätzchen 猫.PNG"
    noisy().save(path)
    assert np.array_equal(decode(path), np.asarray(noisy()))


def test_jpeg_of_grey_and_of_ink(noisy: Noisy) -> None:
    grey = noisy().convert("L")
    decoded = decode(stored(grey, "JPEG", quality=100))
    assert np.abs(decoded[..., 0].astype(int) - np.asarray(grey)).max() <= 3
    assert (decoded == decoded[..., :1]).all()
    flat = Image.new("CMYK", (16, 16), (0, 255, 255, 0))  # red
    assert decode(stored(flat, "JPEG", quality=100))[8, 8].tolist() == pytest.approx(
        [255, 0, 0], abs=3
    )


def test_palettes_with_and_without_clear_colours(noisy: Noisy) -> None:
    palette = noisy().quantize(16)
    expected = np.asarray(palette.convert("RGB"))
    assert np.array_equal(decode(stored(palette)), expected)
    indices = np.asarray(palette)
    clear = decode(stored(palette, transparency=int(indices[0, 0])))
    expected = np.where((indices == indices[0, 0])[..., None], 255, expected)
    assert np.array_equal(clear, expected)
    half = decode(stored(palette, transparency=bytes([0, 128] + [255] * 14)))
    assert (half[indices == 0] == 255).all()
    assert np.array_equal(half[indices > 1], np.asarray(palette.convert("RGB"))[indices > 1])


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_what_is_clear_becomes_white(mode: str) -> None:
    image = Image.new("RGBA", (3, 1), (0, 0, 0, 255))
    image.putpixel((1, 0), (0, 0, 0, 0))
    image.putpixel((2, 0), (0, 0, 0, 51))
    assert decode(stored(image.convert(mode)))[0, :, 0].tolist() == [0, 255, 204]


def test_one_clear_colour_of_a_png_without_alpha() -> None:
    image = Image.new("RGB", (2, 1), (10, 20, 30))
    image.putpixel((1, 0), (1, 2, 3))
    decoded = decode(stored(image, transparency=(1, 2, 3)))
    assert decoded[0].tolist() == [[10, 20, 30], [255, 255, 255]]


@pytest.mark.parametrize("kind", ["PNG", "PPM"])
def test_deep_grey_is_scaled_and_not_cut_off(kind: str) -> None:
    deep = np.array([[0, 256, 257, 32768, 65278, 65535]], np.uint16)
    image = Image.fromarray(deep) if kind == "PNG" else Image.fromarray(deep.astype(np.int32))
    assert decode(stored(image, kind))[0, :, 1].tolist() == [0, 1, 1, 128, 254, 255]


def test_black_and_white() -> None:
    image = Image.new("1", (2, 1), 1)
    image.putpixel((0, 0), 0)
    assert decode(stored(image))[0, :, 2].tolist() == [0, 255]


def test_floats_are_shares_of_white() -> None:
    values = np.array([[-1.0, 0.0, 0.5, 1.0, 9.0]], np.float32)
    decoded = decode(stored(Image.fromarray(values), "PPM"))  # a portable float map
    assert decoded[0, :, 0].tolist() == [0, 0, 128, 255, 255]
    values[0, 2] = np.nan
    assert refused(stored(Image.fromarray(values), "PPM").getvalue()) == photo.NOT_FINITE


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_turns_the_picture_upright(noisy: Noisy, orientation: int) -> None:
    image = noisy(24, 16)
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = stored(image, "PNG", exif=exif)
    with Image.open(file) as reopened:
        expected = np.asarray(ImageOps.exif_transpose(reopened))
    file.seek(0)
    assert np.array_equal(decode(file), expected)
    assert expected.shape[:2] == ((16, 24) if orientation < 5 else (24, 16))


@pytest.mark.parametrize("orientation", [0, 9, 255])
def test_an_orientation_that_means_nothing_turns_nothing(noisy: Noisy, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    found = photo.look(stored(noisy(24, 16), "PNG", exif=exif), photo.whole)
    assert (found.height, found.width) == found.pixels.shape[:2] == (16, 24)


def test_a_large_photo_of_a_phone_is_decoded_smaller() -> None:
    """108 million pixels: above where Pillow warns, and no more than others at an eighth."""
    file = stored(Image.new("L", (12_000, 9_000), 90), "JPEG")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = photo.look(file, lambda wide, high: 8)
    assert found.pixels.shape == (1_125, 1_500, 3) and (found.width, found.height) == (
        12_000,
        9_000,
    )
    assert refused(file.getvalue()) == photo.TOO_MANY_PIXELS


def test_a_jpeg_of_several_pictures_is_decoded_smaller_too(noisy: Noisy) -> None:
    one, other = noisy(160, 80), noisy(160, 80)
    file = stored(one, "MPO", save_all=True, append_images=[other])
    assert photo.look(file, lambda wide, high: 8).pixels.shape == (10, 20, 3)


@pytest.mark.parametrize("exif", [b"Exif\0\0junk", b"Exif\0\0MM\0*\0\0\0\x08\0\x09\x01\x12\0\x03"])
def test_a_damaged_exif_does_not_cost_the_picture(noisy: Noisy, exif: bytes) -> None:
    assert decode(stored(noisy(), "JPEG", exif=exif)).shape == (30, 40, 3)


def test_of_an_animation_the_first_frame() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    for kind in ("GIF", "WEBP"):
        file = stored(frames[0], kind, save_all=True, append_images=frames[1:], lossless=True)
        assert decode(file)[4, 4].tolist() == [255, 0, 0]


def test_one_pixel_is_a_picture() -> None:
    assert decode(stored(Image.new("RGB", (1, 1), "lime"))).tolist() == [[[0, 255, 0]]]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "PPM", "GIF"])
def test_a_truncated_file_is_refused(noisy: Noisy, kind: str) -> None:
    data = stored(noisy(200, 200), kind).getvalue()
    assert refused(data[: len(data) // 2]) == photo.DAMAGED


def test_a_corrupt_file_is_refused(noisy: Noisy) -> None:
    data = bytearray(stored(noisy(), "PNG").getvalue())
    data[100:120] = bytes(20)
    assert refused(bytes(data)) == photo.DAMAGED


def test_files_that_are_no_pictures(tmp_path: Path) -> None:
    text = tmp_path / "shopping.jpg"
    text.write_text("milk, more milk")
    (tmp_path / "empty.png").touch()
    for path in (text, tmp_path / "empty.png"):
        with pytest.raises(Unreadable) as caught:
            decode(path)
        assert caught.value.reason == photo.NOT_A_PICTURE


def test_a_picture_of_a_kind_that_is_not_read() -> None:
    assert refused(stored(Image.new("RGB", (8, 8)), "TIFF").getvalue()) == photo.NOT_A_PICTURE


def test_a_file_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(Unreadable) as caught:
        decode(tmp_path / "gone.jpg")
    assert caught.value.reason == photo.CANNOT_OPEN


def bomb(width: int, height: int) -> bytes:
    """Write the beginning of a PNG that says it is huge."""

    def chunk(name: bytes, body: bytes) -> bytes:
        check = zlib.crc32(name + body)
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(99)))


@pytest.mark.parametrize("side", [9_500, 14_000, 60_000])
@pytest.mark.parametrize("filters", ["error", "always", "ignore"])
def test_a_decompression_bomb_is_refused_without_a_warning(side: int, filters: str) -> None:
    # 9,500 is above Pillow's limit for a warning and below that for an error.
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter(filters)  # type: ignore[arg-type]
        assert refused(bomb(side, side)) == photo.TOO_MANY_PIXELS
    assert not heard


def test_the_filters_of_warnings_are_left_as_they_were(noisy: Noisy) -> None:
    before = list(warnings.filters)
    decode(stored(noisy()))
    refused(bomb(20_000, 20_000))
    assert list(warnings.filters) == before


MAGIC = (
    b"",
    b"\xff\xd8\xff\xe0",
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    b"GIF89a",
    b"RIFF\x40\0\0\0WEBPVP8 ",
    b"BM",
    b"P6 8 8 255\n",
    b"P5 8 8 65535\n",
    b"Pf 2 2 -1.0\n",
)


@settings(max_examples=200, deadline=None)
@given(start=st.sampled_from(MAGIC), rest=st.binary(max_size=300))
def test_bytes_at_random_raise_nothing_else(start: bytes, rest: bytes) -> None:
    try:
        assert decode(io.BytesIO(start + rest)).dtype == np.uint8
    except Unreadable as error:
        assert error.reason


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(changes=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=8))
def test_damaged_bytes_raise_nothing_else(jpeg: bytes, changes: list[tuple[int, int]]) -> None:
    data = bytearray(jpeg)
    for place, value in changes:
        data[place % len(data)] = value
    try:
        assert decode(io.BytesIO(bytes(data))).shape[2] == 3
    except Unreadable as error:
        assert error.reason
