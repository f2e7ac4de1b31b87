"""Principal directions are those of a linear layer in closed form, whatever is around it."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from purrtrait.networks import GENERATORS
from purrtrait.sampling.directions import (
    DEVIATIONS,
    LIMITS,
    Directions,
    first_layer,
    portraits,
    principal,
)
from purrtrait.sampling.latents import latents
from purrtrait.sampling.levels import Drawn
from purrtrait.types import Generator, Images, Latents, Prior


def matrix() -> Tensor:
    """(6, 20), with singular values that are clearly apart."""
    left = torch.linalg.qr(latents(6, 6, "normal", 1))[0]
    right = torch.linalg.qr(latents(20, 6, "normal", 2))[0].T
    made: Tensor = left @ torch.diag(torch.tensor([6.0, 5.0, 4.0, 3.0, 2.0, 1.0])) @ right
    return made


@pytest.mark.parametrize("prior", ["normal", "uniform"])
def test_a_linear_response_in_closed_form(prior: Prior) -> None:
    weight = matrix()
    found = principal(lambda z: z @ weight + 3, latents(64, 6, prior, 3), 4, prior)
    left, values, _ = torch.linalg.svd(weight)
    alike = (found.vectors @ left[:, :4]).abs()
    assert torch.allclose(alike, torch.eye(4), atol=1e-4)
    assert torch.allclose(found.shares, (values**2 / (values**2).sum())[:4], atol=1e-5)
    again = principal(lambda z: z @ weight, latents(99, 6, prior, 4), 4, prior)
    assert torch.allclose(found.vectors, again.vectors, atol=1e-4)  # the signs too


@pytest.mark.parametrize(("rank", "count"), [(2, 3), (0, 1)])
def test_directions_that_change_nothing_are_refused(rank: int, count: int) -> None:
    """Of a layer with few units, or a generator that always draws the same."""
    weight = matrix()[:, :rank] if rank else torch.zeros(6, 5)
    z = latents(64, 6, "normal", 3)
    with pytest.raises(ValueError, match=f"{count} directions .* only {rank} change anything"):
        principal(lambda rows: rows @ weight + 3, z, count, "normal")
    if rank:
        assert principal(lambda rows: rows @ weight, z, rank, "normal").shares.sum() > 0.999


@pytest.mark.parametrize("prior", ["normal", "uniform"])
def test_the_deviation_is_that_of_the_prior(prior: Prior) -> None:
    z = latents(4096, 3, prior, 0)
    vector = torch.nn.functional.normalize(torch.tensor([1.0, -2.0, 0.5]), dim=0)
    assert (z @ vector).std() == pytest.approx(DEVIATIONS[prior], rel=0.05)


def test_a_row_moves_along_one_direction_only() -> None:
    vectors = torch.eye(4)[[2, 0]]
    found = Directions(vectors, torch.tensor([0.6, 0.4]), 0.5, math.inf)
    z = torch.tensor([[1.0, 2.0, 3.0, 4.0]])
    moved = found.along(z, 0, torch.tensor([-3.0, 0.0, 2.0]))
    assert moved.tolist() == [[1, 2, -1.5, 4], [1, 2, 0, 4], [1, 2, 1, 4]]


def test_a_uniform_latent_stays_in_its_range() -> None:
    found = Directions(torch.eye(2), torch.tensor([0.6, 0.4]), 3**-0.5, LIMITS["uniform"])
    moved = found.along(torch.tensor([[0.9, -0.5]]), 0, torch.tensor([-3.0, 0.0, 3.0]))
    assert moved.tolist() == [[-1, -0.5], [0, -0.5], [1, -0.5]]


def test_a_latent_beyond_the_range_stays_where_it_is() -> None:
    """As with a temperature above 1: the middle of a strip is the portrait itself."""
    found = Directions(torch.eye(2), torch.tensor([0.6, 0.4]), 3**-0.5, LIMITS["uniform"])
    z = torch.tensor([[0.0, 1.4]])
    assert found.along(z, 0, torch.zeros(1)).tolist() == z.tolist()


FIRST = {
    "dcgan": lambda network, z: network.layers[0](z),
    "dense": lambda network, z: network.layers[0](z),
    "modern": lambda network, z: network.seed(z),
    "upsampling": lambda network, z: network.seed[0](z),
}


@pytest.mark.parametrize("name", FIRST)
def test_the_first_layer_is_found(name: str) -> None:
    network = GENERATORS[name](16, 3, latent=5, width=8).eval()
    z = latents(7, 5, network.prior, 1)
    found = first_layer(Drawn(network))(z)
    assert torch.allclose(found, FIRST[name](network, z).flatten(1))
    assert not any(module._forward_hooks for module in network.modules())


class Reshaping(Generator):
    """Takes its latents as maps of one pixel."""

    def __init__(self) -> None:
        super().__init__()
        self.latent_size = 4
        self.prior = "normal"
        self.layer = nn.ConvTranspose2d(4, 3, 8)

    def forward(self, z: Latents, given: Tensor | None = None) -> Images:
        drawn: Images = self.layer(z[:, :, None, None])
        return drawn


def test_a_first_layer_may_hear_maps() -> None:
    network = Reshaping().eval()
    z = latents(3, 4, "normal", 1)
    assert torch.allclose(first_layer(Drawn(network))(z), network(z).flatten(1))


class Other:
    """A sampler that nobody knows."""

    latent_size = 3
    prior: Prior = "normal"

    def __call__(self, z: Latents) -> Images:
        return z[:, :, None, None].expand(-1, -1, 32, 32).contiguous()


def test_portraits_do_for_any_sampler() -> None:
    with pytest.raises(ValueError, match="--of portraits"):
        first_layer(Other())
    z = latents(130, 3, "normal", 1)
    found = portraits(Other())(z)
    assert torch.allclose(found, z.repeat_interleave(256, 1), atol=1e-6)


def test_too_few_latents_are_refused() -> None:
    with pytest.raises(ValueError, match="expected more"):
        principal(lambda z: z, latents(6, 6, "normal", 0), 2, "normal")
