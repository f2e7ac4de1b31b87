"""The VAE/GAN: sign and share of every term in each player's gradient; what may be left out."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import Parameter
from torch.nn.functional import softplus

import helpers
from purrtrait.assemble.arithmetic import counted
from purrtrait.datasets.pack import Pack
from purrtrait.images.resize import to_images
from purrtrait.losses import GAMES, PENALTIES
from purrtrait.losses.divergence import divergence
from purrtrait.losses.likelihood import gaussian
from purrtrait.networks.blocks import Seed
from purrtrait.networks.dcgan import DcganCritic, DcganGenerator
from purrtrait.networks.encoder import ConvolvingEncoder
from purrtrait.networks.torchgan import TorchGanCritic
from purrtrait.networks.upsampling import UpsamplingGenerator
from purrtrait.objectives import BALANCES, augmentation
from purrtrait.objectives.adaptive_l2 import l2
from purrtrait.objectives.adversarial import LOSS_ON_FAKES, LOSS_ON_REALS
from purrtrait.objectives.balanced import Balance, Balanced, accuracy, none
from purrtrait.objectives.decoding import SPACES
from purrtrait.objectives.margin import margin
from purrtrait.objectives.vaegan import VaeGan
from purrtrait.training import optimisers
from purrtrait.training.fit import fit, gradients
from purrtrait.training.schedule import constant
from purrtrait.training.state import Pace, State
from purrtrait.types import Batch, Draw, Progress, Terms, Turn

VARIANCE = 0.3


def made(game: str = "non-saturating", divergence: float = 0.7, **options: Any) -> VaeGan:
    """A small objective for grey pictures, with batch norm in encoder and decoder."""
    torch.manual_seed(0)
    size, channels, latent = options.pop("size", 8), options.pop("channels", 1), 6
    return VaeGan(
        ConvolvingEncoder(size, channels, latent, 4),
        DcganGenerator(size, channels, latent, 8),
        DcganCritic(size, channels, 8, normalisation="none", deviation=0.2),
        GAMES[game](),
        PENALTIES["none"](),
        augmentation.none(),
        constant(options.pop("critic_moves", 1)),
        constant(divergence),
        variance=VARIANCE,
        **options,
    ).train()


def batch(rows: int = 5) -> Batch:
    draw = Draw(0, "test", 0)
    return Batch(draw.uniform((rows, 1, 8, 8), "pictures", -1, 1), draw)


def parameters(objective: VaeGan) -> dict[str, list[Parameter]]:
    return {name: list(player.parameters()) for name, player in objective.players().items()}


def played(objective: VaeGan, some: Batch) -> tuple[dict[str, list[Tensor]], list[Terms]]:
    """The gradient of each player in a step in which nobody moves, and the terms of both turns."""
    found, said = {}, []
    own = parameters(objective)
    for turn in objective.turns(Progress(moves={"critic": 0})):
        said.append(turn.loss(some))
        gradients(own, turn, said[-1])
        for mover in turn.movers:
            found[mover] = [p.grad.clone() for p in own[mover] if p.grad is not None]
    return found, said


def written_out(objective: VaeGan, some: Batch, space: str, both: bool) -> dict[str, Tensor]:
    """Each term of the objective by itself, written out from its definition."""
    players = objective.players()
    encoder, decoder, critic = (players[name] for name in ("encoder", "decoder", "critic"))
    mean, log_variance = encoder(some.images)
    z = mean + (log_variance / 2).exp() * some.draw.normal((5, 6), "posterior")
    z = torch.cat([z, some.draw.normal((5, 6), "latents")])
    drawn, samples = decoder(z).tensor_split(2)
    see = critic.features if space == "features" else nn.Identity()
    fakes = [samples, drawn][: 1 + both]
    return {
        "reconstruction": gaussian(see(drawn), see(some.images), VARIANCE).mean(),  # type: ignore[operator]
        "divergence": divergence(mean, log_variance).mean(),
        "game": torch.stack([softplus(-critic(one)).mean() for one in fakes]).mean(),
        "critic": softplus(-critic(some.images)).mean()
        + torch.stack([softplus(critic(one)).mean() for one in fakes]).mean(),
    }


def slopes(cost: Tensor, own: Sequence[Tensor]) -> list[Tensor]:
    return list(torch.autograd.grad(cost, own, retain_graph=True, materialize_grads=True))


def same(found: Sequence[Tensor], expected: Sequence[Tensor]) -> bool:
    whole, other = (torch.cat([slope.flatten() for slope in some]) for some in (found, expected))
    return bool((whole - other).norm() <= 1e-4 * other.norm())


CASES = list(itertools.product(["pixels", "features"], [False, True], [(1.0, 1.0), (0.25, 3.0)]))


@pytest.mark.parametrize(("space", "both", "weights"), CASES)
def test_every_player_goes_down_what_is_its_own(
    space: str, both: bool, weights: tuple[float, float]
) -> None:
    """Decoder: weight_vae * reconstruction + weight_gan * game, each with its sign and share."""
    judged = "samples-and-reconstructions" if both else "samples"
    vae, gan = weights
    objective = made(weights="fixed", weight_vae=vae, weight_gan=gan, space=space, judged=judged)
    some, own = batch(), parameters(objective)
    found, (_, terms) = played(objective, some)
    term = written_out(objective, some, space, both)
    decoder = vae * term["reconstruction"] + gan * term["game"]
    encoder = term["reconstruction"] + 0.7 * term["divergence"]
    assert same(found["decoder"], slopes(decoder, own["decoder"]))
    assert same(found["encoder"], slopes(encoder, own["encoder"]))
    assert same(found["critic"], slopes(term["critic"], own["critic"]))
    # The costs that are logged are those terms, before their weights.
    for player, name in (("encoder", "divergence"), ("decoder", "game")):
        assert terms.costs[player][name].item() == pytest.approx(term[name].item(), rel=1e-4)
    # None of the terms is so small that it would not be missed.
    for name in ("reconstruction", "game"):
        without = decoder - {"reconstruction": vae, "game": gan}[name] * term[name]
        assert not same(found["decoder"], slopes(without, own["decoder"]))


@pytest.mark.parametrize("judged", ["samples", "samples-and-reconstructions"])
def test_pictures_and_samples_share_one_scale_and_its_record(judged: str) -> None:
    """The decoder's batch norm sees them in one pass, of which each step has but one."""
    objective, other = made(judged=judged), made(judged=judged)
    played(objective, batch())
    decoder, expected = objective.drawer, other.drawer
    mean, log_variance = other.encoder(batch().images)
    z = mean + (log_variance / 2).exp() * batch().draw.normal((5, 6), "posterior")
    expected(torch.cat([z, batch().draw.normal((5, 6), "latents")]))
    counts = [int(v) for name, v in decoder.named_buffers() if name.endswith("tracked")]
    assert counts and set(counts) == {1}
    for name, value in decoder.named_buffers():
        torch.testing.assert_close(value, expected.get_buffer(name), msg=name)


