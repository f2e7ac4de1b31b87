"""The L2 adaptation: the coefficient's path, what it costs the critic, and what is remembered."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import pytest
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits as entropy

import helpers
from purrtrait.datasets.pack import Pack
from purrtrait.objectives import BALANCES
from purrtrait.objectives.adaptive_l2 import AdaptiveL2
from purrtrait.objectives.balanced import Balanced
from purrtrait.training.fit import fit, gradients
from purrtrait.training.state import State, packed_memory


def balanced(pack: Pack, settings: Mapping[str, str] | None = None) -> tuple[State, AdaptiveL2]:
    """dcgan, batch norm and all, with the rule."""
    made = {"balance": "l2", **(settings or {})}
    state = helpers.state(helpers.recipe("dcgan", made), pack)
    assert isinstance(state.objective, Balanced) and isinstance(state.objective.rule, AdaptiveL2)
    return state, state.objective.rule


def test_the_path_of_the_coefficient(kittens: Pack) -> None:
    _, rule = balanced(kittens)
    # The band itself belongs to neither side; below 0 it never falls.
    losses = [0.5, 1.4, 1.31, 1.3, 1.0, 0.9, 2.0, 0.89, 0.1, 0.1, 0.1, 1.5]
    path = [0, 1, 2, 2, 2, 2, 3, 2, 1, 0, 0, 1]
    found = []
    for lost in losses:
        rule.adapt(lost)
        found.append(float(rule.coefficient))
    assert found == pytest.approx([2e-5 * number for number in path], abs=1e-15)


def test_ends_and_step_can_be_said(kittens: Pack) -> None:
    _, rule = balanced(kittens, {"low": "0.2", "high": "0.4", "step": "0.5"})
    for lost, expected in ((0.41, 0.5), (0.3, 0.5), (0.5, 1.0), (0.19, 0.5)):
        rule.adapt(lost)
        assert float(rule.coefficient) == expected
    with pytest.raises(ValueError, match="no more than high"):
        BALANCES["l2"](low=2.0, high=1.0)


def test_it_follows_the_generators_loss_turn_by_turn(kittens: Pack) -> None:
    # A band without width where the loss swings, so that both sides are met.
    settings = {"low": "0.7", "high": "0.7", "step": "1e-3", "lr": "2e-3"}
    state, rule = balanced(kittens, settings)
    coefficient, directions = 0.0, set()
    for now in itertools.islice(fit(state, 10**9), 40):
        # What is logged is what the critic's turn was played with.
        assert now.scores["balance/l2"] == pytest.approx(coefficient, rel=1e-6)
        lost = now.scores["generator/game"]
        coefficient = max(0.0, coefficient + 1e-3 * ((lost > 0.7) - (lost < 0.7)))
        assert float(rule.coefficient) == pytest.approx(coefficient, abs=1e-12)
        directions.add(lost > 0.7)
    assert directions == {True, False}
    assert state.now.moves == {"generator": 40, "critic": 40}


def slopes(state: State, player: str) -> list[Tensor]:
    """The gradients of a player's next turn."""
    torch.manual_seed(0)
    turn = next(t for t in state.objective.turns(state.now) if t.movers == (player,))
    gradients(state.parameters, turn, turn.loss(state.batch()))
    return [p.grad.clone() for p in state.parameters[player] if p.grad is not None]


def test_the_critic_pays_and_nobody_else(kittens: Pack) -> None:
    """The gradient grows by coefficient * w, for every weight, bias and gain of the critic."""
    settings = {"play": "fresh"}
    state, rule = balanced(kittens, settings)
    before = {player: slopes(state, player) for player in ("critic", "generator")}
    rule.coefficient.fill_(0.25)
    weights = [p.detach() for p in state.parameters["critic"]]
    after = slopes(state, "critic")
    assert len(after) == len(weights)
    for free, paying, weight in zip(before["critic"], after, weights, strict=True):
        assert torch.allclose(paying - free, 0.25 * weight, atol=1e-6)
    for free, paying in zip(before["generator"], slopes(state, "generator"), strict=True):
        assert torch.allclose(paying, free, atol=1e-7)
    squares = sum(float(weight.double().square().sum()) for weight in weights)
    terms = state.objective.turns(state.now)[0].loss(state.batch())
    assert terms.costs["critic"]["l2"].item() == pytest.approx(0.25 / 2 * squares, rel=1e-5)


