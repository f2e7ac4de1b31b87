"""The recipes vae and vae-gan: they resume to the last bit, and their cost is counted exactly."""

from __future__ import annotations

import itertools

import pytest
import torch

import helpers
from purrtrait.assemble import arithmetic, build
from purrtrait.datasets.pack import Pack
from purrtrait.training.fit import fit
from purrtrait.training.state import State, packed

RECIPES = ["vae", "vae-gan"]
# A weight that changes on the way, so that a clock that was set wrong would show.
SETTINGS = {
    "divergence_weight": "{name='linear', start=0.0, end=1.0, until_images=40}",
    "latent": "6",
}
ADAPTIVE = "{name='adaptive', every=2, images=100}"


def begun(name: str, pack: Pack) -> State:
    more = {"augmentation": ADAPTIVE} if name == "vae-gan" else {}
    return helpers.state(helpers.recipe(name, {**SETTINGS, **more}), pack)


def play(state: State, steps: int) -> dict[str, float]:
    *_, last = itertools.islice(fit(state, 10**9), steps)
    return dict(last.scores)


@pytest.mark.parametrize("name", RECIPES)
def test_going_on_is_never_having_stopped(name: str, kittens: Pack) -> None:
    whole, half, rest = (begun(name, kittens) for _ in range(3))
    expected = play(whole, 5)
    play(half, 3)
    rest.restore(half.tensors(), packed(half.average), half.facts(), half.steppers())
    assert play(rest, 2) == expected
    assert helpers.bits(rest.tensors()) == helpers.bits(whole.tensors())
    assert helpers.bits(packed(rest.average)) == helpers.bits(packed(whole.average))


@pytest.mark.parametrize("name", RECIPES)
def test_counting_without_numbers_counts_what_training_does(name: str, kittens: Pack) -> None:
    made = helpers.recipe(name, {"batch": "4", **SETTINGS})
    steps, spent = fit(helpers.state(made, kittens), 10**9), 0
    planned = arithmetic.spending(made, 0, build.Shape(16, 3))
    for _ in range(2):
        spent += arithmetic.counted(lambda: next(steps))
        assert next(planned)[1] == spent


def test_a_vae_costs_one_pass_of_each_forward_and_back(kittens: Pack) -> None:
    """As if each went down something by itself; nobody needs the gradient at the pictures."""
    state = begun("vae", kittens)
    encoder, decoder = state.objective.players().values()
    images = state.batch().images
    z = state.batch().draw.normal((len(images), 6), "latents").requires_grad_()

    def alone() -> None:
        torch.autograd.grad(torch.cat(encoder(images), 1).sum(), list(encoder.parameters()))
        torch.autograd.grad(decoder(z).sum(), [z, *decoder.parameters()])

    steps = fit(state, 10**9)
    assert arithmetic.counted(lambda: next(steps)) == arithmetic.counted(alone)
