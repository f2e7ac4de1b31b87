"""Draws many portraits, lets the critics judge them, and refines those that were chosen."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from purrtrait.critics import critics
from purrtrait.datasets.pack import TRAIN, Pack
from purrtrait.evaluation.ranking import Ranking, ranked
from purrtrait.evaluation.reference import Report, silent
from purrtrait.images.resize import area, to_images
from purrtrait.model import DRAWN_AT_ONCE
from purrtrait.networks.hasten import hasten
from purrtrait.sampling import bundle
from purrtrait.sampling.choose import best_of, candidates, indifferent
from purrtrait.sampling.latents import latents
from purrtrait.sampling.levels import Refined
from purrtrait.types import Critic, Draw, Images, Latents, Sampler

AT_ONCE = 24  # portraits that are refined between two reports


@dataclass(frozen=True)
class Pyramid:
    """A sampler stage by stage, the lowest first: up to each, its name, and who judges it.

    A stage that was trained without a critic has None.
    """

    samplers: Sequence[Sampler]
    names: Sequence[str]
    critics: Sequence[Critic | None]
    device: torch.device


@dataclass(frozen=True)
class Asked:
    """How many portraits are drawn in a run, how many of them are kept in a set, and how.

    Each that is kept is refined ``k`` times, of which a critic chooses one. So many ``neighbours``
    are shown of the best.
    """

    drawn: int = 1024
    keep: int = 64
    k: int = 10
    seed: int = 0
    temperature: float = 1.0
    truncation: float = math.inf
    neighbours: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.keep <= self.drawn:
            raise ValueError(
                f"{self.keep} portraits are to be kept (--keep) of {self.drawn} that are drawn "
                "(--drawn); expected no more than are drawn"
            )


@dataclass(frozen=True)
class Drawn:
    """What the lowest stage drew: portraits (N, C, S, S), and how its critic ranks them.

    ``latents`` (N, Z) are the rows of the seed from ``first`` on; ``sets`` are rows (K,) of it.
    """

    first: int
    latents: Latents
    portraits: Images
    ranking: Ranking
    sets: Mapping[str, Tensor]


def opened(
    folder: Path, device: torch.device, members: int | None = None, until: int | None = None
) -> Pyramid:
    """The stages of a checkpoint with their critics; ValueError where nobody judges the lowest.

    ``members`` and ``until`` are those of ``bundle.pyramid``.
    """
    samplers = bundle.pyramid(folder, device, members, until)
    names = [stage["name"] for stage in bundle.describe(folder)["stages"][: len(samplers)]]
    judges = critics(folder, len(samplers), device)
    if judges[0] is None:
        raise ValueError(
            f"stage '{names[0]}' of {folder} was trained without a critic, so that nobody judges "
            "what it draws; draw without (--no-judge)"
        )
    return hastened(Pyramid(samplers, names, judges, device))


def hastened(pyramid: Pyramid) -> Pyramid:
    """The same, in place: refiners and all critics with less arithmetic, where that is known.

    They see many pictures, so that it pays to prepare them. What the lowest stage draws stays the
    same to the bit, with critics or without.
    """
    for sampler, judge in zip(pyramid.samplers, pyramid.critics, strict=True):
        if isinstance(sampler, Refined):
            hasten(sampler.drawer)
        if judge is not None:
            hasten(judge)
    return pyramid


def drawn(pyramid: Pyramid, asked: Asked, number: int, report: Report = silent) -> Drawn:
    """The portraits of a run, judged: the best, the worst, and others drawn by lot.

    Each run has rows of the seed of its own: those after the run before.
    """
    base, judge, whole = pyramid.samplers[0], pyramid.critics[0], pyramid.samplers[-1]
    assert judge is not None, "whoever opens a pyramid makes sure of it"
    first, size, warmth = number * asked.drawn, whole.latent_size, asked.temperature
    z = latents(asked.drawn, size, whole.prior, asked.seed, warmth, first, asked.truncation)
    made: list[Images] = []
    for rows in z[:, : base.latent_size].split(DRAWN_AT_ONCE):
        made.append(base(rows.to(pyramid.device)).cpu())
        report("portraits", sum(map(len, made)), asked.drawn)
    ranking = ranked(judge, torch.cat(made))
    lots = Draw(asked.seed, "sample", first).permutation(asked.drawn, "random portraits")
    sets = {
        "best": ranking.best(asked.keep),
        "worst": ranking.worst(asked.keep),
        "random": torch.as_tensor(lots[: asked.keep]),
    }
    return Drawn(first, z, torch.cat(made), ranking, sets)


def trainset(pack: Pack, asked: Asked, number: int, size: int) -> Images:
    """Training pictures, drawn by lot for a run, in the size of the lowest stage: (K, C, S, S)."""
    rows = pack.rows(TRAIN)
    lots = Draw(asked.seed, "sample", number).permutation(len(rows), "training pictures")
    return area(to_images(pack.images[rows[lots[: asked.keep]]]), size)


def refined(
    pyramid: Pyramid,
    stage: int,
    asked: Asked,
    made: Drawn,
    rows: Tensor,
    coarse: Images,
    report: Report = silent,
) -> Images:
    """Smaller pictures (B, C, S, S), refined by a stage with the noise of ``rows`` (B,).

    The first candidate is the detail that the whole sampler draws for that row; a stage without a
    critic leaves it at that.
    """
    sampler, judge, name = pyramid.samplers[stage], pyramid.critics[stage], pyramid.names[stage]
    assert isinstance(sampler, Refined), "all stages but the lowest refine"
    k = 1 if judge is None else asked.k
    found: list[Images] = []
    for some, pictures in zip(rows.split(AT_ONCE), coarse.split(AT_ONCE), strict=True):
        own = made.latents[some, sampler.below.latent_size : sampler.latent_size]
        draws = [Draw(asked.seed, name, made.first + row) for row in some.tolist()]
        noise = candidates(own, sampler.prior, k, draws, asked.temperature, asked.truncation)
        given, noise = pictures.to(pyramid.device), noise.to(pyramid.device)
        found.append(best_of(sampler, judge or indifferent, given, noise).cpu())
        report(f"{name}: {len(rows)} pictures", sum(map(len, found)), len(rows))
    return torch.cat(found)
