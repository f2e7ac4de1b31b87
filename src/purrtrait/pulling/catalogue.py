"""Catalogues: the bundles that can be pulled by name, their archives and checksums."""

from __future__ import annotations

import json
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Annotated

from pydantic import Field, StringConstraints, ValidationError, model_validator

from purrtrait import config

SCHEMA = 1
NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"  # that of a folder, anywhere
OWN = Path(str(files("purrtrait") / "bundles" / "catalogue.toml"))


class Entry(config.Frozen):
    """A bundle: what it is, and its archive, unless it comes with purrtrait."""

    about: str = Field(description="what it draws, in a line")
    urls: tuple[str, ...] = Field(
        default=(), description="where its archive is, the best place first"
    )
    sha256: str = Field(
        default="", pattern=r"^([0-9a-f]{64})?$", description="the archive's, in hexadecimal"
    )
    size_bytes: int = Field(default=0, ge=0, description="the archive's")

    @model_validator(mode="after")
    def _checked(self) -> Entry:
        if self.urls and not self.sha256:
            raise ValueError("has urls but no sha256; nothing is pulled unchecked by name")
        return self


class Catalogue(config.Frozen):
    """Bundles by name."""

    # Not named `schema`, which pydantic keeps for itself.
    version: int = Field(alias="schema", ge=1, description="of this format")
    bundles: dict[Annotated[str, StringConstraints(pattern=f"^{NAME}$")], Entry] = Field(
        description="entries by name"
    )


def read(path: Path, what: str) -> Catalogue:
    """The catalogue in a file, JSON or TOML; ValueError says what is wrong with it, as ``what``."""
    try:
        text = path.read_text(encoding="utf-8")
        said = json.loads(text) if text.lstrip().startswith("{") else tomllib.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(
            f"{what} cannot be read as a catalogue in JSON or TOML ({error})"
        ) from None
    match said.get("schema"):
        case int(newer) if newer > SCHEMA:
            raise ValueError(
                f"the catalogue {what} has schema {newer}; this version reads up to {SCHEMA}. "
                "Install a later one"
            )
    try:
        return Catalogue.model_validate(said)
    except ValidationError as error:
        raise config.complain(error, f"the catalogue {what}") from None
