"""The counted cost of a step: each recipe is held to its formula in passes of G and D."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from torch import nn

import helpers
from purrtrait.assemble import arithmetic, build
from purrtrait.assemble.arithmetic import counted
from purrtrait.datasets.pack import Pack
from purrtrait.losses import GAMES, PENALTIES
from purrtrait.networks.blocks import Seed
from purrtrait.networks.chain import ConvolvingRetoucher
from purrtrait.objectives import augmentation
from purrtrait.objectives.chained import Chained
from purrtrait.training.fit import fit
from purrtrait.training.schedule import constant
from purrtrait.training.state import State
from purrtrait.types import Critic, Draw, Generator, Retoucher

# recipe and settings: G and D passes of a step with one move of the critic, first-layer input
# gradients that nobody needs, and G and D passes of each further move of the critic
ALTERNATING = (3, 8, 2)
FRESH = (4, 8, 2)
FORMULAS = {
    "dcgan": ({}, ALTERNATING),
    "lsgan": ({}, ALTERNATING),
    "wgan": ({"critic_moves": "1"}, FRESH),
    "wgan-gp": ({"critic_moves": "1", "penalty": "none"}, FRESH),
}
# portrait's game looks at reals in either player's loss, but its one forward pass serves both.
FORMULAS["portrait"] = ({"penalty": "none"}, (3, 6, 1))
# cat-gan's game is wgan's.
FORMULAS["cat-gan"] = ({"critic_moves": "1"}, FRESH)
FURTHER_MOVE = (1, 6, 2)
# torch-gan's generator answers for two fakes a real.
TWICE = (7, 10, 2)


def drawer(state: State) -> Generator:
    subject = state.objective.subject()
    assert isinstance(subject, Generator)
    return subject


def passes(state: State) -> tuple[int, int, int, int]:
    """G and D: one forward pass over the batch; and the first layer's share of either."""
    generator, critic = drawer(state), state.objective.players()["critic"]
    images = state.batch().images
    z = torch.randn(len(images), generator.latent_size)
    with torch.no_grad():
        whole = counted(lambda: generator(z)), counted(lambda: critic(images))
        layers = (nn.Conv2d, nn.Linear)
        first = next(m for m in critic.modules() if isinstance(m, layers))
        seed = next(m for m in generator.modules() if isinstance(m, (Seed, nn.Linear)))
        return *whole, counted(lambda: seed(z)), counted(lambda: first(images))


def step(state: State) -> int:
    """The arithmetic of the next step."""
    steps = fit(state, 10**9)
    return counted(lambda: next(steps))


@pytest.mark.parametrize("name", FORMULAS)
def test_a_step_costs_its_formula(name: str, kittens: Pack) -> None:
    settings, (of_g, of_d, spared) = FORMULAS[name]
    state = helpers.state(helpers.recipe(name, settings), kittens)
    g, d, g_first, d_first = passes(state)
    expected = of_g * g + of_d * d - g_first - spared * d_first
    assert step(state) == pytest.approx(expected, rel=0.02)
    assert step(state) == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("name", ["torch-gan", "torch-gan-l2"])
def test_a_step_of_two_fakes_a_real(name: str, kittens: Pack) -> None:
    """Whoever is told to wait by the margin rule computes his turn all the same."""
    state = helpers.state(helpers.recipe(name), kittens)
    g, d, g_first, d_first = passes(state)
    of_g, of_d, spared = TWICE
    expected = of_g * g + of_d * d - 2 * g_first - spared * d_first
    for _ in range(3):
        assert step(state) == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("name", ["wgan", "wgan-gp", "cat-gan"])
def test_a_further_move_of_the_critic(name: str, kittens: Pack) -> None:
    costs = []
    for moves in ("1", "3"):
        settings = {"critic_moves": moves, "penalty": "none"}
        state = helpers.state(helpers.recipe(name, settings), kittens)
        costs.append(step(state))
    g, d, _, d_first = passes(state)
    of_g, of_d, spared = FURTHER_MOVE
    expected = 2 * (of_g * g + of_d * d - spared * d_first)
    assert costs[1] - costs[0] == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize(
    ("play", "of_g", "of_d"), [("alternating", 3, 8), ("simultaneous", 3, 7), ("shared", 3, 6)]
)
def test_plays_without_batch_statistics(play: str, of_g: int, of_d: int, kittens: Pack) -> None:
    made = helpers.recipe("dcgan", {"play": play, "critic.normalisation": "none"})
    state = helpers.state(made, kittens)
    g, d, g_first, d_first = passes(state)
    # With one backward pass the fakes' input gradient at the first layer is the generator's.
    spared = {"alternating": 2, "simultaneous": 2, "shared": 1}[play]
    expected = of_g * g + of_d * d - g_first - spared * d_first
    assert step(state) == pytest.approx(expected, rel=0.02)


