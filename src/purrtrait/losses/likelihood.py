"""How unlikely true pictures are under drawn ones, in nats a picture, each (B,).

All are negative log likelihoods, summed over the values of a picture: only then do they and a
divergence of latents add up to a bound on the likelihood of pictures.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Literal, TypeAlias

from torch import Tensor

from purrtrait.losses.reconstruction import cross_entropy
from purrtrait.types import Images

Normal: TypeAlias = Literal["gaussian", "fitted-gaussian"]
Likelihood: TypeAlias = Literal["gaussian", "fitted-gaussian", "bernoulli"]
Unlikelihood: TypeAlias = Callable[[Tensor, Tensor], Tensor]  # drawn, true -> (B,)

# The variance of what rounding to 256 grey levels adds to pictures in [-1, 1]: a fit that is finer
# than this would only learn the rounding, with weights that grow without end.
FINEST = (2 / 255) ** 2 / 12


def gaussian(drawn: Tensor, true: Tensor, variance: float | Tensor = 1.0) -> Tensor:
    """Under N(drawn, variance), for values (B, ...); (B,).

    sum((true - drawn)^2 / variance + log(2 pi variance)) / 2.
    """
    squares = (true - drawn).square().flatten(1)
    spread = drawn.new_tensor(2 * math.pi) * variance
    return 0.5 * (squares / variance + spread.log()).sum(1)


def fitted_gaussian(drawn: Tensor, true: Tensor) -> Tensor:
    """Under a normal distribution with the variance under which the batch is likeliest; (B,).

    That is the mean of all squared differences (Rybkin et al. 2021, "Simple and effective VAE
    training with calibrated decoders", section 4.2), so that a learned variance needs no parameter.
    The likelihood has no slope by the variance there, which is therefore taken as a number: the
    gradient is the same. It is that of this batch, on this process.
    """
    variance = (true - drawn).detach().square().mean().clamp_min(FINEST)
    return gaussian(drawn, true, variance)


def bernoulli(drawn: Images, true: Images) -> Tensor:
    """Under coins whose chances are the drawn values, pictures in [-1, 1] read as [0, 1]; (B,).

    What a decoder draws outside of [-1, 1] is taken as black or white, and has no slope there.
    """
    values = true[0].numel()
    return values * cross_entropy(drawn.clamp(-1, 1), true)


def unlikelihood(name: Likelihood, variance: float) -> Unlikelihood:
    """The negative log likelihood of a name; only ``gaussian`` has a variance that is said."""
    table: dict[Likelihood, Unlikelihood] = {
        "gaussian": partial(gaussian, variance=variance),
        "fitted-gaussian": fitted_gaussian,
        "bernoulli": bernoulli,
    }
    return table[name]
