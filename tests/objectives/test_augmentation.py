"""Augmentation: who is changed how often, what the critic sees, and the chance that adapts."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

import helpers
from purrtrait.datasets.pack import Pack
from purrtrait.images.augment import KINDS
from purrtrait.objectives import AUGMENTATIONS
from purrtrait.objectives.augmentation import ORDER, Adaptive, Augmentation
from purrtrait.training.fit import fit
from purrtrait.types import Draw, Progress, Share

PLAIN = {"critic.normalisation": "none", "generator.normalisation": "none"}


def pictures(count: int) -> Tensor:
    return Draw(0, "test", 0).uniform((count, 3, 8, 8), "pictures", -1, 1)


def fixed(*kinds: str, chance: float = 1.0) -> Augmentation:
    """Changes pictures with a chance that stays."""
    made: Augmentation = AUGMENTATIONS["differentiable"](lambda now: chance, kinds)
    made.heed(Progress())
    return made


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("chance", [0.0, 0.3, 1.0])
def test_as_many_are_changed_as_the_chance_says(kind: str, chance: float) -> None:
    before = pictures(2000)
    made = fixed(kind, chance=chance)
    after = made(before, Draw(0, "test", 1), "reals")
    changed = ((after - before).abs().flatten(1).amax(1) > 1e-4).double().mean()
    # Of 8 pixels none or one, in both directions: so rounded, every fourth translation is none.
    expected = 0.75 * chance if kind == "translation" else chance
    assert abs(changed - expected) <= 0.04


def test_pictures_stay_where_nothing_is_augmented() -> None:
    before = pictures(3)
    assert AUGMENTATIONS["none"]()(before, Draw(0, "test", 0), "reals") is before


def test_changes_follow_from_the_place_in_training() -> None:
    made = fixed(*KINDS)
    before = pictures(6)

    def seen(position: int, purpose: str) -> Tensor:
        return made(before, Draw(1, "base", position), purpose)

    assert torch.equal(seen(4, "reals"), seen(4, "reals"))
    assert not torch.allclose(seen(4, "reals"), seen(5, "reals"))
    assert not torch.allclose(seen(4, "reals"), seen(4, "fakes"))


def test_two_processes_see_what_one_would_see() -> None:
    made = fixed(*KINDS)
    before = pictures(6)
    whole = made(before, Draw(1, "base", 4), "reals")
    shares = [Share(rank, 2) for rank in range(2)]
    parts = [made(before[s.of(3)], Draw(1, "base", 4, s), "reals") for s in shares]
    assert torch.allclose(whole, torch.cat(parts), atol=1e-6)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="colour, translation, cutout, geometric; expected some"):
        fixed("sepia")


@pytest.mark.parametrize("play", ["alternating", "fresh", "simultaneous", "shared"])
def test_the_critic_sees_only_changed_pictures(play: str, kittens: Pack) -> None:
    """With colours turned off, nothing that it is shown has any."""
    settings = {**PLAIN, "play": play, "augmentation": "differentiable", "game": "relativistic"}
    state = helpers.state(helpers.recipe("dcgan", settings), kittens)
    state.objective.augmentation = Grey(())
    seen: list[Tensor] = []
    state.objective.players()["critic"].register_forward_pre_hook(
        lambda module, given: seen.append(given[0].detach().clone())
    )
    next(fit(state, 10**9))
    assert len(seen) >= 2
    for images in seen:
        assert torch.allclose(images, images.mean(1, keepdim=True).expand_as(images), atol=1e-6)


class Grey(Augmentation):
    """Takes the colours out of every picture."""

    def forward(self, images: Tensor, draw: Draw, purpose: str) -> Tensor:
        return images.mean(1, keepdim=True).expand_as(images)

    def heed(self, now: Progress) -> None:
        pass


def test_the_generator_learns_through_the_change(kittens: Pack) -> None:
    settings = {**PLAIN, "augmentation": "differentiable", "kinds": '["colour", "geometric"]'}
    state = helpers.state(helpers.recipe("dcgan", settings), kittens)
    slopes: list[Tensor] = []

    def keep(*given: object) -> None:
        slopes.extend(p.grad for p in state.parameters["generator"] if p.grad is not None)

    state.optimisers["generator"].register_step_pre_hook(keep)
    now = next(fit(state, 10**9))
    assert len(slopes) == len(state.parameters["generator"])
    assert all(float(slope.abs().sum()) > 0 for slope in slopes)
    assert now.scores["critic/augmentation"] == 1


def test_the_chance_may_follow_the_rounds(kittens: Pack) -> None:
    """A pack of 40 goes by every five steps of eight."""
    chance = "{name='rounds', start=0, end=1, first=1, last=3}"
    settings = {"augmentation": "differentiable", "chance": chance}
    state = helpers.state(helpers.recipe("dcgan", settings), kittens)
    steps = itertools.islice(fit(state, 10**9), 3 * state.round_images // 8 + 1)
    found = [(now.round, now.scores["critic/augmentation"]) for now in steps]
    # The chance is that with which the step began.
    began = [0, *(number for number, _ in found[:-1])]
    assert [chance for _, chance in found] == [min(1, max(0, (n - 1) / 2)) for n in began]
    assert found[-1][1] == 1


@pytest.mark.parametrize("chance", [-0.1, 1.5])
def test_a_chance_is_one(chance: float, kittens: Pack) -> None:
    settings = {"augmentation": "differentiable", "chance": str(chance)}
    if chance < 0:
        with pytest.raises(ValueError, match="greater than or equal to 0"):
            helpers.recipe("dcgan", settings)
        return
    state = helpers.state(helpers.recipe("dcgan", settings), kittens)
    with pytest.raises(ValueError, match=r"1\.5; expected 0 to 1"):
        next(fit(state, 10**9))


def told(made: Adaptive, orders: list[float], start: int = 0) -> list[float]:
    """The chance after each step of ten pictures, of which so many pairs were right."""
    chances = []
    for number, order in enumerate(orders, start + 1):
        made.heed(Progress(images_seen=10 * number, scores={ORDER: order}))
        chances.append(float(made.chance))
    return chances


def test_the_chance_rises_while_the_critic_knows_too_well() -> None:
    made = Adaptive(target=0.6, images=1000, every=4, most=0.5)
    rising = told(made, [1.0] * 100)
    assert rising[:3] == [0, 0, 0]
    assert rising[3:8] == pytest.approx([0.04] * 4 + [0.08])
    assert rising[-1] == 0.5  # the most
    falling = told(made, [0.5] * 100, 100)
    assert falling[3] == pytest.approx(0.46) and falling[-1] == 0


def test_the_chance_heeds_the_mean_of_some_steps() -> None:
    made = Adaptive(target=0.6, images=1000, every=2)
    assert told(made, [1.0, 0.7])[-1] == pytest.approx(0.02)  # signs 1 and .4: above .6
    assert told(made, [1.0, 0.5], 2)[-1] == 0  # 1 and 0: below


def test_nothing_is_heeded_before_the_first_score() -> None:
    made = Adaptive(every=1)
    made.heed(Progress(images_seen=10))
    assert float(made.chance) == 0


def test_what_an_augmentation_remembers_is_kept(kittens: Pack) -> None:
    """Training that goes on from a checkpoint ends in the bits of one that never stopped."""
    adaptive = "{name='adaptive', images=500, every=3, target=-1}"
    made = helpers.recipe("dcgan", {**PLAIN, "augmentation": adaptive})
    straight = helpers.state(made, kittens)
    chances = [now.scores["critic/augmentation"] for now in itertools.islice(fit(straight, 999), 8)]
    assert chances[-1] > 0
    first = helpers.state(made, kittens)
    for _ in itertools.islice(fit(first, 999), 5):
        pass
    second = helpers.state(made, kittens)
    average = first.average.state_dict()
    second.restore(first.tensors(), average, first.facts(), first.steppers())
    for _ in itertools.islice(fit(second, 999), 3):
        pass
    assert helpers.bits(straight.tensors()) == helpers.bits(second.tensors())
