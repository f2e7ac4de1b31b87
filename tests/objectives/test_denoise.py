"""Denoising: two networks with nothing in common but the pictures."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy, binary_cross_entropy_with_logits

import helpers
from purrtrait.losses.reconstruction import cross_entropy
from purrtrait.networks.chain import ConvolvingRetoucher, DenseRetoucher
from purrtrait.networks.denoiser import Denoiser
from purrtrait.objectives.denoise import Denoise
from purrtrait.training import optimisers
from purrtrait.training.fit import fit
from purrtrait.training.schedule import constant
from purrtrait.training.state import Pace, State
from purrtrait.types import Batch, Draw, Progress

NOISE = 0.2


def batch(now: Progress) -> Batch:
    """Sixteen grey pictures of 8 px: bars that are dark or bright."""
    draw = Draw(0, "test", now.position)
    bars = draw.uniform((16, 1, 1, 8), "bars").round() * 1.6 - 0.8
    return Batch(bars.expand(16, 1, 8, 8), draw)


def state(objective: Denoise, second_rate: float = 1e-3) -> State:
    paces = {
        "first": Pace(optimisers.adam(), constant(1e-3), 1.0),
        "second": Pace(optimisers.adam(), constant(second_rate), 1.0),
    }
    return State(objective.train(), paces, batch, 0, 160)


def couple() -> Denoise:
    """Two small networks without dropout, which are the same at the start."""
    torch.manual_seed(0)
    first, second = ConvolvingRetoucher(8, 1, 4), ConvolvingRetoucher(8, 1, 4)
    second.load_state_dict(first.state_dict())
    return Denoise(first, second)


def test_cross_entropy_is_torchs() -> None:
    drawn, true = batch(Progress()).images * 0.9, batch(Progress(position=1)).images
    expected = binary_cross_entropy((drawn + 1) / 2, (true + 1) / 2, reduction="none")
    assert torch.allclose(cross_entropy(drawn, true), expected.flatten(1).mean(1), atol=1e-5)


@pytest.mark.parametrize("logit", [-40.0, -17.0, -9.0, 0.0, 9.0, 17.0, 40.0])
@pytest.mark.parametrize("true", [0.0, 0.3, 1.0])
def test_no_value_throws_a_network(logit: float, true: float) -> None:
    """The slope by the logit is never steeper than the exact one, which lies in [-1, 1]."""
    own = torch.full((1, 1, 1, 1), logit, requires_grad=True)
    exact = torch.full((1, 1, 1, 1), logit, requires_grad=True)
    target = torch.full((1, 1, 1, 1), true)
    cross_entropy(2 * torch.sigmoid(own) - 1, 2 * target - 1).sum().backward()
    binary_cross_entropy_with_logits(exact, target).backward()
    assert own.grad is not None
    assert exact.grad is not None
    assert own.grad.abs() <= exact.grad.abs() + 1e-6
    if abs(logit) < 10:
        assert own.grad.item() == pytest.approx(exact.grad.item(), rel=0.02, abs=1e-4)


def test_noise_is_what_it_says_and_only_on_what_the_first_sees() -> None:
    objective = couple()
    training = state(objective)
    seen: dict[str, list[Tensor]] = {"first": [], "second": [], "drawn": []}
    for name, network in objective.players().items():
        network.register_forward_pre_hook(lambda module, given, n=name: seen[n].append(given[0]))
    objective.first.register_forward_hook(lambda module, given, out: seen["drawn"].append(out))
    for _ in itertools.islice(fit(training, 10**9), 8):
        pass
    positions = [batch(Progress(position=position)).images for position in range(1, 9)]
    noise = torch.cat(seen["first"]) - torch.cat(positions)
    assert noise.std().item() == pytest.approx(NOISE, rel=0.02)
    assert abs(noise.mean().item()) < 0.01
    assert len({row.numpy().tobytes() for row in noise}) == 8 * 16  # never the same twice
    assert torch.equal(torch.cat(seen["second"]), torch.cat(seen["drawn"]))
    assert training.now.images_seen == 8 * 16
    assert training.now.moves == {"first": 8, "second": 8}


def test_neither_is_moved_by_what_the_other_loses() -> None:
    objective = couple()
    (turn,) = objective.turns(Progress())
    terms = turn.loss(batch(Progress()))
    assert turn.movers == ("first", "second")
    assert not terms.descents  # each goes down its own cost
    for mover, other in (("first", "second"), ("second", "first")):
        for player, moves in ((mover, True), (other, False)):
            slopes = torch.autograd.grad(
                terms.costs[mover]["difference"],
                list(objective.players()[player].parameters()),
                retain_graph=True,
                allow_unused=True,
            )
            assert all((slope is not None) == moves for slope in slopes)


def test_the_two_optimisers_share_nothing() -> None:
    """The first learns to the bit what it learns beside a second that stands still or runs."""
    runs = [state(couple(), rate) for rate in (0.0, 1e-2)]
    for run in runs:
        for _ in itertools.islice(fit(run, 10**9), 4):
            pass
    weights = [helpers.bits(run.objective.players()["first"].state_dict()) for run in runs]
    assert weights[0] == weights[1]
    moments = [optimisers.moments(run.optimisers["first"]) for run in runs]
    assert helpers.bits(moments[0]) == helpers.bits(moments[1])
    for run in runs:
        places = [
            {value.data_ptr() for value in optimisers.moments(optimiser).values()}
            for optimiser in run.optimisers.values()
        ]
        assert places[0]
        assert not places[0] & places[1]


def test_the_first_is_trained_as_if_it_were_alone() -> None:
    """Against torch's own Adam and a loop written out."""
    together, alone = state(couple()), couple().first
    optimiser = torch.optim.Adam(alone.parameters(), lr=1e-3)
    for step, _ in enumerate(itertools.islice(fit(together, 10**9), 4), 1):
        some = batch(Progress(position=step))
        noisy = some.images + NOISE * some.draw.normal((16, 1, 8, 8), "noise")
        optimiser.zero_grad()
        binary_cross_entropy((alone(noisy) + 1) / 2, (some.images + 1) / 2).backward()
        optimiser.step()
    for found, expected in zip(
        together.objective.players()["first"].parameters(), alone.parameters(), strict=True
    ):
        assert torch.allclose(found, expected, atol=1e-4)


