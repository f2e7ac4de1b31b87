"""Makes the session of one stage: pack, level, networks and what lies under it, ready to play."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from purrtrait import config
from purrtrait.assemble import build, scoring
from purrtrait.config import Recipe, Stage, Upkeep
from purrtrait.datasets.batches import Feed
from purrtrait.datasets.pack import Pack
from purrtrait.images.resize import to_uint8
from purrtrait.sampling import bundle
from purrtrait.sampling.latents import latents
from purrtrait.training.checkpoint import Checkpoint
from purrtrait.training.run import Run
from purrtrait.training.session import Cadence, Session
from purrtrait.training.spent import Spent
from purrtrait.training.state import State
from purrtrait.types import Batch, Generator, Progress, Sampler, Share
from purrtrait.version import VERSION

log = logging.getLogger(__name__)

PREVIEWS = 40  # of a stage, where no cadence is asked for
CHECKPOINTS = 10
SCORINGS = 5
PICTURES_A_SAMPLE = 20  # or fewer: scores shall not take longer than a tenth of the training
DRAWN_AT_ONCE = 64
PREVIEW_SEED = 0


@dataclass(frozen=True)
class Request:
    """What is asked for beside the recipe, kept in the run folder.

    ``data`` is the pack's folder and ``pack`` its content hash; ``start_from`` says whose weights
    the training began with, if it was not its own.
    """

    data: str
    seed: int
    device: str
    threads: int
    upkeep: Mapping[str, Any] = field(default_factory=dict)
    pack: str = ""
    start_from: str = ""


@dataclass(frozen=True)
class Place:
    """Where one process trains: the open run, the pack, and its share of every batch."""

    run: Run
    recipe: Recipe
    request: Request
    pack: Pack
    share: Share
    device: torch.device
    memory_bytes: int = 0  # that training needs, as rehearsed

    @property
    def shape(self) -> build.Shape:
        """Size and channels of the pack's pictures."""
        return build.Shape(self.pack.size, self.pack.channels)


def session(place: Place, number: int, last: Checkpoint | None) -> Session:
    """The session of a recipe's stage; it goes on from ``last`` where that is of the same stage.

    ``last`` also holds what lies under the stage.
    """
    stage, device = place.recipe.stages[number], place.device
    built = build.stage(stage, place.shape, place.request.seed, device)
    described = bundle.describe(last.path)["stages"][:number] if last else []
    weights = last.average() if last else {}
    prefix = f"{stage.name}/"
    under = {key: value for key, value in weights.items() if not key.startswith(prefix)}
    below = bundle.join(described, under, device)
    feed = _feed(place, stage)

    def batch(now: Progress) -> Batch:
        return built.level.cut(feed.portraits(now), below, feed.draw(now))

    state = State(built.objective, built.paces, batch, stage.half_life_images, len(feed))
    if last and last.stage == stage.name:
        own = {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}
        state.restore(last.training(), own, last.facts["now"], last.facts["optimisers"])
    assert isinstance(state.average, Generator), "a stage without a drawer makes no sampler yet"
    sampler = built.level.join(state.average, below)
    description = _description(place, [*described, built.described], sampler)
    upkeep = Upkeep.model_validate(place.request.upkeep)
    samples = _scored(place, upkeep)
    return Session(
        place.run,
        stage.name,
        state,
        stage.budget,
        cadence(upkeep, stage, samples),
        _facts(place, number),
        {bundle.DESCRIPTION: json.dumps(description, indent=1)},
        under,
        _portraits(sampler, upkeep.previews, device),
        scoring.Scoring(
            place.pack,
            built.level,
            built.objective,
            state.average,
            below,
            sampler,
            samples,
            device,
        ),
        place.share,
        device,
        Spent(device, **(last.facts.get("spent", {}) if last else {})),
    )


def cadence(upkeep: Upkeep, stage: Stage, samples: int) -> Cadence:
    """How often a session looks up: as asked, or so many times in all.

    Where there are no ``samples`` to be scored, it takes no scores.
    """
    previews = upkeep.preview_every_images or max(1, stage.budget // PREVIEWS)
    usual = max(1, stage.budget // SCORINGS, PICTURES_A_SAMPLE * samples)
    return Cadence(
        upkeep.log_every_steps,
        previews * (upkeep.previews > 0),
        upkeep.checkpoint_every_images or max(1, stage.budget // CHECKPOINTS),
        (upkeep.score_every_images or usual) * (samples > 0),
        upkeep.keep,
        upkeep.extra_images,
    )


def _scored(place: Place, upkeep: Upkeep) -> int:
    """How many portraits are scored; it is said where the pack allows none."""
    samples = scoring.comparable(place.pack, upkeep.score_samples)
    if upkeep.score_samples and not samples and not place.share.rank:
        log.info(
            "the pack holds out only %d pictures: no scores are taken while training, nor is a "
            "best checkpoint kept (that takes %d, or as many as --scores)",
            len(place.pack.rows("held-out")),
            scoring.FEWEST,
        )
    return samples


def _feed(place: Place, stage: Stage) -> Feed:
    return Feed(
        place.pack.images,
        place.pack.rows("train"),
        stage.batch,
        place.request.seed,
        stage.name,
        0.5 * (stage.flip and place.pack.flip_natural),
        place.share,
        place.device,
        build.variation(stage),
    )


def _portraits(sampler: Sampler, count: int, device: torch.device) -> Callable[[], np.ndarray]:
    """Draws the portraits of the same latents each time: uint8 (count, H, W, C)."""
    z = latents(count, sampler.latent_size, sampler.prior, PREVIEW_SEED).to(device)
    return lambda: np.concatenate([to_uint8(sampler(rows)) for rows in z.split(DRAWN_AT_ONCE)])


def _description(place: Place, stages: list[Mapping[str, Any]], sampler: Sampler) -> dict[str, Any]:
    """What sampler.json says: how to build the sampler again, and where it comes from."""
    return {
        "schema": bundle.SCHEMA,
        "version": VERSION,
        "recipe": place.recipe.name,
        "latent_size": sampler.latent_size,
        "prior": sampler.prior,
        "size": stages[-1]["level"]["options"]["pixels"] or place.pack.size,
        "channels": place.pack.channels,
        "stages": stages,
        "pack": place.pack.content_hash,
        "credit": place.pack.manifest.credit,
    }


def _facts(place: Place, number: int) -> dict[str, Any]:
    return {
        "stage_number": number,
        "version": VERSION,
        "torch": torch.__version__,
        "recipe": config.dump(place.recipe),
        "seed": place.request.seed,
        "pack": place.pack.content_hash,
        "threads": place.request.threads,
        "ranks": place.share.ranks,
        "device": str(place.device),
    }
