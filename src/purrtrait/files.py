"""Files and folders: written whole or not at all, held by one process, named from the root."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout


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


@contextmanager
def held(folder: Path, doing: str, advice: str) -> Iterator[None]:
    """Keep every other process out; the system lifts the lock when this process ends.

    ValueError where another one holds the folder: what it is ``doing``, who that is, and
    ``advice``.
    """
    lock, owner = FileLock(folder / ".lock", timeout=0), folder / ".owner"
    try:
        lock.acquire()
    except Timeout:
        who = owner.read_text(encoding="utf-8") if owner.is_file() else "another process"
        raise ValueError(f"{folder} is being {doing} by {who}; {advice}") from None
    try:
        owner.write_text(f"process {os.getpid()} on {socket.gethostname()}", encoding="utf-8")
        yield
    finally:
        owner.unlink(missing_ok=True)
        lock.release()


def expect_folder(root: Path) -> None:
    """ValueError where a folder is needed, and it or one above it is a file."""
    there = next((p for p in (root, *root.parents) if p.exists()), root)
    if there.exists() and not there.is_dir():
        raise ValueError(f"{there} is a file; expected a folder, or a place for one")


def reason(error: Exception) -> str:
    """In words, why a file's text is not what was expected: what it lacks, or what is odd in it."""
    if isinstance(error, KeyError):
        return f"it has no {error}"
    if isinstance(error, TypeError | AttributeError):
        return f"its values are of another kind: {error}"
    return str(error) or type(error).__name__


def absolute(path: str | os.PathLike[str] | None) -> str:
    """The absolute path of a file or folder; empty where none is named."""
    return str(Path(path).resolve()) if path else ""
