"""Levels cut pictures for a stage and show what it draws within [-1, 1]."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest
import torch
from torch import Tensor

from purrtrait.images.resize import area, to_uint8
from purrtrait.sampling.levels import Detail, Drawn, Whole, spread
from purrtrait.types import Draw, Generator, Images, Latents, Prior, Sampler, Share


class Loud(Generator):
    """Draws its latents, three times too loud."""

    def __init__(self) -> None:
        super().__init__()
        self.latent_size = 4
        self.prior = "normal"
        self.weight = torch.nn.Parameter(torch.tensor(3.0))

    def forward(self, z: Latents, given: Tensor | None = None) -> Images:
        return self.weight * z.view(-1, 1, 2, 2)


DRAW = Draw(0, "test", 0)


def test_whole_shows_the_pictures_as_they_are() -> None:
    images = torch.rand(3, 3, 8, 8) * 2 - 1
    batch = Whole(8).cut(images, None, DRAW)
    assert torch.equal(batch.images, images)
    assert batch.draw == DRAW
    assert batch.given is None
    assert batch.prompt is None


def test_whole_reduces_by_area_averaging() -> None:
    images = torch.rand(3, 3, 8, 8) * 2 - 1
    level = Whole(8, pixels=4)
    expected = images.reshape(3, 3, 4, 2, 4, 2).mean((3, 5))
    assert level.size == 4
    assert torch.allclose(level.cut(images, None, DRAW).images, expected, atol=1e-6)


def test_whole_does_not_enlarge() -> None:
    with pytest.raises(ValueError, match=r"--size 64.*--set pixels=32"):
        Whole(32, pixels=64)


def test_what_is_drawn_is_shown_within_the_range_and_without_a_graph() -> None:
    sampler = Whole(8).join(Loud(), None)
    assert isinstance(sampler, Sampler)
    assert isinstance(sampler, Drawn)
    z = torch.tensor([[-1.0, 0.0, 0.1, 2.0]])
    portraits = sampler(z)
    assert portraits.flatten().tolist() == pytest.approx([-1, 0, 0.3, 1])
    assert not portraits.requires_grad
    assert (sampler.latent_size, sampler.prior) == (4, "normal")


SIZES = [(64, 16, 22), (64, 22, 32), (64, 16, 32), (32, 16, 32), (16, 8, 16), (16, 16, 16)]


class Flat:
    """Portraits of one colour, which is the row's first number, within [-1, 1]."""

    latent_size = 5
    prior: Prior = "normal"

    def __init__(self, size: int) -> None:
        self.size = size

    def __call__(self, z: Latents) -> Images:
        return z[:, :1, None, None].clamp(-1, 1).expand(-1, 3, self.size, self.size)


class Constant(Generator):
    """The detail is the mean of a row, everywhere, and the coarse picture is not looked at."""

    def __init__(self, size: int, prior: Prior = "uniform") -> None:
        super().__init__()
        self.latent_size = size * size
        self.prior = prior
        self.size = size

    def forward(self, z: Latents, given: Tensor | None = None) -> Images:
        return z.mean(1)[:, None, None, None].expand(-1, 3, self.size, self.size)


def pixels(count: int, size: int) -> Images:
    torch.manual_seed(count)
    return torch.rand(count, 3, size, size) * 2 - 1


@pytest.mark.parametrize(("size", "coarse", "fine"), SIZES)
@pytest.mark.parametrize("reduced_from", ["pack", "fine"])
def test_coarse_and_detail_are_fine(
    size: int, coarse: int, fine: int, reduced_from: Literal["pack", "fine"]
) -> None:
    images = pixels(3, size)
    level = Detail(size, coarse, fine, 0, reduced_from)
    batch = level.cut(images, None, DRAW)
    assert (level.size, level.coarse) == (fine, coarse)
    assert batch.given is not None
    assert batch.images.abs().max() <= 2
    whole = area(images, fine)
    assert (batch.given + batch.images - whole).abs().max() < 1e-6
    assert (to_uint8(batch.given + batch.images) == to_uint8(whole)).all()


