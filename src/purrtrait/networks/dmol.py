"""Mixtures of discretised logistics: every value of a picture is drawn, from one of K logistics.

Salimans et al. 2017, "PixelCNN++: improving the PixelCNN with discretized logistic mixture
likelihood and other modifications", section 2. Whoever wants the likelihood of a true picture finds
it in ``losses.logistics``.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from purrtrait.types import Count, Draw, Generator, Images, Latents

Choice: TypeAlias = Literal["hard", "gumbel-softmax", "straight-through"]
Mixing: TypeAlias = Literal["means", "values"]

SMALLEST = -7.0  # of log scales: a tenth of the step between two of 256 values
MARGIN = 1e-5  # by so much uniform numbers are kept from 0 and from 1
SOFTNESS = 0.5  # temperature of the relaxed choice (Jang et al. 2017)
FIELDS = 16  # fixed fields that a portrait's grain is mixed of


class Mixture(NamedTuple):
    """What a network says of every pixel: K logistics for each of C colours.

    ``logits`` (B, K, H, W) are log chances up to a constant, shared by the colours of a pixel;
    ``means`` and ``log_scales`` are (B, C, K, H, W). ``coefficients`` (B, C (C - 1) / 2, K, H, W)
    in (-1, 1) say how a colour follows those before it: green red, blue red, blue green.
    """

    logits: Tensor
    means: Tensor
    log_scales: Tensor
    coefficients: Tensor


class MixtureGenerator(Generator, ABC):
    """A generator that says a mixture for every pixel, and draws the portrait from it."""

    mixing: Mixing

    @abstractmethod
    def mixture(self, z: Latents) -> Mixture:
        """The mixture at every pixel of the portraits of latents (B, Z)."""


def guarded(uniform: Tensor) -> Tensor:
    """Numbers in [0, 1], moved off the ends, where their logarithms would be infinite."""
    return MARGIN + (1 - 2 * MARGIN) * uniform


def logistic(uniform: Tensor) -> Tensor:
    """Standard logistic numbers from uniform ones: ln u - ln(1 - u); variance pi^2 / 3."""
    return torch.logit(guarded(uniform))


def gumbel(uniform: Tensor) -> Tensor:
    """Standard Gumbel numbers from uniform ones: -ln(-ln u)."""
    return -torch.log(-torch.log(guarded(uniform)))


def hard(logits: Tensor, uniform: Tensor) -> Tensor:
    """One of K, drawn with chances softmax(logits), as weights 0 and 1; all are (B, K, H, W).

    The largest of logits + Gumbel noise is such a draw (Maddison et al. 2017). It has no gradient.
    """
    return _largest((logits + gumbel(uniform)).detach())


def gumbel_softmax(logits: Tensor, uniform: Tensor) -> Tensor:
    """The same draw, relaxed: softmax((logits + Gumbel noise) / 0.5) over K (Jang et al. 2017)."""
    return ((logits + gumbel(uniform)) / SOFTNESS).softmax(1)


def straight_through(logits: Tensor, uniform: Tensor) -> Tensor:
    """The hard draw with the gradient of the relaxed one (Jang et al. 2017, section 2.2)."""
    relaxed = gumbel_softmax(logits, uniform)
    return _largest(relaxed.detach()) + (relaxed - relaxed.detach())


def _largest(numbers: Tensor) -> Tensor:
    return torch.zeros_like(numbers).scatter_(1, numbers.argmax(1, keepdim=True), 1.0)


CHOICES: dict[Choice, Callable[[Tensor, Tensor], Tensor]] = {
    "hard": hard,
    "gumbel-softmax": gumbel_softmax,
    "straight-through": straight_through,
}


def mixed_by_means(mixture: Mixture, weights: Tensor, noise: Tensor) -> Images:
    """Colours (B, C, H, W) in [-1, 1]: each one's mean follows the means of those before it.

    mu_g = m_g + c_0 mu_r, mu_b = m_b + c_1 mu_r + c_2 mu_g; x = mu + exp(log scale) * noise.
    ``weights`` (B, K, H, W) choose of the K, ``noise`` (B, C, H, W) is standard logistic.
    """
    means: list[Tensor] = []
    for own, coefficients in _colours(mixture.means, mixture.coefficients):
        means.append(own + _following(coefficients, means))
    drawn = [
        _chosen(mean, weights) + _chosen(scale, weights) * number
        for mean, scale, number in zip(
            means, mixture.log_scales.exp().unbind(1), noise.unbind(1), strict=True
        )
    ]
    return torch.stack(drawn, 1).clamp(-1, 1)


def mixed_by_values(mixture: Mixture, weights: Tensor, noise: Tensor) -> Images:
    """Colours (B, C, H, W) in [-1, 1]: each one's mean follows the values drawn before it.

    Of the chosen parameters r = m_r + s_r n_r, g = m_g + c_0 r + s_g n_g,
    b = m_b + c_1 r + c_2 g + s_b n_b, each limited to [-1, 1] before the next is drawn.
    """
    means = _chosen(mixture.means, weights[:, None])
    coefficients = _chosen(mixture.coefficients, weights[:, None])
    scaled = _chosen(mixture.log_scales.exp(), weights[:, None]) * noise
    values: list[Tensor] = []
    for (own, following), number in zip(
        _colours(means, coefficients), scaled.unbind(1), strict=True
    ):
        values.append((own + _following(following, values) + number).clamp(-1, 1))
    return torch.stack(values, 1)


MIXINGS: dict[Mixing, Callable[[Mixture, Tensor, Tensor], Images]] = {
    "means": mixed_by_means,
    "values": mixed_by_values,
}


def _colours(means: Tensor, coefficients: Tensor) -> list[tuple[Tensor, list[Tensor]]]:
    """Each colour's mean, and how it follows those before it: none, one, two."""
    every, first = list(coefficients.unbind(1)), 0
    found = []
    for number, mean in enumerate(means.unbind(1)):
        found.append((mean, every[first : first + number]))
        first += number
    return found


