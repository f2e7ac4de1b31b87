"""Makes a bundle's folder of what was fetched: one archive, or its files one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import TypeAlias

from purrtrait.datasets.archive import members
from purrtrait.datasets.photo import Unreadable
from purrtrait.sampling import bundle

FILES = (bundle.MODEL, bundle.DESCRIPTION, bundle.CARD)
LARGEST_BYTES = {bundle.MODEL: 2**31, bundle.DESCRIPTION: 2**20, bundle.CARD: 2**20}  # of a file

Place: TypeAlias = Callable[[Sequence[Path], Path], None]  # files that were fetched, to a bundle


def unpack(fetched: Sequence[Path], folder: Path) -> None:
    """Write a bundle's files, of the one archive that was fetched, into a folder.

    The names in the archive only say which file is which: no path of it is ever written to. It may
    hold other files, which are left there. ValueError where one is missing, there twice, or unsafe.
    """
    (path,) = fetched
    inside = members(path, {PurePosixPath(name).suffix for name in FILES})
    for name, reason in inside.refused.items():
        raise ValueError(f"{path.name} is not taken: {name} in it: {reason}")
    for file in FILES:
        names = [name for name in inside.names if PurePosixPath(name).name == file]
        if len(names) != 1:
            raise ValueError(
                f"{path.name} holds {len(names)} files named {file}; expected one bundle: "
                f"{', '.join(FILES)}"
            )
        for _, content in inside.contents(names, LARGEST_BYTES[file]):
            try:
                (folder / file).write_bytes(content())
            except Unreadable as error:
                raise ValueError(f"{names[0]} in {path.name}: {error.reason}") from None


def gather(fetched: Sequence[Path], folder: Path) -> None:
    """Move a bundle's files, which were fetched one by one, into a folder."""
    for file in fetched:
        file.replace(folder / file.name)
