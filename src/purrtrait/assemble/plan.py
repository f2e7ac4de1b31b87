"""Which stages of a recipe are trained, what they begin with, and whether they can be."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from purrtrait.assemble import build, pyramid
from purrtrait.config import Recipe, Stage
from purrtrait.datasets.pack import Pack
from purrtrait.training import checkpoint
from purrtrait.training.checkpoint import Checkpoint
from purrtrait.words import nearest

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Source:
    """A run that another one begins with.

    Its ``weights`` are those of ``players`` of the first stage; the ``earlier`` stages are taken
    over as they are.
    """

    weights: Checkpoint
    players: tuple[str, ...] = ()
    earlier: tuple[Checkpoint, ...] = ()


@dataclass(frozen=True)
class Plan:
    """Which stages are trained (none named: all), and which of those begin anew."""

    stages: tuple[str, ...] = ()
    again: tuple[str, ...] = ()

    def has(self, stage: str) -> bool:
        """Whether a stage is to be trained."""
        return not self.stages or stage in self.stages

    def leaves(self, last: Checkpoint, stage: Stage) -> bool:
        """Whether there is nothing left to train in a stage that has come so far."""
        return last.images_seen >= stage.budget or (last.adopted and stage.name not in self.stages)


WHOLE = Plan()


def begin_anew(recipe: Recipe, found: Mapping[str, Checkpoint], plan: Plan) -> set[str]:
    """The stages that begin anew, be it that what they stand on is trained further."""
    further = [
        stage.name
        for stage in recipe.stages
        if plan.has(stage.name)
        and not (stage.name in found and plan.leaves(found[stage.name], stage))
    ]
    return checkpoint.anew(found, plan.again, further)


def as_trained(
    recipe: Recipe,
    before: Recipe,
    changed: Mapping[str, object],
    found: Mapping[str, Checkpoint],
    plan: Plan,
    anew: Collection[str],
) -> tuple[Recipe, dict[str, object]]:
    """A changed recipe and its changes, without those that come too late, which are named.

    They do for stages that are finished, and do not begin ``anew``: such a stage stays as it was
    ``before``. Its budget may be lowered to what it has seen, at any time.
    """
    kept = {stage.name: stage for stage in before.stages}
    stages, late = [], set[str]()
    for stage in recipe.stages:
        mine = None if stage.name in anew else found.get(stage.name)
        if mine and plan.leaves(mine, stage):
            stages.append(kept[stage.name].model_copy(update={"budget": stage.budget}))
            late |= _too_late(stage, changed)
        else:
            stages.append(stage)
    applied = {name: value for name, value in changed.items() if name not in late}
    return recipe.model_copy(update={"stages": tuple(stages)}), applied


def _too_late(stage: Stage, changed: Mapping[str, object]) -> set[str]:
    """The changes of a finished stage that change nothing any more; they are named."""
    own = [name for name in changed if name.startswith(f"{stage.name}.")]
    late = [name for name in own if name != f"{stage.name}.budget"]
    if late:
        log.warning(
            "stage '%s' is finished, so that %s changes nothing; --again %s trains it anew",
            stage.name,
            ", ".join(late),
            stage.name,
        )
    return set(late)


def expect_ground(recipe: Recipe, pack: Pack, plan: Plan, there: Iterable[str]) -> None:
    """ValueError where a plan names a stage that is not, or one that would stand on nothing.

    ``there`` are the stages that the run has already.
    """
    names = [stage.name for stage in recipe.stages]
    for name in (*plan.stages, *plan.again):
        if name not in names:
            raise ValueError(
                f"the recipe '{recipe.name}' has no stage '{name}'.{nearest(name, names)} "
                f"Its stages: {', '.join(names)}"
            )
        if not plan.has(name):
            raise ValueError(
                f"stage '{name}' shall begin anew, but only {', '.join(plan.stages)} shall be "
                "trained; name it among the stages too"
            )
    known, shape = set(there), build.Shape(pack.size, pack.channels)
    for number, name in enumerate(names):
        missing = [n for n in pyramid.sources(recipe, number, shape) if n not in known]
        if plan.has(name) and missing:
            raise ValueError(
                f"stage '{name}' stands on stage '{missing[0]}', which was not trained yet; train "
                "that too (leave it in --stages), or begin with a run that has it (--start-from "
                "RUN)"
            )
        known |= {name} if plan.has(name) else set()
