"""The adversarial objective: who learns what from whom, in every play."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

import helpers
from purrtrait.datasets.pack import Pack
from purrtrait.losses import GAMES, PENALTIES
from purrtrait.losses.games import non_saturating
from purrtrait.networks.dcgan import DcganCritic
from purrtrait.networks.refiner import Refiner
from purrtrait.objectives.adversarial import ACCURACY, Adversarial
from purrtrait.objectives.augmentation import Augmentation
from purrtrait.objectives.augmentation import none as unchanged
from purrtrait.objectives.plays import PLAYS
from purrtrait.training import optimisers
from purrtrait.training.fit import fit
from purrtrait.training.schedule import constant
from purrtrait.training.state import Pace, State
from purrtrait.types import Batch, Draw, Progress, Share

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


def test_the_generator_may_move_more_than_once_on_fakes_of_its_own(kittens: Pack) -> None:
    settings = {**PLAIN, "play": "fresh", "generator_moves": "3", "critic_moves": "2"}
    state = helpers.state(helpers.recipe("dcgan", settings), kittens)
    drawn: list[Tensor] = []
    state.objective.subject().register_forward_pre_hook(
        lambda module, given: drawn.append(given[0].clone())
    )
    now = next(fit(state, 10**9))
    assert now.moves == {"generator": 3, "critic": 2}
    assert now.images_seen == 2 * 8
    assert len(drawn) == 5
    assert len({z.sum().item() for z in drawn}) == 5  # each move draws afresh


@pytest.mark.parametrize("play", [play for play in PLAYS if play != "fresh"])
def test_a_generator_that_reuses_fakes_moves_once(play: str, kittens: Pack) -> None:
    settings = {**PLAIN, "play": play, "generator_moves": "2"}
    state = helpers.state(helpers.recipe("dcgan", settings), kittens)
    with pytest.raises(ValueError, match=r"generator_moves is 2.*play=fresh"):
        next(fit(state, 10**9))


def test_the_generator_may_answer_for_more_fakes_than_there_are_reals(kittens: Pack) -> None:
    """As many as the critic's whole batch, of which its fakes are but a half."""
    settings = {**PLAIN, "play": "fresh", "fakes_per_real": "2"}
    state = helpers.state(helpers.recipe("dcgan", settings), kittens)
    sizes: list[int] = []
    state.objective.players()["critic"].register_forward_pre_hook(
        lambda module, given: sizes.append(len(given[0]))
    )
    next(fit(state, 10**9))
    assert sizes == [8, 8, 16]  # reals; fakes; the generator's


@pytest.mark.parametrize(
    "settings",
    [
        {"play": "alternating"},
        {"play": "simultaneous"},
        {"play": "shared"},
        {"play": "fresh", "game": "relativistic"},
    ],
)
def test_more_fakes_than_reals_are_refused_where_they_are_paired(
    settings: dict[str, str], kittens: Pack
) -> None:
    with pytest.raises(ValueError, match="fakes_per_real is 2; expected 1"):
        made = helpers.recipe("dcgan", {**PLAIN, **settings, "fakes_per_real": "2"})
        helpers.state(made, kittens)


def test_accuracy_is_the_share_of_verdicts_on_the_right_side(kittens: Pack) -> None:
    state = helpers.state(helpers.recipe("dcgan", PLAIN), kittens)
    verdicts: list[Tensor] = []
    state.objective.players()["critic"].register_forward_hook(
        lambda module, given, found: verdicts.append(found.detach())
    )
    for now in itertools.islice(fit(state, 10**9), 3):
        real, fake, _ = verdicts
        right = sum(real > 0) + sum(fake <= 0)
        assert now.scores[ACCURACY] == pytest.approx(int(right) / 16)
        verdicts.clear()