def test_pictures_come_out_cleaner_than_they_went_in() -> None:
    torch.manual_seed(0)
    training = state(Denoise(Denoiser(8, 1), DenseRetoucher(8, 1, 64)))
    steps = list(itertools.islice(fit(training, 10**9), 40))
    assert steps[-1].scores["first/difference"] < steps[0].scores["first/difference"]
    panel = training.objective.panel(batch(Progress(position=99)), training.average)
    wrong = {name: (images - panel["original"]).square().mean() for name, images in panel.items()}
    assert wrong["cleaned"] < 0.8 * wrong["noisy"]


def test_the_panel_is_made_by_the_averaged_first_and_disturbs_nothing() -> None:
    torch.manual_seed(0)
    objective = Denoise(Denoiser(8, 1), Denoiser(8, 1)).train()
    other, some = Denoiser(8, 1).eval(), batch(Progress())
    modes = [module.training for module in objective.modules()]
    statistics = {name: value.clone() for name, value in objective.state_dict().items()}
    panel, again = objective.panel(some, other), objective.panel(some, other)
    assert list(panel) == ["original", "noisy", "cleaned", "cleaned twice"]
    assert all(torch.equal(panel[name], again[name]) for name in panel)
    assert torch.equal(panel["original"], some.images)
    assert (panel["noisy"] - panel["original"]).std().item() == pytest.approx(NOISE, rel=0.1)
    assert torch.equal(panel["cleaned"], other(panel["noisy"]))
    assert not panel["cleaned twice"].requires_grad
    assert [module.training for module in objective.modules()] == modes
    for name, value in objective.state_dict().items():
        assert torch.equal(value, statistics[name]), name
    second = objective.second.eval()
    assert torch.equal(panel["cleaned twice"], second(panel["cleaned"]))
    assert objective.subject() is objective.first
