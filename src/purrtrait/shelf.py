"""Where bundles lie: those that come with purrtrait, and those that were pulled, by name."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

import pooch

from purrtrait.sampling.bundle import DESCRIPTION
from purrtrait.words import nearest

VARIABLE = "PURRTRAIT_BUNDLES"  # names the folder of pulled bundles, if it is set


def shipped() -> dict[str, Path]:
    """The bundles that come with purrtrait, by name."""
    return _within(Path(str(files("purrtrait") / "bundles")))


def pulled() -> dict[str, Path]:
    """The bundles that were pulled, by name."""
    return _within(folder())


def known() -> dict[str, Path]:
    """All bundles that are found by name; of two with one name, the one that was shipped."""
    return pulled() | shipped()


def folder() -> Path:
    """Where pulled bundles go: the folder that PURRTRAIT_BUNDLES names, or one of the user's."""
    return Path(os.environ.get(VARIABLE) or Path(pooch.os_cache("purrtrait")) / "bundles")


def found(path: Path) -> Path:
    """What a path or the name of a bundle means: a path that exists, else the bundle."""
    try:
        return path if path.exists() else known().get(str(path), path)
    except OSError as error:
        raise ValueError(f"{path} can be no path ({error.strerror})") from None


def hint(path: Path) -> str:
    """What follows a sentence that nothing draws at a path: which bundle was perhaps meant."""
    names = known()
    if path.exists():
        return f". The bundle of that name is {names[str(path)]}" if str(path) in names else ""
    return (
        f".{nearest(str(path), names)} Bundles that are here by name: {', '.join(names)}; "
        "`purrtrait pull NAME` fetches others"
    )


@contextmanager
def placing(place: Path) -> Iterator[Path]:
    """An empty folder that becomes ``place`` if all goes well, and goes otherwise.

    ValueError if something is there, or the folder cannot be made.
    """
    expect_free(place)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        aside = TemporaryDirectory(prefix=f".{place.name}.", dir=place.parent)
    except OSError as error:
        raise ValueError(
            f"{place} cannot be made ({error.strerror}): choose a folder that is yours"
        ) from None
    with aside:
        made = Path(aside.name) / place.name  # that of TemporaryDirectory is closed to others
        made.mkdir()
        yield made
        made.rename(place)


def expect_free(place: Path) -> None:
    """ValueError if there is something at a path where a bundle is to go."""
    if place.exists() or place.is_symlink():
        raise ValueError(
            f"{place} is there already; nothing is overwritten: use it as it is, choose another "
            "folder, or remove it first"
        )


def _within(root: Path) -> dict[str, Path]:
    return {path.parent.name: path.parent for path in sorted(root.glob(f"[!.]*/{DESCRIPTION}"))}
