"""Portraits are less alike at higher temperatures and thresholds, whatever draws them."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch

import helpers
from purrtrait.assemble import build
from purrtrait.networks.catgan import CatGanGenerator
from purrtrait.sampling.latents import latents
from purrtrait.sampling.levels import Drawn
from purrtrait.types import Draw, Generator, Sampler

SHAPE = build.Shape(16, 3)
TEMPERATURES = (0.4, 0.6, 0.8, 1.0, 1.25, 1.5)
THRESHOLDS = (0.2, 0.5, 0.75, 1.0)  # uniform latents know no higher ones
PORTRAITS = 48


def drawer(recipe: str) -> Generator:
    """The generator of a recipe's first stage, untrained; its batch norms know their statistics."""
    objective = build.stage(helpers.recipe(recipe).stages[0], SHAPE, 0, helpers.CPU).objective
    generator = objective.subject()
    assert isinstance(generator, Generator)
    for number in range(30):
        noise = Draw(0, "statistics", number)
        with torch.no_grad():
            generator(noise.prior(generator.prior, (16, generator.latent_size), "latents"))
    return generator.eval()


def single(recipe: str) -> Callable[[], Sampler]:
    return lambda: Drawn(drawer(recipe))


def cat_gan() -> Sampler:
    """As training leaves it: its logistics lie apart from each other, and are narrow."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # its training draws from torch's own generator
        generator = drawer("cat-gan")
    assert isinstance(generator, CatGanGenerator)
    k = generator.head.mixtures
    weight, bias = (part.data for part in generator.head.convolution.parameters())
    weight[k : 4 * k] *= 8  # means
    weight[4 * k : 7 * k], bias[4 * k : 7 * k] = 0.0, -5.0  # log scales
    return Drawn(generator)


def pyramid() -> Sampler:
    made, below = helpers.pyramid(), None
    for number, stage in enumerate(made.stages):
        built = build.stage(stage, SHAPE, number, helpers.CPU)
        generator = built.objective.eval().subject()
        assert isinstance(generator, Generator)
        below = built.level.join(generator, below)
    assert below is not None
    return below


SAMPLERS: dict[str, Callable[[], Sampler]] = {
    "cat-gan": cat_gan,
    "dcgan": single("dcgan"),
    "portrait": single("portrait"),
    "pyramid": pyramid,
    "torch-gan": single("torch-gan"),
    "vae": single("vae"),
}


def spread(sampler: Sampler, temperature: float, truncation: float) -> float:
    """The mean distance between two portraits."""
    size, prior = sampler.latent_size, sampler.prior
    z = latents(PORTRAITS, size, prior, 0, temperature, truncation=truncation)
    return torch.pdist(sampler(z).flatten(1)).mean().item()


@pytest.mark.parametrize("name", SAMPLERS)
def test_portraits_spread_with_the_temperature_and_the_threshold(name: str) -> None:
    sampler = SAMPLERS[name]()
    warmer = [spread(sampler, temperature, math.inf) for temperature in TEMPERATURES]
    wider = [spread(sampler, 1.0, threshold) for threshold in THRESHOLDS]
    for found in (warmer, wider):
        assert found == sorted(found)
        assert found[-1] > 1.1 * found[0]
    assert wider[-1] <= warmer[TEMPERATURES.index(1.0)] + 1e-6
