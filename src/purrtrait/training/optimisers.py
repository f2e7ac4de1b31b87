"""Optimisers by name: torch's own, in their fastest exact form."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch.nn import Parameter
from torch.optim import SGD, Adagrad, Adam, Optimizer, RMSprop

from purrtrait.types import Amount, Chance, Decay

Build = Callable[[Iterable[Parameter]], Optimizer]


def adam(
    betas: tuple[Decay, Decay] = (0.9, 0.999), eps: Amount = 1e-8, weight_decay: Amount = 0.0
) -> Build:
    """Adam (Kingma and Ba 2015).

    Args:
        betas: decay of the running mean of the gradient and of its square
        eps: added to the denominator
        weight_decay: L2 coefficient, added to the gradient
    """
    betas = (float(betas[0]), float(betas[1]))
    return lambda parameters: Adam(
        parameters, betas=betas, eps=eps, weight_decay=weight_decay, fused=True
    )


def rmsprop(
    alpha: Decay = 0.99, eps: Amount = 1e-8, weight_decay: Amount = 0.0, momentum: Decay = 0.0
) -> Build:
    """RMSprop (Tieleman and Hinton 2012, lecture 6.5).

    Args:
        alpha: decay of the running mean of the squared gradient
        eps: added to the denominator
        weight_decay: L2 coefficient, added to the gradient
        momentum: share of the step before that is repeated
    """
    return lambda parameters: RMSprop(
        parameters,
        alpha=alpha,
        eps=eps,
        weight_decay=weight_decay,
        momentum=momentum,
        foreach=True,
    )


def sgd(momentum: Decay = 0.0, dampening: Chance = 0.0, weight_decay: Amount = 0.0) -> Build:
    """Stochastic gradient descent.

    Args:
        momentum: share of the step before that is repeated
        dampening: share by which the new gradient is reduced beside the momentum; Torch7 took the
            momentum's own value where none was said
        weight_decay: L2 coefficient, added to the gradient
    """
    return lambda parameters: SGD(
        parameters,
        lr=0.0,
        momentum=momentum,
        dampening=dampening,
        weight_decay=weight_decay,
        fused=True,
    )


def adagrad(eps: Amount = 1e-10, weight_decay: Amount = 0.0) -> Build:
    """Adagrad (Duchi et al. 2011).

    Args:
        eps: added to the denominator
        weight_decay: L2 coefficient, added to the gradient
    """
    return lambda parameters: Adagrad(parameters, eps=eps, weight_decay=weight_decay, foreach=True)


OPTIMISERS: dict[str, Callable[..., Build]] = {
    "adam": adam,
    "rmsprop": rmsprop,
    "sgd": sgd,
    "adagrad": adagrad,
}


def step(optimiser: Optimizer, rate: float, parameters: Iterable[Parameter]) -> None:
    """One step at a learning rate; the gradients are used up."""
    for group in optimiser.param_groups:
        group["lr"] = rate
    optimiser.step()
    for parameter in parameters:
        parameter.grad = None


def moments(optimiser: Optimizer) -> dict[str, torch.Tensor]:
    """All that the optimiser remembers, as contiguous tensors named 'number of parameter/name'."""
    memory = optimiser.state_dict()["state"]
    return {
        f"{number}/{name}": torch.as_tensor(value).detach().cpu().contiguous()
        for number, slots in memory.items()
        for name, value in slots.items()
    }


def restore(optimiser: Optimizer, saved: dict[str, torch.Tensor]) -> None:
    """Give an optimiser its memory back, each tensor laid out like the parameter it belongs to.

    A fused optimiser walks over parameter, gradient and moments in the order in which they lie in
    memory: contiguous moments beside channels-last weights would go wrong without an error.
    """
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    memory: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in saved.items():
        number, name = key.split("/")
        slot = memory.setdefault(int(number), {})
        own = parameters[int(number)]
        slot[name] = like(own, value) if value.shape == own.shape else value
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": memory, "param_groups": groups})


def like(parameter: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """The value in the parameter's own memory layout and on its device; itself if it is already."""
    if value.stride() == parameter.stride() and value.device == parameter.device:
        return value
    return torch.empty_like(parameter).copy_(value)