@pytest.mark.parametrize("space", ["pixels", "features"])
@pytest.mark.parametrize("weights", [(1.0, 1.0), (1.0, 0.25), (0.5, 2.0)])
def test_equal_weights_make_both_gradients_as_long_at_the_decoded_pictures(
    space: str, weights: tuple[float, float]
) -> None:
    vae, gan = weights
    objective = made(weights="equal", weight_vae=vae, weight_gan=gan, space=space)
    some, own = batch(), parameters(objective)
    found, (_, terms) = played(objective, some)
    decoder = objective.drawer
    mean, log_variance = objective.encoder(some.images)
    z = mean + (log_variance / 2).exp() * some.draw.normal((5, 6), "posterior")
    drawn, samples = decoder(torch.cat([z, some.draw.normal((5, 6), "latents")])).tensor_split(2)
    critic = objective.duel.critic
    see = critic.features if space == "features" else nn.Identity()
    likeness = gaussian(see(drawn), see(some.images), VARIANCE).mean()
    game = softplus(-critic(samples)).mean()
    (one,), (other,) = slopes(likeness, [drawn]), slopes(game, [samples])
    cost = vae * likeness + gan * (one.norm() / other.norm()) * game
    assert same(found["decoder"], slopes(cost, own["decoder"]))
    assert terms.watch["decoder/share"].item() == pytest.approx(gan / (vae + gan), rel=1e-4)
    factor = gan * (one.norm() / other.norm()).item()
    assert terms.watch["decoder/factor"].item() == pytest.approx(factor, rel=1e-4)


