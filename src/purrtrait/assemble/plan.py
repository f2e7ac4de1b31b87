"""Which stages of a recipe are trained, what they begin with, and whether they can be."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from purrtrait.assemble import build, pyramid
from purrtrait.config import Recipe
from purrtrait.datasets.pack import Pack
from purrtrait.training.checkpoint import Checkpoint
from purrtrait.words import nearest


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


WHOLE = Plan()


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
