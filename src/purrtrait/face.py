"""The public face: prepare, train, resume, load, sample, film; the command line calls it too."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import ValidationError

from purrtrait import config, machine, trainer, wrapping
from purrtrait.assemble import options
from purrtrait.assemble.stages import Request
from purrtrait.config import Recipe, Upkeep
from purrtrait.datasets.order import Order
from purrtrait.datasets.pack import Pack
from purrtrait.datasets.prepare import no_report
from purrtrait.datasets.prepare import prepare as make_pack
from purrtrait.images.resize import to_uint8
from purrtrait.sampling import bundle
from purrtrait.sampling.latents import latents
from purrtrait.trainer import Outcome, Source, Watch
from purrtrait.training import checkpoint
from purrtrait.training import run as runs
from purrtrait.training.session import Stop
from purrtrait.types import Latents, Progress, Sampler

PathLike = str | Path
SEEDS = 10_000  # a seed that nobody chose is one of so many
DRAWN_AT_ONCE = 64


@dataclass(frozen=True)
class Model:
    """A trained sampler with what is known about it."""

    sampler: Sampler
    about: Mapping[str, Any]
    device: torch.device

    def latents(
        self, count: int, seed: int = 0, temperature: float = 1.0, first: int = 0
    ) -> Latents:
        """Latents (count, Z) of a seed: row i is the same whatever the count."""
        size, prior = self.sampler.latent_size, self.sampler.prior
        return latents(count, size, prior, seed, temperature, first)

    def sample(
        self, count: int, *, seed: int = 0, temperature: float = 1.0, batch: int = DRAWN_AT_ONCE
    ) -> np.ndarray:
        """Portraits of a seed as uint8 (count, H, W, C).

        Portrait i depends on (seed, i, temperature) alone: another count gives the same ones, and
        another batch size the same within one grey level.
        """
        if count < 1:
            raise ValueError(f"count is {count}; expected at least 1 portrait")
        z = self.latents(count, seed, temperature)
        return np.concatenate([self.draw(rows) for rows in z.split(batch)])

    def draw(self, z: Latents) -> np.ndarray:
        """Portraits of latents (B, Z) as uint8 (B, H, W, C)."""
        return to_uint8(self.sampler(z.to(self.device)).cpu())


def _unwatched(stage: str, now: Progress, budget: int) -> None:
    """Watch nothing."""


def prepare(
    parser: str = "kittens",
    source: PathLike | None = None,
    *,
    out: PathLike | None = None,
    size: int = 64,
    count: int | None = None,
    grey: bool = False,
    seed: int = 0,
    split: float = 0.1,
    flip_natural: bool | None = None,
    progress: Callable[[int, int], None] = no_report,
) -> Pack:
    """Make a pack of pictures, or open it if the very same one is there already.

    ``parser`` is kittens, people (both come with purrtrait) or folder, whose pictures are below
    ``source``. ``size`` is the pictures' side in pixels, ``split`` the share that is held out for
    scores. ``out`` is by default packs/NAME-SIZE. ValueError says what stands in the way.
    """
    path = Path(source) if source is not None else None
    order = Order(parser, size, count, grey, seed, split, path, flip_natural)
    name = path.resolve().name if path else parser
    target = Path(out) if out is not None else Path("packs") / f"{name}-{size}{'-grey' * grey}"
    return make_pack(order, target, progress)


def train(
    recipe: str = "portrait",
    data: PathLike = "packs/kittens-32",
    *,
    runs_folder: PathLike = "runs",
    name: str | None = None,
    seed: int | None = None,
    budget: int | None = None,
    minutes: float = float("inf"),
    device: str = "auto",
    threads: int | None = None,
    settings: Mapping[str, str] | None = None,
    upkeep: Mapping[str, Any] | None = None,
    start_from: PathLike | None = None,
    players: Sequence[str] = (),
    watch: Watch = _unwatched,
) -> Outcome:
    """Train a recipe on a pack, in a new folder runs/NAME-JJ.

    ``settings`` override options of the recipe, as texts; ``budget`` is in images; ``minutes`` only
    stops (the mathematics does not look at the clock on the wall). ``start_from`` is a run or
    checkpoint whose ``players`` (all by default) hand their weights on. ``watch`` is told after
    each step. ValueError says what is wrong before anything is made.
    """
    chosen, _ = options.override(options.find(recipe), _with_budget(settings, budget))
    request = Request(
        str(Path(data).resolve()),
        1 + secrets.randbelow(SEEDS) if seed is None else seed,
        device,
        threads or machine.threads(),
        _upkeep(upkeep).model_dump(),
    )
    source = _source(start_from, players, chosen) if start_from is not None else None
    stop = Stop(seconds=minutes * 60)
    outcome = trainer.begin(
        chosen, request, Path(runs_folder), name or chosen.name, stop, watch, source
    )
    return _wrapped(outcome)


def resume(
    run: PathLike,
    *,
    data: PathLike | None = None,
    budget: int | None = None,
    minutes: float = float("inf"),
    device: str | None = None,
    threads: int | None = None,
    settings: Mapping[str, str] | None = None,
    watch: Watch = _unwatched,
) -> Outcome:
    """Train a run on from its last whole checkpoint, with all that was asked for at its beginning.

    Without changes it ends in the bits of a run that was never interrupted. ``settings`` override
    options of the recipe from here on: the run then leaves its recorded path, which its log says.
    """
    there = runs.open_run(Path(run))
    recipe = config.read(there.path / runs.RECIPE)
    changed, _ = options.override(recipe, _with_budget(None, budget))
    changed, done = options.override(changed, settings or {})
    known = Request(**there.request())
    request = replace(
        known,
        data=known.data if data is None else str(Path(data).resolve()),
        device=device or known.device,
        threads=threads or known.threads,
    )
    stop = Stop(seconds=minutes * 60)
    return _wrapped(trainer.go_on(there, changed, done, request, stop, watch))


def load(path: PathLike, device: str = "auto") -> Model:
    """The trained sampler in a run folder (its last checkpoint), a checkpoint or a bundle."""
    folder, where = wrapping.sampler_folder(Path(path)), machine.device(device)
    return Model(bundle.load(folder, where), bundle.describe(folder), where)


def sample(
    path: PathLike, count: int = 64, *, seed: int = 0, temperature: float = 1.0
) -> np.ndarray:
    """Portraits by a run, checkpoint or bundle: uint8 (count, H, W, C)."""
    return load(path).sample(count, seed=seed, temperature=temperature)


def film(run: PathLike) -> tuple[Path, Path]:
    """Make the GIF and the MP4 of a run's previews; returns their paths."""
    return wrapping.film(runs.open_run(Path(run)))


def _wrapped(outcome: Outcome) -> Outcome:
    """The outcome, once the run's film, report and bundle are made."""
    if machine.first():
        wrapping.wrap(runs.Run(outcome.run), outcome.finished)
    return outcome


def _with_budget(settings: Mapping[str, str] | None, budget: int | None) -> dict[str, str]:
    return {**(settings or {}), **({} if budget is None else {"budget": str(budget)})}


def _upkeep(asked: Mapping[str, Any] | None) -> Upkeep:
    try:
        return Upkeep.model_validate(dict(asked or {}))
    except ValidationError as error:
        raise config.complain(error, "the upkeep of the run") from None


def _source(path: PathLike, players: Sequence[str], recipe: Recipe) -> Source:
    found = checkpoint.read(wrapping.checkpoint_folder(Path(path)))
    known = tuple(recipe.stages[0].players)
    for player in players:
        if player not in known:
            raise ValueError(f"unknown player '{player}'; this recipe's are: {', '.join(known)}")
    return found, tuple(players) or known