def test_a_game_that_is_left_out_leaves_the_autoencoder() -> None:
    """What is left where a balance holds the game back; encoder and decoder step all the same."""
    objective, some = made(weights="fixed", weight_vae=0.5), batch()
    own = parameters(objective)
    critic, pair = objective.turns(Progress(moves={"critic": 0}))
    critic.loss(some)

    def loss(batch: Batch) -> Terms:
        terms = pair.loss(batch)
        assert terms.held.keys() == {("decoder",)}
        return replace(terms, descents={**terms.descents, **terms.held})

    held: Turn = replace(pair, loss=loss)
    gradients(own, held, held.loss(some))
    term = written_out(objective, some, "pixels", False)
    found = [p.grad for p in own["decoder"] if p.grad is not None]
    assert same(found, slopes(0.5 * term["reconstruction"], own["decoder"]))
    encoder = term["reconstruction"] + 0.7 * term["divergence"]
    found = [p.grad for p in own["encoder"] if p.grad is not None]
    assert same(found, slopes(encoder, own["encoder"]))


def test_the_critic_moves_first_and_has_turns_of_its_own() -> None:
    turns = made(critic_moves=3).turns(Progress(moves={"critic": 4}))
    assert [turn.movers for turn in turns] == [("critic",)] * 3 + [("encoder", "decoder")]
    assert [turn.ticks for turn in turns] == [1, 1, 1, 0]
    assert [turn.advance for turn in turns] == [1, 1, 1, 0]
    balanced = accuracy(0.8)(made()).turns(Progress())
    assert [turn.movers for turn in balanced] == [("critic",), ("encoder", "decoder")]


@pytest.mark.parametrize(
    ("game", "won"), [("non-saturating", ("critic",)), ("hinge", ("critic",)), ("wasserstein", ())]
)
def test_who_has_won_at_zero(game: str, won: tuple[str, ...]) -> None:
    assert made(game).won_at_zero == won


@pytest.mark.parametrize("game", GAMES)
@pytest.mark.parametrize("judged", ["samples", "samples-and-reconstructions"])
def test_every_game_can_be_played(game: str, judged: str) -> None:
    found, _ = played(made(game, judged=judged), batch())
    for slopes_of in found.values():
        assert all(torch.isfinite(slope).all() for slope in slopes_of)


def test_clipped_weights_stay_within_the_clip() -> None:
    objective = made("wasserstein", clip=0.01)
    critic, _ = objective.turns(Progress())
    critic.after()
    assert all(p.abs().max() <= 0.01 for p in objective.duel.critic.parameters())


def test_pairs_that_do_not_fit_are_refused() -> None:
    encoder, critic = ConvolvingEncoder(8, 1, 6, 4), DcganCritic(8, 1, 8)
    rest = GAMES["hinge"](), PENALTIES["none"](), augmentation.none(), constant(1), constant(1)
    with pytest.raises(ValueError, match="numbers"):
        VaeGan(encoder, DcganGenerator(8, 1, 7, 8), critic, *rest)
    with pytest.raises(ValueError, match="normal prior"):
        VaeGan(encoder, UpsamplingGenerator(8, 1, 6, 8), critic, *rest)


def trained(pack: Pack, steps: int) -> tuple[State, Mapping[str, float], Mapping[str, float]]:
    objective = made(size=16, channels=3, likelihood="fitted-gaussian", weight_gan=0.3)
    pace = Pace(optimisers.adam(), constant(2e-3))
    rows = pack.rows("train")

    def drawn(now: Progress) -> Batch:
        draw = Draw(0, "test", now.position)
        chosen = rows[draw.permutation(len(rows), "rows")[:16]]
        return Batch(to_images(pack.images[chosen]), draw)

    state = State(objective, dict.fromkeys(objective.players(), pace), drawn, 0, 80)
    first, *_, last = itertools.islice(fit(state, 10**9), steps)
    return state, first.scores, last.scores


