"""A network that is looked at while it trains goes on as it was."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from purrtrait.networks.resting import at_rest, norms_at_rest


def test_each_module_goes_back_to_its_own_mode() -> None:
    network = nn.Sequential(nn.Dropout(), nn.Dropout().eval())
    with at_rest(network):
        assert not any(module.training for module in network.modules())
    assert [module.training for module in network.modules()] == [True, True, False]
    with pytest.raises(KeyError), at_rest(network):
        raise KeyError
    assert [module.training for module in network.modules()] == [True, True, False]


@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_alone_is_at_rest_and_keeps_no_record(training: bool) -> None:
    network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.0)).train(training)
    shown = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    network[1].get_buffer("running_mean").add_(3)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with norms_at_rest(network):
        assert network[2].training is training
        drawn = network(shown)
        assert torch.equal(drawn[:1], network(shown[:1]))  # each by itself
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert [module.training for module in network] == [training] * 3
    assert torch.equal(drawn, network.eval()(shown))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_what_passes_later_does_not_change_the_gradient(layout: torch.memory_format) -> None:
    norm = nn.BatchNorm2d(3)
    shown = torch.randn(4, 3, 5, 5, generator=torch.Generator().manual_seed(0))
    shown = shown.contiguous(memory_format=layout).requires_grad_()
    with norms_at_rest(norm):
        drawn = norm(shown)
    norm(5 * shown.detach())
    (slope,) = torch.autograd.grad(drawn.sum(), shown)
    assert torch.allclose(slope, torch.ones_like(slope), atol=1e-4)  # the variance was 1 then
    assert norm.get_buffer("running_var").max() > 2
