"""torch-gan's networks: counts of the table, and the layers written out by hand."""

from __future__ import annotations

import typing

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from purrtrait.networks.torchgan import GAINS, Gains, TorchGanCritic, TorchGanGenerator


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_counts_of_the_table() -> None:
    with torch.device("meta"):
        assert count(TorchGanGenerator(64, 3)) == 7_484_675
        assert count(TorchGanCritic(64, 3)) == 6_500_897
        # Batch norm adds a gain and a bias for each map.
        assert count(TorchGanCritic(64, 3, normalisation="batch")) == 6_500_897 + 2 * (32 + 64 + 96)


@pytest.mark.parametrize("size", [8, 24, 40])
@pytest.mark.parametrize("channels", [1, 3])
def test_shapes(size: int, channels: int) -> None:
    generator = TorchGanGenerator(size, channels, latent=6, width=8)
    critic = TorchGanCritic(size, channels, width=4)
    images = generator(torch.randn(2, 6))
    assert images.shape == (2, channels, size, size)
    assert critic(images).shape == (2,)
    assert critic.features(images).shape == (2, 128)
    assert (generator.prior, generator.latent_size) == ("normal", 6)


def written_out(critic: TorchGanCritic, images: Tensor) -> Tensor:
    """The critic at rest as its table says it, rectified before the maxima are taken."""
    weights = list(critic.parameters())
    maps = images
    for weight, bias in zip(weights[:6:2], weights[1:6:2], strict=True):
        maps = functional.max_pool2d(functional.conv2d(maps, weight, bias, padding=2).relu(), 2)
    hidden = functional.linear(maps.flatten(1), weights[6], weights[7]).relu()
    return functional.linear(hidden, weights[8], weights[9]).flatten()


def test_the_critic_is_its_table_of_layers() -> None:
    torch.manual_seed(0)
    critic, images = TorchGanCritic(16, 3, width=4).eval(), torch.randn(3, 3, 16, 16)
    assert torch.allclose(critic(images), written_out(critic, images), atol=1e-6)
    drops = [(type(m), m.p) for m in critic.layers if isinstance(m, (nn.Dropout2d, nn.Dropout))]
    assert drops == [(nn.Dropout2d, 0.2)] * 3 + [(nn.Dropout, 0.5)]
    critic.train()
    assert not torch.equal(critic(images), critic(images))


def test_the_generator_is_its_table_of_layers() -> None:
    torch.manual_seed(0)
    generator, z = TorchGanGenerator(16, 3, latent=5, width=4), torch.randn(3, 5)
    weights = list(generator.parameters())
    # A channels-last order of the seed's values, as the network takes them.
    maps = functional.linear(z, weights[0], weights[1]).relu().view(3, 2, 2, 4).permute(0, 3, 1, 2)
    for number in range(2, 14, 4):
        weight, bias, gain, offset = weights[number : number + 4]
        doubled = maps.repeat_interleave(2, 2).repeat_interleave(2, 3)
        convolved = functional.conv2d(doubled, weight, bias, padding=2)
        maps = functional.batch_norm(convolved, None, None, gain, offset, training=True).relu()
    drawn = functional.conv2d(maps, weights[14], weights[15], padding=1)
    assert torch.allclose(generator(z), drawn, atol=1e-5)


def test_drawn_values_may_leave_the_range() -> None:
    torch.manual_seed(0)
    generator = TorchGanGenerator(8, 1, latent=4, width=4)
    *_, bias = generator.parameters()
    nn.init.constant_(bias, 3.0)
    assert generator(torch.randn(4, 4)).max() > 1.5


@pytest.mark.parametrize("normalisation", ["none", "batch"])
def test_batch_norm_is_a_switch_of_the_critic(normalisation: str) -> None:
    critic = TorchGanCritic(16, 3, width=4, normalisation=normalisation)
    norms = sum(isinstance(module, nn.BatchNorm2d) for module in critic.modules())
    assert norms == {"none": 0, "batch": 3}[normalisation]
    assert critic.judges_alone == (norms == 0)


def test_unknown_normalisations_are_refused_in_words() -> None:
    with pytest.raises(ValueError, match="known are batch, none"):
        TorchGanCritic(16, 3, normalisation="layr")


def gains(network: nn.Module) -> Tensor:
    return torch.cat([m.weight for m in network.modules() if isinstance(m, nn.BatchNorm2d)])


def test_gains_begin_as_asked() -> None:
    assert set(typing.get_args(Gains)) == set(GAINS)
    torch.manual_seed(0)
    assert (gains(TorchGanGenerator(8, 3)) == 1).all()
    uniform = gains(TorchGanGenerator(8, 3, gains="uniform")).detach()
    assert len(uniform) == 256 + 256 + 128
    assert 0 <= uniform.min() < 0.02 and 0.98 < uniform.max() <= 1
    assert abs(uniform.mean() - 0.5) < 0.04
    assert abs(uniform.std() - 12**-0.5) < 0.02


def test_weights_and_biases_begin_within_the_bound_of_torch7() -> None:
    torch.manual_seed(0)
    checked = 0
    for network in (TorchGanGenerator(8, 3), TorchGanCritic(16, 3)):
        for module in network.modules():
            match module:
                case nn.Linear() | nn.Conv2d():
                    bound = module.weight[0].numel() ** -0.5
                    assert module.weight.abs().max() <= bound
                    assert abs(module.weight.std() - bound / 3**0.5) < 0.05 * bound
                    assert module.bias is not None and 0 < module.bias.abs().max() <= bound
                    checked += 1
    assert checked == 10


@pytest.mark.parametrize("size", [0, 4, 12, 65])
@pytest.mark.parametrize("network", [TorchGanGenerator, TorchGanCritic])
def test_other_sizes_are_refused_in_words(
    network: type[TorchGanGenerator] | type[TorchGanCritic], size: int
) -> None:
    with pytest.raises(ValueError, match=rf"are {size} px wide.*multiple of 8 px"):
        network(size, 3)
