"""Penalties against closed forms and numeric gradients, and taken lazily."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from purrtrait.losses import PENALTIES
from purrtrait.losses.exchange import Exchange, Fine
from purrtrait.types import Critic, Draw


class Quadratic(Critic):
    """verdict = scale * |x|^2 / 2 + <tilt, x>: its gradient at x is scale * x + tilt."""

    def __init__(self, scale: float, tilt: float) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(scale, dtype=torch.float64))
        self.tilt = nn.Parameter(torch.tensor(tilt, dtype=torch.float64))

    def features(self, images: Tensor, given: Tensor | None = None) -> Tensor:
        return images.flatten(1)

    def forward(self, images: Tensor, given: Tensor | None = None) -> Tensor:
        x = images.flatten(1)
        return (self.scale * x.square() / 2 + self.tilt * x).sum(1)


def exchange(critic: Critic, seed: int = 0) -> Exchange:
    generator = torch.Generator().manual_seed(seed)
    reals = torch.randn(5, 1, 3, 3, generator=generator, dtype=torch.float64)
    fakes = torch.randn(5, 1, 3, 3, generator=generator, dtype=torch.float64)
    return Exchange(critic, reals, fakes, Draw(1, "test", 2))


def slope(critic: Quadratic, images: Tensor) -> Tensor:
    return (critic.scale * images + critic.tilt).flatten(1)


def test_r1_and_r2_in_closed_form() -> None:
    critic = Quadratic(1.5, 0.3)
    at = exchange(critic)
    real = slope(critic, at.reals).square().sum(1) / 2
    fake = slope(critic, at.fakes).square().sum(1) / 2
    assert torch.allclose(PENALTIES["r1"]()(at), real)
    assert torch.allclose(PENALTIES["r1-r2"]()(at), real + fake)


@pytest.mark.parametrize("target", [1.0, 0.5])
def test_unit_norm_in_closed_form(target: float) -> None:
    critic = Quadratic(0.0, 0.25)  # slope 0.25 in each of 9 pixels: norm 0.75 everywhere
    expected = torch.full((5,), (0.75 - target) ** 2, dtype=torch.float64)
    assert torch.allclose(PENALTIES["unit-norm"](target=target)(exchange(critic)), expected)


def test_unit_norm_looks_between_the_pairs() -> None:
    seen: list[Tensor] = []

    class Spy(Quadratic):
        def forward(self, images: Tensor, given: Tensor | None = None) -> Tensor:
            seen.append(images.detach())
            return super().forward(images, given)

    at = exchange(Spy(1.0, 0.0))
    PENALTIES["unit-norm"]()(at)
    (between,) = seen
    share = (between - at.fakes) / (at.reals - at.fakes)  # one share in each pair's every pixel
    assert torch.allclose(share, share[:, :, :1, :1].expand_as(share))
    assert share.min() >= 0
    assert share.max() <= 1
    assert share.flatten(1)[:, 0].std() > 0.05


class Adding(Quadratic):
    """Judges details by what they and what is given add up to."""

    def forward(self, images: Tensor, given: Tensor | None = None) -> Tensor:
        assert given is not None
        return super().forward(images + given)


@pytest.mark.parametrize("name", PENALTIES)
def test_details_are_fined_as_what_they_add_up_to(name: str) -> None:
    """Also where reals and fakes are details of different pictures."""
    wholes, critic = exchange(Quadratic(0.8, 0.1)), Adding(0.8, 0.1)
    given, prompt = torch.randn(2, 5, 1, 3, 3, dtype=torch.float64)
    reals, fakes = wholes.reals.detach() - given, wholes.fakes.detach() - prompt
    details = Exchange(critic, reals, fakes, wholes.draw, given, prompt)
    penalty = PENALTIES[name]()
    assert torch.allclose(penalty(details), penalty(wholes))


@pytest.mark.parametrize("name", PENALTIES)
def test_gradients_are_numeric_ones(name: str) -> None:
    """Double backward through each penalty, by its own finite differences."""
    penalty = PENALTIES[name]()

    def cost(scale: Tensor, tilt: Tensor) -> Tensor:
        critic = Quadratic(0.0, 0.0)
        del critic.scale, critic.tilt
        critic.scale, critic.tilt = scale, tilt  # type: ignore[assignment]
        return penalty(exchange(critic)) + 0 * (scale + tilt)

    at = [torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (0.7, -0.4)]
    assert torch.autograd.gradcheck(cost, at)


@pytest.mark.parametrize("name", PENALTIES)
def test_each_example_by_itself(name: str) -> None:
    at = exchange(Quadratic(0.8, 0.1))
    whole = PENALTIES[name]()(at)
    assert whole.shape == (5,)
    alone = Exchange(at.critic, at.reals[:1], at.fakes[:1], at.draw)
    assert torch.allclose(PENALTIES[name]()(alone)[0], whole[0])


def test_a_flat_critic_gives_no_nan() -> None:
    critic = Quadratic(0.0, 0.0)
    cost = PENALTIES["unit-norm"]()(exchange(critic)).sum()
    slopes = torch.autograd.grad(cost, list(critic.parameters()), allow_unused=True)
    assert all(s is None or torch.isfinite(s).all() for s in slopes)


def test_a_lazy_fine_costs_the_same_on_average() -> None:
    critic = Quadratic(1.0, 0.2)
    often, lazy = Fine(PENALTIES["r1"](), 3.0), Fine(PENALTIES["r1"](), 3.0, every=4)
    paid = [lazy(exchange(critic), move) for move in range(8)]
    assert [list(terms) for terms in paid] == [["penalty"], [], [], []] * 2
    total = torch.stack([terms["penalty"] for terms in paid if terms]).sum(0)
    assert torch.allclose(total / 8, often(exchange(critic), 0)["penalty"])
