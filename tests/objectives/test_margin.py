"""The margin rule: who steps, what the held back keep, and what is remembered."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits as entropy

import helpers
from purrtrait.assemble.arithmetic import counted
from purrtrait.datasets.pack import Pack
from purrtrait.objectives import BALANCES
from purrtrait.objectives.adversarial import LOSS_ON_FAKES, LOSS_ON_REALS
from purrtrait.objectives.balanced import Balanced
from purrtrait.objectives.margin import Margin, within
from purrtrait.training import optimisers
from purrtrait.training.fit import fit, gradients
from purrtrait.training.state import State, packed_memory
from purrtrait.types import Batch, Draw, Images, Objective, Progress, Terms, Turn

# Losses on reals and on fakes, and whether critic and generator step with a margin of 0.3.
TRUTH = [
    (0.5, 0.5, True, True),
    (0.2, 0.5, False, True),
    (0.5, 0.2, False, True),
    (0.2, 0.2, False, True),
    (0.8, 0.5, True, False),
    (0.5, 0.8, True, False),
    (0.8, 0.8, True, False),
    (0.2, 0.8, True, True),  # neither would
    (0.8, 0.2, True, True),
    (0.3, 0.7, True, True),  # at the margins themselves
]


@pytest.mark.parametrize(("real", "fake", "critic", "artist"), TRUTH)
def test_who_steps(real: float, fake: float, critic: bool, artist: bool) -> None:
    assert within(real, fake, 0.3) == (critic, artist)


def as_written(real: float, fake: float, margin: float) -> tuple[bool, bool]:
    """The rule as it is told: two flags that are lowered one after another."""
    critic = artist = True
    if fake < margin or real < margin:
        critic = False
    if fake > 1 - margin or real > 1 - margin:
        artist = False
    if not critic and not artist:
        critic = artist = True
    return critic, artist


def test_it_is_the_rule_as_written() -> None:
    numbers = np.random.default_rng(0).random((3000, 3)) * [1, 1, 0.6]
    decided = [within(*row) for row in numbers.tolist()]
    assert decided == [as_written(*row) for row in numbers.tolist()]
    assert set(decided) == {(True, True), (True, False), (False, True)}


def balanced(
    pack: Pack, margin: float = 0.3, settings: Mapping[str, str] | None = None
) -> tuple[State, Margin]:
    """dcgan without batch norm in the critic behind the rule."""
    made = {"balance": "margin", "margin": str(margin), "critic.normalisation": "none"}
    state = helpers.state(helpers.recipe("dcgan", {**made, **(settings or {})}), pack)
    assert isinstance(state.objective, Balanced) and isinstance(state.objective.rule, Margin)
    return state, state.objective.rule


def test_what_is_decided_on_are_the_entropies_of_the_halves(kittens: Pack) -> None:
    state, _ = balanced(kittens)
    reals = []
    critic = state.objective.players()["critic"]
    critic.register_forward_hook(lambda module, given, verdicts: reals.append(verdicts.detach()))
    now = next(fit(state, 10**9))
    real, fake = reals[:2]
    losses = [now.scores[LOSS_ON_REALS], now.scores[LOSS_ON_FAKES]]
    expected = [entropy(real, real.new_ones(8)), entropy(fake, fake.new_zeros(8))]
    assert losses == pytest.approx([float(value) for value in expected], rel=1e-5)
    assert sum(losses) == pytest.approx(now.scores["critic/game"], rel=1e-5)


class Script:
    """Puts losses of one's own before the rule, in place of the critic's."""

    def __init__(self, state: State, losses: list[tuple[float, float]]) -> None:
        assert isinstance(state.objective, Balanced)
        self.turns_of, self.losses = state.objective.turns, iter(losses)
        state.objective.turns = self.turns  # type: ignore[method-assign]

    def turns(self, now: Progress) -> list[Turn]:
        critic, artist = self.turns_of(now)
        real, fake = next(self.losses)
        told = {LOSS_ON_REALS: real, LOSS_ON_FAKES: fake}

        def admit(scores: Mapping[str, float]) -> bool:
            return critic.admit({**scores, **told})

        return [Turn(critic.movers, critic.loss, 1, 1, admit), artist]


def kept(state: State) -> dict[str, dict[str, bytes]]:
    """Weights and optimisers' memory of each player."""
    return {
        player: {
            **helpers.bits({n: p.detach() for n, p in network.named_parameters()}),
            **helpers.bits(optimisers.moments(state.optimisers[player])),
        }
        for player, network in state.objective.players().items()
    }


