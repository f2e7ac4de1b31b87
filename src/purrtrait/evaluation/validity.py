"""What a validator, who knows no generator, thinks of pictures: the V score."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from purrtrait.evaluation import features
from purrtrait.evaluation.judgement import Score, beside
from purrtrait.evaluation.reference import Bounds, Reference, Report, blurred, heard, kept, noise
from purrtrait.images.resize import area, to_images
from purrtrait.objectives import validate
from purrtrait.types import Critic

NAME = "validity"


@dataclass(frozen=True)
class Validator:
    """A validator as it was trained, for pictures of ``size`` px with so many ``channels``.

    ``fingerprint`` is that of its weights. Larger pictures are averaged down to its size.
    """

    network: Critic
    size: int
    channels: int
    fingerprint: str

    def score(self, pixels: np.ndarray) -> float:
        """How real it finds pictures (N, H, W, C) uint8: their mean probability."""
        return float(self.chances(pixels).mean())

    def chances(self, pixels: np.ndarray, report: features.Report = features.unheard) -> Tensor:
        """The probability (N,) that each of pictures (N, H, W, C) uint8 is real, on the CPU."""
        found, device = [], next(self.network.parameters()).device
        for part in features.batches(len(pixels)):
            images = area(to_images(pixels[part]).to(device), self.size)
            found.append(validate.chances(self.network, images).cpu())
            report(min(part.stop, len(pixels)), len(pixels))
        return torch.cat(found).double()


def expect_fit(validator: Validator | None, size: int, channels: int) -> None:
    """ValueError where a validator cannot judge pictures of a size with so many channels."""
    if validator and (validator.channels != channels or validator.size > size):
        mine, others = (
            f"{side} px in {'grey' if count == 1 else 'colour'}"
            for side, count in ((validator.size, validator.channels), (size, channels))
        )
        raise ValueError(
            f"the validator judges pictures of {mine}, and those that it shall judge are {others}; "
            "expected a validator of the same colours that is no larger. Train one with `purrtrait "
            f"train validator --set pixels={size}` on such pictures"
        )


def judge(
    pixels: np.ndarray, reference: Reference, validator: Validator | None, report: Report
) -> Mapping[str, Score]:
    """The score of pictures (N, H, W, C) uint8; none without a validator.

    The floor is of held-out pictures, since the validator has learnt from the others.
    """
    if validator is None:
        return {}
    found = validator.chances(pixels, heard(report, "the validator"))
    error = float(found.std()) / math.sqrt(len(found))
    return beside({NAME: float(found.mean())}, {NAME: error}, _bounds(reference, validator))


def notes(validator: Validator | None) -> tuple[str, ...]:
    """Whose word the score is; nothing without a validator."""
    if validator is None:
        return ()
    size, mark = validator.size, validator.fingerprint[:12]
    return (f"{NAME} is the word of a validator of {size} px, {mark}: compare no other's with it",)


def _bounds(reference: Reference, validator: Validator) -> Bounds:
    """The score of held-out pictures (the floor), blurred ones and noise; kept on disk."""

    def compute() -> Bounds:
        real = features.rows_of(reference.pack, reference.held_out(), reference.size)
        shown = {"real": real, "blurred": blurred(real), "noise": noise(real)}
        return {who: {NAME: float(validator.chances(some).mean())} for who, some in shown.items()}

    key: list[str | int] = [validator.fingerprint, validator.size, reference.size, reference.count]
    return kept(reference.pack, NAME, key, (NAME,), compute)
