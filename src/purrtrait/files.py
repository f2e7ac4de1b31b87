"""Files: written whole or not at all, and named from the root of the disk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary name beside ``path``, that takes its place if all goes well; makes its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def absolute(path: str | os.PathLike[str] | None) -> str:
    """The absolute path of a file or folder; empty where none is named."""
    return str(Path(path).resolve()) if path else ""
