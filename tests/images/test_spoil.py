"""The four ways to spoil pictures, against plain builds, and how often each comes."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from torch import Tensor

from purrtrait.images import masks, spoil
from purrtrait.types import Draw, Images, Share

SIZE = 12
EVERY = {**spoil.TECHNIQUES, "combined": spoil.combined}


def draw(position: int = 0, share: Share = Share()) -> Draw:
    return Draw(0, "test", position, share)


def pictures(count: int = 6, channels: int = 3, low: float = -1, high: float = 1) -> Images:
    return draw().uniform((count, channels, SIZE, SIZE), "pictures", low, high)


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_technique(name: str, channels: int) -> None:
    before = pictures(channels=channels)
    kept = before.clone()
    for position in range(8):
        after = EVERY[name](before, draw(position), "set")
        assert after.shape == before.shape
        assert after.dtype == torch.float32
        assert after.abs().max() <= 1
        assert torch.equal(after, EVERY[name](before, draw(position), "set"))
        others = (EVERY[name](before, draw(99), "set"), EVERY[name](before, draw(position), "more"))
        assert not any(torch.equal(after, other) for other in (before, *others))
    assert torch.equal(before, kept)


@pytest.mark.parametrize("name", ["mix", "warp", "stamp"])
def test_what_is_plain_stays_as_dark_as_it_is(name: str) -> None:
    """A spoilt picture must not be known by its brightness."""
    plain = torch.full((4, 3, SIZE, SIZE), -0.5)
    for position in range(4):
        after = spoil.TECHNIQUES[name](plain, draw(position), "set")
        assert torch.allclose(after, plain, atol=1e-6)


@pytest.mark.parametrize(("name", "mask"), [("pixels", "pixels"), ("cloud", "cloud")])
def test_mix_shows_another_picture_through_one_mask(name: str, mask: str) -> None:
    before = pictures()
    position = next(
        p
        for p in range(9)
        if (draw(p).uniform((1,), "kind of mask of set") < 0.5) == (mask == "pixels")
    )
    numbers = draw(position)
    made = {
        "pixels": lambda: masks.pixels(SIZE, numbers, "set"),
        "cloud": lambda: masks.cloud(SIZE, 4, numbers, "set"),
    }[name]()
    after = spoil.mix(before, numbers, "set")
    for number in range(len(before)):
        expected = made * before[number] + (1 - made) * before[number - 1]
        assert torch.allclose(after[number], expected, atol=1e-6)


def test_shifted_is_rolled() -> None:
    before, shifts = pictures(), torch.tensor([[0, 0], [1, 0], [0, 5], [-2, 3], [12, -13], [7, 7]])
    after = spoil.shifted(before, shifts)
    for old, new, shift in zip(before, after, shifts.tolist(), strict=True):
        assert torch.equal(new, old.roll(shift, (1, 2)))


def test_a_stamp_is_the_picture_shifted_by_up_to_ten_pixels() -> None:
    before, seen = pictures(80), Counter[int]()
    numbers = draw()
    mask = masks.cloud(SIZE, 4, numbers, "cloud 0 of set")
    for old, new in zip(before, spoil.stamp(before, numbers, "set"), strict=True):
        fits = [
            (down, right)
            for down in range(1, 11)
            for right in range(1, 11)
            if torch.allclose(
                new, (1 - mask) * old + mask * old.roll((down, right), (1, 2)), atol=1e-5
            )
        ]
        assert len(fits) == 1
        seen.update(fits[0])
    assert sorted(seen) == list(range(1, 11))


def bilinear(image: Tensor, row: float, column: float) -> Tensor:
    """The picture's colour (C,) at a place, which is first brought into the picture."""
    row, column = (min(max(place, 0.0), SIZE - 1.0) for place in (row, column))
    r, c = min(int(row), SIZE - 2), min(int(column), SIZE - 2)
    down, right = row - r, column - c
    upper = image[:, r, c] * (1 - right) + image[:, r, c + 1] * right
    lower = image[:, r + 1, c] * (1 - right) + image[:, r + 1, c + 1] * right
    return upper * (1 - down) + lower * down


