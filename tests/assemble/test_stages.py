"""A session is fed with what its recipe says."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from helpers import recipe
from purrtrait.assemble import stages
from purrtrait.assemble.place import Place, Request
from purrtrait.config import Upkeep
from purrtrait.datasets.pack import Pack
from purrtrait.images.vary import VARIATIONS
from purrtrait.training.run import Run
from purrtrait.types import Batch, Draw, Share

CPU = torch.device("cpu")


def first_batch(pack: Pack, variation: str, folder: Path) -> Batch:
    made = recipe("dcgan", {"variation": variation})
    upkeep = Upkeep(score_samples=0, previews=0, tensorboard=False)
    request = Request(str(pack.path), 1, "cpu", 1, upkeep.model_dump())
    place = Place(Run(folder), made, request, pack, Share(), CPU)
    return stages.session(place, 0, {}, None).state.batch()


@pytest.mark.parametrize("name", VARIATIONS)
def test_the_pictures_of_a_stage_are_varied(name: str, kittens: Pack, tmp_path: Path) -> None:
    usual = first_batch(kittens, "none", tmp_path).images
    found = first_batch(kittens, name, tmp_path).images
    assert torch.equal(found, VARIATIONS[name]()(usual, Draw(1, "base", 0)))
    assert torch.equal(found, usual) == (name == "none")
