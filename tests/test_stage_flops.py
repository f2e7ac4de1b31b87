"""The counted cost of a step of stages without a game, and of those that refine what is below."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import helpers
from purrtrait.assemble.arithmetic import counted
from purrtrait.datasets.pack import Pack
from purrtrait.networks.blocks import Seed
from purrtrait.training.fit import fit
from purrtrait.training.state import State
from purrtrait.types import Coder, Generator

BATCH = 8


def passes(network: nn.Module, *given: Tensor) -> tuple[int, int]:
    """One forward pass, and the share of the layers that see nothing but what is given."""
    first: list[tuple[nn.Module, Tensor]] = []

    def note(layer: nn.Module, seen: tuple[Tensor, ...], made: Tensor) -> None:
        if not seen[0].requires_grad:
            first.append((layer, seen[0]))

    layers = [m for m in network.modules() if isinstance(m, (nn.Conv2d, nn.Linear, Seed))]
    hooks = [layer.register_forward_hook(note) for layer in layers]
    whole = counted(lambda: network(*given))
    for hook in hooks:
        hook.remove()
    with torch.no_grad():
        return whole, sum(counted(lambda: layer(seen)) for layer, seen in first)  # noqa: B023


def step(state: State) -> int:
    """The arithmetic of the next step."""
    steps = fit(state, 10**9)
    return counted(lambda: next(steps))


@pytest.mark.parametrize("name", ["validator", "cat-generator"])
def test_a_validator_sees_reals_and_spoilt_ones_once(name: str, kittens: Pack) -> None:
    state = helpers.state(helpers.recipe(name), kittens)
    shown = state.batch().images.repeat(2, 1, 1, 1)
    d, d_first = passes(state.objective.players()["validator"], shown)
    # The masks of what is spoilt are no more than a few small products.
    assert step(state) == pytest.approx(3 * d - d_first, rel=5e-3)


@pytest.mark.parametrize(("name", "number"), [("autoencoder-refiner", 0), ("cat-generator", 1)])
def test_coder_and_decoder_share_one_backward_pass(name: str, number: int, kittens: Pack) -> None:
    """3E + 3G, less the input gradient of the coder's first layer; the decoder's is needed."""
    state = helpers.state(helpers.recipe(name), kittens, number=number)
    coder, decoder = state.objective.players().values()
    assert isinstance(coder, Coder)
    e, e_first = passes(coder, state.batch().images)
    g, _ = passes(decoder, torch.zeros(BATCH, coder.latent_size))
    assert step(state) == step(state) == 3 * e - e_first + 3 * g


def test_nothing_flows_from_one_denoiser_to_the_other(kittens: Pack) -> None:
    """3F + 3S, less the input gradients of both first layers."""
    state = helpers.state(helpers.recipe("denoiser"), kittens)
    players = state.objective.players().values()
    costs = [passes(player, state.batch().images) for player in players]
    expected = sum(3 * whole - first for whole, first in costs)
    assert step(state) == step(state) == expected


# Recipe, stage and settings: G and D passes of a step, how often the batch is cut anew, how many
# first layers' input gradients of G and D nobody needs; and which share of it is drawn below.
FRESH = (4, 8, 2, 1, 2)
TWICE = (7, 10, 2, 2, 2)  # two fakes a real in the generator's turn
PLAIN = {"refine-32.penalty": "none"}
REFINED = [
    ("autoencoder-refiner", 1, {}, FRESH, 1.0),
    ("cat-generator", 3, {}, TWICE, 0.5),
    ("cat-generator", 3, {"refine-22.chained": "0"}, TWICE, 0.0),
    ("lapgan", 1, PLAIN, (3, 6, 1, 1, 1), 0.5),
    ("lapgan", 1, {**PLAIN, "refine-32.play": "simultaneous"}, (3, 7, 1, 1, 2), 0.5),
    ("lapgan", 1, {**PLAIN, "refine-32.play": "alternating"}, (3, 9, 1, 1, 2), 0.5),
]


@pytest.mark.parametrize(("name", "number", "settings", "formula", "share"), REFINED)
def test_a_refiner_costs_its_formula(
    name: str,
    number: int,
    settings: dict[str, str],
    formula: tuple[int, int, int, int, int],
    share: float,
    kittens: Pack,
) -> None:
    """What is below only draws: one forward pass over its share of each batch, and none back."""
    made = helpers.recipe(name, settings)
    state = helpers.state(made, kittens, number=number)
    refiner, critic = state.objective.subject(), state.objective.players()["critic"]
    lower = helpers.state(made, kittens, number=number - 1).objective.subject()
    assert isinstance(refiner, Generator) and isinstance(lower, Generator)
    batch = state.batch()
    assert batch.prompt is not None and batch.given is not None
    g, g_first = passes(refiner, torch.zeros(BATCH, refiner.latent_size), batch.prompt)
    d, d_first = passes(critic, batch.images, batch.given)
    below, _ = passes(lower, torch.zeros(round(share * BATCH), lower.latent_size))
    of_g, of_d, cuts, spared_g, spared_d = formula
    drawn = cuts * below if share else 0
    expected = of_g * g + of_d * d + drawn - spared_g * g_first - spared_d * d_first
    assert step(state) == pytest.approx(expected, rel=1e-3)
