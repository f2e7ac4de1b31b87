"""The validator against its published count and a build from plain functions."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from purrtrait.networks.validator import Validator


def test_published_count() -> None:
    with torch.device("meta"):
        validator = Validator(16, 1)
        colour = Validator(16, 3)
    assert sum(p.numel() for p in validator.parameters()) == 18_868_866
    assert sum(p.numel() for p in colour.parameters()) == 18_868_866 + 2 * 9 * 128


def test_it_is_its_layers() -> None:
    """Where batch norm stands differs from block to block: after, before, before, before."""
    torch.manual_seed(0)
    validator, images = small(), torch.rand(3, 1, 10, 10) * 2 - 1
    a, b, c, d = (m for m in validator.modules() if isinstance(m, nn.Conv2d))
    norms = [m for m in validator.modules() if isinstance(m, (nn.BatchNorm2d, nn.BatchNorm1d))]
    e, f, last = (m for m in validator.modules() if isinstance(m, nn.Linear))

    def leaky(values: Tensor) -> Tensor:
        return functional.leaky_relu(values, 0.333)

    def convolved(maps: Tensor, layer: nn.Conv2d) -> Tensor:
        return functional.conv2d(maps, layer.weight, layer.bias, padding=1)

    maps = leaky(convolved((images + 1) / 2, a))
    maps = norms[0](leaky(convolved(maps, b)))
    maps = leaky(convolved(maps, c))
    maps = functional.max_pool2d(leaky(norms[1](convolved(maps, d))), 2)
    row = leaky(norms[2](e(maps.flatten(1))))
    row = leaky(norms[3](f(row)))
    assert torch.allclose(validator.features(images), row, atol=1e-6)
    chances = torch.softmax(last(row), 1)  # fake, real
    assert torch.allclose(torch.sigmoid(validator(images)), chances[:, 1], atol=1e-6)


def test_dropout_and_batch_statistics_in_training() -> None:
    validator = Validator(16, 1, width=2)
    assert not validator.judges_alone
    drops = [m for m in validator.modules() if isinstance(m, (nn.Dropout, nn.Dropout2d))]
    assert [type(m) for m in drops] == [nn.Dropout, nn.Dropout2d, nn.Dropout, nn.Dropout]
    assert {m.p for m in drops} == {0.5}
    images = torch.randn(4, 1, 16, 16)
    assert not torch.equal(validator(images), validator(images))


@pytest.mark.parametrize("size", [2, 7, 22])
def test_any_size(size: int) -> None:
    validator = Validator(size, 3, width=2).eval()
    assert validator(torch.zeros(2, 3, size, size)).shape == (2,)
    assert validator.features(torch.zeros(2, 3, size, size)).shape == (2, 16)


def test_one_pixel_is_refused_in_words() -> None:
    with pytest.raises(ValueError, match="at least 2 px"):
        Validator(1, 3)


def small() -> Validator:
    """A narrow validator in evaluation whose batch norms have seen something."""
    validator = Validator(10, 1, width=3).eval()
    for module in validator.modules():
        if isinstance(module, (nn.BatchNorm2d, nn.BatchNorm1d)):
            nn.init.normal_(module.weight)
            nn.init.normal_(module.bias)
            assert module.running_mean is not None
            nn.init.normal_(module.running_mean)
    return validator
