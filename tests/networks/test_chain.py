"""Chains and their members; the retouchers against their published counts and equations."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import conv2d

from purrtrait.networks.chain import Chain, ConvolvingRetoucher, DenseRetoucher
from purrtrait.networks.dense import DenseGenerator


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def dense(retoucher: DenseRetoucher) -> list[nn.Linear]:
    return [m for m in retoucher.layers if isinstance(m, nn.Linear)]


def test_parameter_counts() -> None:
    assert count(ConvolvingRetoucher(16, 1)) == 53_187
    assert count(DenseRetoucher(16, 1)) == 525_569


def test_the_convolving_one_is_its_equation() -> None:
    torch.manual_seed(0)
    retoucher = ConvolvingRetoucher(6, 3, width=4).double()
    images = torch.rand(2, 3, 6, 6, dtype=torch.float64) * 2 - 1
    first, second, last = (m for m in retoucher.layers if isinstance(m, nn.Conv2d))
    maps = (images + 1) / 2
    for layer, side in ((first, 3), (second, 5)):
        maps = conv2d(maps, layer.weight, layer.bias, padding=side // 2)
        maps = torch.where(maps > 0, maps, 0.25 * maps)
    values = conv2d(maps, last.weight, last.bias, padding=2)
    assert torch.allclose(retoucher(images), torch.tanh(values / 2))
    assert (second.out_channels, last.out_channels) == (8, 3)
    assert all(m.bias is not None and (m.bias == 0).all() for m in (first, second, last))


def test_the_dense_one_is_its_equation() -> None:
    torch.manual_seed(0)
    retoucher = DenseRetoucher(3, 3, width=40).double()
    images = torch.rand(2, 3, 3, 3, dtype=torch.float64) * 2 - 1
    first, last = dense(retoucher)
    row = torch.stack([images[:, c, y, x] for y in range(3) for x in range(3) for c in range(3)], 1)
    hidden = (row + 1) / 2 @ first.weight.T
    values = torch.where(hidden > 0, hidden, 0.25 * hidden) @ last.weight.T
    expected = torch.tanh(values / 2).view(2, 3, 3, 3).permute(0, 3, 1, 2)
    assert torch.allclose(retoucher(images), expected)


def test_the_dense_one_begins_near_the_identity() -> None:
    torch.manual_seed(0)
    retoucher = DenseRetoucher(16, 1)
    first, last = dense(retoucher)
    for weight in (first.weight, last.weight):
        assert torch.equal(weight.diagonal(), torch.full((256,), 0.75))
        off = weight[:256, :256].masked_select(~torch.eye(256, dtype=torch.bool))
        assert off.abs().max() <= 256**-0.5
    images = torch.rand(64, 1, 16, 16) * 2 - 1
    drawn = retoucher(images).flatten(1)
    both = torch.corrcoef(torch.cat([images.flatten(1), drawn], 1).T)[:256, 256:]
    assert torch.equal(both.argmax(0), torch.arange(256))  # each value follows its own place most
    assert both.diagonal().mean() > 0.6


def test_the_dense_one_is_never_too_narrow_for_that() -> None:
    for retoucher in (DenseRetoucher(8, 3, width=5), DenseRetoucher(8, 3, width=192)):
        first, last = dense(retoucher)
        assert (first.out_features, last.in_features) == (192, 192)
        assert (first.weight.diagonal() == 0.75).all()


def test_a_chain_draws_with_all_its_members() -> None:
    torch.manual_seed(0)
    drawer, second = DenseGenerator(8, 1, latent=5, width=9), ConvolvingRetoucher(8, 1, width=3)
    third = DenseRetoucher(8, 1)
    chain, z = Chain(drawer, [second, third]), torch.rand(4, 5) * 2 - 1
    assert (chain.latent_size, chain.prior) == (5, "uniform")
    stages = [drawer(z), second(drawer(z)), third(second(drawer(z)))]
    assert torch.equal(chain(z), stages[2])
    for number, images in enumerate(stages):
        assert torch.equal(chain.until(number, z), images)
        shorter = Chain(drawer, [second, third][:number])
        assert torch.equal(shorter(z), images)
    whole = {name.split(".")[0] for name in chain.state_dict()}
    assert whole == {"drawer", "retouchers"}
    assert count(chain) == count(drawer) + count(second) + count(third)


def test_a_chain_hands_on_what_is_given() -> None:
    class Echo(DenseGenerator):
        def forward(self, z: torch.Tensor, given: torch.Tensor | None = None) -> torch.Tensor:
            assert given is not None
            return given

    given = torch.rand(2, 1, 8, 8)
    assert torch.equal(Chain(Echo(8, 1, latent=5, width=9), [])(torch.rand(2, 5), given), given)
