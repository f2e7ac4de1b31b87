"""Whether weights of an earlier training fit what is to be trained with them."""

from __future__ import annotations

from pathlib import Path

import torch

from purrtrait.assemble import build
from purrtrait.assemble.place import Request
from purrtrait.config import Stage
from purrtrait.datasets.pack import Pack
from purrtrait.sampling import bundle
from purrtrait.training.checkpoint import Checkpoint
from purrtrait.training.state import State
from purrtrait.types import Batch, Progress


def expect_fit(stage: Stage, request: Request, found: Checkpoint, players: tuple[str, ...]) -> None:
    """ValueError, before anything is written, if saved weights do not fit a stage's networks."""
    pack, here = Pack.open(Path(request.data)), torch.device("cpu")
    _expect_colours(stage, pack, found)
    built = build.stage(stage, build.Shape(pack.size, pack.channels), request.seed, here)
    State(built.objective, built.paces, _no_batch, 0.0, 1).start_from(found.training(), players)


def _expect_colours(stage: Stage, pack: Pack, found: Checkpoint) -> None:
    colours = {1: "grey", 3: "colour"}
    before = bundle.describe(found.path).get("channels")
    if before in colours and before != pack.channels:
        raise ValueError(
            f"{found.path}, from which stage '{stage.name}' is to take weights, was trained on "
            f"pictures in {colours[before]}, but the pack {pack.path} is in "
            f"{colours[pack.channels]}; expected the same: name another run, or prepare the photos "
            f"{'with' if before == 1 else 'without'} --grey"
        )


def _no_batch(now: Progress) -> Batch:
    raise AssertionError("nothing is trained where weights are only tried on")
