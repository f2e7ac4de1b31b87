"""The randomness that everything else relies on."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from purrtrait.types import Draw, Prior, Share


def test_a_draw_is_a_pure_function_of_its_place() -> None:
    one, two = Draw(1, "base", 7), Draw(1, "base", 7)
    assert torch.equal(one.normal((4, 3), "latents"), two.normal((4, 3), "latents"))
    before = one.normal((4, 3), "latents")
    one.uniform((100,), "something else")
    assert torch.equal(before, one.normal((4, 3), "latents"))


@given(st.integers(0, 2**63), st.integers(0, 2**40))
def test_each_part_of_the_place_matters(seed: int, position: int) -> None:
    here = Draw(seed, "base", position)
    others = [
        Draw(seed + 1, "base", position),
        Draw(seed, "refine", position),
        Draw(seed, "base", position + 1),
    ]
    own = here.normal((8,), "latents")
    assert all(not torch.equal(own, other.normal((8,), "latents")) for other in others)
    assert not torch.equal(own, here.normal((8,), "noise"))


@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_ranks_share_one_global_batch(ranks: int) -> None:
    rows = 8 // ranks
    shares = [Draw(3, "base", 5, Share(rank, ranks)) for rank in range(ranks)]
    for purpose, method in (("latents", "normal"), ("mirror", "uniform")):
        whole = getattr(Draw(3, "base", 5), method)((8, 2), purpose)
        parts = [getattr(share, method)((rows, 2), purpose) for share in shares]
        assert torch.equal(whole, torch.cat(parts))


def test_moments_and_ranges() -> None:
    draw = Draw(0, "base", 0)
    normal = draw.normal((200_000,), "n").double()
    assert abs(normal.mean()) < 0.01
    assert abs(normal.std() - 1) < 0.01
    uniform = draw.uniform((200_000,), "u", -2.0, 4.0)
    assert uniform.min() >= -2
    assert uniform.max() < 4
    assert abs(uniform.mean() - 1) < 0.02
    assert sorted(draw.permutation(50, "p")) == list(range(50))


@pytest.mark.parametrize(("prior", "deviation"), [("normal", 1.0), ("uniform", 3**-0.5)])
def test_priors(prior: Prior, deviation: float) -> None:
    z = Draw(0, "base", 0).prior(prior, (1000, 100), "latents")
    assert z.shape == (1000, 100)
    assert abs(z.std().item() - deviation) < 0.01


def test_keys_do_not_collide_across_many_places() -> None:
    keys = {Draw(seed, "s", place).key("x") for seed in range(100) for place in range(200)}
    assert len(keys) == 20_000
    assert max(keys) > np.iinfo(np.uint64).max  # 128 bits are really used
