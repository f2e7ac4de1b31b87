"""Looking at a network in the midst of its training without leaving a trace in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn
from torch.nn.modules.batchnorm import _NormBase


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


@contextmanager
def unrecorded(network: nn.Module) -> Iterator[None]:
    """The network in the mode that it is in, but batch norm keeps no record of what passes.

    What passes is normalised as before, in training by its own batch; the running mean and variance
    by which the network works later stay those of what else passed.
    """
    norms = [module for module in network.modules() if isinstance(module, _NormBase)]
    kept = [norm.track_running_stats for norm in norms]
    for norm in norms:
        norm.track_running_stats = False
    try:
        yield
    finally:
        for norm, tracks in zip(norms, kept, strict=True):
            norm.track_running_stats = tracks
