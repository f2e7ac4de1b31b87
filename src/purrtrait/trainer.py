"""Trains a recipe on a pack in a run folder: from the start, or from where a run stopped."""

from __future__ import annotations

import logging
import platform
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TypeAlias

import torch
from torch import nn

from purrtrait import config, machine
from purrtrait.assemble import build, memory, pyramid
from purrtrait.assemble.place import Place, Request, expect_precise
from purrtrait.assemble.plan import WHOLE, Plan, Source, expect_ground
from purrtrait.assemble.restored import denoiser_of
from purrtrait.assemble.stages import session
from purrtrait.config import Recipe
from purrtrait.datasets.batches import expect_shared
from purrtrait.datasets.pack import Pack
from purrtrait.training import checkpoint, cluster, record
from purrtrait.training import run as runs
from purrtrait.training.checkpoint import Checkpoint
from purrtrait.training.run import Run
from purrtrait.training.session import Session, Stop, signals
from purrtrait.types import Progress, Share
from purrtrait.version import VERSION

log = logging.getLogger(__name__)

Watch: TypeAlias = Callable[[str, Progress, int], None]  # stage, progress, budget in images


@dataclass(frozen=True)
class Outcome:
    """How a training ended; ``signal`` is the number of the one that stopped it, else 0."""

    run: Path
    finished: bool
    images_seen: int
    signal: int = 0


def begin(
    recipe: Recipe,
    request: Request,
    root: Path,
    name: str,
    stop: Stop,
    watch: Watch,
    source: Source | None = None,
    plan: Plan = WHOLE,
) -> Outcome:
    """Train from the start, in a new folder ``root/name-JJ``."""
    device, pack = machine.device(request.device), Pack.open(Path(request.data))
    expect_precise(recipe, request, device)
    pack.verify()
    with cluster.joined(device) as share:
        needed = rehearse(recipe, pack, share)
        here, shape = cluster.local_device(device), build.Shape(pack.size, pack.channels)
        denoiser = denoiser_of(request.denoise, recipe, shape, here)
        adopted = [found.stage for found in source.earlier] if source else []
        expect_ground(recipe, pack, plan, adopted)
        seed = int(str(cluster.agree(request.seed)))
        request = replace(request, pack=pack.content_hash, seed=seed)
        made = "" if share.rank else str(runs.create(root, name).path)
        run = Run(Path(str(cluster.agree(made))))
        place = Place(run, recipe, request, pack, share, here, needed, denoiser)
        if not share.rank:
            run.describe(config.dump(recipe), asdict(request))
            for number, earlier in enumerate(source.earlier if source else ()):
                run.adopt(earlier, number, [stage.name for stage in recipe.stages])
        cluster.wait()
        return _train(place, stop, watch, source, {}, plan)


def go_on(
    run: Run,
    recipe: Recipe,
    changed: Mapping[str, object],
    request: Request,
    stop: Stop,
    watch: Watch,
    plan: Plan = WHOLE,
) -> Outcome:
    """Train on from the last checkpoint that is whole, or from the start where there is none.

    ``changed`` are the options in which the recipe differs from the run's own. Stages that stand on
    others than those that are there by now begin anew, and so do those of the plan that shall.
    """
    device, pack = machine.device(request.device), Pack.open(Path(request.data))
    expect_precise(recipe, request, device)
    pack.verify()
    with cluster.joined(device) as share:
        needed = rehearse(recipe, pack, share)
        here, shape = cluster.local_device(device), build.Shape(pack.size, pack.channels)
        denoiser = denoiser_of(request.denoise, recipe, shape, here)
        expect_ground(recipe, pack, plan, run.latest_of_each())
        place = Place(run, recipe, request, pack, share, here, needed, denoiser)
        return _train(place, stop, watch, None, changed, plan)


def rehearse(recipe: Recipe, pack: Pack, share: Share) -> int:
    """The bytes that training needs, found by playing every stage's first turns without memory.

    What cannot be trained is said by a ValueError, before anything is made.
    """
    for stage in recipe.stages:
        expect_shared(stage.batch, share)
    shape = build.Shape(pack.size, pack.channels)
    pyramid.expect_sound(recipe, shape)
    stages = range(len(recipe.stages))
    return max(memory.rehearsed(recipe, number, shape, share.ranks) for number in stages)


def _train(
    place: Place,
    stop: Stop,
    watch: Watch,
    source: Source | None,
    changed: Mapping[str, object],
    plan: Plan,
) -> Outcome:
    finished, described = True, False
    _expect_known(place)
    with ExitStack() as stack:
        if not place.share.rank:
            stack.enter_context(place.run.locked())
            stack.enter_context(record.log_file(place.run))
        stack.enter_context(signals(stop))
        stack.enter_context(own_torch(place.request.threads))
        for number in _numbers(place.recipe, plan):
            prepared = _prepared(place, number, plan)
            if prepared is None:
                continue
            playing, last = prepared
            if not described:
                _describe(place, changed)
                described = True
            _introduce(place, playing, last)
            if source and source.players and not last and number == len(source.earlier):
                playing.state.start_from(source.weights.training(), source.players)
                playing.save_first()
            finished = _play(place, playing, stop, watch)
            if not finished:
                break
        last = place.run.latest()
        if finished and not place.share.rank:
            _compare(place.run, last)
    return Outcome(place.run.path, finished, last.images_seen if last else 0, stop.signal)


