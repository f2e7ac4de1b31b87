"""A layer that looks at its input turned, scaled and shifted, and learns how."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.functional import affine_grid, grid_sample

from purrtrait.networks.stack import heuristic

Motion: TypeAlias = Literal["rotation", "scale", "translation"]

SLOPE = 0.333  # of the leaky rectifiers
FREE = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)  # the identity as six numbers, a 2 x 3 matrix by rows

# The numbers with which each motion leaves everything in its place; theta holds them in this order.
IDENTITY: dict[Motion, tuple[float, ...]] = {
    "rotation": (0.0,),
    "scale": (1.0,),
    "translation": (0.0, 0.0),
}


def rotation(theta: Tensor) -> Tensor:
    """[[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]] for angles (B, 1) in radians."""
    cosine, sine = theta[:, 0].cos(), theta[:, 0].sin()
    zero, one = torch.zeros_like(sine), torch.ones_like(sine)
    return _matrices(cosine, -sine, zero, sine, cosine, zero, zero, zero, one)


def scale(theta: Tensor) -> Tensor:
    """[[s, 0, 0], [0, s, 0], [0, 0, 1]] for scales (B, 1)."""
    zero, one = torch.zeros_like(theta[:, 0]), torch.ones_like(theta[:, 0])
    return _matrices(theta[:, 0], zero, zero, zero, theta[:, 0], zero, zero, zero, one)


def translation(theta: Tensor) -> Tensor:
    """[[1, 0, t1], [0, 1, t2], [0, 0, 1]] for translations (B, 2)."""
    zero, one = torch.zeros_like(theta[:, 0]), torch.ones_like(theta[:, 0])
    return _matrices(one, zero, theta[:, 0], zero, one, theta[:, 1], zero, zero, one)


MATRICES: dict[Motion, Callable[[Tensor], Tensor]] = {
    "rotation": rotation,
    "scale": scale,
    "translation": translation,
}


class SpatialTransformer(nn.Module):
    """Maps (B, M, S, S), sampled where a small network says (Jaderberg et al. 2015, section 3).

    The value at p = (y, x), each from -1 (middle of the first pixel) to 1 (middle of the last), is
    read at p' = R(angle) * scale * (p + translation), by bilinear interpolation with zeros outside.
    Only the named motions take part; without any, p' is a free affine function of p. At the start
    nothing moves.

    Args:
        maps: maps of what comes in and goes out
        size: width and height of the maps, at least 4
        motions: which motions there are, in any order
        slope: of the leaky rectifiers of the localisation network
    """

    def __init__(
        self, maps: int, size: int, motions: tuple[Motion, ...] = (), slope: float = SLOPE
    ) -> None:
        super().__init__()
        self.motions = tuple(motion for motion in IDENTITY if motion in motions)
        start = [number for motion in self.motions for number in IDENTITY[motion]] or list(FREE)
        last = nn.Linear(64, len(start))
        self.localisation = nn.Sequential(
            nn.AvgPool2d(2),
            nn.Conv2d(maps, 16, 3, 1, 1),
            nn.LeakyReLU(slope),
            nn.Conv2d(16, 16, 3, 1, 1),
            nn.LeakyReLU(slope),
            nn.AvgPool2d(2),
            nn.Flatten(),
            nn.Linear(16 * (size // 4) ** 2, 64),
            nn.LeakyReLU(slope),
            last,
        )
        heuristic(self.localisation)
        nn.init.zeros_(last.weight)
        with torch.no_grad():
            last.bias.copy_(torch.tensor(start))

    def matrices(self, theta: Tensor) -> Tensor:
        """The matrices (B, 2, 3) that take (y, x, 1) to (y', x'), for parameters (B, P)."""
        if not self.motions:
            return theta.view(-1, 2, 3)
        parts = theta.split([len(IDENTITY[motion]) for motion in self.motions], 1)
        whole = torch.eye(3, dtype=theta.dtype, device=theta.device)
        for motion, part in zip(self.motions, parts, strict=True):
            whole = whole @ MATRICES[motion](part)
        return whole[:, :2]

    def forward(self, maps: Tensor) -> Tensor:
        """The maps (B, M, S, S) as they are seen through the motion of each of them."""
        matrices = self.matrices(self.localisation(maps))
        # PyTorch's grid speaks of (x, y): rows and columns change places.
        swapped = matrices.flip(1)[:, :, [1, 0, 2]]
        grid = affine_grid(swapped, list(maps.shape), align_corners=True)
        return grid_sample(maps, grid, "bilinear", "zeros", align_corners=True)


def _matrices(*entries: Tensor) -> Tensor:
    return torch.stack(entries, 1).view(-1, 3, 3)
