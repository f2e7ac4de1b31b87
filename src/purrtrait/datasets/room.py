"""Checks before the work that disk and memory are large enough for it."""

from __future__ import annotations

import shutil
from pathlib import Path

from purrtrait import machine


def free_disk_bytes(path: Path) -> int:
    """Bytes free where ``path`` is, or would be made."""
    there = next(parent for parent in (path, *path.absolute().parents) if parent.exists())
    return shutil.disk_usage(there).free


def expect_room(out: Path, disk_bytes: int, memory_bytes: int) -> None:
    """ValueError, with both numbers, if the disk or the memory is too small."""
    free = free_disk_bytes(out)
    if free < disk_bytes:
        raise ValueError(
            f"The pack needs {disk_bytes:,} bytes on disk and {free:,} are free at {out}: choose a "
            "smaller size or count, or another disk."
        )
    available = machine.free_memory_bytes()
    if available is not None and available < memory_bytes:
        raise ValueError(
            f"Preparing needs {memory_bytes:,} bytes of memory (the number of photos does not "
            f"matter, only a few are held at a time) and {available:,} are free: choose a smaller "
            "size."
        )