@pytest.mark.parametrize("play", ["alternating", "fresh"])
@pytest.mark.parametrize("optimiser", ["adam", "{name='rmsprop', alpha=0.9}"])
def test_who_is_held_back_keeps_weights_and_memory(
    play: str, optimiser: str, kittens: Pack
) -> None:
    state, _ = balanced(kittens, settings={"play": play, "optimiser": optimiser})
    Script(state, [(0.5, 0.5), *((real, fake) for real, fake, _, _ in TRUTH)])
    steps = fit(state, 10**9)
    next(steps)  # so that there is a memory
    before = kept(state)
    for _, _, critic, artist in TRUTH:
        next(steps)
        after = kept(state)
        assert (after["critic"] != before["critic"]) == critic
        assert (after["generator"] != before["generator"]) == artist
        before = after
    assert state.now.moves == {"generator": 11, "critic": 11}  # counts tick either way


def test_what_is_skipped_is_counted(kittens: Pack) -> None:
    state, rule = balanced(kittens)
    Script(state, [(real, fake) for real, fake, _, _ in TRUTH] * 2)
    steps = fit(state, 10**9)
    shares: dict[str, list[float]] = {}
    for now in itertools.islice(steps, 20):
        for name, value in now.scores.items():
            shares.setdefault(name, []).append(value)
    for place, name in enumerate(("critic", "generator")):
        held = np.cumsum([not row[2 + place] for row in TRUTH * 2])
        # What is logged in a turn is what was so before it.
        assert shares[f"balance/{name}-skipped"] == [0, *held[:-1]]
        expected = [1, *(1 - held[:-1] / np.arange(1, 20))]
        assert shares[f"balance/{name}"] == pytest.approx(expected)
        assert (int(rule.turns[place]), int(rule.refused[place])) == (20, held[-1])


def test_several_turns_of_the_critic_and_the_last_decides_for_the_generator(kittens: Pack) -> None:
    state, rule = balanced(kittens, settings={"critic_moves": "2", "play": "fresh"})
    first, second, artist = state.objective.turns(state.now)
    assert not first.admit({LOSS_ON_REALS: 0.1, LOSS_ON_FAKES: 0.5})
    assert second.admit({LOSS_ON_REALS: 0.9, LOSS_ON_FAKES: 0.5})
    assert not artist.admit({})
    assert rule.refused.tolist() == [1, 1]


def test_the_decision_outlives_a_checkpoint_between_two_turns(kittens: Pack) -> None:
    state, _ = balanced(kittens)
    critic, _ = state.objective.turns(state.now)
    assert critic.admit({LOSS_ON_REALS: 0.9, LOSS_ON_FAKES: 0.5})
    other, _ = balanced(kittens)
    other.restore(state.tensors(), state.average.state_dict(), state.facts(), state.steppers())
    _, artist = other.objective.turns(other.now)
    assert not artist.admit({})


def test_what_the_rule_remembers_is_kept(kittens: Pack) -> None:
    """Training that goes on from a checkpoint ends in the bits of one that never stopped."""
    # With batch norm the critic soon leads, so that there is somebody to be held back.
    settings = {"critic.normalisation": "batch", "lr": "3e-3"}
    straight, first, second = (balanced(kittens, 0.3, settings)[0] for _ in range(3))
    for _ in itertools.islice(fit(straight, 10**9), 16):
        pass
    for _ in itertools.islice(fit(first, 10**9), 9):
        pass
    average = first.average.state_dict()
    second.restore(first.tensors(), average, first.facts(), first.steppers())
    for _ in itertools.islice(fit(second, 10**9), 7):
        pass
    assert helpers.bits(straight.tensors()) == helpers.bits(second.tensors())
    assert 0 < straight.now.scores["balance/generator"] < 1
    assert set(packed_memory(second.objective)) == {
        "inner.augmentation.chance",
        "margin.stepping",
        "margin.turns",
        "margin.refused",
    }


