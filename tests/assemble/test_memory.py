"""The estimate of a training's memory."""

from __future__ import annotations

import pytest
import torch

import helpers
from purrtrait.assemble import build, memory

SHAPE = build.Shape(16, 3)


def needed(name: str, batch: int, **settings: str) -> int:
    made = helpers.recipe(name, {"batch": str(batch), **settings})
    return memory.rehearsed(made, 0, SHAPE)


@pytest.mark.parametrize("name", ["dcgan", "wgan-gp"])
def test_it_is_weights_and_so_much_for_each_picture(name: str) -> None:
    one, two, four = (needed(name, batch) for batch in (16, 32, 64))
    assert four - two == pytest.approx(2 * (two - one), rel=0.02)
    built = build.stage(helpers.recipe(name).stages[0], SHAPE, 0, torch.device("cpu"))
    held = memory.weights(built.objective.players())
    assert one > memory.COPIES * held
    # What a picture needs is at least every map of the critic, once for a real and once for a fake.
    assert (two - one) / 16 > 2 * 4 * (8 * 8 * 8 + 4 * 4 * 16)


def test_processes_share_the_batch() -> None:
    made = helpers.recipe("dcgan", {"batch": "64"})
    assert memory.rehearsed(made, 0, SHAPE, ranks=2) == needed("dcgan", 32)
