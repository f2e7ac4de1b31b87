"""Games against values worked out by hand, in both directions."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch.nn import functional

from purrtrait.losses import GAMES
from purrtrait.losses.exchange import Exchange
from purrtrait.losses.games import cross_entropy
from purrtrait.networks.dcgan import DcganCritic
from purrtrait.types import Draw


def exchange(real: list[float], fake: list[float]) -> Exchange:
    images = torch.zeros(len(real), 1, 8, 8)
    made = Exchange(DcganCritic(8, 1, width=2), images, images, Draw(0, "test", 0))
    return made.with_verdicts(torch.tensor(real), torch.tensor(fake))


def softplus(x: float) -> float:
    return math.log1p(math.exp(x))


CASES: list[tuple[str, dict[str, Any], float, float]] = [
    # game, options, critic's and generator's loss at real = 2, fake = -0.5
    ("non-saturating", {}, softplus(-2) + softplus(-0.5), softplus(0.5)),
    ("non-saturating", {"real": (0.9, 0.9)}, softplus(2) - 1.8 + softplus(-0.5), softplus(0.5)),
    ("least-squares", {}, 0.5 * (1 + 0.25), 0.5 * 2.25),
    ("least-squares", {"a": -1.0, "b": 1.0, "c": 0.0}, 0.5 * (1 + 0.25), 0.5 * 0.25),
    ("hinge", {}, 0.0 + 0.5, 0.5),
    ("wasserstein", {}, -2.5, 0.5),
    ("relativistic", {}, softplus(-2.5), softplus(2.5)),
]


@pytest.mark.parametrize(("name", "options", "critic", "generator"), CASES)
def test_by_hand(name: str, options: dict[str, Any], critic: float, generator: float) -> None:
    game = GAMES[name](**options)
    at = exchange([2.0], [-0.5])
    assert game.critic(at).item() == pytest.approx(critic, abs=1e-6)
    assert game.generator(at).item() == pytest.approx(generator, abs=1e-6)


@pytest.mark.parametrize("name", GAMES)
def test_signs(name: str) -> None:
    """The critic wants reals up and fakes down, the generator wants fakes up, in every game."""
    game = GAMES[name]()
    at = exchange([0.1, 0.2, 0.3], [0.2, 0.4, 0.1])
    real, fake = torch.autograd.grad(game.critic(at).sum(), [at.real, at.fake])
    assert (real < 0).all()
    assert (fake > 0).all()
    (own,) = torch.autograd.grad(game.generator(at).sum(), [at.fake])
    assert (own < 0).all()


@pytest.mark.parametrize("name", GAMES)
def test_one_loss_an_example(name: str) -> None:
    game = GAMES[name]()
    for loss in (game.critic, game.generator):
        together = loss(exchange([0.5, -1.0], [2.0, 0.3]))
        assert together.shape == (2,)
        assert together[0] == loss(exchange([0.5], [2.0]))[0]


@pytest.mark.parametrize("name", GAMES)
def test_which_games_set_each_fake_against_a_real(name: str) -> None:
    game, images = GAMES[name](), torch.zeros(2, 1, 8, 8)
    at = Exchange(DcganCritic(8, 1, width=2), images, images, Draw(0, "test", 0))
    game.generator(at)
    assert game.pairs == ("real" in vars(at))  # a verdict is kept once it was asked for


def test_cross_entropy_is_torchs_and_stays_finite() -> None:
    verdicts, labels = torch.linspace(-9, 9, 37), torch.linspace(0, 1, 37)
    theirs = functional.binary_cross_entropy_with_logits(verdicts, labels, reduction="none")
    assert torch.allclose(cross_entropy(verdicts, labels), theirs, atol=1e-6)
    assert torch.isfinite(cross_entropy(torch.tensor([-1e4, 1e4]), torch.tensor([1.2, 0.0]))).all()


def test_soft_labels_stay_in_their_ranges_and_flips_have_their_share() -> None:
    many = exchange([0.0] * 4000, [0.0] * 4000)
    game = GAMES["non-saturating"](real=(0.7, 1.2), fake=(0.0, 0.3), label_flip=0.25)
    (real,) = torch.autograd.grad(game.critic(many).sum(), [many.real])
    labels = 0.5 - real  # d/dv (softplus(v) - t v) = s(v) - t, at v = 0
    swapped = labels < 0.5
    assert abs(swapped.float().mean() - 0.25) < 0.03
    assert labels[swapped].max() <= 0.3
    assert labels[swapped].min() >= 0
    assert labels[~swapped].min() >= 0.7
    assert labels[~swapped].max() <= 1.2
    assert labels[~swapped].std() > 0.1


def test_least_squares_spread() -> None:
    many = exchange([1.0] * 2000, [0.0] * 2000)
    (real,) = torch.autograd.grad(
        GAMES["least-squares"](spread=0.1).critic(many).sum(), [many.real]
    )
    assert 0.05 < real.abs().max() <= 0.1


def test_verdicts_are_computed_once_and_only_when_asked_for() -> None:
    calls = []

    class Counting(DcganCritic):
        def forward(self, images: torch.Tensor, given: Any = None) -> torch.Tensor:
            calls.append(len(images))
            return super().forward(images, given)

    images = torch.randn(3, 1, 8, 8)
    at = Exchange(Counting(8, 1, width=2), images, images, Draw(0, "test", 0))
    GAMES["hinge"]().generator(at)
    assert len(calls) == 1  # a generator that looks at no reals costs no pass over them
    GAMES["hinge"]().critic(at)
    GAMES["relativistic"]().critic(at)
    assert len(calls) == 2
    assert at.again().fake.shape == (3,)
    assert len(calls) == 3
