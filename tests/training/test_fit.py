"""The loop: clocks, gradients by name, admission, averages, repeatability."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from torch import nn

import helpers
from purrtrait.datasets.pack import Pack
from purrtrait.training import optimisers
from purrtrait.training.fit import decay, fit, play
from purrtrait.training.guard import Guard
from purrtrait.training.schedule import constant
from purrtrait.training.state import RAMP, Pace, State
from purrtrait.training.trend import Trend
from purrtrait.types import Batch, Draw, Images, Objective, Progress, Share, Terms, Turn

RECIPES = ["dcgan", "lsgan", "wgan-gp"]


class Pair(Objective):
    """Two numbers; ``left`` goes down left^2 + left * right, ``right`` down the same negative."""

    def __init__(self) -> None:
        super().__init__()
        self.left = nn.Linear(1, 1, bias=False)
        self.right = nn.Linear(1, 1, bias=False)
        nn.init.constant_(self.left.weight, 3.0)
        nn.init.constant_(self.right.weight, 2.0)
        self.admit_left = True

    def players(self) -> dict[str, nn.Module]:
        return {"left": self.left, "right": self.right}

    def subject(self) -> nn.Module:
        return self.left

    def panel(self, batch: Batch, subject: nn.Module) -> dict[str, Images]:
        return {}

    def loss(self, batch: Batch) -> Terms:
        a, b = self.left.weight.sum(), self.right.weight.sum()
        return Terms({"left": {"own": a * a, "shared": a * b}, "right": {"shared": -a * b}})

    def turns(self, now: Progress) -> Sequence[Turn]:
        admit = self.admit_left
        return [
            Turn(("left",), self.loss, ticks=1, admit=lambda scores: admit),
            Turn(("right",), self.loss, advance=0),
        ]


def pair_state(objective: Pair, clamp: float = math.inf, l1: float = 0.0, l2: float = 0.0) -> State:
    pace = Pace(optimisers.sgd(), constant(0.1), clamp, "", l1, l2)

    def batch(now: Progress) -> Batch:
        return Batch(torch.zeros(4, 1, 2, 2), Draw(0, "s", now.position))

    return State(objective, {"left": pace, "right": pace}, batch, 0.0, 100)


def test_each_player_goes_down_its_own_costs() -> None:
    objective = Pair()
    state = pair_state(objective)
    next(fit(state, 4))
    # left: 3 - 0.1 * (2 * 3 + 2) = 2.2; then right: 2 - 0.1 * (-2.2) = 2.22
    assert objective.left.weight.item() == pytest.approx(2.2)
    assert objective.right.weight.item() == pytest.approx(2.22)
    assert state.now == Progress(4, 1, 1, {"left": 1, "right": 1}, 0, state.now.scores)
    assert state.now.scores["left/own"] == pytest.approx(9)
    assert state.now.scores["right/shared"] == pytest.approx(-4.4)
    assert objective.left.weight.grad is None


def test_the_clamp_limits_each_element() -> None:
    objective = Pair()
    next(fit(pair_state(objective, clamp=0.5), 4))
    assert objective.left.weight.item() == pytest.approx(3 - 0.05)


@pytest.mark.parametrize(("l1", "l2"), [(0.3, 0.0), (0.0, 0.7), (0.3, 0.7)])
def test_decay_is_the_gradient_of_its_term(l1: float, l2: float) -> None:
    """l1 * |w|_1 + l2 / 2 * |w|_2^2 over all weights, biases and slopes too."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(2, 3, 3), nn.PReLU(), nn.Flatten(), nn.Linear(12, 2))
    parameters = list(network.parameters())
    own = [torch.randn_like(parameter) for parameter in parameters]
    for parameter, slope in zip(parameters, own, strict=True):
        parameter.grad = slope.clone()
    values = decay("left", parameters, Pace(optimisers.sgd(), constant(0.1), l1=l1, l2=l2))
    every = torch.cat([parameter.flatten() for parameter in parameters])
    term = l1 * every.abs().sum() + l2 / 2 * every.square().sum()
    assert values == {"left/decay": pytest.approx(term.item(), rel=1e-5)}
    slopes = torch.autograd.grad(term, parameters)
    for parameter, given, slope in zip(parameters, own, slopes, strict=True):
        assert parameter.grad is not None
        assert torch.allclose(parameter.grad, given + slope, atol=1e-6)


