"""Makes the scores that are taken while a stage trains: against pictures that it never sees."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from purrtrait.datasets.pack import HELD_OUT, TRAIN, Pack
from purrtrait.evaluation import EXTRACTORS, METRICS, features
from purrtrait.evaluation.order import order
from purrtrait.evaluation.ranking import ranked
from purrtrait.evaluation.reference import Reference, silent
from purrtrait.images.resize import area, to_images, to_uint8
from purrtrait.networks.resting import at_rest
from purrtrait.sampling.latents import latents
from purrtrait.training.fit import scalars
from purrtrait.types import (
    Batch,
    Critic,
    Features,
    Generator,
    Images,
    Latents,
    Level,
    Objective,
    Progress,
    Sampler,
)

EXTRACTOR = "efficientnet-lite0"
METRICS_TAKEN = ("frechet", "coverage", "diversity")  # those that take well under a second
SEED = 1  # of the portraits that are scored; previews show others
FEWEST = 200  # held-out pictures, below which a score says little
FEWEST_VARIED = 100  # training pictures, below which portraits may well be alike
DRAWN_AT_ONCE = 64


def comparable(pack: Pack, samples: int) -> int:
    """How many portraits and held-out pictures are compared: as asked for, or as many as there are.

    0 where the pack holds out too few: neither ``FEWEST`` nor as many as were asked for.
    """
    held_out = len(pack.rows(HELD_OUT))
    return 0 if held_out < min(FEWEST, samples) else min(samples, held_out)


def varied(pack: Pack, samples: int) -> int:
    """How many portraits are compared with training pictures, and only for their variety.

    0 where the pack holds out enough for all scores, or has too few pictures altogether.
    """
    train = len(pack.rows(TRAIN))
    return 0 if comparable(pack, samples) or train < FEWEST_VARIED else min(samples, train)


@dataclass(frozen=True)
class Extent:
    """How much is scored: ``count`` portraits, 0 for none, and whether all scores are taken.

    Where not, only those of how varied portraits are.
    """

    count: int
    complete: bool = True


@dataclass(frozen=True)
class Scored:
    """The portraits of a stage that are scored, and the pack's pictures beside them.

    There are ``count`` of them, always of the same latents; drawing them draws no random number.
    """

    pack: Pack
    level: Level
    sampler: Sampler
    count: int
    device: torch.device

    @cached_property
    def reference(self) -> Reference:
        """The pack's pictures, at the size that this stage draws."""
        return Reference(self.pack, EXTRACTORS[EXTRACTOR](), self.level.size, self.count)

    @cached_property
    def latents(self) -> Latents:
        """The latents (count, Z) of all scores."""
        drawn = latents(self.count, self.sampler.latent_size, self.sampler.prior, SEED)
        return drawn.to(self.device)

    def portraits(self) -> Images:
        """What the sampler makes of the latents now."""
        return torch.cat([self.sampler(z) for z in self.latents.split(DRAWN_AT_ONCE)])

    def features(self, portraits: Images) -> Features:
        """Features of portraits."""
        return features.extract(self.reference.extractor, to_uint8(portraits))

    def wholes(self, rows: np.ndarray) -> Iterator[Images]:
        """Pictures of the pack, some at a time, at the size that this stage draws."""
        for start in range(0, len(rows), DRAWN_AT_ONCE):
            images = to_images(self.pack.images[rows[start : start + DRAWN_AT_ONCE]])
            yield area(images.to(self.device), self.level.size)


@dataclass(frozen=True)
class Variety:
    """How varied a stage's portraits are as it is now, beside as many training pictures.

    For packs that hold out too few pictures for ``Scoring``.
    """

    scored: Scored

    def __call__(self) -> dict[str, float]:
        """The scores, by the names under which they are logged."""
        samples = self.scored.features(self.scored.portraits())
        return _logged(METRICS["diversity"](self.reals, samples))

    @cached_property
    def reals(self) -> Features:
        """Features of training pictures."""
        reference = self.scored.reference
        return reference.features(reference.stand_ins(), silent)


@dataclass(frozen=True)
class Scoring:
    """Scores of a stage as it is now.

    Its portraits are compared with as many held-out pictures of the pack; the stage's critic is
    asked about those, about as many training pictures, and about the portraits.
    """

    scored: Scored
    objective: Objective

    def __call__(self) -> dict[str, float]:
        """The scores, by the names under which they are logged."""
        portraits = self.scored.portraits()
        samples = self.scored.features(portraits)
        found = [METRICS[name](self.reals, samples) for name in METRICS_TAKEN]
        scores = {name: value for some in found for name, value in some.items()}
        return _logged({**scores, **self._orders(portraits)})

    @cached_property
    def reals(self) -> Features:
        """Features of the held-out pictures, and of no others."""
        reference = self.scored.reference
        return reference.features(reference.held_out(), silent)

    def _orders(self, portraits: Images) -> dict[str, float]:
        """How often each critic is right about pictures that it trains on, and about others."""
        found: dict[str, float] = {}
        reference = self.scored.reference
        for critic in self.objective.players().values():
            if not isinstance(critic, Critic):
                continue
            fakes = ranked(critic, portraits).verdicts
            train, held_out = (
                torch.cat([ranked(critic, images).verdicts for images in self.scored.wholes(rows)])
                for rows in (reference.stand_ins(), reference.held_out())
            )
            right = [(held_out > 0).double().mean(), (fakes <= 0).double().mean()]
            found |= {
                "order-train": order(train, fakes),
                "order-held-out": order(held_out, fakes),
                "accuracy-held-out": float(sum(right) / 2),
            }
        return found


def _logged(scores: Mapping[str, float]) -> dict[str, float]:
    return {f"score/{name}": value for name, value in scores.items()}


@dataclass(frozen=True)
class Refinements:
    """How near a refiner comes to the truth: an estimate in the manner of a Parzen window's.

    The mean, over pictures held out, of the least Euclidean distance of ``tries`` refinements of
    the coarse picture to the fine one, both in [-1, 1]. A refiner that draws nothing has a low one
    too.
    """

    refiner: Generator
    batch: Batch
    tries: int

    @torch.no_grad()
    def __call__(self) -> dict[str, float]:
        """The score, by the name under which it is logged."""
        images, given = self.batch.images, self.batch.given
        shape = (len(images), self.refiner.latent_size)
        nearest = images.new_full((len(images),), float("inf"))
        for number in range(self.tries):
            z = self.batch.draw.prior(self.refiner.prior, shape, f"try {number}")
            off = (self.refiner(z, given) - images).flatten(1).norm(dim=1)
            nearest = torch.minimum(nearest, off)
        return {"score/refinement": float(nearest.mean())}


@dataclass(frozen=True)
class Validation:
    """What an objective loses on a batch that is held out, in evaluation mode."""

    objective: Objective
    batch: Batch

    @torch.no_grad()
    def __call__(self) -> dict[str, float]:
        """Its costs and what it watches, under the names of those of training."""
        with at_rest(self.objective):
            turns = self.objective.turns(Progress())
            found = [scalars(turn.loss(self.batch), turn.movers) for turn in turns]
        return {f"held-out/{name}": float(v) for some in found for name, v in some.items()}
