"""Coders, decoder and the bounded refiner against published counts and plain builds."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn.functional import conv2d, leaky_relu, max_pool2d

from purrtrait.networks.autoencoder import (
    BoundedRefiner,
    ConvolvingCoder,
    DenseCoder,
    dense_decoder,
)
from purrtrait.networks.dense import DenseGenerator


def count(*networks: nn.Module) -> int:
    return sum(p.numel() for network in networks for p in network.parameters())


def test_published_counts() -> None:
    assert count(ConvolvingCoder(16, 1)) == 1_372_676
    assert count(DenseGenerator(16, 1)) == 731_393
    assert count(DenseCoder(32, 1), dense_decoder(32, 1)) == 985_088
    assert count(BoundedRefiner(16, 1)) == 525_569


def test_the_convolving_coder_is_its_layers() -> None:
    torch.manual_seed(0)
    coder, images = ConvolvingCoder(9, 3, latent=7).eval(), torch.rand(2, 3, 9, 9) * 2 - 1
    a, b = (m for m in coder.modules() if isinstance(m, nn.Conv2d))
    c, d, e = (m for m in coder.modules() if isinstance(m, nn.Linear))
    (norm,) = (m for m in coder.modules() if isinstance(m, nn.BatchNorm2d))
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    maps = leaky_relu(conv2d((images + 1) / 2, a.weight, a.bias, padding=1), 0.333)
    maps = leaky_relu(conv2d(maps, b.weight, b.bias, padding=1), 0.333)
    row = leaky_relu(c(norm(max_pool2d(maps, 2)).flatten(1)), 0.333)
    expected = e(leaky_relu(d(row), 0.333))
    assert coder.latent_size == 7
    assert torch.allclose(coder(images), expected, atol=1e-6)
    assert [m.p for m in coder.modules() if isinstance(m, nn.Dropout)] == [0.5, 0.5, 0.2]


def test_the_dense_pair_is_its_layers() -> None:
    torch.manual_seed(0)
    images = torch.rand(2, 3, 5, 5) * 2 - 1
    coder, decoder = DenseCoder(5, 3, latent=7).eval(), dense_decoder(5, 3, latent=7).eval()
    a, b = (m for m in coder.modules() if isinstance(m, nn.Linear))
    codes = torch.tanh(b(torch.relu(a((images.movedim(1, 3).flatten(1) + 1) / 2))))
    assert torch.allclose(coder(images), codes, atol=1e-7)
    c, d = (m for m in decoder.modules() if isinstance(m, nn.Linear))
    drawn = torch.sigmoid(d(torch.relu(c(codes)))).view(2, 5, 5, 3).movedim(3, 1) * 2 - 1
    assert torch.allclose(decoder(codes), drawn, atol=1e-6)
    assert decoder.latent_size == coder.latent_size == 7
    assert decoder.prior == "uniform"


def test_values_of_dense_codes_are_dropped_in_training() -> None:
    torch.manual_seed(0)
    coder = DenseCoder(5, 1, latent=1000)
    codes = coder(torch.rand(1, 1, 5, 5))
    assert 0.4 < (codes == 0).float().mean() < 0.6


@pytest.mark.parametrize("kind", ["coder", "decoder", "refiner"])
def test_initialisation(kind: str) -> None:
    torch.manual_seed(0)
    makers: dict[str, Callable[[], nn.Module]] = {
        "coder": lambda: DenseCoder(16, 1, initialisation="gauss005"),
        "decoder": lambda: dense_decoder(16, 1, initialisation="gauss005"),
        "refiner": lambda: BoundedRefiner(16, 1),
    }
    network = makers[kind]()
    dense = [m for m in network.modules() if isinstance(m, nn.Linear)]
    assert abs(torch.cat([m.weight.flatten() for m in dense]).std() - 0.005) < 1e-4
    assert abs(torch.cat([m.bias for m in dense]).std() - 0.001) < 1e-4
    slopes = [m.weight for m in network.modules() if isinstance(m, nn.PReLU)]
    assert all((slope == 0.25).all() for slope in slopes)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_bounded_refiner_changes_by_no_more_than_its_reach(channels: int) -> None:
    torch.manual_seed(0)
    refiner = BoundedRefiner(6, channels)
    pictures = torch.rand(4, channels, 6, 6) * 2 - 1
    first, second = (m for m in refiner.modules() if isinstance(m, nn.Linear))
    for layer in (first, second):
        nn.init.normal_(layer.weight)
    row = (pictures.movedim(1, 3).flatten(1) + 1) / 2  # in [0, 1], where the reach is 0.25
    hidden = first(row)
    changed = row + 0.25 * torch.tanh(second(torch.where(hidden > 0, hidden, 0.25 * hidden)))
    refined = pictures + refiner(torch.empty(4, refiner.latent_size), pictures)
    expected = changed.view(4, 6, 6, channels).movedim(3, 1) * 2 - 1
    assert torch.allclose(refined, expected, atol=1e-5)
    assert 0.49 < (refined - pictures).abs().max() <= 0.5 + 1e-6


def test_a_bounded_refiner_begins_near_the_identity_and_needs_a_picture() -> None:
    torch.manual_seed(0)
    refiner, pictures = BoundedRefiner(16, 1), torch.rand(2, 1, 16, 16)
    assert refiner(torch.empty(2, 0), pictures).abs().max() < 0.05
    with pytest.raises(ValueError, match="on top of"):
        refiner(torch.empty(2, 0))


def test_pictures_without_a_half_are_refused_in_words() -> None:
    with pytest.raises(ValueError, match="at least 2 px"):
        ConvolvingCoder(1, 1)


def test_an_autoencoder_learns_to_say_again_what_it_saw() -> None:
    torch.manual_seed(0)
    bars = torch.randint(0, 2, (64, 1, 1, 8)).float() * 1.6 - 0.8
    images = bars.expand(64, 1, 8, 8)
    coder, decoder = ConvolvingCoder(8, 1, latent=20), DenseGenerator(8, 1, 20, 200)
    optimiser = torch.optim.Adam([*coder.parameters(), *decoder.parameters()])
    for _ in range(40):
        optimiser.zero_grad()
        (decoder(coder(images)) - images).square().mean().backward()
        optimiser.step()
    coder.eval()
    with torch.no_grad():
        assert (decoder(coder(images)) - images).square().mean() < 0.1 * images.square().mean()
