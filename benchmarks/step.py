"""Measures a training step of each recipe beside a plain textbook loop over the very same networks.

Run ``make bench`` or ``python benchmarks/step.py --json out.json``. Everything that is compared is
measured in one run, interleaved, since seconds on one machine vary from hour to hour.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

from purrtrait import machine
from purrtrait.assemble import build, options
from purrtrait.assemble.arithmetic import Counter
from purrtrait.config import Recipe
from purrtrait.datasets.batches import Feed
from purrtrait.losses.exchange import Exchange, Fine
from purrtrait.objectives.adversarial import Adversarial
from purrtrait.training.fit import fit
from purrtrait.training.state import State
from purrtrait.types import Batch, Draw, Progress

CASES = {
    "dcgan-64": ("dcgan", {}, 64),
    "lsgan-64": ("lsgan", {}, 64),
    "wgan-64": ("wgan", {"critic_moves": "1"}, 64),
    "wgan-gp-64": ("wgan-gp", {"critic_moves": "1"}, 64),
    "portrait-32": ("portrait", {}, 32),
    "portrait-64": ("portrait", {}, 64),
}
PICTURES = 256


@dataclass(frozen=True)
class Measured:
    """Median seconds of a unit of work, its arithmetic, and the pictures that the critic saw."""

    seconds: float
    flop: int
    images: int

    @property
    def rate(self) -> float:
        """GFLOP a second."""
        return self.flop / self.seconds / 1e9


def best_rate(work: Callable[[], object], flop: int, seconds: float = 1.5) -> float:
    """The best GFLOP a second of repeated work."""
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        begun = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - begun)
    return flop / best / 1e9


def machine_rates() -> dict[str, float]:
    """This machine's best measured matrix-multiply and convolution rates, in GFLOP a second."""
    a, b = torch.randn(2048, 2048), torch.randn(2048, 2048)
    x = torch.randn(64, 128, 32, 32).to(memory_format=torch.channels_last)
    w = torch.randn(256, 128, 4, 4).to(memory_format=torch.channels_last)
    flop = 2 * 64 * 256 * 128 * 16 * 16 * 16
    with torch.no_grad():
        return {
            "matrix multiply": best_rate(lambda: a @ b, 2 * 2048**3),
            "convolution": best_rate(lambda: conv2d(x, w, stride=2, padding=1), flop),
        }


def pictures(size: int) -> np.ndarray:
    """Random uint8 pictures: a step's cost does not depend on what they show."""
    return np.random.default_rng(0).integers(0, 256, (PICTURES, size, size, 3), dtype=np.uint8)


def our_state(recipe: Recipe, size: int) -> State:
    """The state that `purrtrait train` would train."""
    stage = recipe.stages[0]
    built = build.stage(stage, build.Shape(size, 3), 0, torch.device("cpu"))
    feed = Feed(pictures(size), np.arange(PICTURES), stage.batch, Draw(0, stage.name, 0))

    def batch(now: Progress) -> Batch:
        return built.level.cut(feed.portraits(now), None, feed.draw(now))

    return State(built.objective, built.paces, batch, stage.half_life_images, PICTURES)


def textbook(recipe: Recipe, size: int) -> Iterator[int]:
    """A plain loop over the same networks, game, penalty and batch; yields pictures a step.

    Contiguous tensors, fresh fakes for the generator's turn, backward through everything that
    requires a gradient, plain Adam (or the recipe's optimiser in its plain form).
    """
    stage = recipe.stages[0]
    built = build.stage(stage, build.Shape(size, 3), 0, torch.device("cpu"))
    objective = built.objective
    assert isinstance(objective, Adversarial)
    generator, critic = objective.drawer, objective.critic
    for network in (generator, critic):
        network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    penalty = Fine(objective.fine.penalty, objective.fine.weight, objective.fine.every)
    steps = {name: plain(network) for name, network in objective.players().items()}
    data = torch.from_numpy(pictures(size)).permute(0, 3, 1, 2).float() / 127.5 - 1
    everything = [*generator.parameters(), *critic.parameters()]
    moves, seen = 0, 0
    while True:
        for _ in range(max(1, round(objective.critic_moves(Progress(moves={"generator": 99}))))):
            reals = data[torch.randint(PICTURES, (stage.batch,))].contiguous()
            drawn = fakes(generator, stage.batch).detach()
            exchange = Exchange(critic, reals, drawn, Draw(0, "", moves))
            losses = [objective.game.critic(exchange), *penalty(exchange, moves).values()]
            cost = torch.stack(losses).sum(0).mean()
            backward(cost, steps["critic"], critic.parameters())
            objective.clip_critic()
            moves, seen = moves + 1, seen + stage.batch
        exchange = Exchange(critic, reals, fakes(generator, stage.batch), Draw(0, "", moves))
        # Nothing is frozen: this goes through the critic's weights as well.
        backward(objective.game.generator(exchange).mean(), steps["generator"], everything)
        yield seen
        seen = 0