def test_no_decay_is_not_spoken_of() -> None:
    now = next(fit(pair_state(Pair()), 4))
    assert not [name for name in now.scores if name.endswith("/decay")]


def test_decay_comes_before_the_clamp() -> None:
    objective = Pair()
    state = pair_state(objective, clamp=0.5, l2=0.2)
    now = next(fit(state, 4))
    assert objective.left.weight.item() == pytest.approx(3 - 0.1 * 0.5)
    assert now.scores["left/decay"] == pytest.approx(0.2 / 2 * 9)
    # right: -2.95 is clamped to -0.5 only after 0.2 * 2 was added; else it were -0.1
    assert objective.right.weight.item() == pytest.approx(2 + 0.1 * 0.5)


def test_the_length_of_a_gradient_is_taken_before_decay_and_clamp() -> None:
    now = next(fit(pair_state(Pair(), clamp=0.5, l1=0.1, l2=0.2), 4))
    # left: 2 * 3 + 2; then right, where left has gone to 3 - 0.1 * 0.5
    assert now.scores["left/gradient"] == pytest.approx(8)
    assert now.scores["right/gradient"] == pytest.approx(2.95)


@pytest.mark.parametrize(
    ("name", "settings"),
    [("dcgan", {"play": "fresh"}), ("wgan-gp", {}), ("vae", {"divergence_weight": "1"})],
)
def test_lengths_are_those_of_a_plain_backward(
    name: str, settings: dict[str, str], kittens: Pack
) -> None:
    state = helpers.state(helpers.recipe(name, settings), kittens)
    every = list(state.objective.parameters())
    for turn in state.objective.turns(state.now):
        state.now = replace(state.now, position=state.now.position + turn.advance)
        terms, expected = turn.loss(state.batch()), {}
        for mover in turn.movers:
            torch.stack([*terms.costs[mover].values()]).sum().backward(retain_graph=True)
            slopes = [p.grad for p in state.parameters[mover] if p.grad is not None]
            whole = torch.cat([slope.double().flatten() for slope in slopes])
            expected[f"{mover}/gradient"] = pytest.approx(whole.norm().item(), rel=1e-4)
            for parameter in every:
                parameter.grad = None
        found = play(state, turn, state.batch())
        assert {key: v for key, v in found.items() if key.endswith("/gradient")} == expected


def test_an_endless_gradient_can_be_limited_and_ends_nothing() -> None:
    """The root of 0 has one; clamped, the step is like any other."""
    objective = Pair()
    zero = torch.zeros(())

    def cliff(batch: Batch) -> Terms:
        return Terms(
            {"left": {"own": (objective.left.weight.sum() - 3).sqrt()}, "right": {"own": zero}}
        )

    objective.turns = lambda now: [Turn(("left",), cliff, ticks=1)]  # type: ignore[method-assign]
    now = next(fit(pair_state(objective, clamp=0.5), 4))
    assert now.scores["left/gradient"] == math.inf
    assert objective.left.weight.item() == pytest.approx(3 - 0.1 * 0.5)
    trend = Trend(())
    assert Guard(()).look(now) == trend.look(now) == []
    assert trend.scores() == {}


def test_who_is_not_admitted_keeps_weights_and_memory_but_clocks_tick() -> None:
    objective = Pair()
    objective.admit_left = False
    state = pair_state(objective)
    next(fit(state, 4))
    assert objective.left.weight.item() == 3.0
    assert state.now.moves == {"left": 1, "right": 1}
    objective.admit_left = True
    next(fit(state, 8))  # what was asked for in vain is not added to the next gradient
    right = 2 + 0.1 * 3
    assert objective.left.weight.item() == pytest.approx(3 - 0.1 * (6 + right))


