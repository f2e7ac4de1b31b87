"""Levels cut pictures for a stage and show what it draws within [-1, 1]."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from purrtrait.sampling.levels import Drawn, Whole
from purrtrait.types import Draw, Generator, Images, Latents, Sampler


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
