"""Measures what the validator's spoilt pictures cost, beside the step that they are made for.

Run ``python benchmarks/validator.py --json out.json``. Fakes alone and whole steps take turns in
one run, since seconds on one machine vary from hour to hour. Every fake is of another set: which
technique comes, and whether two are combined, is drawn as in training.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

from purrtrait import machine
from purrtrait.images import masks
from purrtrait.images.spoil import spoilt
from purrtrait.networks.blocks import channels_last
from purrtrait.networks.validator import Validator
from purrtrait.objectives.validate import Validate
from purrtrait.training import optimisers
from purrtrait.training.fit import fit
from purrtrait.training.schedule import constant
from purrtrait.training.state import Pace, State
from purrtrait.types import Batch, Draw, Images, Progress

SIZE = 16


def seconds(work: Callable[[], object]) -> float:
    """Seconds of the processor, which other work on the machine does not lengthen as much."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


def state(images: Images) -> State:
    """The validator of cat-generator in training, on one batch of pictures."""
    objective = Validate(Validator(SIZE, images.shape[1])).train()
    channels_last(objective)

    def batch(now: Progress) -> Batch:
        return Batch(images, Draw(0, "benchmark", now.position))

    pace = Pace(optimisers.adam(), constant(1e-3), clamp=5, l2=0.01)
    return State(objective, {"validator": pace}, batch, 0, len(images))


def main() -> None:
    """Measure and print; with --json also write the numbers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--reals", type=int, default=16, help="as many fakes are made of them")
    parser.add_argument("--channels", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--threads", type=int, default=machine.threads())
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    images = Draw(0, "benchmark", 0).uniform(
        (asked.reals, asked.channels, SIZE, SIZE), "pictures", -1, 1
    )
    steps = fit(state(images), 10**12)
    next(steps)
    facts = {
        "torch": torch.__version__,
        "threads": asked.threads,
        "load": os.getloadavg()[0],
        "walks_seconds": seconds(lambda: masks.walks.__wrapped__(SIZE)),
    }
    fakes, whole = [], []
    for number in range(asked.rounds):
        fakes.append(seconds(partial(spoilt, images, Draw(0, "benchmark", number))))
        whole.append(seconds(lambda: next(steps)))
    facts |= {
        "fakes_milliseconds": 1e3 * statistics.mean(fakes),
        "step_milliseconds": 1e3 * statistics.mean(whole),
        "ratio": sum(fakes) / sum(whole),
    }
    for name, value in facts.items():
        print(f"{name.replace('_', ' ')}: {value if isinstance(value, str) else round(value, 4)}")
    if asked.json:
        asked.json.write_text(json.dumps(facts, indent=1))


if __name__ == "__main__":
    main()
