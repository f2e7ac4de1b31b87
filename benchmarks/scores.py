"""Measures what every metric with its standard errors, and the search for copies, take.

Run ``python benchmarks/scores.py --json out.json``; above 60 seconds or 2 GB in all it ends with
an error. The features are random: no metric's cost depends on what they show. Each metric starts
with tensors of its own, of which nothing is remembered yet. Beside the seconds on the clock stand
those of the processor, which other work on the machine does not lengthen as much.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

from purrtrait import machine
from purrtrait.evaluation import METRICS, nearness
from purrtrait.evaluation.neighbours import FEWEST, memorisation
from purrtrait.evaluation.pixels import SIZE, mirrored
from purrtrait.evaluation.reference import errors_of
from purrtrait.types import Draw, Features

KILOBYTE = 1024  # the unit of ru_maxrss on Linux
MOST_SECONDS = 60.0
MOST_BYTES = 2 * 10**9


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


def both(name: str, reals: Features, samples: Features) -> dict[str, dict[str, float]]:
    """A metric's own cost, and that of its standard errors."""
    reals, samples = reals.clone(), samples.clone()
    return {
        "metric": measured(lambda: METRICS[name](reals, samples)),
        "errors": measured(lambda: errors_of(name, reals, samples)),
    }


def copies(count: int) -> dict[str, dict[str, float]]:
    """The cost of telling whether samples were copied; there are no standard errors to take.

    As many training pictures as samples, mirrored ones beside them, and a tenth held out.
    """
    draw, values = Draw(0, "benchmark", 0), 3 * SIZE**2
    train, samples = (draw.normal((count, values), name) for name in ("train", "samples"))
    unseen = draw.normal((max(FEWEST, count // 10), values), "unseen")
    return {"metric": measured(lambda: memorisation(train, unseen, samples, (mirrored,)))}


def unseen(count: int) -> dict[str, dict[str, float]]:
    """The cost of how near samples come to as many held-out pictures, with its standard error."""
    draw, values = Draw(0, "benchmark", 0), 3 * SIZE**2
    held_out, samples = (draw.normal((count, values), name) for name in ("unseen", "samples"))
    return {"metric": measured(lambda: nearness.measured(held_out, samples))}


def main() -> None:
    """Measure and print a table; with --json also write the numbers. Ends with 1 above a limit."""
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
    work: dict[str, Callable[[], dict[str, dict[str, float]]]] = {
        name: partial(both, name, reals, samples) for name in METRICS
    }
    work[nearness.NAME] = partial(unseen, asked.count)
    work["copies"] = partial(copies, asked.count)
    for name, measure in work.items():
        row = measure()
        rows[name] = row
        clock, processor = (
            sum(part[unit] for part in row.values()) for unit in ("seconds", "processor_seconds")
        )
        print(
            f"| {name} | {row['metric']['seconds']:.1f} | {clock:.1f} | {processor:.1f} | "
            f"{peak() / 1e6:.0f} |",
            flush=True,
        )
    total = {
        unit: sum(part[unit] for row in rows.values() for part in row.values())
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
    if total["seconds"] > MOST_SECONDS or peak() > MOST_BYTES:
        sys.exit(f"expected at most {MOST_SECONDS:.0f} s and {MOST_BYTES / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
