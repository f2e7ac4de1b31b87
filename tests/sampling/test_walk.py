"""Walks go through their anchors, at constant speed, and close."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some
from torch import Tensor

from purrtrait.sampling.latents import latents
from purrtrait.sampling.walk import USUAL, WAYS, Way, between, loop


def angles(first: Tensor, last: Tensor) -> Tensor:
    """Between rows, in radians."""
    cosines = torch.cosine_similarity(first.double(), last.double())
    return torch.acos(cosines.clamp(-1, 1))


def test_an_arc_in_closed_form() -> None:
    ends = torch.tensor([[2.0, 0.0], [0.0, 4.0]])
    found = between(ends[:1], ends[1:], 4, "slerp")
    turns = torch.tensor([0, math.pi / 6, math.pi / 3, math.pi / 2])
    lengths = torch.tensor([2, 2 + 2 / 3, 2 + 4 / 3, 4])[:, None]
    expected = lengths * torch.stack([turns.cos(), turns.sin()], 1)
    assert torch.allclose(found, expected, atol=1e-6)


def test_a_line_in_closed_form() -> None:
    ends = torch.tensor([[1.0, -1.0], [3.0, 7.0]])
    found = between(ends[:1], ends[1:], 3, "lerp")
    assert found.tolist() == [[1, -1], [2, 3], [3, 7]]


@settings(max_examples=40, deadline=None)
@given(
    some.integers(1, 6),
    some.integers(1, 9),
    some.sampled_from(["lerp", "slerp"]),
    some.integers(0, 99),
)
def test_every_anchor_is_hit_when_frames_divide(
    anchors: int, steps: int, way: Way, seed: int
) -> None:
    z = latents(anchors, 5, "normal", seed)
    found = loop(z, anchors * steps, way)
    assert found.shape == (anchors * steps, 5)
    assert found.dtype == torch.float32
    assert torch.equal(found[::steps], z)
    assert torch.equal(found, loop(z, anchors * steps, way))


@settings(max_examples=40, deadline=None)
@given(some.integers(2, 5), some.integers(2, 9), some.integers(0, 99))
def test_the_speed_is_constant_from_anchor_to_anchor(anchors: int, steps: int, seed: int) -> None:
    z = latents(anchors, 8, "normal", seed)
    for way in WAYS:
        frames = loop(z, anchors * steps, way)
        following = frames.roll(-1, 0)  # the last one is followed by the first
        lengths = (following - frames).norm(dim=1)
        passed = {"lerp": lengths, "slerp": angles(frames, following)}[way].view(anchors, steps)
        ends = z.roll(-1, 0)
        whole = {"lerp": (ends - z).norm(dim=1), "slerp": angles(z, ends)}[way]
        assert torch.allclose(
            passed, (whole / steps)[:, None].to(passed).expand_as(passed), atol=1e-5
        )


def test_a_loop_begun_elsewhere_is_the_same_loop() -> None:
    z = latents(3, 4, "normal", 1)
    assert torch.equal(loop(z.roll(-1, 0), 12, "slerp"), loop(z, 12, "slerp").roll(-4, 0))


def test_arcs_keep_the_length_that_lines_cut_short() -> None:
    z = torch.nn.functional.normalize(latents(4, 64, "normal", 1))
    arcs, lines = (loop(z, 40, way).norm(dim=1) for way in (USUAL["normal"], USUAL["uniform"]))
    assert torch.allclose(arcs, torch.ones(40), atol=1e-6)
    assert lines.min() < 0.8


@pytest.mark.parametrize("last", [[2.0, 0.0], [-2.0, 0.0], [0.0, 0.0], [1.0, 0.0]])
def test_without_a_shortest_arc_it_is_the_line(last: list[float]) -> None:
    first, end = torch.tensor([[1.0, 0.0]]), torch.tensor([last])
    assert torch.equal(between(first, end, 5, "slerp"), between(first, end, 5, "lerp"))


def test_lines_between_uniform_latents_stay_in_their_range() -> None:
    z = latents(5, 16, "uniform", 2)
    assert loop(z, 33, USUAL["uniform"]).abs().max() <= z.abs().max()


def test_what_is_no_walk_is_said() -> None:
    z = latents(2, 3, "normal", 0)
    for anchors, frames in ((z, 0), (z[:0], 5)):
        with pytest.raises(ValueError, match="expected 1 or more"):
            loop(anchors, frames, "lerp")
    with pytest.raises(ValueError, match="at least 2"):
        between(z[:1], z[1:], 1, "lerp")
