"""The variational autoencoder: what pulls the pair, who moves, and what is looked at."""

from __future__ import annotations

import itertools
import re

import pytest
import torch
from torch.distributions import Independent, Normal, kl_divergence

from purrtrait.assemble import build, options
from purrtrait.assemble.build import Shape
from purrtrait.assemble.scoring import Validation
from purrtrait.datasets.pack import Pack
from purrtrait.images.resize import to_images
from purrtrait.losses import logistics
from purrtrait.losses.divergence import divergence
from purrtrait.losses.likelihood import Likelihood, unlikelihood
from purrtrait.networks.catgan import CatGanGenerator
from purrtrait.networks.dcgan import DcganGenerator
from purrtrait.networks.dmol import Mixing
from purrtrait.networks.encoder import ConvolvingEncoder
from purrtrait.networks.upsampling import UpsamplingGenerator
from purrtrait.objectives.vae import PixelLikelihood, Vae, decoded, somewhere
from purrtrait.training import optimisers
from purrtrait.training.fit import fit
from purrtrait.training.record import SCORES
from purrtrait.training.schedule import constant, linear
from purrtrait.training.state import Pace, State
from purrtrait.types import Batch, Draw, Progress, Schedule

ALWAYS = constant(1.0)


def vae(likelihood: PixelLikelihood = "gaussian", weight: Schedule = ALWAYS) -> Vae:
    """A small pair for grey pictures of 8 px."""
    torch.manual_seed(0)
    encoder = ConvolvingEncoder(8, 1, 6, 4)
    return Vae(encoder, DcganGenerator(8, 1, 6, 8), weight, likelihood, 0.3).train()


def batch(rows: int = 5) -> Batch:
    draw = Draw(0, "test", 0)
    return Batch(draw.uniform((rows, 1, 8, 8), "pictures", -1, 1), draw)


@pytest.mark.parametrize("name", ["gaussian", "fitted-gaussian", "bernoulli"])
@pytest.mark.parametrize("weight", [0.0, 0.4, 1.0])
def test_one_backward_pass_gives_both_the_gradient_of_the_bound(
    name: Likelihood, weight: float
) -> None:
    objective, some = vae(name, constant(weight)), batch()
    (turn,) = objective.turns(Progress())
    assert turn.movers == ("encoder", "decoder")
    terms = turn.loss(some)
    ((movers, cost),) = terms.descents.items()
    assert movers == turn.movers
    own = list(objective.parameters())
    mean, log_variance = objective.encoder(some.images)
    z = mean + (0.5 * log_variance).exp() * some.draw.normal((5, 6), "posterior")
    posterior = Independent(Normal(mean, (0.5 * log_variance).exp()), 1)
    prior = Independent(Normal(torch.zeros(5, 6), torch.ones(5, 6)), 1)
    apart = kl_divergence(posterior, prior).mean()
    likeness = unlikelihood(name, 0.3)(objective.drawer(z), some.images).mean()
    expected = torch.autograd.grad(likeness + weight * apart, own)
    for found, slope in zip(torch.autograd.grad(cost, own), expected, strict=True):
        assert torch.allclose(found, slope, rtol=1e-3, atol=1e-4)
    assert terms.costs["encoder"]["divergence"].item() == pytest.approx(apart.item(), rel=1e-4)
    assert terms.watch["latent/bound"].item() == pytest.approx(-(likeness + apart).item(), rel=1e-4)
    assert terms.watch["latent/weight"].item() == pytest.approx(weight)


def mixing(mixing: Mixing, channels: int = 3) -> Vae:
    """A small pair whose decoder says a mixture for every pixel."""
    torch.manual_seed(0)
    encoder = ConvolvingEncoder(8, channels, 6, 4)
    decoder = CatGanGenerator(8, channels, 6, 4, 3, mixing=mixing)
    return Vae(encoder, decoder, ALWAYS, "logistics").train()


@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_are_as_likely_as_the_mixture_at_their_latents_says(channels: int) -> None:
    """In nats a picture; nothing is drawn for it, so that no number of torch's own is used."""
    objective, draw = mixing("values", channels), Draw(0, "test", 0)
    levels = draw.uniform((5, channels, 8, 8), "pictures", 0, 256).floor()
    some = Batch(levels / 127.5 - 1, draw)
    assert isinstance(objective.drawer, CatGanGenerator)
    before = torch.random.get_rng_state()
    (turn,) = objective.turns(Progress())
    terms = turn.loss(some)
    assert torch.equal(torch.random.get_rng_state(), before)
    mean, log_variance = objective.encoder(some.images)
    given = objective.drawer.mixture(somewhere(mean, log_variance, some))
    expected = logistics.mixture(some.images, *given).mean() * channels * 64
    assert terms.costs["decoder"]["reconstruction"].item() == pytest.approx(expected.item())
    (cost,) = terms.descents.values()
    slopes = torch.autograd.grad(cost, list(objective.parameters()), allow_unused=True)
    assert all(slope is not None and slope.isfinite().all() for slope in slopes)


def test_true_values_are_those_that_a_picture_can_have() -> None:
    """A picture that was reduced lies between the 256 values: what is near black is black."""
    objective, draw = mixing("values"), Draw(0, "test", 0)
    levels = draw.uniform((5, 3, 8, 8), "pictures", 0, 256).floor()
    between = levels + draw.uniform((5, 3, 8, 8), "between", -0.49, 0.49)
    z = draw.normal((5, 6), "latents")
    found = objective.unlikelihood(z, between / 127.5 - 1)
    assert torch.equal(found, objective.unlikelihood(z, levels / 127.5 - 1))