def test_three_players_learn_at_once(kittens: Pack) -> None:
    state, first, last = trained(kittens, 40)
    assert last["decoder/reconstruction"] < first["decoder/reconstruction"] - 300
    assert last["encoder/reconstruction"] == last["decoder/reconstruction"]
    assert last["decoder/share"] == pytest.approx(0.3 / 1.3, rel=1e-4)
    assert state.now.moves == {"encoder": 40, "decoder": 40, "critic": 40}
    assert state.now.images_seen == 40 * 16
    panel = state.objective.panel(state.batch(), state.average)
    assert list(panel) == ["original", "decoded"]
    own = (panel["decoded"] - panel["original"]).square().mean()
    assert own < (panel["decoded"] - panel["original"].roll(1, 0)).square().mean()


# What a step costs beside 3E + 8G + 8D: further passes of E, G and D, and first layers' input
# gradients of D that nobody needs.
FURTHER: list[tuple[dict[str, Any], tuple[int, int, int, int]]] = [
    ({}, (0, 0, 0, 0)),
    ({"weights": "fixed", "weight_vae": 0.5}, (0, 0, 0, 0)),
    ({"space": "features"}, (0, 0, 3, 0)),
    ({"judged": "samples-and-reconstructions"}, (0, 0, 5, 1)),
    ({"critic_moves": 3}, (2, 4, 12, 4)),
    ({"game": "relativistic"}, (0, 0, 1, 0)),
    ({"game": "relativistic", "judged": "samples-and-reconstructions"}, (0, 0, 6, 1)),
]


@pytest.mark.parametrize(("options", "further"), FURTHER)
def test_a_step_costs_its_formula(
    options: dict[str, Any], further: tuple[int, int, int, int]
) -> None:
    objective, some = made(size=16, **options), Batch(torch.rand(8, 1, 16, 16), Draw(0, "test", 0))
    encoder, decoder, critic = objective.players().values()
    z, images = torch.randn(8, 6), some.images
    with torch.no_grad():
        e, g, d = (
            counted(lambda: encoder(images)),
            counted(lambda: decoder(z)),
            counted(lambda: critic(images)),
        )
        first = [
            counted(lambda: next(m for m in net.modules() if isinstance(m, kind))(seen))  # noqa: B023
            for net, kind, seen in (
                (encoder, nn.Conv2d, images),
                (decoder, Seed, z),
                (critic, nn.Conv2d, images),
            )
        ]
    more_e, more_g, more_d, spared_d = further
    whole = (3 + more_e) * e + (8 + more_g) * g + (8 + more_d) * d
    spared = first[0] + 2 * first[1] + (2 + spared_d) * first[2]
    pace = Pace(optimisers.adam(), constant(1e-3))
    state = State(objective, dict.fromkeys(objective.players(), pace), lambda now: some, 0, 80)
    steps = fit(state, 10**9)
    for _ in range(2):
        assert counted(lambda: next(steps)) == pytest.approx(whole - spared, rel=0.01)


def test_what_the_critic_loses_on_fakes_is_of_all_that_it_sees() -> None:
    """A balance goes by that."""
    objective, some = made(judged="samples-and-reconstructions"), batch()
    shown: list[Tensor] = []
    critic = objective.players()["critic"]
    critic.register_forward_hook(lambda module, given, verdicts: shown.append(verdicts))
    watch = objective.turns(Progress(moves={"critic": 0}))[0].loss(some).watch
    real, *fakes = (softplus(side).mean().item() for side in (-shown[0], *shown[1:]))
    assert watch[LOSS_ON_REALS].item() == pytest.approx(real)
    assert watch[LOSS_ON_FAKES].item() == pytest.approx(sum(fakes) / 2)


def test_in_features_nothing_is_nearer_to_a_picture_than_itself() -> None:
    """Though the critic has dropout, of which every pass in training has masks of its own."""
    torch.manual_seed(0)
    critic = TorchGanCritic(8, 1, 4).train()
    some = batch(6).images
    likeness = partial(SPACES["features"], critic, gaussian)
    itself, others = likeness(some, some), likeness(some.roll(1, 0), some)
    assert (itself < others).all()
    drawn = some.clone().requires_grad_()
    (slope,) = torch.autograd.grad(likeness(drawn, some).sum(), drawn)
    assert slope.abs().max() == 0
    assert critic.training
    assert all(module.training for module in critic.modules())