def test_warped_takes_each_pixel_from_elsewhere() -> None:
    before = pictures(2)
    field = draw().uniform((2, SIZE, SIZE), "field", -1, 1)
    amplitudes = torch.tensor([2.0, 5.0])
    after = spoil.warped(before, field, amplitudes)
    for number in range(2):
        for row in range(SIZE):
            for column in range(SIZE):
                down, right = (amplitudes[number] * field[:, row, column]).tolist()
                expected = bilinear(before[number], row + down, column + right)
                assert torch.allclose(after[number, :, row, column], expected, atol=1e-4)


def test_a_warp_moves_by_two_to_five_pixels_of_the_pictures_own() -> None:
    before, numbers = pictures(60), draw()
    field = (
        torch.stack([masks.cloud(SIZE, 4, numbers, f"cloud {n} of set") for n in (0, 1)]) * 2 - 1
    )
    seen = Counter[int]()
    candidates = {a: spoil.warped(before, field, torch.full((60,), a)) for a in range(1, 8)}
    for number, new in enumerate(spoil.warp(before, numbers, "set")):
        fits = [a for a, images in candidates.items() if torch.allclose(images[number], new)]
        assert len(fits) == 1
        seen.update(fits)
    assert sorted(seen) == [2, 3, 4, 5]


@pytest.mark.parametrize("channels", [1, 3])
def test_a_texture_is_made_of_clouds_alone(channels: int) -> None:
    numbers = draw()
    found = spoil.texture(pictures(5, channels), numbers, "set")
    assert torch.equal(found, spoil.texture(torch.zeros(5, channels, SIZE, SIZE), numbers, "set"))
    a, b, c = (
        masks.cloud(SIZE, blur, numbers, f"cloud {n} of set") for n, blur in enumerate((10, 10, 4))
    )
    shifts = numbers.uniform((5, 2), "shifts of set", 1, SIZE + 1).int()
    bases = numbers.uniform((5, channels, 1, 1), "colours of set")
    for number in range(5):
        for channel in range(channels):
            far = (-(channel + 1) * shifts[number]).tolist()
            light = bases[number, channel] + a * b.roll(far, (0, 1)) + c.roll(far, (0, 1))
            ratio = (found[number, channel] + 1) / light
            assert ratio.std() < 1e-5  # alike but for the scale
        assert found[number].max() == 1


def spied(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Images]]:
    """What the techniques are asked for, in order."""
    asked: list[tuple[str, Images]] = []
    for name in list(spoil.TECHNIQUES):

        def spy(images: Images, draw: Draw, purpose: str, name: str = name) -> Images:
            asked.append((name, images))
            return images

        monkeypatch.setitem(spoil.TECHNIQUES, name, spy)
    return asked


def test_each_technique_comes_as_often_and_a_third_of_the_sets_are_two(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before, asked, seen, two = pictures(4, 1), spied(monkeypatch), Counter[str](), 0
    for position in range(1200):
        spoil.spoilt(before, draw(position))
        assert len(asked) in (1, 2)
        two += len(asked) == 2
        seen.update(name for name, _ in asked)
        asked.clear()
    assert abs(two / 1200 - 0.33) < 0.04
    assert sorted(seen) == sorted(spoil.TECHNIQUES)
    assert max(abs(count / seen.total() - 0.25) for count in seen.values()) < 0.04


@pytest.mark.parametrize(("count", "away"), [(2, 1), (3, 2), (4, 2)])
def test_a_second_set_is_of_other_pictures(
    count: int, away: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, before = spied(monkeypatch), pictures(count, 1)
    spoil.combined(before, draw(), "set")
    (_, first), (_, second) = asked
    assert torch.equal(first, before)
    assert torch.equal(second, before.roll(away, 0))


@pytest.mark.parametrize("name", ["warp", "stamp", "random"])
def test_processes_spoil_their_shares_as_one_would(name: str) -> None:
    """Of one technique; what a picture is mixed with comes from its own process."""
    technique, before = spoil.TECHNIQUES[name], pictures(6)
    halves = [technique(before[3 * r : 3 * r + 3], draw(0, Share(r, 2)), "set") for r in (0, 1)]
    assert torch.allclose(torch.cat(halves), technique(before, draw(), "set"), atol=1e-6)
