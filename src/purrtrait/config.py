"""What a recipe file may say: frozen data, checked by pydantic; imports no torch."""

from __future__ import annotations

import math
import reprlib
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

import tomli_w
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

FEWEST_SAMPLES = 16  # that can be scored while training


class Frozen(BaseModel):
    """A part of a recipe: cannot change, and knows no option but its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Part(BaseModel):
    """A thing from one of the tables: its name and the options that its factory takes."""

    model_config = ConfigDict(frozen=True, extra="allow")

    name: str = Field(description="the name in its table")

    @property
    def options(self) -> dict[str, Any]:
        """Everything but the name."""
        return dict(self.model_extra or {})


def _part(value: object) -> object:
    """A bare number is the constant schedule; a bare text is a part without options."""
    match value:
        case bool():
            return value
        case int() | float():
            return {"name": "constant", "value": float(value)}
        case str():
            return {"name": value}
        case _:
            return value


Named = Annotated[Part, BeforeValidator(_part)]


class Player(Frozen):
    """A network that moves, and how it steps."""

    network: Named = Field(description="the architecture")
    optimiser: Named = Field(description="the rule by which it steps")
    lr: Named = Field(description="the learning rate: a number or a schedule")
    clamp: float = Field(
        default=math.inf,
        gt=0,
        description="each element of the gradient is limited to this size; inf is no limit",
    )
    l1: float = Field(
        default=0.0, ge=0, description="coefficient of the sum of the sizes of all its weights"
    )
    l2: float = Field(
        default=0.0, ge=0, description="coefficient of half the sum of squares of all its weights"
    )


class Stage(Frozen):
    """One network pair (or what else an objective holds), trained on top of the stage below."""

    name: str = Field(default="base", pattern=r"^[a-z0-9][a-z0-9-]*$", description="its name")
    level: Named = Field(default=Part(name="whole"), description="what it sees of each picture")
    objective: Named = Field(description="who plays and what they lose")
    players: dict[str, Player] = Field(description="the networks and their optimisers")
    batch: int = Field(ge=1, description="real pictures in a batch, over all processes")
    budget: int = Field(ge=1, description="real pictures that the critic sees before training ends")
    round_images: int = Field(
        default=0,
        ge=0,
        description="pictures in a round, drawn anew for each; 0 is every training picture once",
    )
    half_life_images: float = Field(
        default=0.0,
        ge=0,
        description="half-life of the averaged weights in pictures; 0 keeps the last weights",
    )
    flip: bool = Field(
        default=False,
        description="mirror every other picture, if the pack says that this is natural",
    )
    variation: Named = Field(
        default=Part(name="none"),
        description="how pictures are changed, afresh each time, before the stage sees them",
    )
    balance: Named = Field(
        default=Part(name="none"),
        description="what holds back a player who is too far ahead",
    )
    takes: dict[str, str] = Field(
        default={},
        description="players that begin with the weights of an earlier stage's, such as "
        "generator = pretrain.decoder",
    )


class Recipe(Frozen):
    """A list of stages with the words that explain them."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$", description="its name")
    summary: str = Field(description="what it is, in a line")
    source: str = Field(description="where its numbers come from")
    stages: tuple[Stage, ...] = Field(min_length=1, description="trained in this order")

    @model_validator(mode="after")
    def _distinct(self) -> Recipe:
        names = [stage.name for stage in self.stages]
        if len(set(names)) < len(names):
            raise ValueError(f"two stages share a name: {', '.join(names)}")
        return self