def details(now: Progress, share: Share = Share()) -> Batch:
    """Four colour details of 8 px, of one picture for the real and of another for the fake."""
    draw = Draw(0, "test", now.position, share)
    images, given, prompt = (
        draw.uniform((4 // share.ranks, 3, 8, 8), whose, -1, 1) for whose in ("a", "b", "c")
    )
    return Batch(images / 4, draw, given, prompt)


def refining(play: str = "fresh", penalty: str = "none", fakes: int = 1) -> Adversarial:
    torch.manual_seed(0)
    return Adversarial(
        Refiner(8, 3, width=4),
        DcganCritic(8, 3, width=4, normalisation="none"),
        non_saturating(),
        PENALTIES[penalty](),
        unchanged(),
        critic_moves=constant(1),
        generator_moves=constant(1),
        input_noise=constant(0),
        play=play,
        fakes_per_real=fakes,
    )


def refined(objective: Adversarial) -> State:
    pace = Pace(optimisers.sgd(), constant(0.1))
    return State(objective, dict.fromkeys(objective.players(), pace), details, 0.0, 10)


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("play", PLAYS)
def test_details_are_learnt_like_the_portraits_that_they_add_up_to(play: str, penalty: str) -> None:
    """Written out: every verdict is on what details and their own coarse picture add up to."""
    objective = refining(play, penalty)
    now = Progress(position=1)
    batch = details(now)
    found = asked(refined(refining(play, penalty)))
    z = batch.draw.prior(objective.drawer.prior, (4, objective.drawer.latent_size), "latents")
    assert batch.given is not None and batch.prompt is not None
    reals = (batch.images + batch.given).requires_grad_()
    fakes = objective.drawer(z, batch.prompt) + batch.prompt
    share = batch.draw.uniform((4, 1, 1, 1), "interpolation")
    between = torch.lerp(fakes.detach(), reals.detach(), share).requires_grad_()
    judge, softplus = objective.critic, torch.nn.functional.softplus
    real, fake = judge(reals), judge(fakes)

    def squared(verdicts: Tensor, images: Tensor) -> Tensor:
        (slopes,) = torch.autograd.grad(verdicts.sum(), images, create_graph=True)
        return slopes.square().flatten(1).sum(1).mean()

    def norm() -> Tensor:
        slopes: Tensor
        (slopes,) = torch.autograd.grad(judge(between).sum(), between, create_graph=True)
        return (slopes.flatten(1).square().sum(1).sqrt() - 1).square().mean()

    fines = {
        "none": lambda: real.new_zeros(()),
        "r1": lambda: squared(real, reals) / 2,
        "r1-r2": lambda: (squared(real, reals) + squared(fake, fakes)) / 2,
        "unit-norm": norm,
    }
    cost = softplus(-real).mean() + softplus(fake).mean() + fines[penalty]()
    expected = torch.autograd.grad(cost, list(judge.parameters()), retain_graph=True)
    for mine, theirs in zip(found["critic"], expected, strict=True):
        assert torch.allclose(mine, theirs, atol=1e-5 * float(theirs.abs().max()) + 1e-8)
    if play in ("simultaneous", "shared"):  # in the others the critic has moved since
        own = torch.autograd.grad(softplus(-fake).mean(), list(objective.drawer.parameters()))
        for mine, theirs in zip(found["generator"], own, strict=True):
            assert torch.allclose(mine, theirs, atol=1e-5 * float(theirs.abs().max()) + 1e-8)


def test_prompts_are_repeated_with_the_fakes() -> None:
    objective, batch = refining(fakes=2), details(Progress())
    exchange = objective.exchange(batch, 0.0, objective.fakes_per_real)
    assert batch.prompt is not None and exchange.prompt is not None
    assert torch.equal(exchange.prompt[::2], batch.prompt)
    assert torch.equal(exchange.prompt[1::2], batch.prompt)
    z = batch.draw.prior(objective.drawer.prior, (8, objective.drawer.latent_size), "latents")
    assert torch.allclose(exchange.fakes, objective.drawer(z, exchange.prompt), atol=1e-6)
    assert not torch.allclose(exchange.fakes[::2], exchange.fakes[1::2])


def test_two_processes_draw_what_one_would() -> None:
    objective = refining(fakes=3)
    one = objective.exchange(details(Progress()), 0.0, 3).fakes
    two = [objective.exchange(details(Progress(), Share(r, 2)), 0.0, 3).fakes for r in (0, 1)]
    assert torch.allclose(one, torch.cat(two), atol=1e-6)


class Turned(Augmentation):
    """Turns every picture upside down."""

    def forward(self, images: Tensor, draw: Draw, purpose: str) -> Tensor:
        return images.flip(2)

    def heed(self, now: Progress) -> None:
        """Nothing to look at."""


def test_details_are_changed_with_what_they_are_details_of() -> None:
    objective, batch = refining(), details(Progress())
    plain = objective.exchange(batch, 0.0)
    objective.augmentation = Turned(())
    turned = objective.exchange(batch, 0.0)
    for before, after, given in (
        (plain.reals, turned.reals, batch.given),
        (plain.fakes, turned.fakes, batch.prompt),
    ):
        assert given is not None
        assert torch.allclose(after + given, (before + given).flip(2), atol=1e-6)
