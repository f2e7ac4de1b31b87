"""One real and one fake batch before the critic: every verdict is computed at most once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from torch import Tensor

from purrtrait.types import Critic, Draw, Images, Logits


class Exchange:
    """What a game and a penalty look at.

    ``reals`` and ``fakes`` are (B, C, H, W); both require a gradient, so that a penalty can
    differentiate the very verdicts that the game uses. That costs nothing: gradients are asked
    for by name, and what nobody asks for is not computed. Where they are details, ``given`` and
    ``prompt`` are what the critic adds to reals and to fakes; either both are there or neither.
    ``noise`` says how strong the noise is that the pictures already carry.
    """

    def __init__(
        self,
        critic: Critic,
        reals: Images,
        fakes: Images,
        draw: Draw,
        given: Tensor | None = None,
        prompt: Tensor | None = None,
        noise: float = 0.0,
    ) -> None:
        assert (given is None) == (prompt is None), "details on one side only"
        self.critic = critic
        self.reals = _differentiable(reals)
        self.fakes = _differentiable(fakes)
        self.draw = draw
        self.given = given
        self.prompt = prompt
        self.noise = noise

    @cached_property
    def real(self) -> Logits:
        """The critic's verdicts on the reals, (B,)."""
        return self.critic(self.reals, self.given)

    @cached_property
    def fake(self) -> Logits:
        """The critic's verdicts on the fakes, (B,)."""
        return self.critic(self.fakes, self.prompt)

    def again(self) -> Exchange:
        """The same pictures before a critic that has moved since: no verdict is known yet."""
        return Exchange(
            self.critic,
            self.reals,
            self.fakes,
            self.draw,
            self.given,
            self.prompt,
            self.noise,
        )

    def with_verdicts(self, real: Logits, fake: Logits) -> Exchange:
        """The same pictures with verdicts that were found elsewhere, as leaves of a new graph."""
        copy = self.again()
        copy.real = real.detach().requires_grad_()
        copy.fake = fake.detach().requires_grad_()
        return copy


def _differentiable(images: Images) -> Images:
    return images if images.requires_grad else images.detach().requires_grad_()


Loss: TypeAlias = Callable[[Exchange], Tensor]  # (B,), each example by itself; to be lowered
Penalty: TypeAlias = Loss


@dataclass(frozen=True)
class Game:
    """What the critic and what the generator lose in an exchange, each (B,).

    ``slopes`` says that the critic's loss slopes at every verdict on a fake, so that the
    generator's gradient can be read off the critic's; ``pairs`` that the generator's loss sets each
    fake against a real, so that there must be as many; ``level`` that a verdict says something by
    itself, reals above 0 and fakes below, and not only beside others; ``won_at_zero`` names the
    players who have won when their loss is near 0 or below.
    """

    critic: Loss
    generator: Loss
    slopes: bool = True
    pairs: bool = False
    level: bool = True
    won_at_zero: tuple[str, ...] = ("critic", "generator")


@dataclass(frozen=True)
class Fine:
    """A penalty on the critic with its coefficient, taken lazily.

    Every ``every``-th move of the critic pays ``weight * every`` times the penalty, which has the
    same expectation at a fraction of the cost (Karras et al. 2020, "Analyzing and improving the
    image quality of StyleGAN", section 3.1).
    """

    penalty: Penalty
    weight: float
    every: int = 1

    def __call__(self, exchange: Exchange, move: int) -> dict[str, Tensor]:
        """The weighted penalty (B,) as a term, if due at the ``move``-th move, counted from 0."""
        if move % self.every:
            return {}
        return {"penalty": self.weight * self.every * self.penalty(exchange)}
