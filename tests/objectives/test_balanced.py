"""The accuracy gate: when the critic steps, what it keeps, and who is left alone."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
import torch
from torch import nn

import helpers
from purrtrait.datasets.pack import Pack
from purrtrait.objectives import BALANCES
from purrtrait.objectives.adversarial import ACCURACY
from purrtrait.objectives.balanced import ADMITTED, Accuracy, Balanced
from purrtrait.training import optimisers
from purrtrait.training.fit import fit
from purrtrait.training.optimisers import OPTIMISERS
from purrtrait.training.state import State, packed, packed_memory
from purrtrait.types import Batch, Draw, Images, Objective, Progress, Terms, Turn

ADAM = "{name='adam', betas=[0.5, 0.9]}"
MOVING = "{name='sgd', momentum=0.9, dampening=0.9}"


class Oracle:
    """The gate as it is written: a queue of the last accuracies, and their mean."""

    def __init__(self, most: float, reals: int) -> None:
        self.most = most
        self.queue: deque[float] = deque(maxlen=int(max(20, min(1000 / (2 * reals), 250))))

    def __call__(self, accuracy: float) -> bool:
        self.queue.append(accuracy)
        return bool(np.mean(self.queue) < self.most)


@pytest.mark.parametrize(("reals", "length"), [(1, 250), (3, 166), (16, 31), (25, 20), (500, 20)])
def test_the_gate_looks_back_on_a_queue(reals: int, length: int) -> None:
    numbers = np.random.default_rng(reals)
    # Slow swings, so that the length of the queue decides.
    accuracies = 0.5 + 0.4 * np.sin(np.arange(700) / 60) + 0.1 * numbers.random(700)
    gate, oracle = Accuracy(0.6), Oracle(0.6, reals)
    assert oracle.queue.maxlen == length
    decided = [gate.admits(float(accuracy), reals) for accuracy in accuracies]
    assert decided == [oracle(float(accuracy)) for accuracy in accuracies]
    assert 100 < sum(decided) < 600
    assert (int(gate.turns), int(gate.refused)) == (700, 700 - sum(decided))


def balanced(pack: Pack, most: float, settings: Mapping[str, str] | None = None) -> State:
    """dcgan behind the gate."""
    inner = helpers.state(helpers.recipe("dcgan", settings), pack)
    objective = BALANCES["accuracy"](most=most)(inner.objective)
    return State(objective, inner.paces, inner.batches, 0.0, 80)


def test_the_critic_is_trained_a_of_b_times(kittens: Pack) -> None:
    state = balanced(kittens, 0.6, {"critic.lr": "1e-3"})
    steps = 0

    def count(*given: object) -> None:
        nonlocal steps
        steps += 1

    state.optimisers["critic"].register_step_pre_hook(count)
    oracle, admitted, shares = Oracle(0.6, 8), [], []
    for now in itertools.islice(fit(state, 10**9), 40):
        admitted.append(oracle(now.scores[ACCURACY]))
        shares.append(now.scores[ADMITTED])
        assert steps == sum(admitted)
    assert 0 < steps < 40
    # What is logged in a turn is what was so before it.
    before = [1.0, *(sum(admitted[:number]) / number for number in range(1, 40))]
    assert shares == pytest.approx(before)
    assert state.now.moves == {"generator": 40, "critic": 40}  # counts tick either way


@pytest.mark.parametrize("optimiser", [ADAM, MOVING, "adagrad", "rmsprop"])
def test_a_critic_that_is_held_back_keeps_weights_and_memory(optimiser: str, kittens: Pack) -> None:
    state = balanced(kittens, 2.0, {"optimiser": optimiser, "lr": "1e-4"})
    objective = state.objective
    assert isinstance(objective, Balanced) and isinstance(objective.rule, Accuracy)
    held: list[dict[str, dict[str, bytes]]] = []
    for most in (2.0, 0.0):
        objective.rule.most = most
        for _ in itertools.islice(fit(state, 10**9), 2):
            pass
        held.append(
            {
                player: {
                    **helpers.bits({n: p.detach() for n, p in network.named_parameters()}),
                    **helpers.bits(optimisers.moments(state.optimisers[player])),
                }
                for player, network in objective.players().items()
            }
        )
    first, then = held
    assert first["critic"] == then["critic"]
    assert first["generator"] != then["generator"]
    assert state.now.scores[ADMITTED] == pytest.approx(2 / 3)


def test_every_optimiser_has_been_held_back() -> None:
    assert set(OPTIMISERS) == {"adam", "sgd", "adagrad", "rmsprop"}


def test_by_default_nobody_is_held_back(kittens: Pack) -> None:
    free = helpers.state(helpers.recipe("dcgan"), kittens)
    state = balanced(kittens, 1.01)
    for training in (free, state):
        for _ in itertools.islice(fit(training, 10**9), 4):
            pass
    for name, network in free.objective.players().items():
        assert helpers.bits(packed(network)) == helpers.bits(
            packed(state.objective.players()[name])
        )
    assert state.now.scores[ADMITTED] == 1


def test_what_the_gate_remembers_is_kept(kittens: Pack) -> None:
    """Training that goes on from a checkpoint ends in the bits of one that never stopped."""
    settings = {"critic.lr": "1e-3", "augmentation": "differentiable"}
    straight, first, second = (balanced(kittens, 0.6, settings) for _ in range(3))
    for _ in itertools.islice(fit(straight, 10**9), 24):
        pass
    for _ in itertools.islice(fit(first, 10**9), 12):
        pass
    average = first.average.state_dict()
    second.restore(first.tensors(), average, first.facts(), first.steppers())
    for _ in itertools.islice(fit(second, 10**9), 12):
        pass
    assert helpers.bits(straight.tensors()) == helpers.bits(second.tensors())
    assert 0 < straight.now.scores[ADMITTED] < 1
    assert set(packed_memory(second.objective)) == {
        "inner.augmentation.chance",
        "accuracy.recent",
        "accuracy.turns",
        "accuracy.refused",
    }


def test_in_all_else_it_is_the_inner_one(kittens: Pack) -> None:
    inner = helpers.state(helpers.recipe("dcgan"), kittens).objective
    objective = BALANCES["accuracy"]()(inner)
    assert objective.players() == inner.players()
    assert objective.subject() is inner.subject()
    assert objective.won_at_zero == inner.won_at_zero
    assert objective.artists == inner.artists == ("generator",)
    assert objective.validated == inner.validated
    assert BALANCES["none"]()(inner) is inner
    turns = objective.turns(Progress())
    assert [turn.movers for turn in turns] == [("critic",), ("generator",)]
    assert [(turn.advance, turn.ticks) for turn in turns] == [(1, 1), (0, 0)]


class Once(Objective):
    """A critic that its own turn holds back."""

    def __init__(self) -> None:
        super().__init__()
        self.critic = nn.Linear(1, 1)

    def players(self) -> Mapping[str, nn.Module]:
        return {"critic": self.critic}

    def subject(self) -> nn.Module:
        return self.critic

    def panel(self, batch: Batch, subject: nn.Module) -> Mapping[str, Images]:
        return {"pictures": batch.images}

    def turns(self, now: Progress) -> Sequence[Turn]:
        cost = self.critic.weight.sum()
        return [
            Turn(("critic",), lambda batch: Terms({"critic": {"own": cost}}), admit=lambda s: False)
        ]


def test_a_turn_that_holds_back_its_mover_still_does() -> None:
    objective = BALANCES["accuracy"]()(Once())
    (turn,) = objective.turns(Progress())
    images = torch.zeros(4, 1, 2, 2)
    at = Batch(images, Draw(0, "test", 0))
    turn.loss(at)
    assert not turn.admit({ACCURACY: 0.0})
    assert torch.equal(objective.panel(at, objective.subject())["pictures"], images)


@pytest.mark.parametrize("play", ["simultaneous", "shared"])
def test_a_critic_without_a_turn_of_its_own_is_refused(play: str, kittens: Pack) -> None:
    settings = {"critic.normalisation": "none", "play": play}
    with pytest.raises(ValueError, match="play=alternating"):
        next(fit(balanced(kittens, 0.9, settings), 10**9))


def test_nobody_to_be_held_back_is_refused(kittens: Pack) -> None:
    objective = Once()
    objective.players = lambda: {"coder": objective.critic}  # type: ignore[method-assign]
    with pytest.raises(ValueError, match="the players are coder"):
        BALANCES["accuracy"]()(objective)


@pytest.mark.parametrize(("before", "after"), [*itertools.permutations(BALANCES, 2)])
def test_a_run_goes_on_with_another_balance(
    before: str, after: str, kittens: Pack, caplog: pytest.LogCaptureFixture
) -> None:
    """Which begins without memory: none of the other's is taken for its own."""

    def made(balance: str) -> State:
        recipe = helpers.recipe("dcgan", {"balance": balance, "critic.normalisation": "none"})
        return helpers.state(recipe, kittens)

    first, second, fresh = made(before), made(after), made(after)
    for _ in itertools.islice(fit(first, 10**9), 3):
        pass
    average = first.average.state_dict()
    second.restore(first.tensors(), average, first.facts(), first.steppers())
    own = {name: value for name, value in packed_memory(second.objective).items() if "." in name}
    expected = packed_memory(fresh.objective)
    rules = [name for name in own if not name.startswith(("inner.", "augmentation."))]
    assert all(torch.equal(own[name], expected[name]) for name in rules)
    assert (f"know '{rules[0]}', which begins anew" in caplog.text) if rules else True
    next(fit(second, 10**9))