@pytest.mark.parametrize("name", RECIPES)
def test_gradients_land_in_the_movers_alone(name: str, kittens: Pack) -> None:
    state = helpers.state(helpers.recipe(name), kittens)
    before = {n: [p.clone() for p in ps] for n, ps in state.parameters.items()}
    turns = state.objective.turns(state.now)
    from purrtrait.training import fit as loop

    for turn in turns:
        state.now = replace(state.now, position=state.now.position + turn.advance)
        bystanders = set(state.parameters) - set(turn.movers)
        held = {n: [p.clone() for p in state.parameters[n]] for n in state.parameters}
        loop.play(state, turn, state.batch())
        for bystander in bystanders:
            assert all(
                torch.equal(a, b)
                for a, b in zip(held[bystander], state.parameters[bystander], strict=True)
            )
            assert all(p.grad is None for p in state.parameters[bystander])
    for player, old in before.items():
        assert any(
            not torch.equal(a, b) for a, b in zip(old, state.parameters[player], strict=True)
        ), player


@pytest.mark.parametrize("name", [*RECIPES, "wgan"])
def test_the_same_seed_gives_the_same_bits_twice(name: str, kittens: Pack) -> None:
    settings = {"critic_moves": "2", "dropout": "0.3"}
    runs = []
    for seed in (5, 5, 6):
        state = helpers.state(helpers.recipe(name, settings), kittens, seed=seed)
        scores = [now.scores for now in itertools.islice(fit(state, 10**6), 3)]
        runs.append((scores, helpers.bits(state.tensors())))
    assert runs[0] == runs[1]
    assert runs[0][1] != runs[2][1]


def test_a_lazy_penalty_keeps_its_last_value_in_the_scores(kittens: Pack) -> None:
    settings = {"critic_moves": "1", "penalty_every": "3"}
    state = helpers.state(helpers.recipe("wgan-gp", settings), kittens)
    paid = [now.scores["critic/penalty"] for now in itertools.islice(fit(state, 10**9), 7)]
    assert paid[0] == paid[1] == paid[2]
    assert paid[3] == paid[4] == paid[5]
    assert len({paid[0], paid[3], paid[6]}) == 3


MOVES = {"critic_moves": "2", "generator_moves": "3", "play": "fresh", "penalty": "none"}


def test_every_move_has_pictures_of_its_own(kittens: Pack) -> None:
    """Those at the clock for the critic, who moves it; for the generator those that come next."""
    state = helpers.state(helpers.recipe("dcgan", {**MOVES, "critic_moves": "2"}), kittens)
    batches, asked = state.batches, list[tuple[int, int]]()

    def batch(now: Progress) -> Batch:
        asked.append((now.position, now.images_seen))
        return batches(now)

    state.batches = batch
    seen = [now.images_seen for now in itertools.islice(fit(state, 10**9), 2)]
    assert seen == [16, 32]
    assert asked == [*enumerate([0, 8, 16, 24, 32], 1), *enumerate([16, 24, 32, 40, 48], 6)]


def test_two_processes_share_the_pictures_of_every_move(kittens: Pack) -> None:
    def shown(share: Share) -> list[list[bytes]]:
        state = helpers.state(helpers.recipe("dcgan", MOVES), kittens, share=share)
        batches, pictures = state.batches, list[list[bytes]]()

        def batch(now: Progress) -> Batch:
            found = batches(now)
            pictures.append([picture.numpy().tobytes() for picture in found.images])
            return found

        state.batches = batch
        for _ in itertools.islice(fit(state, 10**9), 2):
            pass
        return pictures

    alone, first, second = (shown(Share(*one)) for one in ((0, 1), (0, 2), (1, 2)))
    assert len(alone) == 2 * 5
    for every, left, right in zip(alone, first, second, strict=True):
        assert len(left) == len(right) == 4
        assert sorted(left + right) == sorted(every)


