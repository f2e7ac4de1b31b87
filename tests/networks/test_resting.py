"""A network that is looked at while it trains goes on as it was."""

from __future__ import annotations

import pytest
from torch import nn

from purrtrait.networks.resting import at_rest


def test_each_module_goes_back_to_its_own_mode() -> None:
    network = nn.Sequential(nn.Dropout(), nn.Dropout().eval())
    with at_rest(network):
        assert not any(module.training for module in network.modules())
    assert [module.training for module in network.modules()] == [True, True, False]
    with pytest.raises(KeyError), at_rest(network):
        raise KeyError
    assert [module.training for module in network.modules()] == [True, True, False]
