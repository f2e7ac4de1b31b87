"""The validator's objective: to tell pictures from spoilt ones, and so to know no generator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from purrtrait.images.spoil import TECHNIQUES, spoilt
from purrtrait.losses.games import cross_entropy
from purrtrait.networks.resting import at_rest
from purrtrait.types import Batch, Count, Critic, Images, Objective, Progress, Terms, Turn

EVALUATED = 8  # pictures in a set where the validator is only looked at
BLOCK = 64  # pictures that are judged at once


class Validate(Objective):
    """One player, who is shown the batch and as many spoilt pictures made from it.

    Each process spoils its own share of the batch; techniques and masks are the same for all.

    Args:
        validator: judges pictures; sigmoid of a verdict is the probability of a real one
        sets: so many equal parts of the batch (of two pictures at least) are spoilt, each by a
            technique and masks of its own
    """

    validated = True

    def __init__(self, validator: Critic, sets: Count = 1) -> None:
        super().__init__()
        self.validator = validator
        self.sets = sets

    def players(self) -> Mapping[str, nn.Module]:
        """``validator`` alone."""
        return {"validator": self.validator}

    def turns(self, now: Progress) -> Sequence[Turn]:
        """One move a step."""
        return [Turn(("validator",), self.judged, ticks=1)]

    def subject(self) -> nn.Module:
        """The validator."""
        return self.validator

    @torch.no_grad()
    def panel(self, batch: Batch, subject: nn.Module) -> Mapping[str, Images]:
        """The pictures, the most real first, and what each technique makes of them."""
        order = subject(batch.images).argsort(descending=True)
        columns = {"real": batch.images} | {
            name: technique(batch.images, batch.draw, f"panel of {name}")
            for name, technique in TECHNIQUES.items()
        }
        return {name: images[order] for name, images in columns.items()}

    def judged(self, batch: Batch) -> Terms:
        """Cross entropy of one pass over both halves, so that batch norm sees both."""
        count = len(batch.images)
        if count < 2:
            raise ValueError(
                f"the validator is shown {count} picture at a time; spoilt pictures are made of "
                "several of them. Expected a --set batch of at least 2 for each process, best 16"
            )
        verdicts = self.validator(torch.cat([batch.images, *self._spoilt(batch)]))
        labels = (torch.arange(2 * count, device=verdicts.device) < count).float()
        cost = cross_entropy(verdicts, labels).mean()
        return Terms({"validator": {"cross-entropy": cost}}, _confusion(verdicts.detach()))

    def _spoilt(self, batch: Batch) -> list[Images]:
        """The batch, spoilt set by set; in evaluation in small sets, so that no technique lacks."""
        count = len(batch.images)
        wanted = self.sets if self.training else max(self.sets, count // EVALUATED)
        sets = batch.images.tensor_split(min(wanted, count // 2))
        return [spoilt(one, batch.draw, f"set {number}") for number, one in enumerate(sets)]


@torch.no_grad()
def chances(validator: Critic, images: Images) -> Tensor:
    """How probable the validator finds it that each picture is real: sigmoid(verdict), (B,).

    It judges in evaluation mode, so that what it says of a picture depends on nothing but that.
    """
    with at_rest(validator):
        return torch.cat([torch.sigmoid(validator(some)) for some in images.split(BLOCK)])


def _confusion(verdicts: Tensor) -> dict[str, Tensor]:
    """How often the validator is right, of reals (the first half), of spoilt ones and of all."""
    reals, fakes = verdicts.chunk(2)
    real, fake = (reals > 0).float().mean(), (fakes <= 0).float().mean()
    return {
        "validator/right-real": real,
        "validator/right-spoilt": fake,
        "validator/accuracy": (real + fake) / 2,
    }