def test_every_move_of_a_refiner_sees_other_photos(kittens: Pack) -> None:
    moves = {**MOVES, "game": "non-saturating", "chained": "0", "flip": "false"}
    stage = {f"refine-32.{key}": text for key, text in moves.items()}
    state = helpers.state(helpers.pyramid(stage), kittens, number=1)
    shown: list[torch.Tensor] = []
    state.objective.subject().register_forward_pre_hook(
        lambda module, given: shown.append(given[1].detach().clone())
    )
    next(fit(state, 10**9))
    photos = {picture.numpy().tobytes() for prompts in shown for picture in prompts}
    assert len(shown) == 5
    assert len(photos) == 5 * 8


def test_wgan_counts_its_bursts(kittens: Pack) -> None:
    made = helpers.recipe(
        "wgan",
        {"critic_moves": "{name='bursts', usual=2, burst=4, first=2, every=5}"},
    )
    state = helpers.state(made, kittens)
    moves = [now.moves["critic"] for now in itertools.islice(fit(state, 10**6), 7)]
    assert [b - a for a, b in itertools.pairwise([0, *moves])] == [4, 4, 2, 2, 2, 4, 2]
    for parameter in state.parameters["critic"]:
        assert parameter.abs().max() <= 0.01
    # Real images that the critic drew are the clock; the generator's own batches are not.
    assert state.now.images_seen == 8 * state.now.moves["critic"]
    assert state.now.position == sum(state.now.moves.values())


def test_weight_clipping_holds_after_every_move(kittens: Pack) -> None:
    state = helpers.state(helpers.recipe("wgan", {"critic_moves": "1"}), kittens)
    for _ in itertools.islice(fit(state, 10**6), 3):
        assert max(p.abs().max() for p in state.parameters["critic"]) <= 0.01


def test_average_follows_the_closed_form(kittens: Pack) -> None:
    state = helpers.state(helpers.recipe("dcgan", {"half_life_images": "64"}), kittens)
    name = next(iter(state.average.state_dict()))
    expected = state.average.state_dict()[name].clone()
    for now in itertools.islice(fit(state, 10**6), 5):
        keep = 0.5 ** (8 / min(64, RAMP * now.images_seen))
        weights = state.objective.subject().state_dict()[name]
        expected = keep * expected + (1 - keep) * weights
        assert torch.allclose(state.average.state_dict()[name], expected, atol=1e-6)


def test_no_half_life_is_a_plain_copy(kittens: Pack) -> None:
    state = helpers.state(helpers.recipe("dcgan"), kittens)
    for _ in itertools.islice(fit(state, 10**6), 2):
        pass
    subject = state.objective.subject().state_dict()
    average = state.average.state_dict()
    assert helpers.bits(subject) == helpers.bits(average)
    assert any(not value.is_floating_point() for value in average.values())  # counts are copied


@pytest.mark.parametrize("name", RECIPES)
def test_channels_last_all_the_way(name: str, kittens: Pack) -> None:
    state = helpers.state(helpers.recipe(name), kittens)
    for _ in itertools.islice(fit(state, 10**6), 1):
        pass
    for tensors in state.parameters.values():
        assert all(
            p.is_contiguous(memory_format=torch.channels_last) for p in tensors if p.dim() == 4
        )
    assert state.batch().images.is_contiguous(memory_format=torch.channels_last)
    z = torch.randn(2, 100)
    assert state.objective.subject()(z).is_contiguous(memory_format=torch.channels_last)


def test_players_that_nobody_paces_are_refused(kittens: Pack) -> None:
    state = helpers.state(helpers.recipe("dcgan"), kittens)
    with pytest.raises(ValueError, match="name the same players"):
        State(state.objective, {"critic": state.paces["critic"]}, state.batches, 0, 1)
