"""DCGAN's networks against the published counts and a textbook build."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from purrtrait.networks.blocks import Seed
from purrtrait.networks.dcgan import DcganCritic, DcganGenerator

# size, width, layers: parameters of G with batch norm, G without, D with, D without
COUNTS = {
    (64, 128, 5): (12_658_432, 12_654_592, 11_036_160, 11_032_576),
    (64, 64, 5): (3_576_704, 3_574_784, 2_765_568, 2_763_776),
    (128, 64, 6): (12_786_560, 12_782_592, 11_164_416, 11_160_576),
    (128, 128, 6): (47_855_360, 47_847_424, 44_611_072, 44_603_392),
    (256, 64, 7): (47_983_488, 47_975_424, 44_739_328, 44_731_392),
    (256, 128, 7): (185_358_080, 185_341_952, 178_869_760, 178_853_888),
}


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(("where", "expected"), COUNTS.items())
def test_parameter_counts(where: tuple[int, int, int], expected: tuple[int, int, int, int]) -> None:
    size, width, layers = where
    with torch.device("meta"):
        networks = [
            DcganGenerator(size, 3, width=width),
            DcganGenerator(size, 3, width=width, normalisation="none", activation="selu"),
            DcganCritic(size, 3, width=width),
            DcganCritic(size, 3, width=width, normalisation="none", activation="selu"),
        ]
    assert tuple(map(count, networks)) == expected
    convolutions = (nn.Conv2d, nn.ConvTranspose2d)
    for network in networks:
        assert sum(isinstance(m, convolutions) for m in network.modules()) == layers
    assert not any(isinstance(m, nn.BatchNorm2d) for m in networks[1].modules())
    assert not any(isinstance(m, nn.BatchNorm2d) for m in networks[3].modules())


@pytest.mark.parametrize("size", [8, 16, 32, 64])
@pytest.mark.parametrize("channels", [1, 3])
def test_shapes(size: int, channels: int) -> None:
    generator = DcganGenerator(size, channels, latent=5, width=4)
    critic = DcganCritic(size, channels, width=4)
    images = generator(torch.randn(3, 5))
    assert images.shape == (3, channels, size, size)
    assert images.abs().max() <= 1
    assert critic(images).shape == (3,)
    assert critic.features(images).shape[0] == 3


@pytest.mark.parametrize("size", [4, 12, 48, 65, 0])
def test_other_sizes_are_refused_in_words(size: int) -> None:
    for make in (DcganGenerator, DcganCritic):
        with pytest.raises(ValueError, match=r"power of two|at least"):
            make(size, 3)


def test_first_layer_is_the_transposed_convolution_of_the_paper() -> None:
    seed = Seed(7, 6)
    z = torch.randn(5, 7)
    assert torch.allclose(seed(z), seed.convolution(z[:, :, None, None]), atol=1e-6)


def test_initialisation() -> None:
    torch.manual_seed(0)
    for network in (DcganGenerator(32, 3, width=64), DcganCritic(32, 3, width=64)):
        weights = torch.cat(
            [
                m.weight.flatten()
                for m in network.modules()
                if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d))
            ]
        )
        assert abs(weights.mean()) < 2e-4
        assert abs(weights.std() - 0.02) < 2e-4
        gains = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
        gain = torch.cat([m.weight for m in gains])
        assert abs(gain.mean() - 1) < 5e-3
        assert 0.015 < gain.std() < 0.025
        assert all((m.bias == 0).all() for m in gains)


@pytest.mark.parametrize(
    "option", [{"normalisation": "layr"}, {"activation": "rilu"}, {"dropout": 1.0}]
)
def test_unknown_options_are_refused_in_words(option: dict[str, Any]) -> None:
    for make in (DcganGenerator, DcganCritic):
        with pytest.raises(ValueError, match=r"known are|expected"):
            make(16, 3, **option)


def test_dropout_is_there_and_only_in_training() -> None:
    critic = DcganCritic(16, 3, width=8, dropout=0.5)
    images = torch.randn(4, 3, 16, 16)
    assert not torch.equal(critic(images), critic(images))
    critic.eval()
    assert torch.equal(critic(images), critic(images))
