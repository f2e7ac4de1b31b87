"""The sanity probe against its definition, pixel by pixel."""

from __future__ import annotations

import pytest
import torch

from purrtrait.images.probe import sanity
from purrtrait.types import Draw


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [16, 22])
def test_it_is_as_it_is_defined(size: int, channels: int) -> None:
    picture = sanity(size, channels, Draw(0, "test", 0))
    assert picture.shape == (1, channels, size, size)
    values = (picture[0] + 1) / 2
    noise = []
    for channel in range(channels):
        for y in range(size):
            for x in range(size):
                value = values[channel, y, x].item()
                if channel == 0 and x == y:
                    assert value == 1
                elif channel == 0 and y % 4 == x % 4 == 3:
                    assert value == 0.5
                else:
                    noise.append(value)
    assert all(-1e-7 <= value < 0.5 for value in noise)
    assert torch.tensor(noise).mean().item() == pytest.approx(0.25, abs=0.03)
    assert max(noise) > 0.45


def test_it_is_a_function_of_its_draw() -> None:
    assert torch.equal(sanity(8, 1, Draw(0, "a", 0)), sanity(8, 1, Draw(0, "a", 0)))
    assert not torch.equal(sanity(8, 1, Draw(0, "a", 0)), sanity(8, 1, Draw(0, "a", 1)))
