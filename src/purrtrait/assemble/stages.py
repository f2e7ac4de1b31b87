"""Makes the session of one stage: pack, level, networks and what lies under it, ready to play."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from purrtrait import config, machine
from purrtrait.assemble import build, pyramid, restored
from purrtrait.assemble.look import Look, Validity, among
from purrtrait.assemble.place import Place
from purrtrait.assemble.scoring import EXTRACTOR, FEWEST, Extent, comparable, varied
from purrtrait.config import Stage, Upkeep
from purrtrait.datasets.batches import Feed
from purrtrait.sampling import bundle
from purrtrait.training import checkpoint
from purrtrait.training.checkpoint import Checkpoint
from purrtrait.training.precision import PRECISIONS
from purrtrait.training.session import Cadence, Session
from purrtrait.training.spent import Spent
from purrtrait.training.state import State
from purrtrait.training.trend import Trend
from purrtrait.types import Batch, Draw, Progress
from purrtrait.version import VERSION

log = logging.getLogger(__name__)

PREVIEWS = 40  # of a stage, where no cadence is asked for
CHECKPOINTS = 10
SCORINGS = 5
PICTURES_A_SAMPLE = 20  # or fewer: scores shall not take longer than a tenth of the training


def session(
    place: Place, number: int, found: Mapping[str, Checkpoint], last: Checkpoint | None
) -> Session:
    """The session of a recipe's stage; it goes on from ``last`` where there is one of it.

    ``found`` holds the last checkpoint of every stage that the run has.
    """
    stage, device = place.recipe.stages[number], place.device
    built = build.stage(stage, place.shape, place.request.seed, device)
    ground = _ground(place, number, found)
    below = bundle.join(ground.described, ground.weights, device)
    feed = _feed(place, stage)

    def batch(now: Progress) -> Batch:
        return built.level.cut(feed.portraits(now), below, feed.draw(now))

    state = State(
        built.objective,
        built.paces,
        batch,
        stage.half_life_images,
        len(feed),
        PRECISIONS[place.precision],
    )
    if last:
        _go_on(state, last)
    else:
        _take(state, pyramid.takes(place.recipe, number), found)
    look = Look(place, built, state.average, below, _validity(place, number, found))
    upkeep = Upkeep.model_validate(place.request.upkeep)
    extent, known = _scored(place, upkeep), last.facts if last else {}
    often = cadence(upkeep, stage, extent.count, look.refines and extent.complete)
    return Session(
        place.run,
        stage.name,
        state,
        stage.budget,
        often,
        _facts(place, number) | {"stands_on": ground.stands_on},
        {bundle.DESCRIPTION: json.dumps(_description(place, look, ground.described), indent=1)},
        ground.weights,
        look.preview(
            upkeep.previews, upkeep.ranked or among(upkeep.previews, often.preview_every_images)
        ),
        lambda: look.learnt_from(feed.order(0)),
        look.scoring(extent, upkeep.truths, upkeep.tries),
        place.share,
        device,
        Spent(device, **known.get("spent", {})),
        Trend(built.objective.won_at_zero, known.get("trend", {})),
    )


@dataclass(frozen=True)
class Ground:
    """What a stage stands on: the stages that its sampler needs, their weights, and fingerprints.

    ``stands_on`` names the stages that it learns from, with the fingerprints of their weights.
    """

    described: list[Mapping[str, Any]]
    weights: Mapping[str, torch.Tensor]
    stands_on: Mapping[str, str]


def _ground(place: Place, number: int, found: Mapping[str, Checkpoint]) -> Ground:
    """What lies under a stage, which was trained before."""
    recipe = place.recipe
    lower = pyramid.under(recipe, number, place.shape)
    names = pyramid.sources(recipe, number, place.shape)
    assert all(name in found for name in names), "a plan is checked before it is followed"
    stands_on = {name: found[name].weights for name in names}
    if lower is None:
        return Ground([], {}, stands_on)
    base = found[recipe.stages[lower].name]
    described = bundle.describe(base.path)["stages"]
    # All that it draws on: the stage above the base may have learnt nothing from a new one.
    drawn = {one["name"] for one in described}
    # Of a base that is stale itself, its staleness is all that there is to know.
    same = {n: w for n, w in base.stands_on.items() if n in found and found[n].weights == w}
    stands_on |= {name: weights for name, weights in same.items() if name in drawn}
    prefixes = tuple(one["prefix"] for one in described)
    weights = {k: v for k, v in base.average().items() if k.startswith(prefixes)}
    return Ground(described, weights, stands_on)


def _go_on(state: State, last: Checkpoint) -> None:
    """Put a stage back to where its last checkpoint was written."""
    own = checkpoint.under(last.average(), f"{last.stage}/")
    state.restore(last.training(), own, last.facts["now"], last.facts["optimisers"])


def _take(
    state: State, takes: Mapping[str, tuple[str, str]], found: Mapping[str, Checkpoint]
) -> None:
    """Begin with the weights of players of earlier stages."""
    for player, (source, other) in takes.items():
        weights = checkpoint.under(found[source].training(), f"player/{other}/")
        state.start_from({f"player/{player}/{k}": v for k, v in weights.items()}, (player,))


def _validity(place: Place, number: int, found: Mapping[str, Checkpoint]) -> Validity | None:
    """The score of portraits by the validator of an earlier stage; None where there is none."""
    earlier = (stage.name for stage in place.recipe.stages[:number] if stage.name in found)
    judges = (restored.validator(found[name], place.device) for name in earlier)
    return next((judge.score for judge in judges if judge), None)


def cadence(upkeep: Upkeep, stage: Stage, samples: int, refines: bool) -> Cadence:
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
        "score/refinement" if upkeep.best_by == "refinement" and refines else checkpoint.JUDGED_BY,
        upkeep.best_after_images,
        upkeep.stop_when_won,
    )


def _scored(place: Place, upkeep: Upkeep) -> Extent:
    """How much is scored; it is said where the pack allows fewer scores than all, or none."""
    asked, pack = upkeep.score_samples, place.pack
    full, few = comparable(pack, asked), varied(pack, asked)
    if asked and not full and not place.share.rank:
        log.info(
            "the pack holds out only %d pictures: %s, nor is a best checkpoint kept (that takes "
            "%d, or as many as --scores)",
            len(pack.rows("held-out")),
            "nothing is scored while training but how varied portraits are"
            if few
            else "no scores are taken while training",
            FEWEST,
        )
    return Extent(full or few, not few)


def _feed(place: Place, stage: Stage) -> Feed:
    return Feed(
        place.pack.images,
        place.pack.rows("train"),
        stage.batch,
        Draw(place.request.seed, stage.name, 0, place.share, place.device),
        0.5 * (stage.flip and place.pack.flip_natural),
        build.variation(stage),
        stage.round_images,
    )


def _description(place: Place, look: Look, under: list[Mapping[str, Any]]) -> dict[str, Any]:
    """What sampler.json says: how to build the sampler again, and where it comes from."""
    own = [look.built.described] * look.draws
    sampler = look.sampler
    return {
        "schema": bundle.SCHEMA,
        "version": VERSION,
        "recipe": place.recipe.name,
        "latent_size": sampler.latent_size if sampler else 0,
        "prior": sampler.prior if sampler else "normal",
        "size": look.built.level.size,
        "channels": place.pack.channels,
        "stages": [*under, *own],
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
        "processor": machine.processor(),
        "precision": place.precision,
        "extractor": EXTRACTOR,
    }
