"""Every option of a recipe: listed with default and meaning, checked, and overridden by name."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from purrtrait import config
from purrtrait.assemble.tables import (
    DEFAULTS,
    NETWORKS,
    PARTS,
    Parameter,
    Table,
    parameters,
    wants,
)
from purrtrait.config import Part, Player, Recipe, Stage
from purrtrait.images.vary import VARIATIONS
from purrtrait.objectives import BALANCES, OBJECTIVES
from purrtrait.sampling import LEVELS
from purrtrait.training import OPTIMISERS, SCHEDULES
from purrtrait.training.schedule import Whose
from purrtrait.words import lookup, nearest


@dataclass(frozen=True)
class Option:
    """One option of a recipe: where it stands, its value, who says so, and what it means."""

    path: tuple[str, ...]
    value: Any
    origin: str  # "recipe" or "default"
    meaning: str
    default: Any = ...  # where there is one
    part: bool = False  # whether it names a thing from a table, with options of its own

    @property
    def name(self) -> str:
        """The dotted path."""
        return ".".join(self.path)


def find(name: str) -> Recipe:
    """A recipe that ships with purrtrait by its name, or any by the path of its TOML file.

    A name that only an ancestor gave it will do, too.
    """
    known, path = config.shipped(), Path(name)
    if path.suffix == ".toml":
        if not path.is_file():
            raise ValueError(f"there is no recipe file {path}; shipped are: {', '.join(known)}")
        return check(config.read(path))
    if name not in known and path.exists():
        raise ValueError(
            f"{path} is no recipe; expected a file that ends in .toml, or one of {', '.join(known)}"
        )
    return check(config.read(lookup(known, "recipe", config.ALIASES.get(name, name))))


def check(recipe: Recipe) -> Recipe:
    """The same recipe, once every name in it is known and every option fits its factory."""
    stages = {stage.name: stage for stage in recipe.stages}
    for option in _schedules(recipe):
        _expect_players(option, stages[option.path[0]])
    return recipe


def listed(recipe: Recipe) -> Iterator[Option]:
    """Every option of a recipe, those that it says and those that it leaves to the defaults."""
    for stage in recipe.stages:
        root = (stage.name,)
        for name in ("batch", "budget", "round_images", "half_life_images", "flip"):
            yield _field(stage, root, name)
        yield from _within(stage, root, "variation", VARIATIONS)
        yield from _part((*root, "level"), "level", LEVELS, stage.level, "recipe")
        yield from _objective(stage, root)
        yield from _within(stage, root, "balance", BALANCES)
        for name, player in stage.players.items():
            yield from _player(stage, name, player, (*root, "players", name))


def override(recipe: Recipe, settings: Mapping[str, str]) -> tuple[Recipe, dict[str, Any]]:
    """A recipe with options set from texts, as ``--set key=value`` gives them.

    A key is the end of an option's path, or some of its words in their order: ``lr`` sets every
    learning rate, ``critic.lr`` the critic's, ``critic.lr.start`` one number of the schedule that
    it follows. Returns the recipe and what was set, by full path.
    """
    done: dict[str, Any] = {}
    for key, text in settings.items():
        known = list(listed(recipe))
        hits = [o for o in known if _matches(key.split("."), o.path)]
        hits = [o for o in hits if o.name == key] or hits
        value = _read(text)
        changes = [(o, value) for o in hits] or _within_schedules(known, key.split("."), value)
        if not changes:
            near = nearest(key.split(".")[-1], {option.path[-1] for option in known})
            raise ValueError(
                f"the recipe '{recipe.name}' has no option '{key}'.{near} "
                f"`purrtrait recipes show {recipe.name}` lists them all"
            )
        data = recipe.model_dump()
        for option, new in changes:
            _put(data, option, new)
            done[option.name] = new
        recipe = check(config.parse(data, f"{recipe.name} with {key}={text}"))
    return recipe, done


def _within_schedules(
    known: Sequence[Option], words: Sequence[str], value: Any
) -> list[tuple[Option, Any]]:
    """The schedules that have an option of the last word, each with that one changed."""
    *path, last = words
    schedules = [o for o in known if path and isinstance(o.value, dict) and _matches(path, o.path)]
    return [(o, {**o.value, last: value}) for o in schedules if last in o.value]


def has(recipe: Recipe, key: str) -> bool:
    """Whether a key, as ``override`` takes it, finds an option of the recipe."""
    known, words = list(listed(recipe)), key.split(".")
    found = any(_matches(words, option.path) for option in known)
    return found or bool(_within_schedules(known, words, None))


def looks_at_budget(recipe: Recipe) -> bool:
    """Whether another budget would change how the same images are learnt from."""
    return any("budget" in wants(SCHEDULES[o.value["name"]]) for o in _schedules(recipe))


def checked(path: tuple[str, ...], parameter: Parameter, value: Any) -> Any:
    """A plain option's value as its factory wants it; ValueError if it is of another kind."""
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(parameter.hint)  # type: ignore[arg-type]
        return adapter.validate_python(value)
    except ValidationError as error:
        reason = error.errors()[0]["msg"]
        raise ValueError(
            f"the option {'.'.join(path)} is {value!r}: {reason}. It means: {parameter.meaning}"
        ) from None


def as_part(value: Any, path: tuple[str, ...]) -> Part:
    """A part from a recipe's words: a name, a number (the constant schedule), or a table."""
    try:
        return TypeAdapter(config.Named).validate_python(value)
    except ValidationError:
        raise ValueError(
            f"the option {'.'.join(path)} is {value!r}; expected a name, or a table with one"
        ) from None


