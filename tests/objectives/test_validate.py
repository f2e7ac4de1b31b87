"""The validator's objective: what it is shown, what it loses, and the score that it gives."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from purrtrait.datasets.pack import HELD_OUT, TRAIN, Pack
from purrtrait.images.resize import to_images
from purrtrait.images.spoil import TECHNIQUES, Technique, spoilt, warped
from purrtrait.networks.validator import Validator
from purrtrait.objectives.validate import Validate, chances
from purrtrait.training import optimisers
from purrtrait.training.fit import fit
from purrtrait.training.schedule import constant
from purrtrait.training.state import Pace, State
from purrtrait.types import Batch, Critic, Draw, Images, Logits, Progress

SIZE = 8


def score(validator: Critic, images: Images) -> float:
    return float(chances(validator, images).mean())


class Brightness(Critic):
    """Finds a picture the more real the brighter it is on average; keeps what it was shown."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[Images] = []
        self.modes: list[bool] = []

    def features(self, images: Images, given: Tensor | None = None) -> Tensor:
        return images.flatten(1)

    def forward(self, images: Images, given: Tensor | None = None) -> Logits:
        self.shown.append(images)
        self.modes.append(self.training)
        return self.features(images).mean(1)


def pictures(count: int = 6) -> Images:
    return Draw(0, "test", 0).uniform((count, 3, SIZE, SIZE), "pictures", -1, 1)


def batch(count: int = 6) -> Batch:
    return Batch(pictures(count), Draw(0, "test", 1))


def test_it_sees_both_halves_in_one_pass() -> None:
    critic, shown = Brightness(), batch()
    Validate(critic).judged(shown)
    (seen,) = critic.shown
    assert torch.equal(seen[:6], shown.images)
    assert torch.equal(seen[6:], spoilt(shown.images, shown.draw, "set 0"))


def test_in_evaluation_no_technique_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    """However few sets a batch of training has; what is held out is one large batch."""
    seen: list[str] = []

    def noting(name: str) -> Technique:
        def technique(images: Images, draw: Draw, purpose: str) -> Images:
            seen.append(name)
            return images

        return technique

    for name in TECHNIQUES:
        monkeypatch.setitem(TECHNIQUES, name, noting(name))
    objective = Validate(Brightness())
    objective.judged(batch(256))
    assert len(set(seen)) <= 2, "one set, or two that are mixed"
    seen.clear()
    objective.eval().judged(batch(256))
    assert set(seen) == set(TECHNIQUES) and len(seen) >= 32


@pytest.mark.parametrize("sets", [3, 99])
def test_each_set_is_spoilt_by_itself(sets: int) -> None:
    """And none is of fewer than two pictures."""
    critic, shown = Brightness(), batch(7)
    Validate(critic, sets=sets).judged(shown)
    (seen,) = critic.shown
    parts = zip(shown.images.split([3, 2, 2]), seen[7:].split([3, 2, 2]), strict=True)
    for number, (before, after) in enumerate(parts):
        assert torch.equal(after, spoilt(before, shown.draw, f"set {number}"))


def test_several_sets_know_several_techniques_in_one_batch() -> None:
    """One set, and so one batch of the ancestor's, is all of one technique or of two."""
    critic = Brightness()
    shown = Batch(pictures(2 * 64), Draw(0, "test", 1))
    Validate(critic, sets=64).judged(shown)
    sets = critic.shown[0][128:].split(2)
    used = {
        name
        for number, (after, before) in enumerate(zip(sets, shown.images.split(2), strict=True))
        for name, technique in TECHNIQUES.items()
        if torch.equal(after, technique(before, shown.draw, f"set {number}"))
    }
    assert used == set(TECHNIQUES)


def test_it_loses_what_torch_says() -> None:
    critic, shown = Brightness(), batch()
    terms = Validate(critic).judged(shown)
    verdicts = critic(torch.cat([shown.images, spoilt(shown.images, shown.draw, "set 0")]))
    labels = torch.tensor([1.0] * 6 + [0.0] * 6)  # real, then spoilt
    expected = binary_cross_entropy_with_logits(verdicts, labels)
    assert torch.allclose(terms.costs["validator"]["cross-entropy"], expected)


