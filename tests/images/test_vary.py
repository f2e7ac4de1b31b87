"""Variations against Pillow, the standard library's hues and closed forms."""

from __future__ import annotations

import colorsys
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from purrtrait.images import vary
from purrtrait.images.vary import VARIATIONS
from purrtrait.types import Draw, Share

CHANGING = [name for name in VARIATIONS if name != "none"]
GEOMETRIC = {  # scale, degrees and share of the side that each promises by default
    "cat-generator": ((0.93, 1.08), 8, 4 / 180),
    "face-generator": ((0.82, 1.10), 8, 5 / 84),
}
STILL: dict[str, Any] = {"scale": (1, 1), "degrees": 0, "translation": 0}
QUIET: dict[str, dict[str, Any]] = {
    "cat-generator": {"brightness": (1, 1), "noise": 0},
    "face-generator": {"brightness": (1, 1)},
}


def portraits(count: int = 6, channels: int = 3, side: int = 16) -> Tensor:
    drawn = Draw(0, "test", 0).uniform((count, side, side, channels), "portraits", -1, 1)
    return drawn.permute(0, 3, 1, 2)


def plain(value: float, count: int = 1, channels: int = 3, side: int = 16) -> Tensor:
    return torch.full((count, channels, side, side), value)


def slopes(count: int, side: int) -> Tensor:
    """Pictures whose first channel is x and whose second is y, as shares from -1/2 to 1/2."""
    middles = (torch.arange(side) + 0.5) / side - 0.5
    y, x = torch.meshgrid(middles, middles, indexing="ij")
    return torch.stack([x, y, x * y]).repeat(count, 1, 1, 1)


