"""What the machine offers: devices, and the threads that are really ours."""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from purrtrait import machine


@pytest.mark.parametrize(
    ("quota", "cores", "expected"),
    [
        ("max 100000", 4, 4),
        ("200000 100000", 4, 2),
        ("250000 100000", 4, 2),
        ("50000 100000", 4, 1),
        ("800000 100000", 4, 4),
        ("", 3, 3),
        ("nonsense", 3, 3),
        ("1 2 3", 3, 3),
    ],
)
def test_threads_are_the_mask_cut_to_the_quota(
    quota: str, cores: int, expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "cpu.max"
    file.write_text(quota + "\n")
    monkeypatch.setattr(machine, "QUOTA", file)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(cores)), raising=False)
    assert machine.threads() == expected


def test_threads_without_mask_or_quota(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "QUOTA", tmp_path / "nothing")
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert machine.threads() == 6
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert machine.threads() == 1


@pytest.mark.parametrize(
    ("cuda", "mps", "offered"),
    [
        (False, False, ["cpu"]),
        (True, False, ["cpu", "cuda"]),
        (False, True, ["cpu", "mps"]),
        (True, True, ["cpu", "mps", "cuda"]),
    ],
)
def test_the_fastest_device_is_taken(
    cuda: bool, mps: bool, offered: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2 * cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert machine.devices() == offered
    assert machine.device() == torch.device(offered[-1])
    for name in offered:
        assert machine.device(name) == torch.device(name)
    for name in {"cuda", "mps"} - set(offered):
        with pytest.raises(ValueError, match=f"no device '{name}'; here are: cpu"):
            machine.device(name)


def test_which_graphics_card(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert machine.device("cuda:1") == torch.device("cuda", 1)
    with pytest.raises(ValueError, match="'cuda:2'"):
        machine.device("cuda:2")


@pytest.mark.parametrize("name", ["", "gpu", "cpu:x", "cuda:-1", "meta", "cpu:1"])
def test_what_is_no_device_is_said(name: str) -> None:
    with pytest.raises(ValueError, match=r"[Hh]ere are: cpu"):
        machine.device(name)


@pytest.mark.parametrize(("rank", "first"), [(None, True), ("0", True), ("1", False)])
def test_which_process_talks(
    rank: str | None, first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RANK", raising=False)
    if rank is not None:
        monkeypatch.setenv("RANK", rank)
    assert machine.first() is first


def test_free_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "meminfo"
    monkeypatch.setattr(machine, "MEMORY", file)
    assert machine.free_memory_bytes() is None
    file.write_text("MemTotal: 9 kB\nMemAvailable:     1000 kB\n")
    assert machine.free_memory_bytes() == 1_024_000


def test_peak_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "status"
    monkeypatch.setattr(machine, "STATUS", file)
    assert machine.peak_memory_bytes(torch.device("cpu")) == 0
    file.write_text("Name:\tpython\nVmPeak:\t 9000 kB\nVmHWM:\t    3000 kB\nVmRSS:\t 1000 kB\n")
    assert machine.peak_memory_bytes(torch.device("cpu")) == 3_072_000


@pytest.mark.skipif(not machine.STATUS.exists(), reason="the system does not say")
def test_peak_memory_is_not_that_of_whoever_began_the_process() -> None:
    """A process that is begun by a large one (this has torch in it) is a small one."""
    script = (
        "import sys; print(next(l.split()[1] for l in open('/proc/self/status') if 'VmHWM' in l))"
    )
    small = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert int(small.stdout) * 1024 < machine.peak_memory_bytes(torch.device("cpu")) / 2


FAULTS = """
import ctypes, resource, torch
ctypes.CDLL(None).prctl(41, 1, 0, 0, 0)  # no huge pages, which are cleared by one fault
from purrtrait import machine
torch.set_num_threads(1)
with machine.kept_memory() as kept:
    for turn in range(12):
        if turn == 4:
            before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        maps = torch.ones(2**22)
        for _ in range(4):
            maps = torch.relu(maps * 2) + 1
        del maps
    print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
@pytest.mark.parametrize(
    ("limits", "kept"),
    [
        ({}, True),
        ({"MALLOC_TRIM_THRESHOLD_": "131072"}, False),
        ({"MALLOC_MMAP_THRESHOLD_": "131072"}, False),
        ({"GLIBC_TUNABLES": "glibc.malloc.mmap_threshold=131072"}, False),
    ],
)
def test_memory_that_is_kept_is_not_cleared_again(limits: dict[str, str], kept: bool) -> None:
    """Maps of 16 MiB, 13 in each of 8 turns: each from the system is 4,096 pages to be cleared.

    With a limit that is set glibc gives them all back; left to itself it does so by chance.
    """
    names = [*machine.LIMITS, "GLIBC_TUNABLES"]
    environment = {key: value for key, value in os.environ.items() if key not in names} | limits
    script = [sys.executable, "-c", FAULTS]
    ended = subprocess.run(script, capture_output=True, check=True, env=environment, text=True)
    said, faults = ended.stdout.split()
    assert said == str(kept)
    assert int(faults) < 4 * 4096 if kept else int(faults) > 8 * 9 * 4096


AFTERWARDS = """
import torch
from purrtrait import machine
from purrtrait.trainer import own_torch
with own_torch(1):
    maps = torch.ones(2**26)
    small = [torch.ones(2**22) for _ in range(8)]
    del maps, small
    within = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmRSS")]
after = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmRSS")]
print(*within, *after)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_what_is_free_goes_back_to_the_system_afterwards() -> None:
    """Of 384 MiB that were kept for the next tensors, more than 256 go."""
    names = [*machine.LIMITS, "GLIBC_TUNABLES"]
    environment = {key: value for key, value in os.environ.items() if key not in names}
    script = [sys.executable, "-c", AFTERWARDS]
    ended = subprocess.run(script, capture_output=True, check=True, env=environment, text=True)
    within, after = map(int, ended.stdout.split())
    assert within - after > 2**18


@pytest.mark.parametrize("most", [machine.KEPT, machine.OLDER, 0])
def test_an_older_glibc_is_told_all_or_nothing(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """It refuses large blocks, and a limit alone would end what it adapts by itself."""
    told: dict[int, int] = {}
    trimmed: list[int] = []

    class Library:
        @staticmethod
        def mallopt(limit: int, value: int) -> int:
            taken = limit == -1 or value <= most
            told.update({limit: value} if taken else {})
            return int(taken)

        malloc_trim = trimmed.append

    monkeypatch.setattr(ctypes, "CDLL", lambda name: Library)
    for name in (*machine.LIMITS, "GLIBC_TUNABLES"):
        monkeypatch.delenv(name, raising=False)
    with machine.kept_memory() as kept:
        assert kept == (most > 0)
        assert told == ({-3: most, -1: machine.KEPT} if most else {})
        assert trimmed == []
    assert trimmed == [0] * kept


def test_memory_is_the_systems_business_without_glibc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    with machine.kept_memory() as kept:
        assert not kept


def test_the_processor_has_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "cpuinfo"
    monkeypatch.setattr(machine, "PROCESSORS", file)
    assert machine.processor()
    file.write_text("processor : 0\nmodel name\t: Fast 9000\nprocessor : 1\nmodel name : Other\n")
    assert machine.processor() == "Fast 9000"


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="no such signal on Windows")
@pytest.mark.parametrize("nohup", [False, True])
def test_who_shall_survive_a_terminal_hears_nothing_of_its_end(nohup: bool) -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN if nohup else signal.SIG_DFL)
    try:
        with machine.heard(lambda number, frame: heard.append(number)):
            signal.raise_signal(signal.SIGHUP)
        assert heard == [signal.SIGHUP] * (not nohup)
        assert signal.getsignal(signal.SIGHUP) == (signal.SIG_IGN if nohup else signal.SIG_DFL)
    finally:
        signal.signal(signal.SIGHUP, before)