def test_the_warm_up_counts_turns_that_were_skipped(kittens: Pack) -> None:
    rate = "{name='warm-up', usual=5e-5, player='critic'}"
    state, rule = balanced(kittens, settings={"critic.lr": rate})
    Script(state, [(0.1, 0.5)] * 8 + [(0.5, 0.5)] * 24)
    rates = [now.scores["critic/lr"] for now in itertools.islice(fit(state, 10**9), 32)]
    assert rates == pytest.approx([1e-6] * 10 + [1e-5] * 20 + [5e-5] * 2)
    assert rule.refused.tolist() == [8, 0]


@pytest.mark.parametrize("balance", [name for name in BALANCES if name != "none"])
@pytest.mark.parametrize("play", ["alternating", "fresh"])
def test_a_step_costs_what_it_costs_without_a_balance(
    balance: str, play: str, kittens: Pack
) -> None:
    costs = []
    for name in ("none", balance):
        made = helpers.recipe("dcgan", {"balance": name, "play": play})
        steps = fit(helpers.state(made, kittens), 10**9)
        costs.append(counted(lambda steps=steps: next(steps)))  # type: ignore[misc]
    assert costs[0] == costs[1] > 0


def test_it_begins_with_a_critic_that_guesses(kittens: Pack) -> None:
    assert within(math.log(2), math.log(2), 0.3) == (True, True)
    state, rule = balanced(kittens)
    assert rule.stepping.tolist() == [True, True]
    assert [turn.movers for turn in state.objective.turns(state.now)] == [
        ("critic",),
        ("generator",),
    ]


class Trio(Objective):
    """A decoder of one number that moves with an encoder, and alone by 5 a unit in a game."""

    artists = ("decoder",)

    def __init__(self) -> None:
        super().__init__()
        self.networks: dict[str, nn.Linear] = {n: nn.Linear(1, 1, bias=False) for n in TRIO}

    def players(self) -> Mapping[str, nn.Module]:
        return self.networks

    def subject(self) -> nn.Module:
        return self.networks["decoder"]

    def panel(self, batch: Batch, subject: nn.Module) -> Mapping[str, Images]:
        return {}

    def judged(self, batch: Batch) -> Terms:
        return Terms({"critic": {"game": self.networks["critic"].weight.sum()}})

    def drawn(self, batch: Batch) -> Terms:
        encoder, decoder = (self.networks[name].weight.sum() for name in TRIO[:2])
        costs = {"encoder": {"own": encoder}, "decoder": {"own": decoder, "game": decoder}}
        whole: dict[tuple[str, ...], Tensor] = {("encoder",): encoder, ("decoder",): 7 * decoder}
        return Terms(costs, {}, whole, held={("decoder",): 2 * decoder})

    def turns(self, now: Progress) -> Sequence[Turn]:
        return [Turn(("critic",), self.judged, ticks=1), Turn(TRIO[:2], self.drawn, advance=0)]


TRIO = ("encoder", "decoder", "critic")


@pytest.mark.parametrize(("real", "slope"), [(0.5, 7.0), (0.8, 2.0)])
def test_an_artist_with_others_is_held_back_from_the_game_alone(real: float, slope: float) -> None:
    objective = BALANCES["margin"]()(Trio())
    parameters = {name: list(net.parameters()) for name, net in objective.players().items()}
    batch = Batch(torch.zeros(1, 1, 1, 1), Draw(0, "test", 0))
    critic, together = objective.turns(Progress())
    assert critic.admit({LOSS_ON_REALS: real, LOSS_ON_FAKES: 0.5})
    gradients(parameters, together, together.loss(batch))
    found = {name: parameters[name][0].grad for name in together.movers}
    assert found == {"encoder": torch.tensor([[1.0]]), "decoder": torch.tensor([[slope]])}
    assert together.admit({})
    skipped = together.loss(batch).watch["balance/decoder-skipped"]
    assert int(skipped) == (real > 0.7)


@pytest.mark.parametrize("play", ["simultaneous", "shared"])
def test_a_critic_without_a_turn_of_its_own_is_refused(play: str, kittens: Pack) -> None:
    state, _ = balanced(kittens, settings={"play": play})
    with pytest.raises(ValueError, match="'margin' cannot hold back the critic alone"):
        next(fit(state, 10**9))


def test_nobody_to_be_held_back_is_refused(kittens: Pack) -> None:
    inner = helpers.state(helpers.recipe("validator"), kittens).objective
    for name in ("margin", "l2"):
        with pytest.raises(ValueError, match=f"'{name}' holds back a critic, but the players are"):
            BALANCES[name]()(inner)
