"""A network that is looked at while it trains goes on as it was."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from purrtrait.networks.resting import at_rest, unrecorded


def test_each_module_goes_back_to_its_own_mode() -> None:
    network = nn.Sequential(nn.Dropout(), nn.Dropout().eval())
    with at_rest(network):
        assert not any(module.training for module in network.modules())
    assert [module.training for module in network.modules()] == [True, True, False]
    with pytest.raises(KeyError), at_rest(network):
        raise KeyError
    assert [module.training for module in network.modules()] == [True, True, False]


@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_keeps_no_record_but_works_as_ever(training: bool) -> None:
    network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.BatchNorm1d(4)).train(training)
    frozen = nn.BatchNorm1d(4, track_running_stats=False)
    network.append(frozen)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    shown = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    with unrecorded(network):
        drawn = network(shown)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert torch.equal(drawn, network(shown))
    changed = {
        name for name, value in network.state_dict().items() if not torch.equal(value, before[name])
    }
    assert bool(changed) is training  # the second pass was on record again
    assert not frozen.track_running_stats