def test_more_fakes_than_reals_in_the_generators_turn(kittens: Pack) -> None:
    """With n fakes a real: (1 + 3n) G + (6 + 2n) D."""
    for fakes in (1, 3):
        settings = {"play": "fresh", "fakes_per_real": str(fakes)}
        state = helpers.state(helpers.recipe("dcgan", settings), kittens)
        g, d, g_first, d_first = passes(state)
        expected = (1 + 3 * fakes) * g + (6 + 2 * fakes) * d - fakes * g_first - 2 * d_first
        assert step(state) == pytest.approx(expected, rel=0.02)


def chained(pack: Pack, second: Retoucher, third: Retoucher | None) -> State:
    """A chain of artists behind dcgan's networks, without batch statistics."""
    base = helpers.state(helpers.recipe("dcgan", {"critic.normalisation": "none"}), pack)
    generator, critic = base.objective.players().values()
    assert isinstance(generator, Generator) and isinstance(critic, Critic)
    once = constant(1)
    objective = Chained(
        generator,
        second,
        critic,
        GAMES["non-saturating"](),
        PENALTIES["none"](),
        augmentation.none(),
        once,
        once,
        third,
    )
    pace = base.paces["critic"]
    return State(objective, dict.fromkeys(objective.players(), pace), base.batches, 0.0, 80)


@pytest.mark.parametrize("artists", [2, 3])
def test_a_chain_costs_its_formula(artists: int, kittens: Pack) -> None:
    """G, R, S and D: one forward pass of generator, second, third and critic over the reals.

    The critic's turn is G + 6D, and R, or R + S, where the fakes are theirs; the generator's
    3G + 2D; the second's G + 3R + 2D; the third's G + R + 3S + 2D. Nobody needs the input gradient
    of an artist's first layer, nor of the critic's in its own turn.
    """
    retouchers = [ConvolvingRetoucher(16, 3, width=8), ConvolvingRetoucher(16, 3, width=4)]
    second, third = retouchers
    state = chained(kittens, second, third if artists == 3 else None)
    objective, images = state.objective, state.batch().images
    assert isinstance(objective, Chained)
    chain, critic = objective.drawer, objective.duel.critic
    z = torch.randn(len(images), chain.latent_size)
    with torch.no_grad():
        g, d = counted(lambda: chain.drawer(z)), counted(lambda: critic(images))
        own = [counted(lambda one=one: one(images)) for one in chain.retouchers]  # type: ignore[misc]
        layers = [next(m for m in one.modules() if isinstance(m, nn.Conv2d)) for one in retouchers]
        firsts = [counted(lambda one=one: one(images)) for one in layers]  # type: ignore[misc]
        seed = next(m for m in chain.drawer.modules() if isinstance(m, Seed))
        layer = next(m for m in critic.modules() if isinstance(m, nn.Conv2d))
        g_first, d_first = counted(lambda: seed(z)), counted(lambda: layer(images))
    met = set()
    for _ in range(12):
        whose = objective._whose(state.now.moves["critic"], next_draw(state))
        met.add(whose)
        expected = 4 * g + 8 * d - g_first - 2 * d_first + sum(own[:whose])
        for number, (r, r_first) in enumerate(zip(own, firsts, strict=False)):
            expected += g + sum(own[:number]) + 3 * r - r_first + 2 * d
        assert step(state) == pytest.approx(expected, rel=0.01)
    assert met == set(range(artists))


def next_draw(state: State) -> Draw:
    """Of the batch that the critic's next move is played with."""
    return state.batches(replace(state.now, position=state.now.position + 1)).draw


# What a penalty adds when it is due, in D: forward passes of its own, the slope, and the gradient
# of both; lazily it is paid at every so-many-th move only.
PENALTY_COSTS = {"none": 0.0, "r1": 3.0, "r1-r2": 6.0, "unit-norm": 6.0}


@pytest.mark.parametrize("name", PENALTY_COSTS)
def test_penalties_cost_what_they_say(name: str, kittens: Pack) -> None:
    base = {"critic_moves": "1", "penalty": "none"}
    plain = helpers.state(helpers.recipe("wgan-gp", base), kittens)
    lazy = {"critic_moves": "1", "penalty": name, "penalty_every": "3"}
    fined = helpers.state(helpers.recipe("wgan-gp", lazy), kittens)
    usual = step(plain)
    extra = [step(fined) - usual for _ in range(4)]
    _, d, _, d_first = passes(plain)
    assert extra[1] == extra[2] == 0
    assert extra[0] == extra[3]
    assert extra[0] <= PENALTY_COSTS[name] * d + 2 * d_first
    assert extra[0] >= PENALTY_COSTS[name] * d - 4 * d_first


