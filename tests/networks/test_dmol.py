"""Draws from mixtures of logistics against closed forms, counts and other libraries."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from purrtrait.losses import logistics
from purrtrait.networks import dmol
from purrtrait.networks.dmol import CHOICES, MIXINGS, Choice, Grain, Head, Mixing, Mixture

MANY = 200_000


def uniform(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def mixture(colours: int = 3, kinds: int = 2, pixels: int = 1, rows: int = 1) -> Mixture:
    """Any mixture at pixels in a row, narrow enough that nothing is limited to [-1, 1]."""
    shape = (kinds, 1, pixels)
    return Mixture(
        torch.randn(rows, *shape),
        0.3 * torch.rand(rows, colours, *shape) - 0.15,
        torch.rand(rows, colours, *shape) - 5,
        torch.randn(rows, colours * (colours - 1) // 2, *shape).tanh(),
    )


def test_logistic_noise_has_the_variance_of_the_closed_form() -> None:
    numbers = dmol.logistic(uniform(MANY).double())
    assert numbers.mean().abs() < 0.02
    assert numbers.var() == pytest.approx(math.pi**2 / 3, rel=0.02)


def test_gumbel_noise_has_the_distribution_of_another_library() -> None:
    numbers = dmol.gumbel(uniform(MANY)).sort().values
    chances = torch.distributions.Gumbel(0.0, 1.0).cdf(numbers)
    assert (chances - torch.linspace(0, 1, MANY)).abs().max() < 0.01


@pytest.mark.parametrize("noise", [dmol.logistic, dmol.gumbel])
def test_noise_is_finite_at_the_ends(noise: Callable[[Tensor], Tensor]) -> None:
    assert noise(torch.tensor([0.0, 1.0])).isfinite().all()


@pytest.mark.parametrize("choice", ["hard", "straight-through"])
def test_each_is_chosen_as_often_as_its_chance_says(choice: Choice) -> None:
    logits = torch.tensor([1.0, -0.5, 0.3, 2.0]).view(1, 4, 1, 1).expand(1, 4, 1, MANY)
    weights = CHOICES[choice](logits, uniform(1, 4, 1, MANY))
    assert (weights.sum(1) == 1).all()
    assert set(weights.unique().tolist()) == {0.0, 1.0}
    often = weights.mean((0, 2, 3))
    assert torch.allclose(often, logits[0, :, 0, 0].softmax(0), atol=0.005)


def test_the_relaxed_choice_leans_to_the_hard_one() -> None:
    logits, noise = torch.randn(1, 5, 1, 100), uniform(1, 5, 1, 100)
    weights = dmol.gumbel_softmax(logits, noise)
    assert torch.allclose(weights.sum(1), torch.ones(1, 1, 100))
    assert torch.equal(weights.argmax(1), dmol.hard(logits, noise).argmax(1))


@pytest.mark.parametrize("mixing", MIXINGS)
def test_colours_follow_each_other_as_a_plain_build_has_it(mixing: Mixing) -> None:
    """Pixel by pixel, with the published order: draw of each logistic, then choice."""
    given = mixture(pixels=6, kinds=4)
    weights = dmol.hard(given.logits, uniform(1, 4, 1, 6))
    noise = dmol.logistic(uniform(1, 3, 1, 6))
    drawn = MIXINGS[mixing](given, weights, noise)
    for at in range(6):
        k = int(weights[0, :, 0, at].argmax())
        means, scales = given.means[0, :, k, 0, at], given.log_scales[0, :, k, 0, at].exp()
        to_green, red_to_blue, green_to_blue = given.coefficients[0, :, k, 0, at]
        spread = scales * noise[0, :, 0, at]
        if mixing == "means":
            green = means[1] + to_green * means[0]
            blue = means[2] + red_to_blue * means[0] + green_to_blue * green
            expected = torch.stack([means[0], green, blue]) + spread
        else:
            red = means[0] + spread[0]
            green = means[1] + to_green * red + spread[1]
            blue = means[2] + red_to_blue * red + green_to_blue * green + spread[2]
            expected = torch.stack([red, green, blue])
        assert torch.allclose(drawn[0, :, 0, at], expected, atol=1e-6)


def test_values_that_others_follow_are_limited_first() -> None:
    """Red is far beyond white; green follows the white that is shown, not what lies beyond."""
    one = torch.ones(1, 1, 1, 1, 1)
    given = Mixture(
        torch.zeros(1, 1, 1, 1),
        torch.cat([9 * one, 0 * one, 0 * one], 1),
        torch.full((1, 3, 1, 1, 1), -7.0),
        torch.cat([0.5 * one, 0.25 * one, 0 * one], 1),
    )
    drawn = dmol.mixed_by_values(given, torch.ones(1, 1, 1, 1), torch.zeros(1, 3, 1, 1))
    assert drawn.flatten().tolist() == pytest.approx([1.0, 0.5, 0.25])


def test_what_is_drawn_by_values_is_as_likely_as_the_likelihood_says() -> None:
    """Mean negative log likelihood of draws is their entropy: here, against a count of pairs.

    Two colours on a coarse grid of 32 values, whose joint chances can be listed.
    """
    given = mixture(colours=2, kinds=3)
    given = Mixture(given.logits, given.means, given.log_scales + 3, given.coefficients)
    half = 1 / 31
    grid = torch.linspace(-1, 1, 32)
    pairs = torch.cartesian_prod(grid, grid)  # (1024, 2)
    true = pairs[:, :, None, None]
    rows = [part.expand(1024, *part.shape[1:]) for part in given]
    logits, means, log_scales, coefficients = rows
    losses = logistics.mixture(true, logits, means, log_scales, coefficients, half=half)
    chances = torch.exp(-2 * losses)
    assert chances.sum() == pytest.approx(1, abs=1e-4)
    wide = [part.expand(*part.shape[:-1], MANY) for part in given]
    weights = dmol.hard(wide[0], uniform(1, 3, 1, MANY))
    drawn = dmol.mixed_by_values(Mixture(*wide), weights, dmol.logistic(torch.rand(1, 2, 1, MANY)))
    cells = ((drawn[0, :, 0] + 1) / 2 * 31).round().long()
    counted = torch.bincount(cells[0] * 32 + cells[1], minlength=1024) / MANY
    # Green follows red itself, the likelihood red's bucket: half a bucket off at the most.
    assert (counted - chances).abs().sum() < 0.12


@pytest.mark.parametrize("mixing", MIXINGS)
@pytest.mark.parametrize(("choice", "learns"), [(c, c != "hard") for c in CHOICES])
def test_logits_learn_unless_the_choice_is_hard(
    choice: Choice, learns: bool, mixing: Mixing
) -> None:
    head = Head(6, 3, 4, choice, mixing)
    head(torch.randn(2, 6, 3, 3), uniform(2, 7, 3, 3)).square().sum().backward()
    slopes = head.convolution.weight.grad
    assert slopes is not None
    logits, others = slopes[:4], slopes[4:]
    assert bool((logits != 0).any()) == learns
    assert all((group != 0).any() for group in others.split(4))


def test_straight_through_shows_the_hard_choice_and_learns_as_the_relaxed_one() -> None:
    logits, noise = torch.randn(2, 5, 3, 3, requires_grad=True), uniform(2, 5, 3, 3)
    towards = torch.randn(2, 5, 3, 3)
    shown = dmol.straight_through(logits, noise)
    assert torch.equal(shown, dmol.hard(logits, noise))
    slopes = [
        torch.autograd.grad((choose(logits, noise) * towards).sum(), logits)[0]
        for choose in (dmol.straight_through, dmol.gumbel_softmax)
    ]
    assert torch.equal(*slopes)


@pytest.mark.parametrize("mixing", MIXINGS)
def test_the_draw_has_mean_and_variance_of_its_logistic(mixing: Mixing) -> None:
    mean, log_scale = 0.1, -3.0
    head = Head(1, 1, 1, "hard", mixing)
    with torch.no_grad():
        head.convolution.weight.zero_()
        head.convolution.bias.copy_(torch.tensor([0.0, mean, log_scale]))  # type: ignore[union-attr]
        drawn = head(torch.zeros(1, 1, 1, MANY), uniform(1, 2, 1, MANY))
    assert drawn.mean() == pytest.approx(mean, abs=1e-3)
    assert drawn.var() == pytest.approx(math.exp(2 * log_scale) * math.pi**2 / 3, rel=0.02)


def test_scales_do_not_vanish_and_in_evaluation_the_choice_is_hard() -> None:
    head = Head(2, 3, 4, "gumbel-softmax", "means")
    with torch.no_grad():
        head.convolution.bias.fill_(-90.0)  # type: ignore[union-attr]
    given = head.mixture(torch.zeros(1, 2, 2, 2))
    assert (given.log_scales == dmol.SMALLEST).all()
    assert (given.coefficients.abs() <= 1).all()
    maps, noise = torch.randn(1, 2, 5, 5), uniform(1, 7, 5, 5)
    head = Head(2, 3, 4, "gumbel-softmax", "means")
    relaxed = head(maps, noise)
    settled = head.eval()(maps, noise)
    sharp = Head(2, 3, 4, "hard", "means")
    sharp.load_state_dict(head.state_dict())
    assert torch.equal(settled, sharp(maps, noise))
    assert not torch.equal(settled, relaxed)


def rested(grain: float, kinds: int = 4) -> Head:
    """A head in evaluation, whose logistics have chances and scales of any kind."""
    torch.manual_seed(1)
    head = Head(2, 3, kinds, "straight-through", "values", grain).eval()
    with torch.no_grad():
        head.convolution.bias.uniform_(-3, 0)  # type: ignore[union-attr]
    return head


@pytest.mark.parametrize("grain", [0.25, 0.5, 1.0])
def test_less_grain_is_a_draw_at_a_lower_temperature(grain: float) -> None:
    """By counts and the closed form: chances softmax(logits / grain), scales times grain."""
    head = rested(grain, kinds=3)
    with torch.no_grad():
        head.convolution.weight.zero_()
        bias = head.convolution.bias
        assert bias is not None
        bias[:3] = torch.tensor([0.0, 0.5, -1.0])
        bias[3:6] = torch.tensor([-0.8, 0.0, 0.8])  # means of the first colour, far apart
        bias[12:21] = -5.0
        maps, noise = torch.zeros(1, 2, 1, MANY), uniform(1, 6, 1, MANY)
        red = head(maps, noise)[0, 0, 0]
    near = [(red - mean).abs() < 0.4 for mean in (-0.8, 0.0, 0.8)]
    often = torch.stack([found.float().mean() for found in near])
    assert torch.allclose(often, (torch.tensor([0.0, 0.5, -1.0]) / grain).softmax(0), atol=0.005)
    expected = grain**2 * math.exp(-10) * math.pi**2 / 3
    assert red[near[1]].var().item() == pytest.approx(expected, rel=0.02)


def test_without_grain_the_likeliest_logistic_shows_its_mean() -> None:
    head, maps = rested(0.0), torch.randn(2, 2, 3, 5)
    assert not head.draws and head.train().draws
    head.eval()
    with torch.no_grad():
        shown, given = head(maps, None), head.mixture(maps)
        nearly = rested(1e-4)(maps, uniform(2, 7, 3, 5))
    assert torch.allclose(shown, nearly, atol=0.01)
    chosen = given.logits.argmax(1)
    index = chosen[:, None, None].expand(-1, 3, -1, -1, -1)
    red, green, blue = given.means.gather(2, index).squeeze(2).unbind(1)
    to_green, red_to_blue, green_to_blue = given.coefficients.gather(2, index).squeeze(2).unbind(1)
    red = red.clamp(-1, 1)
    green = (green + to_green * red).clamp(-1, 1)
    blue = (blue + red_to_blue * red + green_to_blue * green).clamp(-1, 1)
    assert torch.allclose(shown, torch.stack([red, green, blue], 1), atol=1e-6)


def test_grain_at_rest_is_a_function_of_the_direction_of_the_row() -> None:
    grain = Grain(30, 5, 8).eval()
    z = torch.randn(4, 30)
    noise = grain(z)
    assert noise.shape == (4, 5, 8, 8)
    assert torch.allclose(grain(z[1:2]), noise[1:2], atol=1e-6)
    assert torch.allclose(grain(0.3 * z), noise, atol=1e-5)
    assert torch.equal(Grain(30, 5, 8).eval()(z), noise)
    nowhere = grain(torch.zeros(1, 30))
    assert 0.2 < nowhere.std() < 0.4
    assert list(grain.state_dict()) == []


def test_grain_at_rest_is_uniform_and_differs_from_row_to_row() -> None:
    noise = Grain(64, 13, 32).eval()(torch.randn(8, 64)).flatten(1)  # (8, 13312)
    exact = torch.linspace(0, 1, noise.shape[1])
    assert (noise.sort(1).values - exact).abs().max() < 0.02
    alike = torch.corrcoef(noise) - torch.eye(8)
    assert alike.abs().max() < 0.8
    assert alike.mean().abs() < 0.15


def test_grain_at_rest_is_uniform_at_every_pixel_over_rows() -> None:
    noise = Grain(64, 2, 4).eval()(torch.randn(20_000, 64)).flatten(1)  # (20000, 32)
    exact = torch.linspace(0, 1, len(noise))[:, None]
    assert (noise.sort(0).values - exact).abs().max() < 0.03


def test_grain_glides_along_a_walk() -> None:
    grain = Grain(64, 3, 16).eval()
    start, end = torch.randn(2, 64)
    ways = torch.linspace(0, 1, 101)[:, None]
    frames = grain(start + ways * (end - start))
    assert (frames[1:] - frames[:-1]).abs().mean((1, 2, 3)).max() < 0.05


def test_grain_in_training_is_fresh_from_the_seeded_generator() -> None:
    grain, z = Grain(30, 5, 8), torch.randn(64, 30)
    first, second = grain(z), grain(z)
    assert not torch.equal(first, second)
    torch.manual_seed(3)
    again = grain(z)
    torch.manual_seed(3)
    assert torch.equal(grain(z), again)
    assert first.mean() == pytest.approx(0.5, abs=0.02)
    assert first.std() == pytest.approx(12**-0.5, abs=0.01)
    assert torch.corrcoef(torch.stack([first.flatten(), second.flatten()]))[0, 1].abs() < 0.05
