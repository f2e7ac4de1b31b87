"""Which stage stands on which, and whether that can work: said before anything is trained."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from purrtrait.assemble import build
from purrtrait.config import Recipe
from purrtrait.objectives import OBJECTIVES
from purrtrait.types import Generator, Sampler

NOWHERE = torch.device("meta")  # knows shapes but holds no numbers


def draws(recipe: Recipe, number: int) -> bool:
    """Whether a stage's subject draws portraits."""
    return bool(OBJECTIVES[recipe.stages[number].objective.name].artists)


def under(recipe: Recipe, number: int, shape: build.Shape) -> int | None:
    """The number of the stage whose portraits a stage refines; None for one that needs none.

    That is the last one before it that draws. ValueError where there is none, or where it draws
    another size.
    """
    stage = recipe.stages[number]
    coarse = build.level(stage, shape).coarse
    if not coarse:
        return None
    earlier = [lower for lower in range(number) if draws(recipe, lower)]
    if not earlier:
        raise ValueError(
            f"stage '{stage.name}' refines portraits of {coarse} px, and no stage before it draws "
            "any; give the recipe one that does"
        )
    lower = recipe.stages[earlier[-1]]
    drawn = build.level(lower, shape).size
    if drawn != coarse:
        raise ValueError(
            f"stage '{stage.name}' refines portraits of {coarse} px, but stage '{lower.name}' "
            f"below it draws {drawn} px; expected the same. Use --set {stage.name}.coarse={drawn} "
            f"or --set {lower.name}.pixels={coarse}"
        )
    return earlier[-1]


def below(
    recipe: Recipe, number: int, shape: build.Shape, device: torch.device = NOWHERE
) -> Sampler | None:
    """The sampler under a stage as it is before training; None where there is none."""
    lower = under(recipe, number, shape)
    if lower is None:
        return None
    built = build.stage(recipe.stages[lower], shape, 0, device)
    drawer = built.objective.subject().eval()
    assert isinstance(drawer, Generator), "a stage that draws has a generator as its subject"
    return built.level.join(drawer, below(recipe, lower, shape, device))


def takes(recipe: Recipe, number: int) -> Mapping[str, tuple[str, str]]:
    """Whose weights each player of a stage begins with: an earlier stage and its player.

    ValueError where a recipe names a stage or player that there is not, or another network.
    """
    stage = recipe.stages[number]
    earlier = {lower.name: lower for lower in recipe.stages[:number]}
    found: dict[str, tuple[str, str]] = {}
    for player, words in stage.takes.items():
        source, _, other = words.partition(".")
        if player not in stage.players or source not in earlier:
            raise ValueError(
                f"stage '{stage.name}' takes '{player}' from '{words}'; expected one of its "
                f"players ({', '.join(stage.players)}), and a player of an earlier stage "
                f"({', '.join(earlier) or 'there is none'}), such as pretrain.decoder"
            )
        if other not in earlier[source].players:
            raise ValueError(
                f"stage '{stage.name}' takes '{words}', but the players of stage '{source}' are "
                f"{', '.join(earlier[source].players)}; name one of them"
            )
        found[player] = (source, other)
    return found


def sources(recipe: Recipe, number: int, shape: build.Shape) -> list[str]:
    """The names of the earlier stages that a stage learns from."""
    lower = under(recipe, number, shape)
    taken = [source for source, _ in takes(recipe, number).values()]
    return [*taken, *([] if lower is None else [recipe.stages[lower].name])]


def expect_sound(recipe: Recipe, shape: build.Shape) -> None:
    """ValueError unless every stage can stand where the recipe puts it."""
    for number, stage in enumerate(recipe.stages):
        under(recipe, number, shape)
        for player, (source, other) in takes(recipe, number).items():
            lower = next(one for one in recipe.stages if one.name == source)
            mine = _shapes(build.stage(stage, shape, 0, NOWHERE), player)
            theirs = _shapes(build.stage(lower, shape, 0, NOWHERE), other)
            if mine != theirs:
                raise ValueError(
                    f"the {player} of stage '{stage.name}' begins with the weights of "
                    f"{source}.{other}, which is another network or of another size "
                    f"({_said(mine)}, {_said(theirs)}); give both the same network and options"
                )


def _shapes(built: build.Built, player: str) -> list[tuple[int, ...]]:
    network = built.objective.players()[player]
    return [tuple(value.shape) for value in network.state_dict().values()]


def _said(shapes: list[tuple[int, ...]]) -> str:
    return f"{sum(torch.Size(shape).numel() for shape in shapes):,} numbers"
