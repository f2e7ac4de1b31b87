"""What there is to see of a stage while it trains: its sampler, previews and scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
import torch
from torch import nn

from purrtrait.assemble import build
from purrtrait.assemble.place import Place
from purrtrait.assemble.scoring import (
    Extent,
    Refinements,
    Scored,
    Scoring,
    Validation,
    Variety,
)
from purrtrait.datasets.pack import HELD_OUT, TRAIN
from purrtrait.evaluation.ranking import Ranking, ranked
from purrtrait.images import sheet
from purrtrait.images.probe import sanity
from purrtrait.images.resize import area, to_images, to_uint8
from purrtrait.networks.blocks import whole
from purrtrait.sampling.latents import latents
from purrtrait.training.record import Preview
from purrtrait.types import Batch, Critic, Draw, Generator, Images, Logits, Sampler

DRAWN_AT_ONCE = 64
PREVIEW_SEED = 0
RANKED = 300  # portraits that the critic ranks, where no other number is asked for
RANKED_FOR_SHOWN = 5  # or fewer: so many for each that is shown
LEARNT_FOR_RANKED = 8  # and one for so many pictures of training
BEST_OF = 6  # one of so many is among the best, and one among the worst: 50 of 300
LEARNT_FROM = 100  # training pictures on the sheet of a stage
NO_PORTRAITS = np.empty((0, 1, 1, 1), np.uint8)
PANEL = 12  # pictures in a panel
VALIDATED = 256  # pictures held out, on which losses are found
PROBES = ("probe/real", "probe/sanity")

Validity: TypeAlias = Callable[[np.ndarray], float]


@dataclass(frozen=True)
class Look:
    """A stage as it is now: ``average`` is its averaged subject, ``below`` what it stands on.

    ``validity`` gives the score of portraits by the validator of an earlier stage, if there is one.
    """

    place: Place
    built: build.Built
    average: nn.Module
    below: Sampler | None
    validity: Validity | None

    @property
    def draws(self) -> bool:
        """Whether the stage's subject draws portraits."""
        return bool(self.built.objective.artists)

    @cached_property
    def sampler(self) -> Sampler | None:
        """The sampler of the pyramid up to this stage; None for a stage that draws nothing."""
        if not self.draws:
            return None
        assert isinstance(self.average, Generator), "what draws is a generator"
        return self.built.level.join(self.average, self.below)

    @property
    def critic(self) -> Critic | None:
        """The critic of what the stage draws; None where there is none."""
        critic = self.built.objective.players().get("critic")
        return critic if isinstance(critic, Critic) else None

    @property
    def refines(self) -> bool:
        """Whether it draws details of pictures that have lost theirs."""
        return 0 < self.built.level.coarse < self.built.level.size

    def scoring(self, extent: Extent, truths: int, tries: int) -> Callable[[], Mapping[str, float]]:
        """Scores of the weights as they are: of as many portraits as the extent says.

        A refiner's are also of ``tries`` refinements of each of ``truths`` pictures.
        """
        taken: list[Callable[[], Mapping[str, float]]] = []
        if self.sampler and extent.count:
            pack, device = self.place.pack, self.place.device
            scored = Scored(pack, self.built.level, self.sampler, extent.count, device)
            taken.append(
                Scoring(scored, self.built.objective) if extent.complete else Variety(scored)
            )
        if self.refines and extent.complete:
            assert isinstance(self.average, Generator), "what refines is a generator"
            taken.append(Refinements(self.average, self._held_out(truths), tries))
        if self.built.objective.validated and extent.complete:
            taken.append(Validation(self.built.objective, self._held_out(VALIDATED)))
        return lambda: {name: value for take in taken for name, value in take().items()}

    def preview(self, shown: int, judged: int) -> Callable[[], Preview]:
        """What is drawn of the same latents each time, and what is made of it.

        The first ``shown`` portraits are the preview; the critic ranks them among ``judged``, which
        are no fewer, for the sheets of the best and the worst.
        """
        sampler, critic = self.sampler, self.critic
        if sampler is None:
            return lambda: Preview(sheet.panel(self._panel()), NO_PORTRAITS, {}, {})
        count = max(shown, judged) if critic else shown
        z = latents(count, sampler.latent_size, sampler.prior, PREVIEW_SEED)
        rows = z.to(self.place.device).split(DRAWN_AT_ONCE)

        def look() -> Preview:
            # As pixels, and judged a few at a time: 300 large portraits would fill the memory.
            drawn, verdicts = list[np.ndarray](), list[Logits]()
            for some in rows:
                portraits = sampler(some)
                drawn.append(to_uint8(portraits))
                verdicts += [ranked(critic, portraits).verdicts] if critic else []
            pixels, panel, scores = np.concatenate(drawn), self._panel(), dict[str, float]()
            sheets = {"panels": sheet.panel(panel)} if panel else {}
            if critic and count > 1:
                ends, scores = self._ranked(critic, Ranking(torch.cat(verdicts)), pixels)
                sheets |= ends
            pixels = pixels[:shown]
            sheets |= self._cleaned(pixels)
            return Preview(sheet.grid(pixels), pixels, sheets, scores)

        return look

    def learnt_from(self, rows: np.ndarray) -> np.ndarray:
        """A sheet (h, w, C) of the first of these rows of the pack, at the size of the stage.

        They are not mirrored or varied.
        """
        images = to_images(self.place.pack.images[rows[:LEARNT_FROM]])
        return sheet.grid(to_uint8(area(images, self.built.level.size)))

    def _cleaned(self, portraits: np.ndarray) -> dict[str, np.ndarray]:
        """The portraits as each network of the denoiser leaves them, where it is for their size."""
        denoiser = self.place.denoiser
        if denoiser.size != self.built.level.size:
            return {}
        cleaned = enumerate(denoiser.cleaned(portraits), 1)
        return {f"cleaned-{number}": sheet.grid(pixels) for number, pixels in cleaned}

    def _ranked(
        self, critic: Critic, found: Ranking, pixels: np.ndarray
    ) -> tuple[dict[str, np.ndarray], dict[str, float]]:
        """The best and the worst portraits as the critic judges, and where probes would stand."""
        best, worst = found.ends(max(1, len(pixels) // BEST_OF))
        sets = {"best": pixels[best.numpy()], "worst": pixels[worst.numpy()]}
        places = found.rank(ranked(critic, self.probes).verdicts).tolist()
        scores = dict(zip(PROBES, places, strict=True))
        if self.validity:
            for name, some in {"all": pixels, **sets}.items():
                scores[f"validator/{name}"] = self.validity(some)
        return {name: sheet.grid(some) for name, some in sets.items()}, scores

    @cached_property
    def probes(self) -> Images:
        """A real picture and one that no portrait looks like, (2, C, S, S)."""
        batch = self._held_out(1)
        draw = Draw(PREVIEW_SEED, "probes", 0)
        size, channels = self.built.level.size, self.place.pack.channels
        real = whole(batch.images, batch.given)
        return torch.cat([real, sanity(size, channels, draw).to(real)])

    def _panel(self) -> dict[str, np.ndarray]:
        """The columns of the objective's panel as pixels; none where it has none."""
        columns = self.built.objective.panel(self._held_out(PANEL), self.average)
        return {title: to_uint8(images) for title, images in columns.items()}

    def _held_out(self, count: int) -> Batch:
        """The first pictures that are held out, or else of all, as the stage sees them."""
        pack, device = self.place.pack, self.place.device
        rows = pack.rows(HELD_OUT) if len(pack.rows(HELD_OUT)) else pack.rows(TRAIN)
        images = to_images(pack.images[rows[:count]]).to(device)
        draw = Draw(PREVIEW_SEED, "panel", 0, device=device)
        return self.built.level.cut(images, self.below, draw)


def among(shown: int, between: int) -> int:
    """Among how many portraits the critic usually ranks those that are shown.

    Where few pictures are learnt from ``between`` two previews, ranking shall cost no more than a
    few hundredths of learning.
    """
    return max(shown, min(RANKED, RANKED_FOR_SHOWN * shown, between // LEARNT_FOR_RANKED))