def test_a_bystander_costs_nothing(kittens: Pack) -> None:
    """Gradients by name skip the other's arithmetic exactly as freezing does."""
    state = helpers.state(helpers.recipe("dcgan", {"critic.normalisation": "none"}), kittens)
    critic, images = state.objective.players()["critic"], state.batch().images
    generator = state.objective.subject()
    z = torch.randn(8, 100)

    def named() -> None:
        cost = critic(generator(z)).sum()
        torch.autograd.grad(cost, state.parameters["generator"])

    def frozen() -> None:
        critic.requires_grad_(False)
        critic(generator(z)).sum().backward()
        critic.requires_grad_(True)

    assert counted(named) == counted(frozen)
    assert len(images) == 8


BURSTS = "{name='bursts', usual=2, burst=5, first=2, every=4}"
COUNTED: list[tuple[str, dict[str, str]]] = [
    ("dcgan", {}),
    ("portrait", {}),
    ("wgan-gp", {"critic_moves": "2", "penalty_every": "3"}),
    ("wgan", {"critic_moves": BURSTS}),
    ("wgan-gp", {"play": "simultaneous", "critic_moves": "3", "penalty_every": "2"}),
    ("wgan-gp", {"play": "alternating", "critic_moves": "3", "penalty_every": "4"}),
]


@pytest.mark.parametrize(("name", "settings"), COUNTED)
def test_counting_without_numbers_counts_what_training_does(
    name: str, settings: dict[str, str], kittens: Pack
) -> None:
    """Step by step, over all that lazy penalties and bursts do: to the last multiplication."""
    made = helpers.recipe(name, {"batch": "4", **settings})
    steps = fit(helpers.state(made, kittens), 10**9)
    spent = 0
    planned = arithmetic.spending(made, 0, build.Shape(16, 3))
    for _ in range(9):
        spent += counted(lambda: next(steps))
        assert next(planned)[1] == spent


@pytest.mark.parametrize(("name", "seed"), [("cat-generator-g2", 0), ("cat-generator-g3", 7)])
def test_chained_generators_are_counted_one_by_one(name: str, seed: int, kittens: Pack) -> None:
    """Whose fakes the critic sees is followed move by move, as the training draws it."""
    made = helpers.recipe(name, {"batch": "2", "base.critic_moves": "2"})
    (number,) = [n for n, stage in enumerate(made.stages) if stage.name == "base"]
    state = helpers.state(made, kittens, seed, number=number)
    steps, spent = fit(state, 10**9), 0
    planned = arithmetic.spending(made, number, build.Shape(16, 3), seed)
    for _ in range(6):
        spent += counted(lambda: next(steps))
        assert next(planned)[1] == spent


@pytest.mark.parametrize(("name", "settings"), COUNTED)
def test_a_budget_of_arithmetic_is_used_to_within_a_step(
    name: str, settings: dict[str, str]
) -> None:
    made, shape, budget = helpers.recipe(name, settings), build.Shape(16, 3), 0.02
    images = arithmetic.images_for(made, shape, budget)
    steps = arithmetic.spending(made, 0, shape)
    within, over = next((a, b) for a, b in pairwise(steps) if a[0] >= images)
    assert within[0] == images
    assert within[1] <= budget * 1e12 < over[1]
    with_budget = helpers.recipe(name, {**settings, "budget": str(images)})
    assert arithmetic.flop(with_budget, shape) == within[1]


def test_stages_share_a_budget_and_see_as_many_images() -> None:
    one = helpers.recipe("dcgan")
    wide = helpers.recipe("dcgan", {"critic.network.width": "16"}).stages[0]
    both = one.model_copy(
        update={"stages": (one.stages[0], wide.model_copy(update={"name": "second"}))}
    )
    shape = build.Shape(16, 3)
    images = arithmetic.images_for(both, shape, 0.02)
    spent = [
        next(done for seen, done in arithmetic.spending(both, number, shape) if seen >= images)
        for number in range(2)
    ]
    assert spent[0] < spent[1]
    assert 0.97 * 0.02e12 < sum(spent) <= 0.02e12


def test_a_budget_that_pays_for_no_step_is_refused() -> None:
    with pytest.raises(ValueError, match="one step of the recipe 'dcgan' is"):
        arithmetic.images_for(helpers.recipe("dcgan"), build.Shape(16, 3), 1e-9)
    for budget in (math.nan, math.inf, 0.0, -1.0):
        with pytest.raises(ValueError, match="expected a number above 0"):
            arithmetic.images_for(helpers.recipe("dcgan"), build.Shape(16, 3), budget)
    with pytest.raises(ValueError, match="more than 10,000,000 steps of the recipe 'dcgan'"):
        arithmetic.images_for(helpers.recipe("dcgan"), build.Shape(16, 3), 1e9)
