"""Games: what critic and generator lose, as pure functions of an exchange's verdicts, each (B,).

A verdict is unbounded and higher means more real. Every function returns one loss an example; the
caller averages.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import relu, softplus

from purrtrait.losses.exchange import Exchange, Game
from purrtrait.types import Amount, Chance


def cross_entropy(verdicts: Tensor, labels: Tensor | float) -> Tensor:
    """Binary cross entropy of sigmoid(verdict) against a label, (B,), in nats.

    -t log s(v) - (1 - t) log(1 - s(v)) = softplus(v) - t v, exact and finite for every verdict and
    linear in the label, so that labels above 1 (soft labels such as 0.7 ... 1.2) stay meaningful.
    """
    return softplus(verdicts) - labels * verdicts


def _labels(
    exchange: Exchange, side: str, own: tuple[float, float], other: tuple[float, float], flip: float
) -> Tensor:
    """Labels (B,) drawn uniformly from ``own``; with probability ``flip`` from ``other``."""
    shape = (len(exchange.reals),)
    position = exchange.draw.uniform(shape, f"{side} labels")
    swapped = exchange.draw.uniform(shape, f"{side} flips") < flip
    drawn = [low + (high - low) * position for low, high in (own, other)]
    return torch.where(swapped, drawn[1], drawn[0])


def non_saturating(
    real: tuple[float, float] = (1.0, 1.0),
    fake: tuple[float, float] = (0.0, 0.0),
    label_flip: Chance = 0.0,
) -> Game:
    """The non-saturating GAN on logits (Goodfellow et al. 2014, "Generative adversarial nets").

    Critic: BCE(real, t_real) + BCE(fake, t_fake); generator: BCE(fake, 1) = softplus(-fake).

    Args:
        real: range from which the labels of reals are drawn, such as [0.7, 1.2]
        fake: range from which the labels of fakes are drawn, such as [0.0, 0.3]
        label_flip: probability with which the critic is shown a picture under the other label
    """

    def critic(exchange: Exchange) -> Tensor:
        return cross_entropy(
            exchange.real, _labels(exchange, "real", real, fake, label_flip)
        ) + cross_entropy(exchange.fake, _labels(exchange, "fake", fake, real, label_flip))

    return Game(critic, lambda exchange: cross_entropy(exchange.fake, 1.0))


def least_squares(
    a: float = 0.0,
    b: float = 1.0,
    c: float = 1.0,
    spread: Amount = 0.0,
    label_flip: Chance = 0.0,
) -> Game:
    """LSGAN (Mao et al. 2017, "Least squares generative adversarial networks", equation 2).

    Critic: (real - b)^2 / 2 + (fake - a)^2 / 2; generator: (fake - c)^2 / 2.

    Args:
        a: what the critic should say of fakes
        b: what the critic should say of reals
        c: what the generator wants the critic to say of fakes
        spread: half-width of the range around a and b from which the critic's labels are drawn
        label_flip: probability with which the critic is shown a picture under the other label
    """
    low, high = (a - spread, a + spread), (b - spread, b + spread)

    def critic(exchange: Exchange) -> Tensor:
        real = exchange.real - _labels(exchange, "real", high, low, label_flip)
        fake = exchange.fake - _labels(exchange, "fake", low, high, label_flip)
        return 0.5 * (real.square() + fake.square())

    return Game(critic, lambda exchange: 0.5 * (exchange.fake - c).square(), slopes=False)


def hinge() -> Game:
    """The hinge game (Lim and Ye 2017, "Geometric GAN"; Miyato et al. 2018, equations 16 and 17).

    Critic: max(0, 1 - real) + max(0, 1 + fake); generator: -fake.
    """
    return Game(
        lambda exchange: relu(1 - exchange.real) + relu(1 + exchange.fake),
        lambda exchange: -exchange.fake,
        slopes=False,
        won_at_zero=("critic",),
    )


def wasserstein() -> Game:
    """The Wasserstein game (Arjovsky et al. 2017, "Wasserstein GAN", algorithm 1), high = real.

    Critic: fake - real; generator: -fake.
    """
    return Game(
        lambda exchange: exchange.fake - exchange.real,
        lambda exchange: -exchange.fake,
        level=False,
        won_at_zero=(),
    )


def relativistic() -> Game:
    """Relativistic pairing (Jolicoeur-Martineau 2019; Huang et al. 2024, "The GAN is dead", eq. 2).

    Critic: softplus(fake - real); generator: softplus(real - fake). Each fake is judged against one
    real of its batch, so that leaving a mode of the data empty never pays.
    """
    return Game(
        lambda exchange: softplus(exchange.fake - exchange.real),
        lambda exchange: softplus(exchange.real.detach() - exchange.fake),
        pairs=True,
        level=False,
    )
