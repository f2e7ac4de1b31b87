"""Optimisers against torch's plain forms."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import Parameter

from purrtrait.training.optimisers import OPTIMISERS, step

PLAIN: dict[str, tuple[Any, dict[str, Any]]] = {
    "adam": (torch.optim.Adam, {"betas": (0.5, 0.99), "weight_decay": 0.1}),
    "rmsprop": (torch.optim.RMSprop, {"alpha": 0.9, "weight_decay": 0.1}),
    "sgd": (torch.optim.SGD, {"momentum": 0.5, "dampening": 0.5, "weight_decay": 0.1}),
    "adagrad": (torch.optim.Adagrad, {"weight_decay": 0.1}),
}


@pytest.mark.parametrize("name", OPTIMISERS)
def test_they_step_like_torchs_plain_ones(name: str) -> None:
    torch.manual_seed(0)
    start = torch.randn(4, 3, 3, 3).to(memory_format=torch.channels_last)
    ours, theirs = Parameter(start.clone()), Parameter(start.clone())
    plain, options = PLAIN[name]
    mine = OPTIMISERS[name](**options)([ours])
    reference = plain([theirs], lr=0.01, foreach=False, **options)
    for rate in (0.01, 0.01, 0.003):
        slope = torch.randn(4, 3, 3, 3).to(memory_format=torch.channels_last)
        ours.grad, theirs.grad = slope.clone(), slope.clone()
        reference.param_groups[0]["lr"] = rate
        reference.step()
        step(mine, rate, [ours])
    assert ours.grad is None
    assert torch.allclose(ours, theirs, atol=1e-6)


def test_betas_of_whole_numbers_are_taken() -> None:
    parameter = Parameter(torch.ones(2))
    made = OPTIMISERS["adam"](betas=(0, 0.9))([parameter])
    parameter.grad = torch.ones(2)
    step(made, 0.1, [parameter])
    assert torch.allclose(parameter, torch.full((2,), 0.9))
