"""The dense generator against its published counts and its equation."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from purrtrait.networks.dense import DenseGenerator
from purrtrait.networks.stack import INITIALISATIONS, Initialisation

COUNTS = {(16, 1): 731_393, (16, 3): 1_780_481, (32, 1): 2_305_025, (32, 3): 6_501_377}


def dense(generator: DenseGenerator) -> list[nn.Linear]:
    return [m for m in generator.layers if isinstance(m, nn.Linear)]


@pytest.mark.parametrize(("where", "expected"), COUNTS.items())
def test_parameter_counts(where: tuple[int, int], expected: int) -> None:
    with torch.device("meta"):
        generator = DenseGenerator(*where)
    assert sum(parameter.numel() for parameter in generator.parameters()) == expected


def test_it_is_its_equation() -> None:
    torch.manual_seed(0)
    generator = DenseGenerator(4, 3, latent=5, width=7).double()
    z = torch.rand(2, 5, dtype=torch.float64) * 2 - 1
    first, last = dense(generator)
    hidden = z @ first.weight.T + first.bias
    hidden = torch.where(hidden > 0, hidden, 0.25 * hidden)
    values = 1 / (1 + (-(hidden @ last.weight.T + last.bias)).exp())  # (2, 48) in [0, 1]
    images = generator(z)
    for row, column, channel in ((0, 0, 0), (1, 2, 1), (3, 3, 2)):
        expected = 2 * values[:, (row * 4 + column) * 3 + channel] - 1
        assert torch.allclose(images[:, channel, row, column], expected)


def test_the_prior_is_uniform() -> None:
    generator = DenseGenerator(5, 1, width=3)
    assert (generator.prior, generator.latent_size) == ("uniform", 100)
    assert generator(torch.zeros(2, 100)).shape == (2, 1, 5, 5)


@pytest.mark.parametrize("name", INITIALISATIONS)
def test_initialisations(name: Initialisation) -> None:
    torch.manual_seed(0)
    generator = DenseGenerator(16, 1, initialisation=name)
    expected = {"heuristic": ((300**-0.5, 6144**-0.5), 0.0), "gauss005": ((0.005, 0.005), 0.001)}
    weights, biases = expected[name]
    for layer, deviation in zip(dense(generator), weights, strict=True):
        assert abs(layer.weight.std() / deviation - 1) < 0.02
        assert abs(layer.bias.std() - biases) < 2e-4
    assert [m.weight.item() for m in generator.layers if isinstance(m, nn.PReLU)] == [0.25]
