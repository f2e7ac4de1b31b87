"""Area averaging against brute force, and the two ranges of numbers against each other."""

from __future__ import annotations

from math import lcm

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from purrtrait.images.resize import area, area_sums, cut_out, fit, sums_down, to_images, to_uint8

sides = st.integers(1, 24)
quick = settings(max_examples=40, deadline=None)


def brute_force(images: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Side by side: pixels repeated onto the least common multiple of both sizes, block means."""
    for axis, size in ((2, height), (3, width)):
        fine = lcm(images.shape[axis], size)
        repeated = images.repeat_interleave(fine // images.shape[axis], axis)
        images = repeated.unflatten(axis, (size, fine // size)).mean(axis + 1)
    return images


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def pixels_of(high: int, wide: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (high, wide, 3), dtype=np.uint8)


@quick
@given(high=sides, wide=sides, height=sides, width=sides, seed=st.integers(0, 99))
def test_area_is_the_mean_over_the_old_surface(
    high: int, wide: int, height: int, width: int, seed: int
) -> None:
    images = noise(2, 3, high, wide, seed=seed)
    expected = brute_force(images, height, width)
    torch.testing.assert_close(area(images, (height, width)), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("source", "target"), [(64, 22), (250, 64), (100, 64)])
def test_area_of_sides_without_a_common_factor(source: int, target: int) -> None:
    images = noise(1, 1, source, source)
    expected = brute_force(images, target, target)
    torch.testing.assert_close(area(images, target), expected, rtol=0, atol=1e-12)
    close = area(images.float(), target).double()
    torch.testing.assert_close(close, expected, rtol=0, atol=1e-6)


def test_area_of_whole_blocks_is_their_mean() -> None:
    images = noise(2, 3, 64, 64).float()
    expected = images.reshape(2, 3, 16, 4, 16, 4).mean((3, 5))
    torch.testing.assert_close(area(images, 16), expected, rtol=0, atol=1e-6)


def test_area_keeps_channels_last_when_blocks_are_whole() -> None:
    images = noise(2, 3, 64, 64).float().contiguous(memory_format=torch.channels_last)
    assert area(images, 32).is_contiguous(memory_format=torch.channels_last)


@quick
@given(side=sides, target=sides, value=st.floats(-2, 2))
def test_area_keeps_constants_and_means(side: int, target: int, value: float) -> None:
    flat = torch.full((1, 1, side, side), value, dtype=torch.float64)
    torch.testing.assert_close(area(flat, target), flat.new_full((1, 1, target, target), value))
    images = noise(1, 2, side, side, seed=side)
    before, after = images.mean((2, 3)), area(images, target).mean((2, 3))
    torch.testing.assert_close(after, before)


@quick
@given(high=sides, wide=sides)
def test_area_to_the_same_size_is_the_identity(high: int, wide: int) -> None:
    images = noise(1, 3, high, wide).float()
    assert torch.equal(area(images, (high, wide)), images)


def test_area_has_the_gradient_of_a_mean() -> None:
    images = noise(1, 1, 7, 5).requires_grad_()
    assert torch.autograd.gradcheck(lambda picture: area(picture, (3, 2)), images)


def test_area_to_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="0 x 4 pixels"):
        area(noise(1, 1, 8, 8), (0, 4))


@quick
@given(high=sides, wide=sides, data=st.data())
def test_integer_sums_are_exact(high: int, wide: int, data: st.DataObject) -> None:
    height, width = data.draw(st.integers(1, high)), data.draw(st.integers(1, wide))
    pixels = pixels_of(high, wide)
    images = torch.from_numpy(pixels).permute(2, 0, 1)[None].double()
    expected = brute_force(images, height, width)[0].permute(1, 2, 0) * high * wide
    sums = area_sums(pixels, height, width)
    assert sums.dtype == np.int64
    assert np.array_equal(sums, expected.round().numpy())


@quick
@given(source=st.integers(2, 40), data=st.data())
def test_rows_cut_out_give_the_same_sums(source: int, data: st.DataObject) -> None:
    target = data.draw(st.integers(1, source))
    first = data.draw(st.integers(0, target - 1))
    last = data.draw(st.integers(first + 1, target))
    pixels = pixels_of(source, 3)
    start, stop = cut_out(source, target, first, last)
    part = sums_down(pixels[start:stop], source, target, first, last)
    assert np.array_equal(part, sums_down(pixels, source, target, 0, target)[first:last])


@pytest.mark.parametrize(("high", "wide", "size"), [(250, 250, 64), (41, 90, 22), (91, 40, 40)])
def test_fit_is_the_middle_square_rounded(high: int, wide: int, size: int) -> None:
    pixels = pixels_of(high, wide)
    side = min(high, wide)
    top, left = (high - side) // 2, (wide - side) // 2
    square = pixels[top : top + side, left : left + side]
    exact = brute_force(torch.from_numpy(square).permute(2, 0, 1)[None].double(), size, size)
    expected = torch.floor(exact[0].permute(1, 2, 0) + 0.5 + 1e-9).byte().numpy()
    assert np.array_equal(fit(pixels, size), expected)


def test_fit_enlarges_as_pillow_does() -> None:
    pixels = pixels_of(20, 20)
    bicubic = Image.fromarray(pixels).resize((64, 64), Image.Resampling.BICUBIC)
    assert np.array_equal(fit(pixels, 64), np.asarray(bicubic))


@quick
@given(high=sides, wide=sides, size=st.integers(1, 40), level=st.integers(0, 255))
def test_fit_keeps_shape_and_constants(high: int, wide: int, size: int, level: int) -> None:
    fitted = fit(np.full((high, wide, 3), level, np.uint8), size)
    assert fitted.shape == (size, size, 3)
    assert fitted.dtype == np.uint8
    assert (fitted == level).all()


def test_the_two_ranges_are_inverses_on_every_level() -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1).repeat(3, axis=3)
    images = to_images(levels)
    assert images.dtype == torch.float32
    assert images.shape == (1, 3, 16, 16)
    assert images.min() == -1
    assert images.max() == 1
    assert np.array_equal(to_uint8(images), levels)


def test_to_images_is_channels_last_and_takes_read_only_arrays() -> None:
    pixels = pixels_of(8, 8)[None]
    pixels.setflags(write=False)
    assert to_images(pixels).is_contiguous(memory_format=torch.channels_last)


def test_to_uint8_clamps_and_rounds() -> None:
    images = torch.tensor([-7.0, -1.0, 0.001, 1.0, 3.0]).reshape(1, 1, 1, 5)
    assert to_uint8(images).ravel().tolist() == [0, 0, 128, 255, 255]