class Upkeep(Frozen):
    """How a run is watched and kept: none of this changes the mathematics."""

    log_every_steps: int = Field(default=50, ge=1, description="steps between lines of the log")
    preview_every_images: int = Field(
        default=0, ge=0, description="pictures between previews; 0 chooses forty in all"
    )
    previews: int = Field(default=64, ge=0, description="portraits in a preview; 0 makes none")
    ranked: int = Field(
        default=0,
        ge=0,
        description="portraits among which the critic ranks those of a preview; 0 chooses 300, or "
        "fewer in short trainings",
    )
    checkpoint_every_images: int = Field(
        default=0, ge=0, description="pictures between checkpoints; 0 chooses ten in all"
    )
    keep: int = Field(
        default=3, ge=1, description="checkpoints that stay, beside the best by the scores"
    )
    score_every_images: int = Field(
        default=0, ge=0, description="pictures between scores; 0 chooses five in all, or fewer"
    )
    score_samples: int = Field(
        default=500, ge=0, description="portraits that are scored; 0 takes no scores"
    )
    truths: int = Field(
        default=50, ge=1, description="pictures held out that a refiner is scored on"
    )
    tries: int = Field(default=8, ge=1, description="refinements of each of them")
    best_by: Literal["frechet", "refinement"] = Field(
        default="frechet", description="the score by which the best checkpoint of a refiner is kept"
    )
    best_after_images: int = Field(
        default=0, ge=0, description="no checkpoint counts as the best before so many pictures"
    )
    extra_images: int = Field(
        default=0, ge=0, description="single portraits written beside each preview"
    )
    tensorboard: bool = Field(default=True, description="write TensorBoard events")
    stop_when_won: bool = Field(
        default=False, description="stop, with a checkpoint, when critic or generator has won"
    )

    @model_validator(mode="after")
    def _enough_samples(self) -> Upkeep:
        if 0 < self.score_samples < FEWEST_SAMPLES:
            raise ValueError(
                f"scores of {self.score_samples} portraits say nothing; ask for at least "
                f"{FEWEST_SAMPLES}, better 500, or for none with --scores 0"
            )
        return self

    @model_validator(mode="after")
    def _enough_previews(self) -> Upkeep:
        if self.extra_images > self.previews:
            raise ValueError(
                f"{self.extra_images} extra images are asked for, but a preview has only "
                f"{self.previews}; ask for fewer, or for more --previews"
            )
        return self


def complain(error: ValidationError, what: str) -> ValueError:
    """A pydantic error in a user's words: where, what was found, what was expected."""
    # A stage that is wrong is also counted as missing; that second complaint helps nobody.
    items = [item for item in error.errors() if item["type"] != "too_short"] or error.errors()
    lines = [
        f"  {'.'.join(str(place) for place in item['loc'])}: {item['msg']}"
        f" (found {reprlib.repr(item['input'])})"
        if item["loc"]
        else f"  {item['msg'].removeprefix('Value error, ')}"
        for item in items
    ]
    return ValueError(f"{what} is not valid:\n" + "\n".join(lines))


def parse(data: dict[str, Any], what: str) -> Recipe:
    """A recipe from plain data, or a ValueError that says what is wrong with it."""
    try:
        return Recipe.model_validate(data)
    except ValidationError as error:
        raise complain(error, what) from None


def read(path: Path) -> Recipe:
    """The recipe in a TOML file; its name is the file's stem unless the file says another.

    A file that says ``extends = "NAME"`` has the stages of that shipped recipe, in their order,
    but for those that it says itself; stages of other names come after them.
    """
    return parse({"name": path.stem} | _whole(path), str(path))


def _whole(path: Path, *below: Path) -> dict[str, Any]:
    """What a file says, and of its stages what those that it extends say."""
    data = _plain(path)
    if "extends" not in data:
        return data
    known, base = shipped(), str(data.pop("extends"))
    if base not in known or known[base] in (path, *below):
        raise ValueError(f"{path} extends '{base}'; expected another recipe of {', '.join(known)}")
    own = _stages(data.get("stages", []), path)
    named = {stage.name: stage for stage in own}
    under = {one.name: one for one in _stages(_whole(known[base], path, *below)["stages"], path)}
    # Two of one name are left as they are, for whoever checks the whole to refuse them.
    return data | {"stages": [*(under | named).values()] if len(named) == len(own) else own}


def _stages(data: Any, path: Path) -> list[Stage]:
    try:
        return TypeAdapter(list[Stage]).validate_python(data)
    except ValidationError as error:
        raise complain(error, str(path)) from None


def _plain(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(
            f"{path} cannot be read as a recipe in TOML ({error}); see `purrtrait recipes show`"
        ) from None


def loads(text: str) -> Recipe:
    """The recipe in a TOML text, as ``dump`` gives it."""
    return parse(tomllib.loads(text), "the recipe of the checkpoint")


def dump(recipe: BaseModel) -> str:
    """The TOML text of a recipe or an upkeep; reading it gives the same thing back."""
    return tomli_w.dumps(recipe.model_dump(mode="python"))


# What an ancestor called a recipe that has another name here.
ALIASES = {"cat-faces": "cat-gan"}


def shipped() -> dict[str, Path]:
    """The recipes that come with purrtrait, by name."""
    folder = Path(str(files("purrtrait") / "recipes"))
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}
