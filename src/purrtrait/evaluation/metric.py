"""What a metric is, and what each score says; every score that can be reported stands here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from purrtrait.types import Features

Metric: TypeAlias = Callable[[Features, Features], dict[str, float]]  # (reals, samples)


@dataclass(frozen=True)
class Meaning:
    """Which direction of a score is better, and what it says in a line."""

    better: Literal["lower", "higher", "neither"]
    words: str


MEANINGS: Mapping[str, Meaning] = {
    "frechet": Meaning(
        "lower", "distance between Gaussians fitted to real pictures and to samples; 0 is alike"
    ),
    "frechet-infinite": Meaning(
        "lower", "the Frechet distance carried on to endless pictures, without its bias"
    ),
    "kernel": Meaning(
        "lower",
        "squared distance of means under a cubic kernel; unbiased, around 0 if alike",
    ),
    "precision": Meaning("higher", "share of samples that lie among the real pictures, 0 to 1"),
    "recall": Meaning("higher", "share of real pictures that lie among the samples, 0 to 1"),
    "density": Meaning(
        "higher", "how many real neighbourhoods a sample lies in, over k; about 1 if alike"
    ),
    "coverage": Meaning(
        "higher", "share of real pictures whose neighbourhood holds a sample, 0 to 1"
    ),
    "diversity": Meaning(
        "neither", "mean distance between samples over that between real pictures; 1 if as varied"
    ),
    "duplicates": Meaning(
        "lower",
        "share of samples nearer to another than half the usual distance of neighbouring reals",
    ),
    "copied": Meaning(
        "lower", "share of samples as near to a training picture as 1 % of unseen photos are"
    ),
    "leaning": Meaning(
        "lower",
        "share of samples nearer to a training picture than to any unseen one; real: by chance",
    ),
    "validity": Meaning(
        "higher", "mean probability of being real that a validator gives the samples, 0 to 1"
    ),
    "nearest-held-out": Meaning(
        "lower", "mean distance from a held-out picture to the sample nearest to it, in pixels"
    ),
    "nearest-training": Meaning(
        "neither",
        "mean distance from a sample to the training picture nearest to it, in pixels",
    ),
    "modes/*": Meaning(
        "higher", "how many of a part's values the samples show, or of all pairs of large parts"
    ),
    "divergence/*": Meaning(
        "lower", "KL divergence of a part's frequencies in the samples from the pack's, in nats"
    ),
    "confidence/*": Meaning("higher", "mean probability of the value that a part is taken for"),
}
