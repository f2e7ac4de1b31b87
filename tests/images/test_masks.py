"""Masks against plain slow builds from the same random numbers."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from purrtrait.images import masks
from purrtrait.types import Draw, Share


def draw(position: int = 0) -> Draw:
    return Draw(0, "test", position)


def neighbours(size: int, place: int) -> list[int]:
    row, column = divmod(place, size)
    around = [(row + y, column + x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0)]
    return [r * size + c for r, c in around if min(r, c) >= 0 and max(r, c) < size]


@pytest.mark.parametrize("size", [2, 3, 7])
def test_every_neighbour_is_as_likely_as_any_other(size: int) -> None:
    for place, ways in enumerate(masks._beside(size).tolist()):
        beside = neighbours(size, place)
        assert sorted(ways) == sorted(beside * (masks.WAYS // len(beside)))


def test_walks_are_what_a_walker_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """Step by step; the numbers are drawn in two blocks."""
    size, steps = 5, 10 * 25
    monkeypatch.setattr(masks, "BLOCK", 200)
    bank, numbers = masks.walks.__wrapped__(size), Draw(0, "clouds", 0)
    blocks = [(0, 200), (200, 50)]
    kinds, ways = (
        torch.cat([numbers.uniform((n, 1000), f"{what} from {b}") for b, n in blocks])
        for what in ("kinds", "ways")
    )
    table = masks._beside(size)
    jumped = returned = 0
    for walk in (0, 7, 999):
        place = before = int(numbers.uniform((1000,), "starts")[walk] * size**2)
        counts = torch.zeros(size**2)
        for step in range(steps):
            kind, way = kinds[step, walk].item(), ways[step, walk].item()
            if kind < 0.02:
                before, place = place, int(way * size**2)
                jumped += 1
            elif kind < 0.02 + 0.98 * 0.1:
                before, place = place, before
                returned += 1
            else:
                before, place = place, int(table[place, int(way * 120)])
            counts[place] += 1
        assert counts.sum() == steps
        assert torch.equal(bank[walk].flatten(), counts / counts.max())
    assert jumped and returned


def test_the_walks_of_a_size_are_a_constant() -> None:
    assert masks.walks(4) is masks.walks(4)
    assert masks.walks(4).shape == (1000, 4, 4)
    assert torch.equal(masks.walks(4), masks.walks.__wrapped__(4))
    assert (masks.walks(4).amax((1, 2)) == 1).all()
    assert masks.walks(4).min() >= 0


def bell(width: int) -> list[float]:
    middle, deviation = (width - 1) / 2, width / 4
    return [math.exp(-((place - middle) ** 2) / (2 * deviation**2)) for place in range(width)]


@pytest.mark.parametrize("width", [1, 4, 10])
def test_one_white_pixel_is_blurred_to_the_bell(width: int) -> None:
    size, row, column = 24, 11, 9
    white = torch.zeros(size, size)
    white[row, column] = 1
    found = masks.blurring(size, width) @ white @ masks.blurring(size, width).T
    first = (width - 1) // 2
    for y in range(width):
        for x in range(width):
            expected = bell(width)[y] * bell(width)[x]
            assert found[row + first - y, column + first - x].item() == pytest.approx(expected)
    assert int((found > 0).sum()) == width**2


@pytest.mark.parametrize("blur", [1, 4, 10])
def test_a_cloud_is_four_walks_blurred(blur: int) -> None:
    size = 6
    picked = (draw().uniform((4,), "walks of cloud") * 1000).int()
    a, b, c, d = (masks.walks(size)[number] for number in picked)
    sharp = ((2 * a - b).clamp(0, 1) + 2 * c * d).clamp(0, 1)
    weights, first = bell(blur), (blur - 1) // 2
    soft = torch.zeros(size, size)
    for row in range(size):
        for column in range(size):
            for y in range(blur):
                for x in range(blur):
                    r, col = row + y - first, column + x - first
                    if min(r, col) >= 0 and max(r, col) < size:
                        soft[row, column] += weights[y] * weights[x] * sharp[r, col]
    found = masks.cloud(size, blur, draw(), "cloud")
    assert torch.allclose(found, soft / soft.max(), atol=1e-6)
    assert found.max() == 1


def test_clouds_are_neither_black_nor_white_at_any_size() -> None:
    """With 10,000 steps at 16 pixels, more than four fifths of a cloud would be all but white."""
    for size in (16, 32):
        clouds = torch.stack([masks.cloud(size, 4, draw(n), "cloud") for n in range(50)])
        assert 0.3 < clouds.mean() < 0.7
        assert (clouds > 0.95).float().mean() < 0.1
        assert clouds.std((1, 2)).min() > 0.1


def test_loose_pixels_are_drawn_one_after_the_other() -> None:
    for position in range(10):
        numbers = draw(position)
        chance, stride = numbers.uniform((2,), "pace of mask").tolist()
        stride *= 0.1
        signs, chances, values = numbers.uniform((3, 64), "pixels of mask").tolist()
        expected = []
        for number in range(64):
            full = chances[number] >= chance
            expected.append(min(2 * values[number], 1.0) if full else 0.0)
            chance += -stride if signs[number] < 0.5 else stride
            chance = min(max(chance, 0.0), 1.0)
        mask = masks.pixels(8, numbers, "mask")
        assert torch.allclose(mask.flatten(), torch.tensor(expected), atol=1e-6)


def test_half_of_the_pixels_that_are_not_empty_are_full() -> None:
    drawn = torch.stack([masks.pixels(16, draw(position), "mask") for position in range(200)])
    assert abs((drawn == 0).float().mean().item() - 0.5) < 0.1
    assert abs((drawn[drawn > 0] == 1).float().mean().item() - 0.5) < 0.02


def test_every_process_has_the_same_masks() -> None:
    for rank in (0, 1):
        other = Draw(0, "test", 0, Share(rank, 2))
        assert torch.equal(masks.cloud(6, 4, other, "mask"), masks.cloud(6, 4, draw(), "mask"))
        assert torch.equal(masks.pixels(6, other, "mask"), masks.pixels(6, draw(), "mask"))


def test_another_purpose_or_position_is_another_mask() -> None:
    for mask in (masks.pixels, soft):
        others = (mask(8, draw(), "other"), mask(8, draw(1), "mask"))
        assert not any(torch.equal(mask(8, draw(), "mask"), other) for other in others)


def soft(size: int, numbers: Draw, purpose: str) -> Tensor:
    return masks.cloud(size, 4, numbers, purpose)
