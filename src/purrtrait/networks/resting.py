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
def norms_at_rest(network: nn.Module) -> Iterator[None]:
    """The network's batch norm in evaluation mode, and all else in the mode that it is in.

    What passes is normalised by what passed before, is not recorded, and a picture depends on no
    other. It has a copy of the record to itself: PyTorch goes back through the record as it is by
    then, and without a word gives another gradient where more has passed meanwhile.
    """
    norms = [module for module in network.modules() if isinstance(module, _NormBase)]
    kept = [(norm.training, norm.running_mean, norm.running_var) for norm in norms]
    for norm, (_, *record) in zip(norms, kept, strict=True):
        norm.training = False
        norm.running_mean, norm.running_var = (r if r is None else r.clone() for r in record)
    try:
        yield
    finally:
        for norm, own in zip(norms, kept, strict=True):
            norm.training, norm.running_mean, norm.running_var = own
