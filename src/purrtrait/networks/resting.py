"""Looking at a network as it is when it works, in the midst of its training."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def at_rest(network: nn.Module) -> Iterator[None]:
    """The network in evaluation mode; each of its modules goes back to the mode that it was in."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode
