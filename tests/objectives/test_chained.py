"""Chained generators: whose fakes the critic sees, and who is moved by what."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy, softplus

import helpers
from purrtrait.losses import GAMES, PENALTIES
from purrtrait.networks.chain import Chain, ConvolvingRetoucher, DenseRetoucher
from purrtrait.networks.dcgan import DcganCritic
from purrtrait.networks.dense import DenseGenerator
from purrtrait.objectives.augmentation import Differentiable, none
from purrtrait.objectives.chained import Chained
from purrtrait.training import optimisers
from purrtrait.training.fit import fit, play
from purrtrait.training.schedule import constant
from purrtrait.training.state import Pace, State, packed_memory
from purrtrait.types import Batch, Critic, Draw, Generator, Progress, Retoucher

REALS = 4


def batch(now: Progress) -> Batch:
    draw = Draw(3, "test", now.position)
    return Batch(draw.uniform((REALS, 1, 8, 8), "pictures", -1, 1), draw)


def chained(artists: int, moves: tuple[float, float] = (1, 1), **options: float) -> Chained:
    """A small chain of two or three artists; ``moves`` are the critic's and each artist's."""
    torch.manual_seed(0)
    return Chained(
        DenseGenerator(8, 1, latent=6, width=16),
        ConvolvingRetoucher(8, 1, width=4),
        DcganCritic(8, 1, width=4, normalisation="none"),
        GAMES["non-saturating"](),
        PENALTIES["none"](),
        Differentiable(constant(0.5)) if options.pop("changed", 0) else none(),
        constant(moves[0]),
        constant(moves[1]),
        DenseRetoucher(8, 1, width=64) if artists == 3 else None,
        **options,  # type: ignore[arg-type]
    )


def state(objective: Chained) -> State:
    pace = Pace(optimisers.adam(), constant(1e-2))
    paces = dict.fromkeys(objective.players(), pace)
    return State(objective.train(), paces, batch, 0.0, 160)


def seen(objective: Chained) -> list[Tensor]:
    """Collects what the critic is shown from now on."""
    found: list[Tensor] = []
    objective.duel.critic.register_forward_pre_hook(
        lambda module, given: found.append(given[0].detach().clone())
    )
    return found


def written_out(objective: Chained, number: int, weight: float, at: Batch) -> Tensor:
    """What the ``number``-th retoucher should lose, from the equations alone."""
    chain = objective.drawer
    z = at.draw.prior(chain.prior, (len(at.images), chain.latent_size), "latents")
    before = chain.drawer(z)
    for retoucher in chain.retouchers[:number]:
        before = retoucher(before)
    drawn = chain.retouchers[number](before.detach())
    entropy = binary_cross_entropy((drawn + 1) / 2, (before.detach() + 1) / 2)
    return entropy + weight * softplus(-objective.duel.critic(drawn)).mean()


@pytest.mark.parametrize(("artists", "number"), [(2, 0), (3, 0), (3, 1)])
@pytest.mark.parametrize("weight", [0.01, 0.5])
def test_a_retoucher_loses_what_the_equation_says(artists: int, number: int, weight: float) -> None:
    objective, at = chained(artists, adversarial_weight=weight), batch(Progress())
    costs = objective.retouched(number, at).costs[objective.artists[number + 1]]
    own, expected = sum(costs.values()), written_out(objective, number, weight, at)
    assert isinstance(own, Tensor)
    assert torch.allclose(own, expected, atol=1e-5)
    parameters = list(objective.drawer.retouchers[number].parameters())
    pairs = zip(
        torch.autograd.grad(own, parameters),
        torch.autograd.grad(expected, parameters),
        strict=True,
    )
    for mine, theirs in pairs:
        assert torch.allclose(mine, theirs, atol=1e-4 * float(theirs.abs().max()) + 1e-7)


@pytest.mark.parametrize(("artists", "number"), [(2, 0), (3, 0), (3, 1)])
def test_nobody_before_a_retoucher_is_asked_for_anything(artists: int, number: int) -> None:
    """Its loss hangs on no weight of those before it, and no graph is kept of their drawing."""
    objective = chained(artists)
    chain, graphs = objective.drawer, []
    earlier = [chain.drawer, *chain.retouchers[:number]]
    for artist in earlier:
        artist.register_forward_hook(lambda module, given, drawn: graphs.append(drawn.grad_fn))
    costs = objective.retouched(number, batch(Progress())).costs
    cost = torch.stack(list(costs[objective.artists[number + 1]].values())).sum()
    weights = [weight for artist in earlier for weight in artist.parameters()]
    slopes = torch.autograd.grad(cost, weights, allow_unused=True)
    assert all(slope is None for slope in slopes)
    assert graphs == [None] * len(earlier)


def test_a_turn_moves_its_own_player_alone() -> None:
    training = state(chained(3))
    for turn in training.objective.turns(training.now):
        before = {n: [p.detach().clone() for p in ps] for n, ps in training.parameters.items()}
        training.now = replace(training.now, position=training.now.position + turn.advance)
        play(training, turn, training.batch())
        moved = [
            name
            for name, old in before.items()
            if any(
                not torch.equal(a, b) for a, b in zip(old, training.parameters[name], strict=True)
            )
        ]
        assert moved == list(turn.movers)


def test_the_order_of_a_step_and_its_clock() -> None:
    training = state(chained(3, (3, 2)))
    turns = training.objective.turns(training.now)
    order = [name for turn in turns for name in turn.movers]
    assert order == ["critic"] * 3 + ["generator"] * 2 + ["second"] * 2 + ["third"] * 2
    now = next(fit(training, 10**9))
    assert now.moves == {"generator": 2, "second": 2, "third": 2, "critic": 3}
    assert now.images_seen == 3 * REALS  # what the artists draw is no real picture
    assert now.position == 9  # each move has noise of its own


@pytest.mark.parametrize("moves", [1, 2, 3])
def test_two_artists_take_turns_before_the_critic(moves: int) -> None:
    """Even moves of the critic see the generator's fakes, odd ones the second's."""
    objective = chained(2, (moves, 1))
    found, chain = seen(objective), objective.drawer
    for first in range(0, 3 * moves, moves):
        turns = objective.turns(Progress(moves={"critic": first}))
        for move, turn in enumerate(turns[:moves], first):
            at = batch(Progress())
            found.clear()
            turn.loss(at)
            z = at.draw.prior(chain.prior, (REALS, chain.latent_size), "latents")
            _, fakes = found
            assert torch.equal(fakes, chain.until(move % 2, z))


class Blank(Generator):
    """Draws nothing."""

    latent_size, prior = 1, "uniform"

    def forward(self, z: Tensor, given: Tensor | None = None) -> Tensor:
        return z.new_zeros(len(z), 1, 8, 8)


class Mark(Retoucher):
    """Leaves its mark."""

    def forward(self, images: Tensor) -> Tensor:
        return images + 0.25


class Quick(Critic):
    """Judges by the mean."""

    def features(self, images: Tensor, given: Tensor | None = None) -> Tensor:
        return images.flatten(1)

    def forward(self, images: Tensor, given: Tensor | None = None) -> Tensor:
        return images.flatten(1).mean(1)


def test_three_artists_share_the_critic_by_lot() -> None:
    """50, 30 and 20 of 100, each half-batch by one of them."""
    objective = Chained(
        Blank(),
        Mark(),
        Quick(),
        GAMES["hinge"](),
        PENALTIES["none"](),
        none(),
        constant(1),
        constant(1),
        Mark(),
    )
    counts: Counter[float] = Counter()
    draws = 1000
    found = seen(objective)
    for position in range(draws):
        objective.judged(position, batch(Progress(position=position)))
        (mark,) = found[-1].unique().tolist()  # one artist's alone
        counts[mark] += 1
    shares = [counts[mark] / draws for mark in (0.0, 0.25, 0.5)]
    assert sum(counts.values()) == draws
    assert shares == pytest.approx([0.5, 0.3, 0.2], abs=0.04)


def test_a_lot_is_the_same_in_every_process_and_without_numbers() -> None:
    objective = chained(3)
    for position in range(20):
        draw = Draw(0, "test", position)
        lots = {
            objective._whose(0, replace(draw, device=torch.device(kind)))
            for kind in ("cpu", "meta")
        }
        assert len(lots) == 1


def test_half_batches() -> None:
    """The critic sees as many fakes as reals; an artist answers for as many as all of them."""
    objective = chained(3, fakes_per_real=2)
    found, sizes = seen(objective), []
    for turn in objective.turns(Progress()):
        found.clear()
        turn.loss(batch(Progress()))
        sizes.append([len(images) for images in found])
    assert sizes == [[REALS, REALS], [2 * REALS], [2 * REALS], [2 * REALS]]
    with pytest.raises(ValueError, match="fakes_per_real is 2"):
        Chained(
            objective.drawer.drawer,
            ConvolvingRetoucher(8, 1),
            objective.duel.critic,
            GAMES["relativistic"](),
            PENALTIES["none"](),
            none(),
            constant(1),
            constant(1),
            fakes_per_real=2,
        )


def test_the_subject_is_the_chain() -> None:
    training = state(chained(3))
    for _ in itertools.islice(fit(training, 10**9), 2):
        pass
    objective = training.objective
    assert objective.artists == ("generator", "second", "third")
    assert list(objective.players()) == ["generator", "second", "third", "critic"]
    assert isinstance(training.average, Chain)
    z = torch.rand(5, 6) * 2 - 1
    generator, second, third = (objective.players()[name] for name in objective.artists)
    assert torch.equal(training.average(z), third(second(generator(z))))  # no half-life: a copy
    panel = objective.panel(batch(Progress()), training.average)
    assert list(panel) == ["generator", "second", "third"]
    drawn = panel["generator"]
    for name, network in (("second", second), ("third", third)):
        drawn = network(drawn)
        assert torch.allclose(panel[name], drawn, atol=1e-6)
    assert not any(images.requires_grad for images in panel.values())


def test_training_that_goes_on_ends_in_the_same_bits() -> None:
    """Whose turn it is before the critic is on the clock."""
    for artists in (2, 3):
        straight, first, second = (state(chained(artists, changed=1)) for _ in range(3))
        for _ in itertools.islice(fit(straight, 10**9), 6):
            pass
        for _ in itertools.islice(fit(first, 10**9), 3):
            pass
        average = first.average.state_dict()
        second.restore(first.tensors(), average, first.facts(), first.steppers())
        for _ in itertools.islice(fit(second, 10**9), 3):
            pass
        assert helpers.bits(straight.tensors()) == helpers.bits(second.tensors())


def test_only_memory_is_kept_beside_the_players() -> None:
    objective: nn.Module = chained(3)
    assert isinstance(objective, Chained)
    assert list(packed_memory(objective)) == ["duel.augmentation.chance"]
