"""The real side of a judgement: what samples are compared with, and what stands in for them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from torch.nn.functional import avg_pool2d, pad

from purrtrait.datasets.pack import HELD_OUT, TRAIN, Pack
from purrtrait.evaluation import LEFT_OUT, METRICS, features
from purrtrait.evaluation.features import Extractor
from purrtrait.evaluation.metric import Metric
from purrtrait.evaluation.uncertainty import grouped_errors, standard_errors
from purrtrait.files import replacing
from purrtrait.images.resize import to_images, to_uint8
from purrtrait.types import Draw, Features

Report: TypeAlias = Callable[[str, int, int], None]  # what is being done, done, total
Bounds: TypeAlias = dict[str, dict[str, float]]  # scores by whose they are

KINDS = ("real", "blurred", "noise")  # whose scores bounds are, in this order
VERSION = 3  # of what metrics mean: when one gives other numbers, floors are computed anew


def silent(what: str, done: int, total: int) -> None:
    """Report to nobody."""


def heard(report: Report, what: str) -> features.Report:
    """The part of a report that is about one thing."""
    return lambda done, total: report(what, done, total)


@dataclass(frozen=True)
class Reference:
    """The real side: what samples are compared with, at their size, and what stands in for them."""

    pack: Pack
    extractor: Extractor
    size: int
    count: int  # samples that will be compared

    def features(self, rows: np.ndarray, report: Report) -> Features:
        """Features of rows of the pack."""
        told = heard(report, f"features of {self.pack.path.name}")
        return features.of_pack(self.extractor, self.pack, rows, told, self.size)

    def held_out(self) -> np.ndarray:
        """Row numbers of held-out pictures, drawn by lot, no more than there are samples.

        The first ones would be of one kind where a pack is of several folders.
        """
        return self._some(HELD_OUT, "held-out")

    def stand_ins(self) -> np.ndarray:
        """Row numbers of as many training pictures as there are samples, or all of them."""
        return self._some(TRAIN, "stand-ins")

    def _some(self, part: str, purpose: str) -> np.ndarray:
        rows = self.pack.rows(part)
        order = Draw(0, "evaluate", 0).permutation(len(rows), purpose)
        return np.sort(rows[order[: self.count]])

    def bounds(
        self,
        reals: Features,
        names: Collection[str],
        report: Report,
        metrics: Mapping[str, Metric] = METRICS,
    ) -> Bounds:
        """The scores of real stand-ins (the floor), blurred ones and noise; kept on disk."""

        def compute() -> Bounds:
            rows = self.stand_ins()
            pixels = features.rows_of(self.pack, rows, self.size)
            bad = {"blurred": blurred(pixels), "noise": noise(pixels)}
            found = {"real": scores(reals, self.features(rows, report), metrics)}
            for name, worse in bad.items():
                told = heard(report, f"features of {name} pictures")
                seen = features.extract(self.extractor, worse, told)
                found[name] = scores(reals, seen, metrics)
            return found

        key: list[str | int] = [self.extractor.identity, self.size, self.count, *metrics]
        return kept(self.pack, "bounds", key, names, compute)


def kept(
    pack: Pack,
    kind: str,
    key: Sequence[str | int],
    names: Collection[str],
    compute: Callable[[], Bounds],
) -> Bounds:
    """What ``compute`` says of a pack: computed once, and kept in its folder under a key.

    What is damaged there, or lacks one of the ``names`` of scores, is computed anew.
    """
    parts = json.dumps([pack.content_hash, VERSION, *key])
    name = f"{kind}-{hashlib.sha256(parts.encode()).hexdigest()[:16]}.json"
    path = pack.path / features.FOLDER / name
    found = _read(path)
    if tuple(found) == KINDS and all(set(names) <= set(said) for said in found.values()):
        return found
    found = compute()
    with features.keeping(pack), replacing(path) as temporary:
        temporary.write_text(json.dumps(found, indent=1), encoding="utf-8")
    return found


def _read(path: Path) -> Bounds:
    """What is kept in a file; nothing where it cannot be read."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {who: {n: float(v) for n, v in said.items()} for who, said in found.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def scores(
    reals: Features, samples: Features, metrics: Mapping[str, Metric] = METRICS
) -> dict[str, float]:
    """Every score of a table of metrics."""
    return {k: v for metric in metrics.values() for k, v in metric(reals, samples).items()}


def errors(reals: Features, samples: Features, report: Report = silent) -> dict[str, float]:
    """The standard error of each of them."""
    found: dict[str, float] = {}
    for number, name in enumerate(METRICS, 1):
        found |= errors_of(name, reals, samples)
        report("uncertainties", number, len(METRICS))
    return found


def errors_of(name: str, reals: Features, samples: Features) -> dict[str, float]:
    """The standard errors of one metric's scores, in the way that suits it."""
    if name in LEFT_OUT:
        return grouped_errors(LEFT_OUT[name], reals, samples)
    return standard_errors(METRICS[name], reals, samples)


def blurred(pixels: np.ndarray) -> np.ndarray:
    """Pictures (N, H, W, C) uint8, each pixel twice the mean of 3 x 3."""
    return np.concatenate([_blurred(pixels[some]) for some in features.batches(len(pixels))])


def _blurred(pixels: np.ndarray) -> np.ndarray:
    images = to_images(pixels)
    for _ in range(2):
        images = avg_pool2d(pad(images, (1, 1, 1, 1), mode="replicate"), 3, 1)
    return to_uint8(images)


def noise(pixels: np.ndarray) -> np.ndarray:
    """Uniform noise of the same shape."""
    drawn = Draw(0, "evaluate", 0).uniform((len(pixels), pixels[0].size), "noise", 0, 256)
    return drawn.numpy().astype(np.uint8).reshape(pixels.shape)