@pytest.mark.parametrize(
    ("recipe", "settings"),
    [
        ("vae", {"likelihood": "logistics"}),
        ("vae-logistics", {"decoder.network": "dcgan", "decoder.latent": "128"}),
        ("vae-logistics", {"mixing": "means"}),
    ],
)
def test_a_decoder_that_says_no_such_mixture_is_refused_with_good_advice(
    recipe: str, settings: dict[str, str]
) -> None:
    shape, where = Shape(64, 3), torch.device("cpu")
    wrong, _ = options.override(options.find(recipe), settings)
    with pytest.raises(ValueError, match=r"'logistics'.*expected") as caught:
        build.stage(wrong.stages[0], shape, 0, where)
    advice, *other = str(caught.value).split("; or another")
    for way in (advice, *other):
        said = dict(re.findall(r"--set (\S+)=([^\s;]+)", way))
        right, _ = options.override(options.find(recipe), settings | said)
        assert build.stage(right.stages[0], shape, 0, where).objective.artists == ("decoder",)


def test_a_likelihood_that_is_none_is_named_with_all_that_are() -> None:
    with pytest.raises(ValueError, match=r"bernoulli.*logistics"):
        options.override(options.find("vae"), {"likelihood": "logistic"})


def test_latents_are_drawn_from_the_distribution_that_the_encoder_says() -> None:
    mean, deviation = torch.tensor([[1.0, -2.0]]), torch.tensor([[0.5, 3.0]])
    many = Batch(torch.zeros(40_000, 1, 1, 1), Draw(0, "test", 0))
    z = somewhere(mean.expand(40_000, 2), 2 * deviation.log().expand(40_000, 2), many)
    assert torch.allclose(z.mean(0), mean[0], atol=0.05)
    assert torch.allclose(z.std(0), deviation[0], rtol=0.02)
    assert torch.equal(z[:1], somewhere(mean, 2 * deviation.log(), batch(1)))


def test_the_divergence_comes_in_as_the_schedule_says() -> None:
    objective = vae(weight=linear(0.0, 1.0, 100))
    for seen, weight in ((0, 0.0), (25, 0.25), (300, 1.0)):
        (turn,) = objective.turns(Progress(images_seen=seen))
        assert turn.loss(batch()).watch["latent/weight"].item() == weight


def test_on_pictures_held_out_no_weight_is_spoken_of() -> None:
    """It is of training, and of no cost: of a score taken later it would be the first one."""
    objective, some = vae(weight=linear(0.0, 1.0, 100)), batch()
    scores = Validation(objective, some)()
    mean, log_variance = objective.eval().encoder(some.images)
    z = somewhere(mean, log_variance, some)
    likeness = unlikelihood("gaussian", 0.3)(objective.drawer(z), some.images).mean().item()
    apart = divergence(mean, log_variance).mean().item()
    expected = {
        "encoder/reconstruction": likeness,
        "encoder/divergence": apart,
        "decoder/reconstruction": likeness,
        "latent/bound": -(likeness + apart),
    }
    assert scores == {f"held-out/{k}": pytest.approx(v, rel=1e-5) for k, v in expected.items()}
    assert scores.keys() <= SCORES.keys()


def test_pictures_become_likelier_and_come_out_as_they_went_in(kittens: Pack) -> None:
    torch.manual_seed(0)
    encoder, decoder = ConvolvingEncoder(16, 3, 16, 8), DcganGenerator(16, 3, 16, 16)
    objective = Vae(encoder, decoder, constant(1.0), "fitted-gaussian").train()
    pace = Pace(optimisers.adam(), constant(2e-3))
    rows = kittens.rows("train")

    def drawn(now: Progress) -> Batch:
        draw = Draw(0, "test", now.position)
        chosen = rows[draw.permutation(len(rows), "rows")[:16]]
        return Batch(to_images(kittens.images[chosen]), draw)

    state = State(objective, {"encoder": pace, "decoder": pace}, drawn, 0, 80)
    steps = list(itertools.islice(fit(state, 10**9), 60))
    bounds = [now.scores["latent/bound"] for now in steps]
    assert sum(bounds[-5:]) > sum(bounds[:5]) + 5 * 300
    assert steps[-1].moves == {"encoder": 60, "decoder": 60}
    assert steps[-1].images_seen == 60 * 16
    assert objective.subject() is decoder
    assert objective.artists == ("decoder",) and objective.validated
    panel = objective.panel(drawn(state.now), state.average)
    own = (panel["decoded"] - panel["original"]).square().mean()
    assert own < 0.8 * (panel["decoded"] - panel["original"].roll(1, 0)).square().mean()


def test_the_panel_is_of_means_and_disturbs_nothing() -> None:
    objective, some = vae(), batch()
    other = DcganGenerator(8, 1, 6, 8).eval()
    before = {name: value.clone() for name, value in objective.state_dict().items()}
    panel = objective.panel(some, other)
    assert list(panel) == ["original", "decoded"]
    assert torch.equal(panel["original"], some.images)
    assert objective.encoder.training
    assert all(torch.equal(v, before[n]) for n, v in objective.state_dict().items())
    with torch.no_grad():
        mean, _ = objective.encoder.eval()(some.images)
        assert torch.equal(panel["decoded"], other(mean))
    assert not decoded(objective.encoder, some, other)["decoded"].requires_grad


def test_pairs_that_do_not_fit_are_refused() -> None:
    encoder = ConvolvingEncoder(8, 1, 6, 4)
    with pytest.raises(ValueError, match=r"6 numbers.*from 7.*encoder\.latent=7"):
        Vae(encoder, DcganGenerator(8, 1, 7, 8), constant(1))
    with pytest.raises(ValueError, match=r"latents are uniform.*normal prior"):
        Vae(encoder, UpsamplingGenerator(8, 1, 6, 8), constant(1))
