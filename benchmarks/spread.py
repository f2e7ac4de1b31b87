"""Measures how far scores scatter with the seed of the samples, beside the errors that they state.

Run ``python benchmarks/spread.py RUN|CHECKPOINT|BUNDLE --against PACK``: as many evaluations as
``--times`` says, of one generator, of which only the seed differs. For each score stand its mean,
the standard deviation that was observed, and the mean of the standard errors that were stated.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from statistics import fmean, stdev

import torch

from purrtrait import judging, machine
from purrtrait.evaluation.judgement import Judgement


def table(found: list[Judgement]) -> dict[str, dict[str, float | None]]:
    """Mean, observed deviation and mean stated error of each score that all of them have."""
    facts: dict[str, dict[str, float | None]] = {}
    for name in found[0].scores:
        scores = [judgement.scores[name] for judgement in found if name in judgement.scores]
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
    parser.add_argument("path", type=Path)
    parser.add_argument("--against", type=Path)
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--samples", type=int, default=judging.COUNT)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--threads", type=int, default=machine.threads())
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    found = list[Judgement]()
    for seed in range(given.times):
        found.append(judging.evaluate(given.path, given.against, given.samples, seed))
        print(f"{seed + 1} of {given.times}", flush=True)
    facts = table(found)
    for name, said in facts.items():
        print(f"{name}: " + ", ".join(f"{k} {v:.4g}" for k, v in said.items() if v is not None))
    if given.json:
        given.json.write_text(json.dumps(facts, indent=1))


if __name__ == "__main__":
    main()
