"""The adversarial objective: who learns what from whom, in every play."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

import helpers
from purrtrait.datasets.pack import Pack
from purrtrait.losses import GAMES
from purrtrait.objectives.adversarial import PLAYS
from purrtrait.training.fit import fit
from purrtrait.training.state import State

PLAIN = {"critic.normalisation": "none", "generator.normalisation": "none"}


def asked(state: State) -> dict[str, list[Tensor]]:
    """The gradients that the players step with in the first step, by player."""
    found: dict[str, list[Tensor]] = {}
    for name, optimiser in state.optimisers.items():

        def keep(*args: object, name: str = name) -> None:
            found[name] = [p.grad.clone() for p in state.parameters[name] if p.grad is not None]

        optimiser.register_step_pre_hook(keep)
    next(fit(state, 10**9))
    return found


@pytest.mark.parametrize("game", [name for name, game in GAMES.items() if game().slopes])
@pytest.mark.parametrize("penalty", ["none", "r1-r2"])
@pytest.mark.parametrize("lead", [0.0, 10.0, 30.0])
def test_one_backward_pass_gives_the_gradients_of_two(
    game: str, penalty: str, lead: float, kittens: Pack
) -> None:
    """Also where the critic leads by far, so that its own slope at the fakes is all but gone."""
    both = []
    for play in ("simultaneous", "shared"):
        settings = {**PLAIN, "game": game, "penalty": penalty, "play": play}
        state = helpers.state(helpers.recipe("dcgan", settings), kittens)
        judge = state.objective.players()["critic"]
        calls = iter(range(10**6))
        judge.register_forward_hook(
            lambda module, given, verdicts, calls=calls: verdicts - lead * (next(calls) % 2)
        )
        both.append(asked(state))
    for player in ("generator", "critic"):
        for two, one in zip(both[0][player], both[1][player], strict=True):
            scale = two.abs().max()
            assert torch.allclose(two, one, atol=1e-5 * scale.item()), player
    assert max(slope.abs().max() for slope in both[0]["generator"]) > 0


@pytest.mark.parametrize(
    "settings",
    [
        {"critic.normalisation": "batch"},
        {"critic.normalisation": "none", "game": "hinge"},
        {"critic.normalisation": "none", "game": "least-squares"},
    ],
)
def test_one_backward_pass_is_refused_where_it_would_be_wrong(
    settings: dict[str, str], kittens: Pack
) -> None:
    with pytest.raises(ValueError, match="simultaneous"):
        helpers.state(helpers.recipe("dcgan", {**settings, "play": "shared"}), kittens)


@pytest.mark.parametrize("game", GAMES)
@pytest.mark.parametrize("play", PLAYS)
def test_each_move_helps_who_makes_it(game: str, play: str, kittens: Pack) -> None:
    """The sign of every player's gradient: a small step down lowers its own cost."""
    if play == "shared" and not GAMES[game]().slopes:
        return  # refused, as the test above says
    settings = {**PLAIN, "game": game, "play": play, "deviation": "0.1"}
    state = helpers.state(helpers.recipe("dcgan", settings), kittens)
    objective = state.objective
    before = {n: [p.detach().clone() for p in ps] for n, ps in state.parameters.items()}
    gradients = asked(state)
    batch = state.batches(state.now)
    for player, slopes in gradients.items():
        costs = []
        for distance in (0.0, 1e-3):
            with torch.no_grad():
                for name, old in before.items():
                    for parameter, was in zip(state.parameters[name], old, strict=True):
                        parameter.copy_(was)
                norm = torch.cat([s.flatten() for s in slopes]).norm()
                for parameter, slope in zip(state.parameters[player], slopes, strict=True):
                    parameter.sub_(distance * slope / norm)
            exchange = objective.exchange(batch, 0.0)  # type: ignore[operator]
            loss = getattr(objective.game, player)
            costs.append(loss(exchange).mean().item())
        assert costs[1] < costs[0], player


def test_the_generator_answers_for_the_fakes_that_the_critic_saw(kittens: Pack) -> None:
    """Alternating reuses the critic's fakes; fresh draws the generator's own."""
    for play, alike in (("alternating", True), ("fresh", False)):
        state = helpers.state(helpers.recipe("dcgan", {**PLAIN, "play": play}), kittens)
        seen: list[Tensor] = []
        state.objective.players()["critic"].register_forward_pre_hook(
            lambda module, given, seen=seen: seen.append(given[0].detach().clone())
        )
        next(fit(state, 10**9))
        _, critics, generators = seen
        assert torch.equal(critics, generators) == alike


def test_noise_on_the_critics_input_decays_to_nothing(kittens: Pack) -> None:
    noise = "{name='linear', start=0.5, end=0.0, until_images=32}"
    state = helpers.state(helpers.recipe("dcgan", {"input_noise": noise}), kittens)
    levels = [now.scores["critic/noise"] for now in itertools.islice(fit(state, 10**9), 6)]
    assert levels == pytest.approx([0.5, 0.375, 0.25, 0.125, 0, 0])
    state = helpers.state(helpers.recipe("dcgan", {"input_noise": "0.5"}), kittens)
    batch = state.batches(state.now)
    exchange = state.objective.exchange(batch, 0.5)  # type: ignore[operator]
    added = exchange.reals - batch.images
    assert abs(added.std().item() - 0.5) < 0.02
    clean = state.objective.exchange(batch, 0.0)  # type: ignore[operator]
    assert abs((exchange.fakes - clean.fakes).std().item() - 0.5) < 0.02


def test_batch_statistics_of_reals_and_fakes_are_kept_apart(kittens: Pack) -> None:
    state = helpers.state(helpers.recipe("dcgan"), kittens)
    sizes: list[int] = []
    state.objective.players()["critic"].register_forward_pre_hook(
        lambda module, given: sizes.append(len(given[0]))
    )
    next(fit(state, 10**9))
    assert sizes == [8, 8, 8]  # reals; fakes; fakes once more, after the critic moved


def test_an_unknown_play_is_refused_in_words(kittens: Pack) -> None:
    with pytest.raises(ValueError, match="alternating, fresh, simultaneous, shared"):
        helpers.state(helpers.recipe("dcgan", {"play": "both"}), kittens)
