"""The spatial transformer against a plain loop over pixels."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.func import functional_call

from purrtrait.networks.transformer import FREE, IDENTITY, Motion, SpatialTransformer

ALL: tuple[Motion, ...] = ("rotation", "scale", "translation")
SUBSETS = [subset for k in range(4) for subset in itertools.combinations(ALL, k)]


def moving(size: int, motions: tuple[Motion, ...], theta: list[float]) -> SpatialTransformer:
    """A transformer that moves everything by ``theta``, whatever it sees."""
    transformer = SpatialTransformer(2, size, motions).double()
    last_bias(transformer).data = torch.tensor(theta, dtype=torch.float64)
    return transformer


def last_bias(transformer: SpatialTransformer) -> Tensor:
    last = transformer.localisation[-1]
    assert isinstance(last, nn.Linear)
    return last.bias


def loop(maps: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Reads maps (M, S, S) at matrix (2, 3) times (y, x, 1), pixel by pixel."""
    size = maps.shape[-1]
    out = np.zeros_like(maps)
    for row, column in itertools.product(range(size), range(size)):
        p = np.array([2 * row / (size - 1) - 1, 2 * column / (size - 1) - 1, 1.0])
        y, x = (matrix @ p + 1) * (size - 1) / 2
        for i, j in itertools.product(
            (math.floor(y), math.floor(y) + 1), (math.floor(x), math.floor(x) + 1)
        ):
            if 0 <= i < size and 0 <= j < size:
                out[:, row, column] += (1 - abs(y - i)) * (1 - abs(x - j)) * maps[:, i, j]
    return out


@pytest.mark.parametrize(
    ("maps", "motions", "expected"),
    [(1, ("rotation",), 18_993), (3, ("rotation",), 19_281), (64, ALL, 28_260)],
)
def test_parameter_counts(maps: int, motions: tuple[Motion, ...], expected: int) -> None:
    transformer = SpatialTransformer(maps, 16, motions)
    assert sum(parameter.numel() for parameter in transformer.parameters()) == expected


@pytest.mark.parametrize("motions", SUBSETS)
@pytest.mark.parametrize("size", [4, 7, 16])
def test_nothing_moves_at_the_start(motions: tuple[Motion, ...], size: int) -> None:
    torch.manual_seed(0)
    maps = torch.randn(3, 5, size, size)
    transformer = SpatialTransformer(5, size, motions)
    assert torch.allclose(transformer(maps), maps, atol=1e-5)
    hidden = [m for m in transformer.localisation if isinstance(m, (nn.Conv2d, nn.Linear))][:-1]
    assert all(m.bias is not None and (m.bias == 0).all() for m in hidden)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(4, 7),
    st.sampled_from(SUBSETS[1:]),
    st.floats(-4, 4),
    st.floats(-2, 2),
    st.tuples(st.floats(-1, 1), st.floats(-1, 1)),
)
def test_every_pixel_is_read_at_the_rotated_scaled_and_shifted_place(
    size: int,
    motions: tuple[Motion, ...],
    angle: float,
    scale: float,
    shift: tuple[float, float],
) -> None:
    numbers = {"rotation": [angle], "scale": [scale], "translation": list(shift)}
    theta = [number for motion in motions for number in numbers[motion]]
    still = {motion: list(numbers) for motion, numbers in IDENTITY.items()}
    used = {motion: numbers[motion] if motion in motions else still[motion] for motion in ALL}
    a, s, t = used["rotation"][0], used["scale"][0], np.array(used["translation"])
    turned = s * np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    matrix = np.column_stack([turned, turned @ t])  # p' = R s (p + t), of (y, x, 1)
    maps = np.random.default_rng(0).normal(size=(2, size, size))
    found = moving(size, motions, theta)(torch.from_numpy(maps[None]))[0]
    assert np.allclose(found.detach().numpy(), loop(maps, matrix), atol=1e-6)


def test_without_motions_theta_is_a_matrix_of_y_and_x() -> None:
    theta = [0.9, 0.2, -0.1, 0.3, 0.7, 0.25]
    maps = np.random.default_rng(0).normal(size=(2, 6, 6))
    found = moving(6, (), theta)(torch.from_numpy(maps[None]))[0].detach().numpy()
    assert np.allclose(found, loop(maps, np.reshape(theta, (2, 3))), atol=1e-9)
    assert np.allclose(loop(maps, np.reshape(FREE, (2, 3))), maps)


def test_the_first_number_of_a_translation_goes_down_the_rows() -> None:
    maps = torch.randn(1, 2, 5, 5, dtype=torch.float64)
    found = moving(5, ("translation",), [2 / 4, 0.0])(maps)
    assert torch.allclose(found[:, :, :-1], maps[:, :, 1:])
    assert (found[:, :, -1] == 0).all()


def test_zeros_stand_outside() -> None:
    seen = moving(7, ("scale",), [3.0])(torch.ones(1, 2, 7, 7, dtype=torch.float64))
    assert torch.equal(seen[0, 0, 2:5, 2:5], torch.ones(3, 3, dtype=torch.float64))
    assert seen.sum() == 2 * 9


def test_the_order_of_motions_does_not_matter() -> None:
    transformer = SpatialTransformer(1, 8, ALL[::-1])
    assert transformer.motions == ALL
    assert last_bias(transformer).tolist() == [0, 1, 0, 0]


def test_gradients() -> None:
    torch.manual_seed(0)
    transformer = moving(4, ALL, [0.3, 0.8, 0.1, -0.2])
    weight = torch.randn(4, 64, dtype=torch.float64) / 16

    def forward(maps: Tensor, bias: Tensor) -> Tensor:
        new = {"localisation.9.weight": weight, "localisation.9.bias": bias}
        seen: Tensor = functional_call(transformer, new, (maps,))
        return seen

    maps = torch.randn(2, 2, 4, 4, dtype=torch.float64)
    bias = last_bias(transformer).detach().clone()
    asked = [each.requires_grad_() for each in (maps, bias)]
    assert torch.autograd.gradcheck(forward, asked)


def test_the_slope_is_that_of_the_localisation_network() -> None:
    for slope in (0.333, 0.01):
        layers = SpatialTransformer(1, 8, ALL, slope).localisation
        assert [m.negative_slope for m in layers if isinstance(m, nn.LeakyReLU)] == [slope] * 3
