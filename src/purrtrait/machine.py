"""What this machine offers: devices, threads that are really ours, and stop signals."""

from __future__ import annotations

import ctypes
import difflib
import os
import platform
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import torch

QUOTA = Path("/sys/fs/cgroup/cpu.max")
MEMORY = Path("/proc/meminfo")
STATUS = Path("/proc/self/status")
PROCESSORS = Path("/proc/cpuinfo")
KEPT = 1 << 30  # bytes at the top of glibc's heap that may be free and stay, and of a block in it
OLDER = 1 << 25  # what glibc before 2.35 takes for a block at the most
# A terminal that is closed, too, but not on Windows, which has no such signal.
STOPS = tuple(
    signal.Signals[name]
    for name in ("SIGINT", "SIGTERM", "SIGHUP")
    if name in signal.Signals.__members__
)
# What hands a stop on to a process that may have been asked itself: never a second request.
HANDED_ON = signal.Signals.__members__.get("SIGUSR1")  # not on Windows
LIMITS = {"MALLOC_TRIM_THRESHOLD_": -1, "MALLOC_MMAP_THRESHOLD_": -3}  # numbers of malloc.h


def device(name: str = "auto") -> torch.device:
    """A device by name; ``auto`` is CUDA, else MPS, else the CPU. ValueError if it is not there."""
    offered = devices()
    if name == "auto":
        return torch.device(offered[-1])
    try:
        wanted = torch.device(name)
    except RuntimeError:
        close = difflib.get_close_matches(name, offered, 1, 0.5)
        near = "".join(f" Did you mean '{known}'?" for known in close)
        raise ValueError(f"unknown device '{name}'.{near} Here are: {', '.join(offered)}") from None
    count = torch.cuda.device_count() if wanted.type == "cuda" else 1
    if wanted.type not in offered or (wanted.index or 0) >= count:
        raise ValueError(f"this machine has no device '{name}'; here are: {', '.join(offered)}")
    return wanted


def devices() -> list[str]:
    """The kinds of device that are here, the fastest last."""
    mps = ["mps"] * torch.backends.mps.is_available()
    return ["cpu", *mps, *["cuda"] * torch.cuda.is_available()]


def threads(asked: int | None = None) -> int:
    """As many threads as are ``asked`` for, at least 1 (ValueError), or by default all of ours.

    Ours are those that this process may really use: the affinity mask, cut to the cgroup's quota.

    Several processes that torchrun started on this machine share them. More threads than cores
    slow every operation down many times over.
    """
    if asked is not None:
        if asked < 1:
            raise ValueError(f"{asked} threads are asked for; expected at least 1")
        return asked
    allowed = getattr(os, "sched_getaffinity", None)
    cores = len(allowed(0)) if allowed else os.cpu_count() or 1
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return max(1, min(cores, _quota(QUOTA)) // processes)


def _quota(path: Path) -> int:
    """Whole cores of a cgroup's quota, as many as one likes where there is none."""
    try:
        most, period = path.read_text(encoding="ascii").split()
        return int(most) // int(period)
    except (OSError, ValueError):  # no such file, or "max": no quota
        return 1 << 16


def free_memory_bytes() -> int | None:
    """Bytes of main memory that may still be used; None where the system does not say."""
    try:
        lines = MEMORY.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    kibibytes = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return int(kibibytes[0]) * 1024 if kibibytes else None


def peak_memory_bytes(where: torch.device) -> int:
    """The most memory that this process has held at once; 0 where the system does not say.

    On a GPU, what tensors held there; else main memory, libraries included.
    """
    if where.type == "cuda":
        return torch.cuda.max_memory_allocated(where)
    try:
        # Not getrusage: its peak goes back to before the program began, to whoever started it.
        lines = STATUS.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return 0
    kibibytes = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
    return int(kibibytes[0]) * 1024 if kibibytes else 0


@contextmanager
def kept_memory() -> Iterator[bool]:
    """Main memory that tensors leave is kept for the next ones meanwhile; whether it really is.

    By itself glibc gives large blocks back to the system at once, which then clears them page by
    page for the next tensor: hundreds of page faults a picture in a training at 64 px. What the
    environment says of its limits is left alone, and so are other C libraries. What is free
    afterwards goes back to the system; the limits stay for the life of the process.
    """
    kept = os.environ.keys().isdisjoint([*LIMITS, "GLIBC_TUNABLES"]) and _limited()
    try:
        yield kept
    finally:
        trim = _of_glibc("malloc_trim") if kept else None
        if trim is not None:
            trim(0)


def _limited() -> bool:
    """Tell glibc to keep memory; whether it does."""
    mallopt = _of_glibc("mallopt")
    if mallopt is None:
        return False
    trim, block = LIMITS.values()
    # The block first: where it is refused, the other limit would end what glibc adapts by itself.
    return any(mallopt(block, most) for most in (KEPT, OLDER)) and mallopt(trim, KEPT) == 1


def _of_glibc(name: str) -> Callable[..., int] | None:
    """A function of the C library; None where it is not glibc."""
    try:
        return getattr(ctypes.CDLL(None), name, None)
    except (OSError, TypeError):  # Windows
        return None


def processor() -> str:
    """What kind of processor this is, as far as the system says."""
    try:
        lines = PROCESSORS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return (names or [platform.processor() or platform.machine()])[0]


def first() -> bool:
    """Whether this is the process that writes files: the only one, or rank 0 of several."""
    return os.environ.get("RANK", "0") == "0"


@contextmanager
def heard(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Ctrl-C, SIGTERM and SIGHUP go to the handler meanwhile, and then to whom they went before.

    So does HANDED_ON. Under ``nohup`` SIGHUP is still nobody's.
    """
    try:
        wanted = [s for s in STOPS if s.name != "SIGHUP" or signal.getsignal(s) != signal.SIG_IGN]
        wanted += [HANDED_ON] if HANDED_ON else []
        before = {s: signal.signal(s, handler) for s in wanted}
    except ValueError:  # not the main thread: whoever owns that owns the signals
        before = {}
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)