def _numbers(recipe: Recipe, plan: Plan) -> list[int]:
    """The stages that are to be trained, counted from 0."""
    return [number for number, stage in enumerate(recipe.stages) if plan.has(stage.name)]


def _prepared(place: Place, number: int, plan: Plan) -> tuple[Session, Checkpoint | None] | None:
    """A stage's session, and the checkpoint that it goes on from; None if nothing is left to do.

    A stage that begins anew is set aside only once it is sure that it can.
    """
    stage, found = place.recipe.stages[number], place.run.latest_of_each()
    last = found.get(stage.name)
    why = _anew(last, found, plan) if last else ""
    if last and not why and plan.leaves(last, stage):
        return None
    last = None if why else last
    playing = session(place, number, found, last)
    if why:
        _set_aside(place, stage.name, why)
    return playing, last


def _describe(place: Place, changed: Mapping[str, object]) -> None:
    """Note the recipe and the request with which the run goes on."""
    if not place.share.rank:
        place.run.rewrite(config.dump(place.recipe), changed)
        place.run.describe(config.dump(place.recipe), asdict(place.request))


def _anew(last: Checkpoint, found: Mapping[str, Checkpoint], plan: Plan) -> str:
    """Why a stage begins anew, in words; nothing where it goes on."""
    if last.stage in plan.again:
        return "as asked for"
    moved = checkpoint.moved(last, found)
    return f"'{moved}', on which it stands, is another one now" if moved else ""


def _set_aside(place: Place, stage: str, why: str) -> None:
    """Make room for a stage that begins anew; whoever trains along has read what was there."""
    cluster.wait()
    if not place.share.rank:
        aside = place.run.set_aside(stage)
        log.warning("stage '%s' begins anew (%s); the old one is kept in %s", stage, why, aside)
    cluster.wait()


def _expect_known(place: Place) -> None:
    """ValueError where a run has stages that the recipe does not have."""
    names = [stage.name for stage in place.recipe.stages]
    strange = [name for name in place.run.latest_of_each() if name not in names]
    if strange:
        raise ValueError(
            f"the last checkpoint of {place.run.path} is of a stage '{strange[-1]}', which its "
            f"recipe does not have (it has {', '.join(names)}); give the stage its name back"
        )


@contextmanager
def own_torch(threads: int) -> Iterator[None]:
    """So many threads, a random state of our own, and kept memory; the caller's come back."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with machine.kept_memory(), torch.random.fork_rng():
            yield
    finally:
        torch.set_num_threads(before)


def _play(place: Place, playing: Session, stop: Stop, watch: Watch) -> bool:
    """Play a session to its end, or until it is stopped; True if it came to its end."""
    seen = playing.state.now.images_seen
    written = place.request.upkeep["tensorboard"] and not place.share.rank
    events = record.events if written else record.no_events
    if not place.share.rank:
        place.run.forget_after(seen, playing.stage)
    with events(place.run, playing.stage, seen) as writer:
        return playing.play(writer, stop, lambda now: watch(playing.stage, now, playing.budget))


def _introduce(place: Place, playing: Session, last: Checkpoint | None) -> None:
    """The log's first lines: everything that one needs to know to do it again."""
    if place.share.rank:
        return
    now, request = playing.state.now, place.request
    log.info(
        "%s: %s, stage %s, from %d to %d images",
        place.run.path,
        place.recipe.name,
        playing.stage,
        now.images_seen,
        playing.budget,
    )
    log.info(
        "seed %d, data %s, device %s, precision %s, threads %d, processes %d",
        request.seed,
        request.data,
        place.device,
        place.precision,
        request.threads,
        place.share.ranks,
    )
    free = machine.free_memory_bytes() if place.device.type == "cpu" else None
    log.info("memory needed: about %.2g GB", place.memory_bytes / 1e9)
    if free is not None and place.memory_bytes * place.share.ranks > free:
        log.warning(
            "only %.1f GB are free: expect swapping or an abrupt end. A smaller batch (--set "
            "batch=...), width (--set width=...) or size helps",
            free / 1e9,
        )
    known = {"precision": "full", **last.facts} if last else {}
    here_now = {
        "threads": request.threads,
        "ranks": place.share.ranks,
        "precision": place.precision,
    }
    for name, here in here_now.items():
        if known.get(name, here) != here:
            log.warning("%s: %s, before %s; the last bits may differ", name, here, known[name])
    log.debug(
        "purrtrait %s, torch %s, Python %s, %s",
        VERSION,
        torch.__version__,
        platform.python_version(),
        platform.platform(),
    )
    log.debug("recipe:\n%s", config.dump(place.recipe))
    for name, player in playing.state.objective.players().items():
        log.info("%s has %s parameters", name, f"{count(player):,}")
        log.debug("%s", player)


def _compare(run: Run, last: Checkpoint | None) -> None:
    """Say so where the last checkpoint is not the best."""
    best = run.best()
    if last and best and best.path != last.path:
        log.info(
            "the last checkpoint is not the best by %s: %s has %.0f, %s has %.0f. The best is "
            "kept: purrtrait sample %s --best draws with it",
            best.judged_by,
            best.path.name,
            best.score,
            last.path.name,
            last.score,
            run.path,
        )


def count(network: nn.Module) -> int:
    """How many parameters a network has."""
    return sum(parameter.numel() for parameter in network.parameters())
