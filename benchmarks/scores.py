"""Measures what every metric and its standard errors take: seconds and memory.

Run ``python benchmarks/scores.py --json out.json``. The features are random: no metric's cost
depends on what they show. Each metric starts with tensors of its own, of which nothing is
remembered yet. Beside the seconds on the clock stand those of the processor, which other work on
the machine does not lengthen as much.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import time
from collections.abc import Callable
from pathlib import Path

import torch

from purrtrait import machine
from purrtrait.evaluation import METRICS
from purrtrait.evaluation.metric import Metric
from purrtrait.evaluation.uncertainty import standard_errors
from purrtrait.types import Draw, Features

KILOBYTE = 1024  # the unit of ru_maxrss on Linux


def measured(work: Callable[[], object]) -> dict[str, float]:
    """Seconds on the clock and of the processor."""
    clock, processor = time.perf_counter(), time.process_time()
    work()
    return {
        "seconds": time.perf_counter() - clock,
        "processor_seconds": time.process_time() - processor,
    }


def peak() -> int:
    """The most bytes that this process held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KILOBYTE


def both(metric: Metric, reals: Features, samples: Features) -> dict[str, dict[str, float]]:
    """A metric's own cost, and that of its standard errors."""
    return {
        "metric": measured(lambda: metric(reals, samples)),
        "errors": measured(lambda: standard_errors(metric, reals, samples)),
    }


def main() -> None:
    """Measure and print a table; with --json also write the numbers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--features", type=int, default=320)
    parser.add_argument("--threads", type=int, default=machine.threads())
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    shape = (asked.count, asked.features)
    reals = Draw(0, "benchmark", 0).normal(shape, "reals")
    samples = Draw(0, "benchmark", 0).normal(shape, "samples") * 0.9 + 0.1
    load = os.getloadavg()[0]
    print(f"torch {torch.__version__}, {asked.threads} threads, load at the start {load:.2f}")
    print(f"{asked.count} x {asked.count} rows of {asked.features} features\n")
    print("| metric | seconds | with errors | of the processor | peak MB so far |")
    print("|---|---|---|---|---|")
    rows: dict[str, dict[str, dict[str, float]]] = {}
    for name, metric in METRICS.items():
        row = both(metric, reals.clone(), samples.clone())
        rows[name] = row
        clock, processor = (
            row["metric"][unit] + row["errors"][unit] for unit in ("seconds", "processor_seconds")
        )
        print(
            f"| {name} | {row['metric']['seconds']:.1f} | {clock:.1f} | {processor:.1f} | "
            f"{peak() / 1e6:.0f} |",
            flush=True,
        )
    total = {
        unit: sum(row[part][unit] for row in rows.values() for part in ("metric", "errors"))
        for unit in ("seconds", "processor_seconds")
    }
    print(
        f"\ntogether {total['seconds']:.1f} s, of the processor "
        f"{total['processor_seconds']:.1f} s, at most {peak() / 1e6:.0f} MB"
    )
    if asked.json:
        facts = {"torch": torch.__version__, "threads": asked.threads, "load": load}
        sizes = {"count": asked.count, "features": asked.features}
        everything = {**facts, **sizes, "metrics": rows, "total": {**total, "peak_bytes": peak()}}
        asked.json.write_text(json.dumps(everything, indent=1))


if __name__ == "__main__":
    main()