def test_the_recipe_weighs_as_torch_gan_did(kittens: Pack) -> None:
    """There: mean cross entropy of the whole batch, and 1e-5 more of the weights at each step.

    Here both gradients are twice as long, of which RMSProp makes the same step.
    """
    state = helpers.state(helpers.recipe("torch-gan-l2"), kittens)
    objective = state.objective
    assert isinstance(objective, Balanced) and isinstance(objective.rule, AdaptiveL2)
    steps = 5000
    for _ in range(steps):
        objective.rule.adapt(9.0)
    verdicts: list[Tensor] = []
    critic = objective.players()["critic"]
    critic.register_forward_hook(lambda module, shown, given: verdicts.append(given))
    terms = objective.turns(state.now)[0].loss(state.batch())
    own = state.parameters["critic"]
    labels = torch.arange(16) < 8
    whole = entropy(torch.cat(verdicts), labels.float())
    there = whole + steps * 1e-5 / 2 * torch.stack([w.square().sum() for w in own]).sum()
    here = torch.stack([*terms.costs["critic"].values()]).sum()
    pairs = [torch.autograd.grad(cost, own, retain_graph=True) for cost in (here, there, whole)]
    for ours, theirs, free in zip(*pairs, strict=True):
        assert torch.allclose(ours, 2 * theirs, rtol=1e-4, atol=1e-7)
        assert not torch.allclose(theirs, free, rtol=1e-2, atol=1e-5)


def test_with_a_coefficient_of_0_nothing_changes(kittens: Pack) -> None:
    free = helpers.state(helpers.recipe("dcgan"), kittens)
    state, _ = balanced(kittens, {"high": "1e9"})
    for training in (free, state):
        for _ in itertools.islice(fit(training, 10**9), 3):
            pass
    saved = {k: v for k, v in state.tensors().items() if not k.startswith("memory/")}
    wanted = {k: v for k, v in free.tensors().items() if not k.startswith("memory/")}
    assert helpers.bits(saved) == helpers.bits(wanted)
    assert state.now.scores["critic/l2"] == 0


def test_what_the_rule_remembers_is_kept(kittens: Pack) -> None:
    """Training that goes on from a checkpoint ends in the bits of one that never stopped."""
    settings = {"low": "0.6", "high": "0.65", "step": "1e-3"}
    straight, first, second = (balanced(kittens, settings)[0] for _ in range(3))
    for _ in itertools.islice(fit(straight, 10**9), 12):
        pass
    for _ in itertools.islice(fit(first, 10**9), 6):
        pass
    average = first.average.state_dict()
    second.restore(first.tensors(), average, first.facts(), first.steppers())
    for _ in itertools.islice(fit(second, 10**9), 6):
        pass
    assert helpers.bits(straight.tensors()) == helpers.bits(second.tensors())
    assert straight.now.scores["balance/l2"] > 0
    kept = {"inner.augmentation.chance", "adaptivel2.coefficient"}
    assert set(packed_memory(second.objective)) == kept


@pytest.mark.parametrize("play", ["simultaneous", "shared"])
def test_a_critic_without_a_turn_of_its_own_is_refused(play: str, kittens: Pack) -> None:
    state, _ = balanced(kittens, {"play": play, "critic.normalisation": "none"})
    with pytest.raises(ValueError, match="play=alternating"):
        next(fit(state, 10**9))
