"""Measures how far scores scatter with the seed of the samples, beside the errors that they state.

Run ``python benchmarks/spread.py RUN|CHECKPOINT|BUNDLE --against PACK``: as many evaluations as
``--times`` says, of one generator, of which only the seed differs. For each score stand its mean,
the standard deviation that was observed, and the mean of the standard errors that were stated.
``--drawn SHIFT`` takes features from a normal distribution in place of a generator's: 16 for each
picture, those of the samples moved by so much.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from statistics import fmean, stdev

import torch

from purrtrait import judging, machine
from purrtrait.evaluation import reference
from purrtrait.evaluation.judgement import Score
from purrtrait.types import Draw


def drawn(shift: float, count: int, times: int) -> list[dict[str, Score]]:
    """Scores of features that are drawn anew each time, against the same reals."""
    draw = Draw(0, "benchmark", 0)
    reals, found = draw.normal((count, 16), "reals"), []
    for number in range(times):
        samples = draw.normal((count, 16), f"samples {number}") + shift
        errors = reference.errors(reals, samples)
        values = reference.scores(reals, samples)
        found.append({name: Score(value, errors[name]) for name, value in values.items()})
    return found


def evaluated(path: Path, against: Path | None, count: int, times: int) -> list[dict[str, Score]]:
    """Scores of a generator with the seeds from 0 on."""
    found = []
    for seed in range(times):
        found.append(dict(judging.evaluate(path, against, count, seed).scores))
        print(f"{seed + 1} of {times}", flush=True)
    return found


def table(found: list[dict[str, Score]]) -> dict[str, dict[str, float | None]]:
    """Mean, observed deviation and mean stated error of each score that all of them have."""
    facts: dict[str, dict[str, float | None]] = {}
    for name in found[0]:
        scores = [one[name] for one in found if name in one]
        errors = [score.error for score in scores if score.error is not None]
        if len(scores) == len(found):
            facts[name] = {
                "mean": fmean(score.value for score in scores),
                "observed": stdev(score.value for score in scores),
                "stated": fmean(errors) if errors else None,
            }
    return facts


def main() -> None:
    """Evaluate and print; with --json also write the numbers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path, nargs="?")
    parser.add_argument("--against", type=Path)
    parser.add_argument("--drawn", type=float, metavar="SHIFT")
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--samples", type=int, default=judging.COUNT)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--threads", type=int, default=machine.threads())
    given = parser.parse_args()
    if given.times < 2:
        parser.error(
            f"--times {given.times}: expected at least 2, for one evaluation has no spread"
        )
    if (given.path is None) == (given.drawn is None):
        parser.error("expected a generator, or --drawn, and not both")
    torch.set_num_threads(given.threads)
    if given.path is None:
        found = drawn(given.drawn, given.samples, given.times)
    else:
        found = evaluated(given.path, given.against, given.samples, given.times)
    facts = table(found)
    for name, said in facts.items():
        print(f"{name}: " + ", ".join(f"{k} {v:.4g}" for k, v in said.items() if v is not None))
    if given.json:
        given.json.write_text(json.dumps(facts, indent=1))


if __name__ == "__main__":
    main()
