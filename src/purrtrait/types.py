"""The shared vocabulary: what every part of the house hands to every other."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal, Protocol, TypeAlias, runtime_checkable

import numpy as np
import torch
from annotated_types import Ge, Gt, Le, Lt
from torch import Tensor, nn

Images: TypeAlias = Tensor  # (B, C, H, W) float32; portraits in [-1, 1], details in [-2, 2]
Latents: TypeAlias = Tensor  # (B, Z) float32; one row is one portrait, whatever the model
Logits: TypeAlias = Tensor  # (B,) unbounded, higher is more real, for every critic
Features: TypeAlias = (
    Tensor  # (N, F) float32 on the CPU; one row a picture, as an extractor sees it
)
Prior: TypeAlias = Literal["normal", "uniform"]

# What a number among the options may be; a recipe with another one is refused in words.
Count: TypeAlias = Annotated[int, Ge(1)]
Amount: TypeAlias = Annotated[float, Ge(0)]
Positive: TypeAlias = Annotated[float, Gt(0)]
Chance: TypeAlias = Annotated[float, Ge(0), Le(1)]
Decay: TypeAlias = Annotated[float, Ge(0), Lt(1)]


@dataclass(frozen=True)
class Share:
    """Which rows of a global batch are this process's own: rank ``rank`` of ``ranks``."""

    rank: int = 0
    ranks: int = 1

    def of(self, rows: int) -> slice:
        """The slice of a global batch of ``rows * ranks`` rows that belongs to this rank."""
        return slice(self.rank * rows, (self.rank + 1) * rows)


@dataclass(frozen=True)
class Draw:
    """A batch's own source of randomness: a function of (seed, stage, position) and nothing else.

    Every method is pure: the same purpose asked for twice gives the same numbers, and asking for
    one purpose never changes what another one gives. Ranks draw the global batch and keep their
    share of its rows, so that two processes see what one would see.

    The numbers come from Philox, a counter-based generator with a 128-bit key (Salmon et al.,
    "Parallel random numbers: as easy as 1, 2, 3", 2011), keyed by a BLAKE2 digest.
    """

    seed: int
    stage: str
    position: int
    share: Share = Share()
    device: torch.device = torch.device("cpu")

    def key(self, purpose: str) -> int:
        """The 128-bit number that stands for this place in training and ``purpose``."""
        text = f"{self.seed}|{self.stage}|{self.position}|{purpose}"
        return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=16).digest(), "little")

    def normal(self, shape: Sequence[int], purpose: str) -> Tensor:
        """Standard normal float32 numbers of ``shape``; the first dimension counts rows."""
        numbers = self._generator(purpose).standard_normal(self._whole(shape), dtype=np.float32)
        return self._own(numbers, shape)

    def uniform(
        self, shape: Sequence[int], purpose: str, low: float = 0.0, high: float = 1.0
    ) -> Tensor:
        """Uniform float32 numbers in [low, high) of ``shape``; the first dimension counts rows."""
        numbers = self._generator(purpose).random(self._whole(shape), dtype=np.float32)
        return self._own(numbers, shape) * (high - low) + low

    def prior(self, name: Prior, shape: Sequence[int], purpose: str) -> Latents:
        """Latents (B, Z) of a named prior: standard normal, or uniform in [-1, 1)."""
        return _PRIORS[name](self, shape, purpose)

    def permutation(self, count: int, purpose: str) -> np.ndarray:
        """A random order of 0 ... count-1 (int64), the same on every rank."""
        return self._generator(purpose).permutation(count)

    def _generator(self, purpose: str) -> np.random.Generator:
        return np.random.Generator(np.random.Philox(key=self.key(purpose)))

    def _whole(self, shape: Sequence[int]) -> tuple[int, ...]:
        return (shape[0] * self.share.ranks, *shape[1:])

    def _own(self, numbers: np.ndarray, shape: Sequence[int]) -> Tensor:
        return torch.from_numpy(numbers)[self.share.of(shape[0])].to(self.device)


def _normal_prior(draw: Draw, shape: Sequence[int], purpose: str) -> Latents:
    return draw.normal(shape, purpose)


def _uniform_prior(draw: Draw, shape: Sequence[int], purpose: str) -> Latents:
    return draw.uniform(shape, purpose, -1.0, 1.0)


_PRIORS: dict[Prior, Callable[[Draw, Sequence[int], str], Latents]] = {
    "normal": _normal_prior,
    "uniform": _uniform_prior,
}


@dataclass(frozen=True)
class Batch:
    """What one turn is played with.

    ``images`` (B, C, H, W) is the target, ``draw`` the batch's own randomness; ``given`` is what
    the real target is conditioned on, ``prompt`` what a fake is conditioned on.
    """

    images: Images
    draw: Draw
    given: Tensor | None = None
    prompt: Tensor | None = None


@dataclass(frozen=True)
class Progress:
    """Everything that a schedule may look at.

    ``images_seen`` is the clock: real images that the critic drew. ``position`` counts the batches
    drawn, ``moves`` the turns of each player, ``round`` the times that the pack went by.
    ``scores`` are those of the last step.
    """

    images_seen: int = 0
    steps: int = 0
    position: int = 0
    moves: Mapping[str, int] = field(default_factory=dict)
    round: int = 0
    scores: Mapping[str, float] = field(default_factory=dict)


Schedule: TypeAlias = Callable[[Progress], float]


