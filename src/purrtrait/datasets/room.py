"""Checks before the work that disk and memory are large enough for it."""

from __future__ import annotations

import shutil
from pathlib import Path

_MEMORY = Path("/proc/meminfo")


def free_disk_bytes(path: Path) -> int:
    """Bytes free where ``path`` is, or would be made."""
    there = next(parent for parent in (path, *path.absolute().parents) if parent.exists())
    return shutil.disk_usage(there).free


def free_memory_bytes() -> int | None:
    """Bytes of memory that may still be used; None where the system does not say."""
    try:
        lines = _MEMORY.read_text().splitlines()
    except OSError:
        return None
    kibibytes = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return int(kibibytes[0]) * 1024 if kibibytes else None


def expect_room(out: Path, disk_bytes: int, memory_bytes: int) -> None:
    """ValueError, with both numbers, if the disk or the memory is too small."""
    free = free_disk_bytes(out)
    if free < disk_bytes:
        raise ValueError(
            f"The pack needs {disk_bytes:,} bytes on disk and {free:,} are free at {out}: choose a "
            "smaller size or count, or another disk."
        )
    available = free_memory_bytes()
    if available is not None and available < memory_bytes:
        raise ValueError(
            f"Preparing needs {memory_bytes:,} bytes of memory (the number of photos does not "
            f"matter, only a few are held at a time) and {available:,} are free: choose a smaller "
            "size."
        )
