"""A trained sampler with what is known about it, opened from a run, checkpoint or bundle."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from purrtrait import machine, wrapping
from purrtrait.images.resize import to_uint8
from purrtrait.sampling import bundle
from purrtrait.sampling.latents import latents
from purrtrait.types import Latents, Sampler

PathLike = str | Path
DRAWN_AT_ONCE = 64


@dataclass(frozen=True)
class Model:
    """A trained sampler with what is known about it."""

    sampler: Sampler
    about: Mapping[str, Any]
    device: torch.device

    def latents(
        self,
        count: int,
        seed: int = 0,
        temperature: float = 1.0,
        first: int = 0,
        truncation: float = math.inf,
    ) -> Latents:
        """Latents (count, Z) of a seed: row i is the same whatever the count."""
        size, prior = self.sampler.latent_size, self.sampler.prior
        return latents(count, size, prior, seed, temperature, first, truncation)

    def sample(
        self,
        count: int,
        *,
        seed: int = 0,
        temperature: float = 1.0,
        truncation: float = math.inf,
        batch: int = DRAWN_AT_ONCE,
    ) -> np.ndarray:
        """Portraits of a seed as uint8 (count, H, W, C).

        Portrait i depends on (seed, i, temperature, truncation) alone: another count gives the same
        ones, and another batch size the same within one grey level. No number of a latent lies
        beyond ``truncation`` before ``temperature`` multiplies it.
        """
        for word, number in (("count", count), ("batch", batch)):
            if number < 1:
                raise ValueError(f"{word} is {number}; expected at least 1 portrait")
        z = self.latents(count, seed, temperature, truncation=truncation)
        return np.concatenate([self.draw(rows) for rows in z.split(batch)])

    def draw(self, z: Latents) -> np.ndarray:
        """Portraits of latents (B, Z), float32, as uint8 (B, H, W, C)."""
        size = self.sampler.latent_size
        if not isinstance(z, torch.Tensor) or z.ndim != 2 or z.shape[1] != size:
            found = f"{type(z).__name__} {tuple(getattr(z, 'shape', ()))}"
            raise ValueError(f"latents are {found}; expected a tensor (B, {size})")
        if z.dtype != torch.float32:
            raise ValueError(f"latents are {z.dtype}; expected torch.float32")
        return to_uint8(self.sampler(z.to(self.device)).cpu())


def load(path: PathLike, device: str = "auto") -> Model:
    """The trained sampler in a run folder (its last checkpoint), a checkpoint or a bundle."""
    folder, where = wrapping.sampler_folder(Path(path)), machine.device(device)
    return Model(bundle.load(folder, where), bundle.describe(folder), where)