@pytest.mark.parametrize(
    ("dark", "real", "fake"), [((), 1.0, 0.0), ((0, 2, 3), 0.5, 0.5), (range(6), 0.0, 1.0)]
)
def test_the_confusion_can_be_read(
    dark: tuple[int, ...], real: float, fake: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "purrtrait.objectives.validate.spoilt", lambda images, draw, purpose: images
    )
    images = torch.ones(6, 1, SIZE, SIZE)
    images[list(dark)] = -1
    watch = Validate(Brightness()).judged(Batch(images, Draw(0, "test", 0))).watch
    assert watch["validator/right-real"] == real
    assert watch["validator/right-spoilt"] == fake
    assert watch["validator/accuracy"] == 0.5


def test_one_picture_alone_is_refused_in_words() -> None:
    with pytest.raises(ValueError, match="at least 2"):
        Validate(Brightness()).judged(batch(1))


def trained(pack: Pack, steps: int) -> tuple[Critic, list[float]]:
    """A narrow validator after so many steps on a pack, and how often it was right in each."""
    torch.manual_seed(0)
    images = to_images(pack.images[pack.rows(TRAIN)])

    def shown(now: Progress) -> Batch:
        rows = torch.arange(16) + 16 * now.position
        return Batch(images[rows % len(images)], Draw(0, "test", now.position))

    validator = Validator(pack.size, pack.channels, width=4)
    pace = Pace(optimisers.adam(), constant(2e-3), clamp=5.0)
    state = State(Validate(validator).train(), {"validator": pace}, shown, 0, len(images))
    progress = list(itertools.islice(fit(state, 10**9), steps))
    assert progress[-1].images_seen == 16 * steps
    assert progress[-1].moves == {"validator": steps}
    return validator, [now.scores["validator/accuracy"] for now in progress]


def test_it_learns_and_its_score_falls_the_more_is_done_to_pictures(kittens: Pack) -> None:
    """To pictures that it never saw, and that no technique has changed."""
    validator, right = trained(kittens, 150)
    assert sum(right[-50:]) / 50 > 0.7
    reals = to_images(kittens.images[kittens.rows(HELD_OUT)])
    side = torch.linspace(0, 2 * torch.pi, kittens.size).expand(kittens.size, -1)
    waves, far = torch.stack([side.sin(), side.cos()]), reals.roll(kittens.size // 2, 3)
    for change in (
        [warped(reals, waves, torch.full((len(reals),), by)) for by in (0.0, 0.5, 1.0, 2.0, 4.0)],
        [torch.lerp(reals, far, share) for share in (0.0, 0.1, 0.2, 0.3, 0.4)],
    ):
        scores = [score(validator, images) for images in change]
        assert scores == sorted(scores, reverse=True)
        assert scores[0] > scores[-1] + 0.2


def test_a_score_is_the_mean_chance_of_a_real_picture() -> None:
    critic, images = Brightness(), pictures(150)  # more than are judged at once
    expected = torch.sigmoid(images.flatten(1).mean(1)).mean()
    assert score(critic, images) == pytest.approx(float(expected), rel=1e-5)
    assert max(len(shown) for shown in critic.shown) < 150


def test_a_score_depends_on_nothing_but_the_pictures() -> None:
    """Not on what else is judged, nor on dropout; and the validator stays as it was."""
    torch.manual_seed(0)
    validator, images = Validator(SIZE, 3, width=2), pictures(10)
    validator(images)
    before = {name: value.clone() for name, value in validator.state_dict().items()}
    whole = score(validator, images)
    parts = [score(validator, images[:4]), score(validator, images[4:])]
    assert whole == pytest.approx(0.4 * parts[0] + 0.6 * parts[1], rel=1e-5)
    assert all(torch.equal(value, before[n]) for n, value in validator.state_dict().items())
    assert all(module.training for module in validator.modules())
    validator.layers.eval()
    score(validator, images)
    assert validator.training
    assert not validator.layers.training


def test_the_panel_shows_each_picture_and_what_it_is_spoilt_to() -> None:
    shown, critic = batch(), Brightness()
    panel = Validate(critic).panel(shown, critic)
    assert list(panel) == ["real", *TECHNIQUES]
    order = shown.images.mean((1, 2, 3)).argsort(descending=True)
    assert torch.equal(panel["real"], shown.images[order])
    for name, technique in TECHNIQUES.items():
        expected = technique(shown.images, shown.draw, f"panel of {name}")
        assert torch.equal(panel[name], expected[order])
