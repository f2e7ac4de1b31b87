"""Autoencoding: what pulls the pair together, who moves, and what is looked at."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss, mse_loss

from purrtrait.datasets.pack import Pack
from purrtrait.images.resize import to_images
from purrtrait.losses.reconstruction import LIKENESSES, Likeness
from purrtrait.networks.autoencoder import ConvolvingCoder
from purrtrait.networks.dense import DenseGenerator
from purrtrait.objectives.autoencode import Autoencode
from purrtrait.training import optimisers
from purrtrait.training.fit import fit
from purrtrait.training.schedule import constant
from purrtrait.training.state import Pace, State
from purrtrait.types import Batch, Draw, Progress


def pair(likeness: Likeness = "squares") -> Autoencode:
    """A small convolving coder and a dense decoder, for grey pictures of 8 px."""
    torch.manual_seed(0)
    return Autoencode(ConvolvingCoder(8, 1, 6), DenseGenerator(8, 1, 6, 16), likeness).train()


def batch(rows: int = 5) -> Batch:
    draw = Draw(0, "test", 0)
    return Batch(draw.uniform((rows, 1, 8, 8), "pictures", -1, 1), draw)


@pytest.mark.parametrize(("name", "oracle"), [("squares", mse_loss), ("sizes", l1_loss)])
def test_likeness_is_that_of_pictures_from_0_to_1(name: Likeness, oracle: nn.Module) -> None:
    one, other = batch().images, batch().images.flip(0) * 0.7
    found = LIKENESSES[name](one, other)
    for row in range(5):
        expected = oracle((one[row] + 1) / 2, (other[row] + 1) / 2)
        assert found[row].item() == pytest.approx(expected.item())


@pytest.mark.parametrize("name", LIKENESSES)
def test_one_backward_pass_gives_both_their_gradients(name: Likeness) -> None:
    objective, some = pair(name), batch()
    (turn,) = objective.turns(Progress())
    assert turn.movers == ("coder", "decoder")
    torch.manual_seed(1)
    terms = turn.loss(some)
    ((movers, cost),) = terms.descents.items()
    assert movers == turn.movers
    assert [terms.costs[player] for player in movers] == [{"difference": cost}] * 2
    own = list(objective.parameters())
    torch.manual_seed(1)
    drawn = objective.drawer(objective.coder(some.images))
    distance = mse_loss if name == "squares" else l1_loss
    expected = torch.autograd.grad(distance((drawn + 1) / 2, (some.images + 1) / 2), own)
    for found, slope in zip(torch.autograd.grad(cost, own), expected, strict=True):
        assert torch.allclose(found, slope, atol=1e-7)


def trained(pack: Pack, steps: int) -> tuple[State, list[Progress]]:
    """cat-generator's pair on kittens, after so many steps."""
    torch.manual_seed(0)
    objective = Autoencode(ConvolvingCoder(16, 3, 32), DenseGenerator(16, 3, 32, 256))
    pace = Pace(optimisers.adam(), constant(3e-3))
    rows = pack.rows("train")

    def drawn(now: Progress) -> Batch:
        draw = Draw(0, "test", now.position)
        return Batch(to_images(pack.images[rows[draw.permutation(len(rows), "rows")[:16]]]), draw)

    state = State(objective.train(), {"coder": pace, "decoder": pace}, drawn, 0, 80)
    return state, list(itertools.islice(fit(state, 10**9), steps))


def test_pictures_come_out_more_and_more_as_they_went_in(kittens: Pack) -> None:
    state, steps = trained(kittens, 40)
    costs = [now.scores["decoder/difference"] for now in steps]
    assert costs[-1] < 0.6 * costs[0]
    assert [now.scores["coder/difference"] for now in steps] == costs
    assert steps[-1].images_seen == 40 * 16
    assert steps[-1].moves == {"coder": 40, "decoder": 40}
    assert isinstance(state.objective, Autoencode)
    assert state.objective.subject() is state.objective.drawer
    assert state.objective.artists == ("decoder",)
    # Not a mean of all pictures: each is drawn for its own code.
    panel = state.objective.panel(state.batches(state.now), state.average)
    own = (panel["decoded"] - panel["original"]).abs().mean()
    assert own < 0.9 * (panel["decoded"] - panel["original"].roll(1, 0)).abs().mean()


def test_the_panel_is_drawn_by_the_averaged_decoder_of_codes_without_dropout() -> None:
    objective, some = pair(), batch()
    other = DenseGenerator(8, 1, 6, 16).eval()
    modes = [module.training for module in objective.modules()]
    statistics = {name: value.clone() for name, value in objective.state_dict().items()}
    seen: list[Tensor] = []
    objective.coder.register_forward_hook(lambda module, given, codes: seen.append(codes))
    for _ in range(2):
        panel = objective.panel(some, other)
    assert torch.equal(seen[0], seen[1])
    assert list(panel) == ["original", "decoded"]
    assert torch.equal(panel["original"], some.images)
    assert torch.equal(panel["decoded"], other(seen[0]))
    assert not panel["decoded"].requires_grad
    assert [module.training for module in objective.modules()] == modes
    for name, value in objective.state_dict().items():
        assert torch.equal(value, statistics[name]), name


def test_codes_and_latents_of_different_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"codes have 6 numbers.*7.*coder\.latent=7"):
        Autoencode(ConvolvingCoder(8, 1, 6), DenseGenerator(8, 1, 7, 16))