Moved = tuple[State, list[Mapping[str, float]]]


def moved(balance: Balance, critic_rate: float = 1e-3, **options: Any) -> Moved:
    """Three steps of the small objective behind a rule, and what was told after each."""
    objective = balance(made(**options)).train()
    paces = dict.fromkeys(objective.players(), Pace(optimisers.adam(), constant(1e-3)))
    paces["critic"] = Pace(optimisers.adam(), constant(critic_rate))

    def drawn(now: Progress) -> Batch:
        draw = Draw(0, "test", now.position)
        return Batch(draw.uniform((5, 1, 8, 8), "pictures", -1, 1), draw)

    state = State(objective, paces, drawn, 0, 80)
    return state, [now.scores for now in itertools.islice(fit(state, 10**9), 3)]


def weights(state: State, *players: str) -> list[dict[str, bytes]]:
    return [helpers.bits(state.objective.players()[name].state_dict()) for name in players]


PLAYERS = ("encoder", "decoder", "critic")


def test_a_decoder_that_the_margin_rule_holds_back_goes_on_as_an_autoencoder() -> None:
    """To the bit as if the game weighed nothing, while the critic plays on."""
    held, told = moved(margin(0.45), weights="fixed")
    without, free = (moved(none(), weights="fixed", weight_gan=gan)[0] for gan in (0.0, 1.0))
    assert weights(held, *PLAYERS) == weights(without, *PLAYERS)
    assert weights(held, "decoder") != weights(free, "decoder")
    assert [scores["balance/decoder-skipped"] for scores in told] == [0, 1, 2]
    assert [scores["balance/critic-skipped"] for scores in told] == [0, 0, 0]
    assert held.now.moves == dict.fromkeys(PLAYERS, 3)


@pytest.mark.parametrize("balance", [margin(0.0), l2(step=0.0), accuracy()])
def test_a_rule_that_holds_nobody_back_changes_nothing(balance: Balance) -> None:
    assert weights(moved(balance)[0], *PLAYERS) == weights(moved(none())[0], *PLAYERS)


def test_a_critic_that_the_accuracy_rule_holds_back_lets_the_others_learn() -> None:
    held, told = moved(accuracy(0.0))
    assert weights(held, *PLAYERS) == weights(moved(none(), critic_rate=0.0)[0], *PLAYERS)
    assert [scores["balance/critic"] for scores in told] == [1, 0, 0]


@pytest.mark.parametrize(("low", "high", "expected"), [(0, 0, [0, 1, 2]), (99, 99, [0, 0, 0])])
def test_the_l2_rule_goes_by_what_the_decoder_loses_in_the_game(
    low: float, high: float, expected: list[float]
) -> None:
    """Above 0 or below 99, as every loss is; the price of the weights is the critic's alone."""
    state, told = moved(l2(low, high, 0.25))
    assert [scores["balance/l2"] for scores in told] == [0.25 * n for n in expected]
    assert all(0 < scores["decoder/game"] < 99 for scores in told)
    assert [scores["critic/l2"] > 0 for scores in told] == [n > 0 for n in expected]
    free = moved(none())[0]
    assert (weights(state, "critic") == weights(free, "critic")) == (not any(expected))


BUSY = {"margin": "margin=0.45", "l2": "low=0.0, high=0.0", "accuracy": "most=0.6"}


@pytest.mark.parametrize("name", [name for name in BALANCES if name != "none"])
def test_what_a_rule_remembers_outlives_a_checkpoint(name: str, kittens: Pack) -> None:
    balance = f"{{name='{name}', {BUSY[name]}}}"
    recipe = helpers.recipe("vae-gan", {"balance": balance, "game": "non-saturating"})
    straight, first, second = (helpers.state(recipe, kittens) for _ in range(3))
    for state, steps in ((straight, 3), (first, 2)):
        for _ in itertools.islice(fit(state, 10**9), steps):
            pass
    average = first.average.state_dict()
    second.restore(first.tensors(), average, first.facts(), first.steppers())
    next(fit(second, 10**9))
    assert helpers.bits(second.tensors()) == helpers.bits(straight.tensors())
    assert second.now == straight.now
    assert isinstance(straight.objective, Balanced)
    assert any(value.any() for value in straight.objective.rule.buffers())
