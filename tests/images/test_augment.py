"""Changes to pictures against loops, closed forms and numeric gradients."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from purrtrait.images import augment
from purrtrait.images.augment import KINDS
from purrtrait.types import Draw

EDGE = st.floats(-1, 1, exclude_max=True, width=32)


def images(count: int = 4, channels: int = 3, height: int = 8, width: int = 8) -> Tensor:
    return Draw(0, "test", 0).uniform((count, channels, height, width), "images", -1, 1)


def numbers(name: str, count: int) -> Tensor:
    return Draw(0, "test", 1).uniform((count, KINDS[name].numbers), "numbers", -1, 1)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("channels", [1, 3])
def test_only_those_that_are_on_are_changed(name: str, channels: int) -> None:
    before = images(4, channels, 32, 32)
    on = torch.tensor([[1.0], [0.0], [1.0], [0.0]])
    after = KINDS[name].change(before, numbers(name, 4), on)
    assert after.shape == before.shape
    assert torch.allclose(after[1::2], before[1::2], atol=1e-5)
    moved = (after - before).abs().flatten(1).amax(1)
    assert bool((moved[::2] > 0.01).all())


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("channels", [1, 3])
def test_each_picture_is_changed_by_itself(name: str, channels: int) -> None:
    before, drawn, on = images(5, channels), numbers(name, 5), torch.ones(5, 1)
    together = KINDS[name].change(before, drawn, on)
    alone = [
        KINDS[name].change(before[i : i + 1], drawn[i : i + 1], on[i : i + 1]) for i in range(5)
    ]
    assert torch.allclose(together, torch.cat(alone), atol=1e-6)


@pytest.mark.parametrize("name", KINDS)
def test_gradients_pass_through(name: str) -> None:
    before = images(2, 3, 4, 4).double().requires_grad_()
    drawn, on = numbers(name, 2).double(), torch.tensor([[1.0], [1.0]], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: KINDS[name].change(x, drawn, on), before)
    assert torch.autograd.gradgradcheck(lambda x: KINDS[name].change(x, drawn, on), before)


@pytest.mark.parametrize("name", KINDS)
def test_layout_in_memory_stays(name: str) -> None:
    laid = images().contiguous(memory_format=torch.channels_last)
    after = KINDS[name].change(laid, numbers(name, 4), torch.ones(4, 1))
    assert after.is_contiguous(memory_format=torch.channels_last)


@given(brightness=EDGE, saturation=EDGE, contrast=EDGE)
@settings(max_examples=30, deadline=None)
def test_colour_in_closed_form(brightness: float, saturation: float, contrast: float) -> None:
    before = images(1)
    after = augment.colour(
        before, torch.tensor([[brightness, saturation, contrast]]), torch.ones(1, 1)
    )[0].numpy()
    lit = before[0].double().numpy() + 0.25 * brightness
    grey = lit.mean(0, keepdims=True)
    coloured = grey + (1 + saturation) * (lit - grey)
    expected = coloured.mean() + (1 + contrast / 2) * (coloured - coloured.mean())
    np.testing.assert_allclose(after, expected, atol=1e-5)


@given(down=EDGE, right=EDGE, height=st.sampled_from([8, 16]), width=st.sampled_from([8, 24]))
@settings(max_examples=30, deadline=None)
def test_translation_against_a_loop(down: float, right: float, height: int, width: int) -> None:
    before = images(1, 2, height, width)
    after = augment.translation(before, torch.tensor([[down, right]]), torch.ones(1, 1))
    rows = int(torch.tensor(down * height / 8, dtype=torch.float32).round())
    columns = int(torch.tensor(right * width / 8, dtype=torch.float32).round())
    for row in range(height):
        for column in range(width):
            y, x = row + rows, column + columns
            inside = 0 <= y < height and 0 <= x < width
            expected = before[0, :, y, x] if inside else torch.zeros(2)
            assert torch.equal(after[0, :, row, column], expected)


@given(down=EDGE, right=EDGE)
@settings(max_examples=30, deadline=None)
def test_cutout_against_a_loop(down: float, right: float) -> None:
    before = images(1, 1, 8, 16)
    after = augment.cutout(before, torch.tensor([[down, right]]), torch.ones(1, 1))
    for row in range(8):
        for column in range(16):
            y, x = (2 * row + 1) / 8 - 1, (2 * column + 1) / 16 - 1
            distances = [abs(y - np.float32(down)), abs(x - np.float32(right))]
            if min(abs(distance - 0.5) for distance in distances) < 1e-6:
                continue  # on the rim, where rounding decides
            hole = max(distances) < 0.5
            expected = torch.zeros(1) if hole else before[0, :, row, column]
            assert torch.equal(after[0, :, row, column], expected)


@given(turn=EDGE, scale=EDGE, height=st.sampled_from([16, 32]))
@settings(max_examples=30, deadline=None)
def test_geometry_of_a_slope_in_closed_form(turn: float, scale: float, height: int) -> None:
    """Bilinear resampling is exact where the picture is a plane, and is compared inside."""
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(32) + 0.5, indexing="ij")
    plane = 0.03 * x + 0.02 * y
    after = augment.geometric(plane[None, None], torch.tensor([[turn, scale]]), torch.ones(1, 1))[
        0, 0
    ]
    angle, factor = math.radians(10) * turn, 1.1**scale
    from_middle = x - 16, y - height / 2
    source = (
        16 + factor * (math.cos(angle) * from_middle[0] - math.sin(angle) * from_middle[1]),
        height / 2 + factor * (math.sin(angle) * from_middle[0] + math.cos(angle) * from_middle[1]),
    )
    expected = 0.03 * source[0] + 0.02 * source[1]
    inside = (source[0] > 0.5) & (source[0] < 31.5) & (source[1] > 0.5) & (source[1] < height - 0.5)
    assert int(inside.sum()) > 0.6 * inside.numel()
    torch.testing.assert_close(after[inside], expected[inside], atol=1e-4, rtol=0)
