"""Names the parts in generated pictures, where a pack knows the parts of its own.

Kittens and people are put together from parts, and each picture's labels say which. A small
network that has learnt to name them on real pictures says what a generator draws: how many of the
15 bodies, whether as often as the pack shows them, and how clearly.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from purrtrait.datasets.pack import HELD_OUT, TRAIN, Pack
from purrtrait.evaluation.factor_network import LARGEST, SURE, FactorNetwork, learnt, untaught
from purrtrait.evaluation.features import Report, unheard
from purrtrait.evaluation.uncertainty import GROUPS, grouped_errors, without_each
from purrtrait.types import Features

LARGE = ("body", "accessories")  # parts that fill the picture, and whose pairs are counted
PAIRS = "all"  # how these pairs are called
GATE = 0.99  # their names must be right more often than that
LEAST = 0.5  # and those of other parts more often than this
FEWEST = 100  # held-out pictures, below which nobody can say how often
RARE = 0.05  # a value counts as found from this share of the pictures that should show it
ALIKE = 10  # values of one count, from which theirs says more than each by itself
SMOOTHING = 0.5  # pictures added to every count from which a frequency is taken


@dataclass(frozen=True)
class Factor:
    """A part: how many values it has, how often it is named rightly, and whether that suffices.

    ``accuracy`` is the share of held-out pictures, 0 to 1, and ``clear`` that in which a value is
    shown clearly, be it the right one or not (half a picture added to these and to the others, so
    it is never quite 1). Where a part is not ``trusted``, no score rests on it, and ``reason`` says
    why; otherwise that is empty.
    """

    name: str
    values: int
    accuracy: float
    trusted: bool
    reason: str
    clear: float

    @classmethod
    def judged(
        cls, name: str, values: int, accuracy: float, pictures: int, clear: float = 1.0
    ) -> Factor:
        """The part, whose names were right, and clear, in a share of so many held-out pictures."""
        needed = GATE if name in LARGE else LEAST
        reason = ""
        if pictures < FEWEST:
            reason = (
                f"{name} is not scored: there are {pictures} held-out pictures, too few to tell "
                f"how often it is named rightly; expected at least {FEWEST}"
            )
        elif accuracy <= needed:
            reason = (
                f"{name} is not scored: it is named rightly in {_rate(accuracy)} of the held-out "
                f"pictures; expected more than {needed:.0%}"
            )
        smooth = (clear * pictures + SMOOTHING) / (pictures + 2 * SMOOTHING)
        return cls(name, values, accuracy, not reason, reason, smooth)


@dataclass(frozen=True)
class Namer:
    """Says which value of each part a picture shows; ``factors`` says how far to believe it."""

    factors: tuple[Factor, ...]
    network: FactorNetwork

    def __call__(self, pixels: np.ndarray) -> dict[str, Tensor]:
        """Probabilities (N, values) of each part, of pixels (N, H, W, C) uint8.

        ValueError where they are smaller than those it has learnt from, or of other channels.
        """
        if not self.factors:
            return {}
        size, channels = self.network.size, self.network.channels
        if pixels.shape[1] < size or pixels.shape[3] != channels:
            raise ValueError(
                f"the pictures have {pixels.shape[1]} px and {pixels.shape[3]} channels; expected "
                f"at least {size} px and {channels} channels: ask for a namer of their size"
            )
        named = self.network.named(pixels)
        return dict(zip((factor.name for factor in self.factors), named, strict=True))


def _rate(accuracy: float) -> str:
    """A share in percent, cut off and not rounded: 98.96 % is not 99."""
    return f"{math.floor(accuracy * 1000 + 1e-6) / 10:.1f}%"


def namer(pack: Pack, report: Report = unheard, size: int | None = None) -> Namer:
    """Who names the parts of a pack's pictures at ``size`` pixels, or as they are.

    It learns on the training pictures, which takes half a minute for a large pack, and is then kept
    in the pack's folder. ``report`` is told the steps done and their number, if it has to learn. A
    pack without labels has no parts: nothing is learnt, and there are no scores.
    """
    side = min(LARGEST, size or pack.size)
    if not pack.label_names:
        return Namer((), untaught(pack, side))
    network, skill = learnt(pack, side, report)
    pictures = len(pack.rows(HELD_OUT))
    found = tuple(
        Factor.judged(name, values, known.accuracy, pictures, known.clear)
        for (name, values), known in zip(pack.manifest.labels.items(), skill, strict=True)
    )
    return Namer(found, network)


def factor_scores(namer: Namer, pixels: np.ndarray, pack: Pack) -> dict[str, float]:
    """All scores of the trusted parts in pictures (N, H, W, C) uint8; see ``scores``."""
    return scores(namer.factors, namer(pixels), pack)


def scores(factors: Sequence[Factor], named: Mapping[str, Tensor], pack: Pack) -> dict[str, float]:
    """Modes, divergence and confidence of each trusted part, from probabilities (N, values).

    A picture shows the likeliest value clearly where its probability is at least a half.
    ``modes/PART`` counts the values that enough pictures show clearly, ``modes/all`` the pairs of
    body and accessories. ``divergence/PART`` is KL(samples | pack) in nats, where to show no value
    clearly is one value more. ``confidence/PART`` is the mean probability of the likeliest value.
    """
    found: dict[str, float] = {}
    for name, (clear, real) in counts(factors, named, pack).items():
        shown = len(next(iter(named.values())))
        found[f"modes/{name}"] = modes(clear, real, shown)
        if name != PAIRS:
            factor = next(factor for factor in factors if factor.name == name)
            found[f"divergence/{name}"] = divergence(
                np.append(clear, shown - clear.sum()),
                np.append(factor.clear * real, (1 - factor.clear) * real.sum()),
            )
            found[f"confidence/{name}"] = float(named[name].amax(1).double().mean())
    return found


def counts(
    factors: Sequence[Factor], named: Mapping[str, Tensor], pack: Pack
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """How many pictures show each value of a trusted part clearly, and how many of the pack's do.

    Of body and accessories also each pair, as of one part that has a value for each.
    """
    labels = dict(zip(pack.label_names, pack.labels[pack.rows(TRAIN)].T, strict=True))
    trusted = {factor.name: factor.values for factor in factors if factor.trusted}
    found: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for name, values in trusted.items():
        sure, shown = named[name].max(1)
        if not len(shown):
            raise ValueError("there are no pictures to name parts in; expected at least one")
        clear = np.bincount(shown[sure >= SURE], minlength=values)
        found[name] = clear, np.bincount(labels[name], minlength=values)
    if set(LARGE) <= set(trusted):
        found[PAIRS] = _pairs(named, [trusted[name] for name in LARGE], labels)
    return found


def totals(factors: Sequence[Factor]) -> dict[str, int]:
    """Of how many values, or pairs of them, the modes of the trusted parts are."""
    values = {factor.name: factor.values for factor in factors if factor.trusted}
    found = {f"modes/{name}": count for name, count in values.items()}
    if set(LARGE) <= set(values):
        found[f"modes/{PAIRS}"] = math.prod(values[name] for name in LARGE)
    return found


def _pairs(
    named: Mapping[str, Tensor], values: Sequence[int], labels: Mapping[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    (one, first), (other, second) = (named[name].max(1) for name in LARGE)
    shown = (first * values[1] + second)[torch.minimum(one, other) >= SURE]
    body, accessories = (labels[name].astype(np.int64) for name in LARGE)
    clear, real = (
        np.bincount(pairs, minlength=math.prod(values))
        for pairs in (shown, body * values[1] + accessories)
    )
    return clear, real


def modes(clear: np.ndarray, real: np.ndarray, pictures: int) -> float:
    """How many values are found, of counts (V,) of pictures that show each clearly.

    Found is what at least one picture in ``pictures`` shows, and at least a twentieth of those that
    would if they were drawn as often as in the pack, whose counts are ``real`` (V,): so that a few
    wrong names among many samples do not make a mode.
    """
    return float((clear >= _enough(real, pictures)).sum())


def modes_error(clear: np.ndarray, real: np.ndarray, pictures: int) -> float:
    """The standard error of their number: that of independent Poisson counts.

    A value that others would show at least t times with probability p adds p (1 - p) to the
    variance. Its rate is estimated from the count c, and where at least ``ALIKE`` values have this
    count, or it is 0, as (c + 1) n(c + 1) / n(c) with n(c) values of count c (Good 1953): so values
    that were never shown have together as many pictures as there are values that were shown once.
    """
    times = np.bincount(clear, minlength=2).astype(np.float64)
    count = np.arange(len(times))
    smooth = (count + 1) * np.append(times[1:], 0) / np.maximum(1, times)
    rate = np.where((times >= ALIKE) | (count == 0), smooth, count)[clear]
    least = np.ceil(_enough(real, pictures))
    # P(Poisson(rate) >= t) is the regularised lower incomplete gamma function of t and the rate.
    chance = torch.special.gammainc(torch.from_numpy(least), torch.from_numpy(rate)).numpy()
    return float(np.sqrt((chance * (1 - chance)).sum()))


def _enough(real: np.ndarray, pictures: int) -> np.ndarray:
    """How many pictures (V,) must show each value."""
    enough: np.ndarray = np.maximum(1, RARE * pictures * real / max(1, real.sum()))
    return enough


def divergence(samples: np.ndarray, reals: np.ndarray) -> float:
    """KL divergence in nats of one distribution from another, both given as counts (V,).

    Sum of p log(p / q), with p of the samples and q of the reals, half a picture added to each
    count: 0 if alike, log V for one of V equally likely values. N samples drawn from q itself give
    about (V - 1) / 2N.
    """
    p, q = ((counts + SMOOTHING) / (counts + SMOOTHING).sum() for counts in (samples, reals))
    return math.fsum(p * np.log(p / q))


def errors(
    factors: Sequence[Factor], named: Mapping[str, Tensor], pack: Pack, groups: int = GROUPS
) -> dict[str, float]:
    """The standard error of each score: of modes in closed form, else without each group."""
    names = [factor.name for factor in factors if factor.trusted]
    if not names:
        return {}
    together = torch.cat([named[name] for name in names], 1)
    widths = [named[name].shape[1] for name in names]

    def metric(_: Features, samples: Features) -> dict[str, float]:
        parts = dict(zip(names, samples.split(widths, 1), strict=True))
        return scores(factors, parts, pack)

    found = grouped_errors(without_each(metric), together, together, groups)
    return found | {
        f"modes/{name}": modes_error(clear, real, len(together))
        for name, (clear, real) in counts(factors, named, pack).items()
    }