def plain(network: nn.Module) -> torch.optim.Optimizer:
    """Adam as a tutorial writes it."""
    return torch.optim.Adam(network.parameters(), lr=1e-4, foreach=False, fused=False)


def fakes(generator: Any, rows: int) -> Tensor:
    """Fresh fakes."""
    drawn: Tensor = generator(torch.randn(rows, generator.latent_size))
    return drawn


def backward(
    cost: Tensor, optimiser: torch.optim.Optimizer, reached: Iterable[nn.Parameter]
) -> None:
    """Zero, backward through all that a tutorial's tensors would reach, step."""
    optimiser.zero_grad()
    cost.backward(inputs=list(reached))
    optimiser.step()


def ours(recipe: Recipe, size: int) -> Iterator[int]:
    """Our loop; yields pictures a step."""
    before = 0
    for now in fit(our_state(recipe, size), 10**12):
        yield now.images_seen - before
        before = now.images_seen


def cycle(steps: Iterator[int], images: int) -> int:
    """Steps until so many pictures were seen; how many it were."""
    seen = 0
    while seen < images:
        seen += next(steps)
    return seen


def compare(recipe: Recipe, size: int, rounds: int) -> tuple[Measured, Measured]:
    """Ours and the textbook's, in turns, after one cycle each to warm up."""
    stage = recipe.stages[0]
    loops = [ours(recipe, size), textbook(recipe, size)]
    every = stage.objective.options.get("penalty_every", 1)
    images = stage.batch * int(every)
    flops, seen = [], []
    for loop in loops:
        with Counter() as counter:
            seen.append(cycle(loop, images))
        flops.append(counter.total)
    seconds: list[list[float]] = [[], []]
    for _ in range(rounds):
        for loop, times in zip(loops, seconds, strict=True):
            begun = time.perf_counter()
            cycle(loop, images)
            times.append(time.perf_counter() - begun)
    mine, theirs = (
        Measured(statistics.median(times), flop, images_)
        for times, flop, images_ in zip(seconds, flops, seen, strict=True)
    )
    return mine, theirs


def main() -> None:
    """Measure and print a table; with --json also write the numbers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=machine.threads())
    parser.add_argument("--only", default="", help="cases such as dcgan-64,portrait-32")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    rates = machine_rates()
    best = max(rates.values())
    print(f"torch {torch.__version__}, {asked.threads} threads, load at the start {load:.2f}")
    print(", ".join(f"{name} {rate:.0f} GFLOP/s" for name, rate in rates.items()))
    print("\n| case | images/s | GFLOP an image | share of best rate | textbook images/s | ratio |")
    print("|---|---|---|---|---|---|")
    rows = {}
    for name in [n for n in asked.only.split(",") if n] or CASES:
        recipe_name, settings, size = CASES[name]
        recipe, _ = options.override(options.find(recipe_name), {"pixels": "0", **settings})
        mine, theirs = compare(recipe, size, asked.rounds)
        speed, plain_speed = mine.images / mine.seconds, theirs.images / theirs.seconds
        rows[name] = {
            "images_per_second": speed,
            "gflop_per_image": mine.flop / mine.images / 1e9,
            "share": mine.rate / best,
            "textbook_images_per_second": plain_speed,
            "textbook_gflop_per_image": theirs.flop / theirs.images / 1e9,
            "ratio": speed / plain_speed,
        }
        row = rows[name]
        print(
            f"| {name} | {speed:.0f} | {row['gflop_per_image']:.2f} | {row['share']:.0%} | "
            f"{plain_speed:.0f} | {row['ratio']:.2f} |",
            flush=True,
        )
    if asked.json:
        facts = {"torch": torch.__version__, "threads": asked.threads, "load": load}
        asked.json.write_text(json.dumps({**facts, "rates": rates, "cases": rows}, indent=1))


if __name__ == "__main__":
    main()