@dataclass(frozen=True)
class Terms:
    """What a loss says: ``costs[player][term]`` are scalars to go down, ``watch`` is only logged.

    ``descents`` names the players that share one backward pass: its key is a tuple of players, its
    value the scalar whose gradient serves them all; ``held`` is what is left of it where a balance
    holds the game back. Without descents each player goes down the sum of its own costs.
    """

    costs: Mapping[str, Mapping[str, Tensor]]
    watch: Mapping[str, Tensor] = field(default_factory=dict)
    descents: Mapping[tuple[str, ...], Tensor] = field(default_factory=dict)
    held: Mapping[tuple[str, ...], Tensor] = field(default_factory=dict)


def always(scores: Mapping[str, float]) -> bool:
    """Admit every move."""
    return True


def nothing() -> None:
    """Do nothing after a turn."""


@dataclass(frozen=True)
class Turn:
    """Who moves next, and down what.

    ``advance`` is 1 when it takes the next batch and 0 for that of the turn before; ``ticks`` is 1
    when its reals count on the clock. The loss is always computed; ``admit`` then says by the
    scores whether movers step. ``after`` comes last (clipping); ``lot`` numbers what a loss does.
    """

    movers: tuple[str, ...]
    loss: Callable[[Batch], Terms]
    advance: int = 1
    ticks: int = 0
    admit: Callable[[Mapping[str, float]], bool] = always
    after: Callable[[], None] = nothing
    lot: Callable[[Draw], int] = lambda draw: 0


class Generator(nn.Module, ABC):
    """Draws portraits: latents (B, Z) in, images (B, C, H, W) out."""

    latent_size: int
    prior: Prior

    @abstractmethod
    def forward(self, z: Latents, given: Tensor | None = None) -> Images:
        """Images (B, C, H, W) for latents (B, Z)."""

    __call__: Callable[..., Images]


class Critic(nn.Module, ABC):
    """Judges portraits: one unbounded number an image, higher is more real.

    ``judges_alone`` says that a verdict depends on its own image only: no batch statistics.
    """

    judges_alone: bool = True

    @abstractmethod
    def features(self, images: Images, given: Tensor | None = None) -> Tensor:
        """What the verdict is read from, (B, F)."""

    @abstractmethod
    def forward(self, images: Images, given: Tensor | None = None) -> Logits:
        """Verdicts (B,)."""

    __call__: Callable[..., Logits]


class Encoder(nn.Module, ABC):
    """Finds latents: images (B, C, H, W) in, mean and log variance, each (B, Z), out."""

    latent_size: int

    @abstractmethod
    def forward(self, images: Images) -> tuple[Tensor, Tensor]:
        """Mean and log variance of the latents, each (B, Z)."""

    __call__: Callable[..., tuple[Tensor, Tensor]]


class Coder(nn.Module, ABC):
    """Finds one code for each portrait: images (B, C, H, W) in, latents (B, Z) out.

    An autoencoder's other half is a generator with latents of that size.
    """

    latent_size: int

    @abstractmethod
    def forward(self, images: Images) -> Latents:
        """Codes (B, Z) of portraits in [-1, 1]."""

    __call__: Callable[..., Latents]


class Retoucher(nn.Module, ABC):
    """Draws a picture once more, and better: portraits in, portraits of the same shape out."""

    @abstractmethod
    def forward(self, images: Images) -> Images:
        """Portraits (B, C, S, S) in [-1, 1], drawn after others of that shape and range."""

    __call__: Callable[..., Images]


class Objective(nn.Module, ABC):
    """Holds the players and says whose turn it is and what they lose.

    What it remembers between steps (coefficients, queues) are buffers, so that checkpoints hold it.
    ``won_at_zero`` names the players who have won when their loss in the game is near 0 or below;
    ``artists`` those of whom the subject consists, where it draws portraits: a generator, then
    those who retouch what it draws. ``validated`` says that its losses on pictures held out tell
    how good it is.
    """

    won_at_zero: tuple[str, ...] = ()
    artists: tuple[str, ...] = ()
    validated: bool = False

    @abstractmethod
    def players(self) -> Mapping[str, nn.Module]:
        """The networks by the names under which a recipe speaks of them."""

    @abstractmethod
    def turns(self, now: Progress) -> Sequence[Turn]:
        """The turns of the next step."""

    @abstractmethod
    def subject(self) -> nn.Module:
        """The network that training is for: the one whose weights are averaged and kept."""

    @abstractmethod
    def panel(self, batch: Batch, subject: nn.Module) -> Mapping[str, Images]:
        """What is to be looked at beside portraits: columns of pictures by their titles.

        Each column is (B, C, S, S) in [-1, 1], made from ``batch`` by ``subject``, the averaged
        network in evaluation mode; empty where portraits say it all.
        """


class Drawing(Objective, ABC):
    """An objective whose subject draws portraits."""

    drawer: Generator
    artists: tuple[str, ...] = ("generator",)

    def subject(self) -> nn.Module:
        """The drawer."""
        return self.drawer


@runtime_checkable
class Sampler(Protocol):
    """Latent rows in, portraits out: all that evaluation, export and the explorer ever see."""

    latent_size: int
    prior: Prior

    def __call__(self, z: Latents) -> Images:
        """Portraits (B, C, H, W) in [-1, 1] for latents (B, Z)."""
        ...


class Level(Protocol):
    """Cuts a batch of the pack into what one stage sees, and joins what the stage draws.

    ``size`` is the width and height in pixels of what the stage sees and draws; ``coarse`` that of
    the portraits that the stage below has to draw, or 0 where none is needed.
    """

    size: int
    coarse: int

    def cut(self, images: Images, below: Sampler | None, draw: Draw) -> Batch:
        """The batch of this stage, from portraits (B, C, H, W) of the pack in [-1, 1]."""
        ...

    def join(self, drawer: Generator, below: Sampler | None) -> Sampler:
        """The sampler of the pyramid up to this stage."""
        ...