def _following(coefficients: Sequence[Tensor], before: Sequence[Tensor]) -> Tensor | float:
    return sum((c * value for c, value in zip(coefficients, before, strict=True)), 0.0)


def _chosen(parameters: Tensor, weights: Tensor) -> Tensor:
    """The weighted sum over the K, which stand third from the end."""
    return (parameters * weights).sum(-3)


class Head(nn.Module):
    """Maps (B, M, H, W) to a picture that is drawn: the parameters of a mixture, and a draw of it.

    The 1x1 convolutions for each of the parameters are one convolution here, with as many maps. In
    evaluation the choice is always hard, and drawn at the temperature ``grain``: one of K with
    chances softmax(logits / grain), its scale times grain (the reduced temperature of Child 2021);
    at 0 the likeliest of the K shows its mean, and nothing is drawn. One noise serves the K
    logistics of a value: only one of them is shown, so that the law of what is drawn is the same,
    at a K-th of the noise.
    """

    def __init__(
        self,
        maps: int,
        channels: int,
        mixtures: int,
        choice: Choice,
        mixing: Mixing,
        grain: float = 1.0,
    ) -> None:
        super().__init__()
        following = channels * (channels - 1) // 2
        self.mixtures = mixtures
        self.parts = (1, channels, channels, following)
        self.noises = mixtures + channels  # uniform numbers that a pixel needs
        self.convolution = nn.Conv2d(maps, sum(self.parts) * mixtures, 1)
        self.choose = CHOICES[choice]
        self.mix = MIXINGS[mixing]
        self.grain = grain

    @property
    def draws(self) -> bool:
        """Whether a picture takes uniform numbers now."""
        return self.training or self.grain > 0

    def mixture(self, maps: Tensor) -> Mixture:
        """The mixture at every pixel of maps (B, M, H, W)."""
        # A 1x1 convolution is a matrix product. Done so, it lays its hundred maps plane by plane,
        # which suits all that follows; the convolution itself would lay them side by side.
        weight, bias = self.convolution.weight.flatten(1), self.convolution.bias
        assert bias is not None
        planes = torch.baddbmm(bias[:, None], weight.expand(len(maps), -1, -1), maps.flatten(2))
        parameters = planes.view(len(maps), -1, self.mixtures, *maps.shape[2:])
        logits, means, log_scales, coefficients = parameters.split(self.parts, 1)
        return Mixture(
            logits.squeeze(1), means, log_scales.clamp_min(SMALLEST), coefficients.tanh()
        )

    def forward(self, maps: Tensor, uniform: Tensor | None) -> Images:
        """Pictures (B, C, H, W) in [-1, 1].

        They are drawn with uniform numbers (B, K + C, H, W); where none are given, nothing is.
        """
        mixture = self.mixture(maps)
        weights, noise = self._drawn(mixture, uniform)
        return self.mix(mixture, weights, noise).contiguous(memory_format=torch.channels_last)

    def _drawn(self, mixture: Mixture, uniform: Tensor | None) -> tuple[Tensor, Tensor]:
        """Weights (B, K, H, W) that choose, and noise (B, C, H, W)."""
        if uniform is None:
            return _largest(mixture.logits.detach()), torch.zeros_like(mixture.means[:, :, 0])
        of_choice, of_value = uniform.tensor_split([self.mixtures], 1)
        if self.training:
            return self.choose(mixture.logits, of_choice), logistic(of_value)
        return hard(mixture.logits / self.grain, of_choice), self.grain * logistic(of_value)


class Grain(nn.Module):
    """Uniform numbers (B, N, size, size) for what is drawn at every pixel.

    In training they are fresh, from torch's own generator, as dropout's are. In evaluation they are
    a pure function of the latent row, so that a row is one portrait at any batch size, and a smooth
    one, so that the grain glides along a walk and does not flicker: Phi(sum_j d_j F_j), where d is
    the direction, of length 1, of the row's first 16 numbers and the F_j are fixed fields, random
    and at every pixel of length 4, so that the sum has mean 0, variance 1 and nearly the normal
    law. How long the row is does not matter: a temperature changes what is drawn and leaves its
    grain, which is there at 0 as well.
    """

    fields: Tensor

    def __init__(self, latent: Count, noises: int, size: int) -> None:
        super().__init__()
        self.shape = (noises, size, size)
        count = min(latent, FIELDS)
        drawn = Draw(0, "grain", 0).normal((count, math.prod(self.shape)), "fields")
        fixed = math.sqrt(count) * normalize(drawn, dim=0)
        # A function of the shape alone: no checkpoint need hold it.
        self.register_buffer("fields", fixed, persistent=False)

    def forward(self, z: Latents) -> Tensor:
        """Uniform numbers (B, N, size, size) in [0, 1]."""
        numbers = self._fresh(z) if self.training else self._settled(z)
        return numbers.view(-1, *self.shape)

    def _fresh(self, z: Latents) -> Tensor:
        return torch.rand(len(z), math.prod(self.shape), device=z.device)

    def _settled(self, z: Latents) -> Tensor:
        # The row of zeros, which has no direction, is given one.
        directions = normalize(z[:, : len(self.fields)] + 1e-6)
        return (1 + torch.erf(directions @ self.fields / math.sqrt(2))) / 2