@pytest.mark.parametrize("reduced_from", ["pack", "fine"])
def test_coarse_pictures_are_reduced_and_enlarged_corner_on_corner(
    reduced_from: Literal["pack", "fine"],
) -> None:
    images = pixels(2, 64)
    batch = Detail(64, 16, 22, 0, reduced_from).cut(images, None, DRAW)
    source = images if reduced_from == "pack" else area(images, 22)
    small = area(source, 16)
    assert batch.given is not None
    # Corner pixels lie on corner pixels, and in between it is linear.
    assert torch.allclose(batch.given[..., 0, 0], small[..., 0, 0], atol=1e-6)
    assert torch.allclose(batch.given[..., -1, -1], small[..., -1, -1], atol=1e-6)
    place = 8 * 15 / 21  # of the ninth column, among the old ones
    left, way = int(place), place - int(place)
    expected = (1 - way) * small[..., 0, left] + way * small[..., 0, left + 1]
    assert torch.allclose(batch.given[..., 0, 8], expected, atol=1e-5)


def test_fakes_are_asked_for_on_coarse_pictures_of_others_and_from_below() -> None:
    images, level = pixels(8, 16), Detail(16, 8, 16, chained=0.5)
    batch = level.cut(images, Flat(8), DRAW)
    assert batch.given is not None
    assert batch.prompt is not None
    drawn = [bool(row.std() < 1e-6) for row in batch.prompt]
    assert drawn == [False, True] * 4
    for row in range(0, 8, 2):
        assert torch.equal(batch.prompt[row], batch.given[row + 1])  # and not its own
    assert len({float(row[0, 0, 0]) for row in batch.prompt[1::2]}) == 4
    other = level.cut(images, Flat(8), Draw(0, "test", 1)).prompt
    assert other is not None
    assert not torch.equal(batch.prompt[1], other[1])


@pytest.mark.parametrize("share", [0.0, 0.25, 0.3, 0.5, 2 / 3, 1.0])
@pytest.mark.parametrize("count", [1, 2, 7, 16, 128])
def test_the_share_from_below_is_kept_by_count(share: float, count: int) -> None:
    rows = spread(count, share)
    assert len(rows) == int(count * share)
    assert all(abs(len([row for row in rows if row < n]) - n * share) < 1 for n in range(count + 1))


def test_processes_see_what_one_would_see() -> None:
    images, level = pixels(8, 16), Detail(16, 8, 16, chained=0.5)
    whole = level.cut(images, Flat(8), DRAW)
    parts = [
        level.cut(images[4 * rank : 4 * rank + 4], Flat(8), replace(DRAW, share=Share(rank, 2)))
        for rank in range(2)
    ]
    prompts = [part.prompt for part in parts if part.prompt is not None]
    assert whole.prompt is not None
    assert torch.equal(torch.cat(prompts), whole.prompt)


def test_a_refined_portrait_is_what_is_below_and_a_detail() -> None:
    sampler = Detail(16, 8, 16).join(Constant(16), Flat(8))
    assert isinstance(sampler, Sampler)
    assert (sampler.latent_size, sampler.prior) == (5 + 256, "normal")
    z = torch.zeros(2, 261)
    z[:, 0] = torch.tensor([0.25, 0.9])
    z[:, 5:] = torch.tensor([[0.0], [10.0]])  # as uniform numbers: 0 and almost 1
    portraits = sampler(z)
    assert portraits.shape == (2, 3, 16, 16)
    assert torch.allclose(portraits[0], torch.tensor(0.25), atol=1e-6)
    assert (portraits[1] == 1).all()  # within the range
    assert not portraits.requires_grad


@pytest.mark.parametrize(
    ("coarse", "fine", "words"),
    [
        (32, 16, "pictures of 32 px cannot be refined to 16 px"),
        (16, 128, "with a pack of 64 px"),
    ],
)
def test_sizes_that_fall_are_refused(coarse: int, fine: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Detail(64, coarse, fine)


def test_a_refiner_needs_something_below() -> None:
    with pytest.raises(ValueError, match="refines what the stage below draws, and there is none"):
        Detail(16, 8).cut(pixels(2, 16), None, DRAW)
    with pytest.raises(ValueError, match="there is none"):
        Detail(16, 8).join(Constant(16), None)