def looked_up(after: Tensor) -> tuple[Tensor, Tensor]:
    """Where changed slopes were looked up, as least squares have it.

    Matrices (B, 2, 2) and shifts (B, 2) in shares of the side, from the middle of the pictures,
    where nothing comes in from outside.
    """
    side = after.shape[-1]
    inner = slice(side // 4, side - side // 4)
    here = slopes(1, side)[0, :2, inner, inner].flatten(1).T.double()
    known = torch.cat([here, torch.ones(len(here), 1)], 1).expand(len(after), -1, -1)
    there = after[:, :2, inner, inner].flatten(2).mT.double()
    found = torch.linalg.lstsq(known, there).solution
    return found[:, :2].mT, found[:, 2]


@pytest.mark.parametrize("name", VARIATIONS)
@pytest.mark.parametrize("channels", [1, 3])
def test_portraits_become_portraits(name: str, channels: int) -> None:
    before = portraits(6, channels)
    kept = before.clone()
    after = VARIATIONS[name]()(before, Draw(1, "base", 2))
    assert torch.equal(before, kept)
    assert after.shape == before.shape
    assert after.dtype == torch.float32
    assert float(after.abs().max()) <= 1
    assert after.is_contiguous(memory_format=torch.channels_last)
    assert (name == "none") == torch.equal(after, before)


@pytest.mark.parametrize("name", CHANGING)
def test_it_follows_from_the_place_on_the_clock_alone(name: str) -> None:
    before = portraits()
    first = VARIATIONS[name]()(before, Draw(1, "base", 2))
    assert torch.equal(first, VARIATIONS[name]()(before, Draw(1, "base", 2)))
    for other in (Draw(2, "base", 2), Draw(1, "fine", 2), Draw(1, "base", 3)):
        assert not torch.equal(first, VARIATIONS[name]()(before, other))


@pytest.mark.parametrize("name", CHANGING)
@pytest.mark.parametrize("ranks", [2, 3])
def test_shares_of_processes_join_to_the_batch_of_one(name: str, ranks: int) -> None:
    before, vary_ = portraits(), VARIATIONS[name]()
    parts = [
        vary_(part, Draw(1, "base", 2, Share(rank, ranks)))
        for rank, part in enumerate(before.chunk(ranks))
    ]
    torch.testing.assert_close(torch.cat(parts), vary_(before, Draw(1, "base", 2)))


@pytest.mark.parametrize("name", CHANGING)
def test_each_picture_has_a_change_of_its_own(name: str) -> None:
    before = portraits(1).expand(6, -1, -1, -1)
    after = VARIATIONS[name]()(before, Draw(1, "base", 2))
    assert len({picture.numpy().tobytes() for picture in after}) == 6


class Calls(TorchDispatchMode):
    """Counts what torch is asked for."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.counts: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.counts[func.overloadpacket.__name__] += 1
        return func(*args, **(kwargs or {}))


def calls(work: Callable[[], object]) -> Counter[str]:
    with Calls() as mode:
        work()
    found: Counter[str] = mode.counts
    return found


@pytest.mark.parametrize("name", CHANGING)
def test_a_batch_is_resampled_once_and_never_picture_by_picture(name: str) -> None:
    few, many = (
        calls(lambda: VARIATIONS[name]()(portraits(count), Draw(1, "base", 2)))  # noqa: B023
        for count in (2, 20)
    )
    assert few == many
    assert few["grid_sampler_2d"] == (name in GEOMETRIC)


@pytest.mark.parametrize("name", GEOMETRIC)
def test_scale_turn_and_translation_fill_their_ranges(name: str) -> None:
    side, count = 24, 500
    after = VARIATIONS[name](**QUIET[name])(slopes(count, side), Draw(1, "base", 2))
    matrices, shifts = looked_up(after)
    lengths = torch.linalg.det(matrices).sqrt()
    # Nothing but scale and turn: no shear, no mirror.
    across = torch.stack([-matrices[:, 1, 0], matrices[:, 0, 0]], 1)
    torch.testing.assert_close(matrices[:, :, 1], across, atol=1e-5, rtol=0)
    turned = torch.atan2(matrices[:, 1, 0], matrices[:, 0, 0]).rad2deg()
    moved = -torch.linalg.solve(matrices, shifts)
    (low, high), degrees, share = GEOMETRIC[name]
    limits = ((1 / lengths, low, high), (turned, -degrees, degrees), (moved, -share, share))
    for found, least, most in limits:
        slack = 0.02 * (most - least)
        assert least - slack / 10 < float(found.min()) < least + slack
        assert most - slack < float(found.max()) < most + slack / 10


@pytest.mark.parametrize("name", GEOMETRIC)
def test_resampling_is_pillows(name: str) -> None:
    """Inside of the picture; at its edge Pillow does not go on."""
    side = 32
    before = slopes(4, side)
    before[:, 2] = portraits(4, 1, side)[:, 0]
    after = VARIATIONS[name](**QUIET[name])(before, Draw(1, "base", 2))
    matrices, shifts = looked_up(after)
    for picture, changed, matrix, shift in zip(before, after, matrices, shifts, strict=True):
        middle = torch.full((2,), side / 2, dtype=torch.float64)
        start = middle + side * shift - matrix @ middle
        rows = torch.cat([matrix, start[:, None]], 1).flatten().tolist()
        drawn = Image.fromarray(picture[2].numpy()).transform(
            (side, side), Image.Transform.AFFINE, rows, Image.Resampling.BILINEAR
        )
        inner = slice(side // 4, side - side // 4)
        np.testing.assert_allclose(
            changed[2, inner, inner].numpy(), np.asarray(drawn)[inner, inner], atol=2e-3
        )


@pytest.mark.parametrize(
    ("name", "quiet", "low", "high"),
    [("cat-generator", {"noise": 0}, 0.85, 1.15), ("face-generator", {}, 0.9, 1.1)],
)
def test_brightness_multiplies_light(
    name: str, quiet: dict[str, Any], low: float, high: float
) -> None:
    vary_ = VARIATIONS[name](**STILL, **quiet)
    after = vary_(plain(0.0, 400), Draw(1, "base", 2))
    factors = (after[:, 0, 3, 3] + 1) / 2 / 0.5
    assert float(after.flatten(1).std(1).max()) < 1e-6
    assert low <= float(factors.min()) < low + 0.01
    assert high - 0.01 < float(factors.max()) <= high
    torch.testing.assert_close(vary_(plain(-1.0), Draw(1, "base", 2)), plain(-1.0))


def test_light_is_cut_off_before_pixels_are_mixed() -> None:
    stripes = plain(1.0)
    stripes[..., ::2] = -1.0
    vary_ = VARIATIONS["face-generator"](brightness=(2, 2), scale=(2, 2), degrees=0, translation=0)
    after = vary_(stripes, Draw(1, "base", 2))[..., 1:-1]
    torch.testing.assert_close(after.abs(), torch.full_like(after, 0.5))  # light of 1/4 and 3/4


@pytest.mark.parametrize("name", CHANGING)
def test_rounding_does_not_lead_beyond_white(name: str) -> None:
    bright: dict[str, Any] = {"brightness": 1.0} if name == "jitter" else {"brightness": (1, 2)}
    after = VARIATIONS[name](**bright)(plain(1.0, 100, side=32), Draw(1, "base", 2))
    assert float(after.max()) == 1


def test_noise_is_a_share_of_white_on_each_value() -> None:
    vary_ = VARIATIONS["cat-generator"](**STILL, brightness=(1, 1))
    after = vary_(plain(0.0, 8, side=32), Draw(1, "base", 2)) / 2
    assert float(after.std()) == pytest.approx(0.02, rel=0.02)
    assert float(after.mean()) == pytest.approx(0, abs=5e-4)
    channels = after.transpose(0, 1).flatten(1)
    assert float(torch.corrcoef(channels).triu(1).abs().max()) < 0.05
    white = vary_(plain(1.0, 8, side=32), Draw(1, "base", 2))
    assert float((white == 1).float().mean()) == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("name", GEOMETRIC)
@pytest.mark.parametrize(("border", "outside"), [("edge", 1.0), ("black", -1.0)])
def test_borders(name: str, border: str, outside: float) -> None:
    smaller = {**QUIET[name], "scale": (0.5, 0.5), "border": border}
    after = VARIATIONS[name](**smaller)(plain(1.0), Draw(1, "base", 2))[0, 0]
    torch.testing.assert_close(after[0], torch.full((16,), outside))
    torch.testing.assert_close(after[6:10, 6:10], torch.ones(4, 4))


ONLY = ("brightness", "contrast", "saturation", "hue")


def only(name: str, strength: float, before: Tensor, position: int = 2) -> np.ndarray:
    """One kind of jitter alone, as light (B, H, W, C)."""
    vary_ = VARIATIONS["jitter"](**(dict.fromkeys(ONLY, 0.0) | {name: strength}))
    return as_light(vary_(before, Draw(1, "base", position)))


def as_light(images: Tensor) -> np.ndarray:
    light: np.ndarray = (images.permute(0, 2, 3, 1).double().numpy() + 1) / 2
    return light


def blended(name: str, light: np.ndarray, factor: float) -> np.ndarray:
    """A picture (H, W, 3) with one colour factor, as torchvision documents it."""
    grey = (light * [0.299, 0.587, 0.114]).sum(-1, keepdims=True)
    ground = {"brightness": np.zeros(1), "contrast": grey.mean(), "saturation": grey}[name]
    mixed: np.ndarray = factor * light + (1 - factor) * ground
    return mixed.clip(0, 1)


@pytest.mark.parametrize("name", ONLY[:3])
def test_colour_factors_in_closed_form(name: str) -> None:
    before = portraits(40, 3, 8)
    light, after = as_light(before), only(name, 0.3, before)
    factors = []
    for old, new in zip(light, after, strict=True):
        one, two = (blended(name, old, factor) for factor in (1.0, 1.001))
        apart = np.abs(two - one) > 1e-5  # where a little more of it shows
        inner = apart & (new > 0.01) & (new < 0.99)
        factor = 1 + np.median((new - old)[inner] / (two - one)[inner]) / 1000
        np.testing.assert_allclose(new, blended(name, old, factor), atol=1e-5)
        factors.append(factor)
    assert 0.7 <= min(factors) < 0.75
    assert 1.25 < max(factors) <= 1.3


def test_hues_are_those_of_the_standard_library() -> None:
    before = portraits(30, 3, 6)
    before[0, :, 0, 0] = torch.tensor([1.0, -1.0, -1.0])
    before[0, :, 0, 1] = 0.3  # grey
    light, after = as_light(before), only("hue", 0.5, before)
    turns = []
    for old, new in zip(light.reshape(30, -1, 3), after.reshape(30, -1, 3), strict=True):
        hues = [colorsys.rgb_to_hsv(*pixel)[0] for pixel in (*old[-1:], *new[-1:])]
        turn = hues[1] - hues[0]
        for before_, after_ in zip(old, new, strict=True):
            hue, saturation, value = colorsys.rgb_to_hsv(*before_)
            expected = colorsys.hsv_to_rgb((hue + turn) % 1, saturation, value)
            np.testing.assert_allclose(after_, expected, atol=1e-4)
        turns.append((turn + 0.5) % 1 - 0.5)
    assert min(turns) < -0.3
    assert max(turns) > 0.3


@given(st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), min_size=3, max_size=3))
@settings(max_examples=30, deadline=None)
def test_a_hue_turned_all_around_comes_back(colour: list[float]) -> None:
    light = torch.tensor(colour)[None, :, None, None]
    for turn, expected in ((1.0, colour), (1 / 3, colour[-1:] + colour[:-1])):
        found = vary._hue(light, torch.full((1, 1, 1, 1), turn)).flatten()
        torch.testing.assert_close(found, torch.tensor(expected), atol=1e-5, rtol=0)


def test_grey_pictures_have_no_colours_to_jitter() -> None:
    before = portraits(4, 1)
    for name in ("saturation", "hue"):
        np.testing.assert_allclose(only(name, 0.5, before), as_light(before), atol=1e-6)
    assert np.abs(only("contrast", 0.5, before) - as_light(before)).max() > 0.05


def test_the_order_of_jitter_changes_from_batch_to_batch() -> None:
    """Where light is cut off, brightness before contrast is another thing than after it."""
    before = portraits(8)
    vary_ = VARIATIONS["jitter"](brightness=1.0, contrast=1.0, saturation=0.0, hue=0.0)
    first = Counter[str]()
    for position in range(20):
        draw = Draw(1, "base", position)
        amounts = draw.uniform((8, 4), "colours of variation", -1, 1)
        after = as_light(vary_(before, draw))
        for order in (ONLY[:2], ONLY[1::-1]):
            expected = as_light(before)
            for name in order:
                factors = 1 + amounts[:, ONLY.index(name)].double().numpy()
                expected = np.stack(
                    [blended(name, e, f) for e, f in zip(expected, factors, strict=True)]
                )
            first[order[0]] += bool(np.allclose(after, expected, atol=1e-5))
    assert sum(first.values()) == 20
    assert min(first["brightness"], first["contrast"]) >= 3


def test_default_jitter_is_modest() -> None:
    before = portraits(50, 3, 8)
    change = np.abs(as_light(VARIATIONS["jitter"]()(before, Draw(1, "base", 2))) - as_light(before))
    assert 0.01 < change.mean() < 0.1
    assert change.max() < 0.4
