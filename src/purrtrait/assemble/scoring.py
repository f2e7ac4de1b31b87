"""Makes the scores that are taken while a stage trains: against pictures that it never sees."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn

from purrtrait.datasets.pack import HELD_OUT, Pack
from purrtrait.evaluation import EXTRACTORS, METRICS, features
from purrtrait.evaluation.order import order
from purrtrait.evaluation.reference import Reference, silent
from purrtrait.images.resize import to_images, to_uint8
from purrtrait.sampling.latents import latents
from purrtrait.types import (
    Batch,
    Critic,
    Draw,
    Features,
    Generator,
    Latents,
    Level,
    Objective,
    Sampler,
)

EXTRACTOR = "efficientnet-lite0"
METRICS_TAKEN = ("frechet", "coverage", "diversity")  # those that take well under a second
SEED = 1  # of the portraits that are scored; previews show others
FEWEST = 200  # held-out pictures, below which a score says little
DRAWN_AT_ONCE = 64


def comparable(pack: Pack, samples: int) -> int:
    """How many portraits and held-out pictures are compared: as asked for, or as many as there are.

    0 where the pack holds out too few: neither ``FEWEST`` nor as many as were asked for.
    """
    held_out = len(pack.rows(HELD_OUT))
    return 0 if held_out < min(FEWEST, samples) else min(samples, held_out)


@dataclass(frozen=True)
class Scoring:
    """Scores of a stage as it is now: a function of its weights, which draws no random number.

    ``count`` portraits of the averaged generator, always of the same latents, are compared with as
    many held-out pictures of the pack; the stage's critic is asked about those, about as many
    training pictures, and about what the averaged generator draws.
    """

    pack: Pack
    level: Level
    objective: Objective
    average: Generator
    below: Sampler | None
    sampler: Sampler
    count: int
    device: torch.device

    def __call__(self) -> dict[str, float]:
        """The scores, by the names under which they are logged."""
        samples = features.extract(self.reference.extractor, self._portraits())
        found = [METRICS[name](self.reals, samples) for name in METRICS_TAKEN]
        scores = {name: value for some in found for name, value in some.items()} | self._orders()
        return {f"score/{name}": value for name, value in scores.items()}

    @cached_property
    def reference(self) -> Reference:
        """The pack's pictures, at the size that this stage draws."""
        return Reference(self.pack, EXTRACTORS[EXTRACTOR](), self.level.size, self.count)

    @cached_property
    def reals(self) -> Features:
        """Features of the held-out pictures, and of no others."""
        return self.reference.features(self.reference.held_out(), silent)

    @cached_property
    def latents(self) -> Latents:
        """The latents (count, Z) of all scores."""
        drawn = latents(self.count, self.sampler.latent_size, self.sampler.prior, SEED)
        return drawn.to(self.device)

    def _portraits(self) -> np.ndarray:
        some = self.latents.split(DRAWN_AT_ONCE)
        return np.concatenate([to_uint8(self.sampler(z)) for z in some])

    @torch.no_grad()
    def _orders(self) -> dict[str, float]:
        """How often each critic is right about pictures that it trains on, and about others."""
        found: dict[str, float] = {}
        for critic in self.objective.players().values():
            if not isinstance(critic, Critic):
                continue
            with at_rest(critic):
                train, held_out, fakes = self._verdicts(critic)
            found |= {"order-train": order(train, fakes), "order-held-out": order(held_out, fakes)}
        return found

    def _verdicts(self, critic: Critic) -> tuple[Tensor, Tensor, Tensor]:
        """On training pictures, on held-out ones, and on fakes."""
        rows = self.reference.held_out()
        train, held_out = (
            torch.cat([critic(batch.images, batch.given) for batch in self._batches(some)])
            for some in (self.reference.stand_ins(), rows)
        )
        drawn = zip(self.latents.split(DRAWN_AT_ONCE), self._batches(rows), strict=True)
        fakes = [critic(self.average(z, batch.prompt), batch.prompt) for z, batch in drawn]
        return train, held_out, torch.cat(fakes)

    def _batches(self, rows: np.ndarray) -> Iterator[Batch]:
        for start in range(0, len(rows), DRAWN_AT_ONCE):
            images = to_images(self.pack.images[rows[start : start + DRAWN_AT_ONCE]])
            draw = Draw(SEED, "scores", start, device=self.device)
            yield self.level.cut(images.to(self.device), self.below, draw)


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
