"""Portraits with their graph are those of the sampler, and rows go down a cost."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from purrtrait.networks import GENERATORS
from purrtrait.sampling.latents import latents
from purrtrait.sampling.levels import Detail, Drawn
from purrtrait.sampling.redraw import descended, traced
from purrtrait.types import Images, Latents, Prior, Sampler


def pyramid() -> Sampler:
    base = Drawn(GENERATORS["dense"](8, 3, latent=5, width=8).eval())
    detail = GENERATORS["refiner"](16, 3, plan="narrow-5", width=4).eval()
    return Detail(16, 8).join(detail, base)


def single() -> Sampler:
    return Drawn(GENERATORS["modern"](16, 3, latent=5, width=8).eval())


@pytest.mark.parametrize("made", [single, pyramid])
def test_traced_portraits_are_those_of_the_sampler(made: type[Sampler]) -> None:
    sampler = made()
    z = latents(3, sampler.latent_size, sampler.prior, 1).requires_grad_()
    drawn = traced(sampler, z)
    assert torch.allclose(drawn.detach().clamp(-1, 1), sampler(z), atol=1e-6)
    (gradient,) = torch.autograd.grad(drawn.square().sum(), z)
    assert (gradient != 0).any(0).all()  # every number of a latent is heard


class Unknown:
    latent_size = 2
    prior: Prior = "normal"

    def __call__(self, z: Latents) -> Images:
        return z[:, :1, None, None]


def test_a_sampler_without_a_graph_is_refused() -> None:
    with pytest.raises(ValueError, match="no gradient can be followed"):
        traced(Unknown(), torch.zeros(1, 2))


def test_each_row_finds_the_bottom_of_its_own_bowl() -> None:
    bottoms = torch.tensor([[0.5, -0.25, 1.0], [-1.0, 0.0, 0.25]])
    told: list[tuple[int, int]] = []
    found, costs = descended(
        lambda z: (z - bottoms).square().sum(1),
        torch.zeros(2, 3),
        200,
        lambda done, steps: told.append((done, steps)),
    )
    assert torch.allclose(found, bottoms, atol=1e-2)
    assert torch.allclose(costs, (found - bottoms).square().sum(1))
    assert told == [(step, 200) for step in range(1, 201)]


def test_the_best_on_the_way_is_kept() -> None:
    given: list[Tensor] = []

    def rising(z: Latents) -> Tensor:
        given.append(z.detach().clone())
        return z.sum(1) * 0 + len(given)  # it only gets worse

    starts = torch.tensor([[1.0, 2.0]])
    found, costs = descended(rising, starts, 5, lambda done, steps: None)
    assert torch.equal(found, starts)
    assert costs.tolist() == [1]


def test_the_last_step_counts() -> None:
    """So many steps look at one place more: where the last of them leads."""
    found, costs = descended(
        lambda z: (z - 1).square().sum(1), torch.zeros(1, 2), 1, lambda done, steps: None
    )
    assert torch.allclose(found, torch.full((1, 2), 0.05), atol=1e-3)
    assert costs.item() == pytest.approx(2 * 0.95**2, rel=1e-3)
