"""What the critic sees instead of the pictures themselves, so that it cannot know them by heart."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Annotated

import torch
from annotated_types import Ge, Le
from torch import Tensor, nn

from purrtrait.images.augment import KINDS
from purrtrait.types import Chance, Count, Draw, Images, Progress, Schedule

ORDER = "critic/order"  # how often the critic was right in the last step, 0 to 1
USUAL = ("colour", "translation")


class Augmentation(nn.Module, ABC):
    """Changes each picture with some chance, reals and fakes alike, and lets gradients through.

    The generator then learns the pictures and not their changes, as long as these are not always
    made or can be told from one another (Karras et al. 2020, "Training generative adversarial
    networks with limited data", section 2.2).
    """

    chance: Tensor
    __call__: Callable[..., Images]

    def __init__(self, kinds: Sequence[str]) -> None:
        super().__init__()
        unknown = [kind for kind in kinds if kind not in KINDS]
        if unknown:
            raise ValueError(
                f"kinds of augmentation are {', '.join(KINDS)}; expected some of them, not "
                f"'{unknown[0]}'"
            )
        self.kinds = tuple(kinds)
        self.register_buffer("chance", torch.zeros(()))

    def forward(self, images: Images, draw: Draw, purpose: str) -> Images:
        """The images (B, C, H, W), each changed by each kind with the chance that stands now."""
        for name in self.kinds:
            kind = KINDS[name]
            numbers = draw.uniform((len(images), 1 + kind.numbers), f"{name} of {purpose}", -1, 1)
            on = (numbers[:, :1] < 2 * self.chance - 1).to(images)
            images = kind.change(images, numbers[:, 1:].to(images), on)
        return images

    @abstractmethod
    def heed(self, now: Progress) -> None:
        """Look at how training goes, once before each step."""


class Differentiable(Augmentation):
    """A chance that is given (Zhao et al. 2020, "Differentiable augmentation", equations 4 and 5).

    Args:
        chance: the chance of each change for each picture, 0 to 1, a number or a schedule
        kinds: which changes: colour, translation, cutout, geometric
    """

    def __init__(self, chance: Schedule, kinds: tuple[str, ...] = USUAL) -> None:
        super().__init__(kinds)
        self.given = chance

    def heed(self, now: Progress) -> None:
        """Take the chance that stands now."""
        chance = self.given(now)
        if not 0 <= chance <= 1:
            raise ValueError(f"the chance of augmentation is {chance:g}; expected 0 to 1")
        self.chance.fill_(chance)


def none() -> Augmentation:
    """The pictures as they are."""
    return Differentiable(lambda now: 0.0, kinds=())


class Adaptive(Augmentation):
    """A chance that rises while the critic knows too well, and falls again (Karras et al. 2020).

    Section 3: how well it knows is the mean sign of its verdicts; here of a real's minus its
    fake's, since a relativistic critic speaks of nothing else. Every few steps the chance goes up
    or down at a pace at which it would get from 0 to 1 in ``images`` real pictures.

    Args:
        kinds: which changes: colour, translation, cutout, geometric
        target: mean sign of real minus fake to be kept, -1 to 1; at 0.6 it is right 4 times in 5
        images: real pictures after which the chance could have gone from 0 to 1
        every: steps between two looks
        most: the chance never exceeds this, or the generator would draw the changes themselves
    """

    signs: Tensor
    looks: Tensor
    since: Tensor

    def __init__(
        self,
        kinds: tuple[str, ...] = USUAL,
        target: Annotated[float, Ge(-1), Le(1)] = 0.6,
        images: Count = 500_000,
        every: Count = 4,
        most: Chance = 0.8,
    ) -> None:
        super().__init__(kinds)
        self.target, self.images, self.every, self.most = target, images, every, most
        self.register_buffer("signs", torch.zeros((), dtype=torch.float64))  # their sum
        self.register_buffer("looks", torch.zeros((), dtype=torch.int64))
        self.register_buffer("since", torch.zeros((), dtype=torch.int64))  # images of the last step

    @torch.no_grad()
    def heed(self, now: Progress) -> None:
        """Note how often the critic was right, and now and then change the chance.

        The score that it reads is the mean over all processes, so that none of them disagrees.
        """
        if ORDER not in now.scores:
            return
        self.signs += 2 * now.scores[ORDER] - 1
        self.looks += 1
        if self.looks < self.every:
            return
        way = (now.images_seen - self.since) / self.images
        self.chance += way * (self.signs / self.looks - self.target).sign()
        self.chance.clamp_(0.0, self.most)
        self.since.fill_(now.images_seen)
        self.signs.zero_()
        self.looks.zero_()
