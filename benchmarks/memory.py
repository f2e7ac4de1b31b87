"""Measures what it is worth that freed memory stays with a training (`machine.kept_memory`).

Run ``python benchmarks/memory.py --json out.json``. Each measurement is a process of its own, since
glibc cannot be told to forget; processes with and without take turns.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import torch

from purrtrait import machine
from purrtrait.assemble import options
from step import CASES, cycle, ours

WARM, IMAGES = 256, 512


def measure(case: str, threads: int, keep: bool) -> dict[str, float]:
    """Train in this process: pictures a second, page faults a picture, peak memory."""
    name, settings, size = CASES[case]
    recipe, _ = options.override(options.find(name), {"pixels": "0", **settings})
    torch.set_num_threads(threads)
    with machine.kept_memory() if keep else nullcontext():
        loop = ours(recipe, size)
        cycle(loop, WARM)
        faults, begun = resource.getrusage(resource.RUSAGE_SELF).ru_minflt, time.perf_counter()
        images = cycle(loop, IMAGES)
        seconds = time.perf_counter() - begun
    return {
        "images per second": images / seconds,
        "faults per image": (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults) / images,
        "peak MB": machine.peak_memory_bytes(torch.device("cpu")) / 1e6,
    }


def elsewhere(case: str, threads: int, keep: bool) -> dict[str, float]:
    """The same in a process of its own."""
    command = [sys.executable, __file__, "--case", case, "--threads", str(threads)]
    ended = subprocess.run(
        [*command, *["--keep"] * keep], stdout=subprocess.PIPE, check=True, text=True
    )
    measured: dict[str, float] = json.loads(ended.stdout)
    return measured


def main() -> None:
    """Measure and print a table; with --json also write the numbers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=machine.threads())
    parser.add_argument("--only", default="portrait-32,portrait-64", help="as of step.py")
    parser.add_argument("--case", help="measure only this, here and now, as JSON")
    parser.add_argument("--keep", action="store_true", help="with --case: keep memory")
    asked = parser.parse_args()
    if asked.case:
        print(json.dumps(measure(asked.case, asked.threads, asked.keep)))
        return
    cases = asked.only.split(",")
    if strange := sorted(set(cases) - set(CASES)):
        parser.error(f"no case {', '.join(strange)}; expected some of {', '.join(CASES)}")
    with machine.kept_memory() as kept_here:
        if not kept_here:
            parser.error("the C library is not glibc, or the environment sets its limits")
    print("| case | images/s, memory given back | kept | ratio | faults an image | kept |")
    print("|---|---|---|---|---|---|")
    rows = {}
    for case in cases:
        found = [
            [elsewhere(case, asked.threads, keep) for keep in (False, True)]
            for _ in range(asked.rounds)
        ]
        given, kept = (
            {name: statistics.median(run[name] for run in runs) for name in runs[0]}
            for runs in zip(*found, strict=True)
        )
        ratio = statistics.median(
            there["images per second"] / here["images per second"] for here, there in found
        )
        rows[case] = {"given back": given, "kept": kept, "ratio": ratio}
        print(
            f"| {case} | {given['images per second']:.0f} | {kept['images per second']:.0f} "
            f"| {ratio:.2f} | {given['faults per image']:.0f} | {kept['faults per image']:.1f} |",
            flush=True,
        )
    if asked.json:
        asked.json.write_text(json.dumps({"threads": asked.threads, "cases": rows}, indent=1))


if __name__ == "__main__":
    main()
