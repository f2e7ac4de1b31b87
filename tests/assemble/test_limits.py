"""Numbers that make no sense are refused in words, before anything is made."""

from __future__ import annotations

import pytest

import helpers

SENSELESS = [
    ("lr", "-1e-4"),
    ("lr", "nan"),
    ("clip", "-1"),
    ("clip", "0"),
    ("critic_moves", "-2"),
    ("latent", "0"),
    ("width", "0"),
    ("width", "-8"),
    ("deviation", "nan"),
    ("penalty_every", "0"),
    ("penalty_weight", "-1"),
    ("betas", "[0.5, 2]"),
    ("label_flip", "1.5"),
    ("dropout", "1.0"),
    ("batch", "0"),
    ("budget", "0"),
    ("clamp", "0"),
    ("half_life_images", "-1"),
    ("pixels", "-16"),
    ("input_noise", "-0.1"),
    ("critic.lr", "{name='linear', start=1, end=0, until_images=0}"),
    ("critic.lr", "{name='ending', start=1, end=0, share=2}"),
    ("critic.lr", "{name='slope'}"),
    ("flip", "7"),
]


@pytest.mark.parametrize(("key", "value"), SENSELESS)
def test_refused_in_words(key: str, value: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        helpers.recipe("dcgan", {key: value})


def test_mirroring_pictures_and_flipping_labels_are_two_words() -> None:
    mirrored = helpers.recipe("dcgan", {"flip": "true"}).stages[0]
    assert mirrored.flip
    assert "label_flip" not in mirrored.objective.options.get("game", {})