def _field(model: Stage | Player, root: tuple[str, ...], name: str) -> Option:
    origin = "recipe" if name in model.model_fields_set else "default"
    field = type(model).model_fields[name]
    default = ... if field.is_required() else field.default
    return Option((*root, name), getattr(model, name), origin, field.description or "", default)


def _within(stage: Stage, root: tuple[str, ...], kind: str, table: Table) -> Iterator[Option]:
    """A part that a stage need not name."""
    said = _field(stage, root, kind)
    words = (said.origin, said.meaning, said.default.name)
    yield from _part(said.path, kind, table, said.value, *words)


def _objective(stage: Stage, root: tuple[str, ...]) -> Iterator[Option]:
    yield from _part((*root, "objective"), "objective", OBJECTIVES, stage.objective, "recipe")
    known = parameters(OBJECTIVES[stage.objective.name]).values()
    roles = {entry.name: entry.needed for entry in known if entry.kind == "network"}
    needed = {name for name, must in roles.items() if must}
    if not needed <= set(stage.players) <= set(roles):
        free = "".join(f", and {name} where wanted" for name in roles if name not in needed)
        raise ValueError(
            f"stage '{stage.name}' has the players {', '.join(stage.players)}; the objective "
            f"'{stage.objective.name}' is played by {', '.join(sorted(needed))}{free}"
        )


def _player(stage: Stage, role: str, player: Player, root: tuple[str, ...]) -> Iterator[Option]:
    table = NETWORKS[parameters(OBJECTIVES[stage.objective.name])[role].hint]
    yield from _part((*root, "network"), role, table, player.network, "recipe")
    optimiser = (*root, "optimiser")
    yield from _part(optimiser, "optimiser", OPTIMISERS, player.optimiser, "recipe")
    meaning = Player.model_fields["lr"].description or ""
    yield from _schedule((*root, "lr"), player.lr, "recipe", meaning)
    for name in ("clamp", "l1", "l2"):
        yield _field(player, root, name)


def _part(
    path: tuple[str, ...],
    kind: str,
    table: Table,
    part: Part,
    origin: str,
    meaning: str = "",
    default: Any = ...,
) -> Iterator[Option]:
    """A named part: the name itself, its options, and those of the parts within it."""
    known = parameters(lookup(table, kind, part.name))
    said = part.options
    plain = {name: entry for name, entry in known.items() if entry.kind != "network"}
    for name in said.keys() - plain.keys():
        raise ValueError(
            f"{'.'.join(path)}: the {kind} '{part.name}' has no option '{name}'."
            f"{nearest(name, plain)} Its options: {', '.join(plain) or 'none'}"
        )
    yield Option(path, part.name, origin, meaning or f"which {kind}", default, part=True)
    for name, entry in plain.items():
        whose = "recipe" if name in said else "default"
        yield from _one((*path, name), entry, said.get(name, entry.default), whose)


def _one(path: tuple[str, ...], entry: Parameter, value: Any, origin: str) -> Iterator[Option]:
    if value is ...:
        raise ValueError(f"the option {'.'.join(path)} is missing. It means: {entry.meaning}")
    match entry.kind:
        case "part":
            part = as_part(value, path)
            table, words = PARTS[entry.name], (entry.meaning, entry.default)
            yield from _part(path, entry.name, table, part, origin, *words)
        case "schedule":
            yield from _schedule(path, as_part(value, path), origin, entry.meaning, entry.default)
        case _:
            fits = checked(path, entry, value)
            yield Option(path, fits, origin, entry.meaning, entry.default)


def _schedule(
    path: tuple[str, ...], part: Part, origin: str, meaning: str, default: Any = ...
) -> Iterator[Option]:
    """A schedule is one option: a number, or a table with a name."""
    said = {o.path[-1]: o.value for o in _part(path, "schedule", SCHEDULES, part, origin)}
    constant = part.name == "constant"
    whole = {"name": part.name, **{k: v for k, v in said.items() if k != path[-1]}}
    yield Option(path, said["value"] if constant else whole, origin, meaning, default)


def _schedules(recipe: Recipe) -> Iterator[Option]:
    """Those of all options that are schedules and no plain numbers."""
    return (option for option in listed(recipe) if isinstance(option.value, dict))


def _expect_players(option: Option, stage: Stage) -> None:
    """ValueError where a schedule goes by the moves of somebody who does not play."""
    for name, entry in parameters(SCHEDULES[option.value["name"]]).items():
        player = option.value[name]
        if entry.hint == Whose and player not in stage.players:
            raise ValueError(
                f"the option {option.name}.{name} is '{player}', who does not play in stage "
                f"'{stage.name}'.{nearest(player, stage.players)} Expected one of its players: "
                f"{', '.join(stage.players)}"
            )


def _matches(words: Sequence[str], path: Sequence[str]) -> bool:
    """Whether the words occur in the path in their order, the last one at its end."""
    rest = iter(path)
    return words[-1] == path[-1] and all(word in rest for word in words)


def _read(text: str) -> Any:
    with suppress(tomllib.TOMLDecodeError):
        return tomllib.loads(f"value = {text}")["value"]
    with suppress(ValueError):  # such as .5, which TOML does not know
        return float(text)
    return text


def _put(data: dict[str, Any], option: Option, value: Any) -> None:
    """Set an option in a recipe's plain data; a part that only its default named is spelled out."""
    stage, *inner, last = option.path
    place: dict[str, Any] = next(s for s in data["stages"] if s["name"] == stage)
    for word in inner:
        below = place.get(word)
        if not isinstance(below, dict):
            below = as_part(below or DEFAULTS[word], option.path).model_dump()
        place[word] = below
        place = below
    place[last] = {"name": value} if option.part and isinstance(value, str) else value
