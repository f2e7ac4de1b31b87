"""Doubling by nearest neighbours and a 5x5 convolution in one step, at a third of the cost."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

SIDE = 5  # of the convolution, in pixels of the doubled maps
NEAR = 3  # as many pixels of the maps before lie under it


class Doubling(nn.Module):
    """Maps (B, M, S, S) to (B, N, 2S, 2S): nearest neighbours, then a 5x5 convolution.

    Of the 25 doubled pixels under the kernel many are the same pixel: they come from 3 x 3 pixels.
    So the kernel's weights are added up to four 3x3 kernels, one for each place (a, b) that a new
    pixel may have in its old one, which are applied to the maps before they are doubled: 9
    multiplications in place of 25, and the same sums.

    ``convolution`` holds the 5x5 weights.
    """

    fold: Tensor

    def __init__(self, maps: int, wanted: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(maps, wanted, SIDE, padding=SIDE // 2)
        self.register_buffer("fold", _fold(), persistent=False)

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (B, N, 2S, 2S), laid out channels-last, of maps (B, M, S, S)."""
        weight, bias = self.convolution.weight, self.convolution.bias
        assert bias is not None
        kernels = torch.einsum("nmij,aik,bjl->abnmkl", weight, self.fold, self.fold).flatten(0, 2)
        parts = conv2d(maps, kernels, bias.repeat(4), padding=1)  # (B, 4N, S, S)
        _, _, height, width = maps.shape
        # In channels-last memory the new pixels are rows of N values, which are only rearranged.
        rows: Tensor = parts.permute(0, 2, 3, 1).unflatten(3, (2, 2, -1)).transpose(2, 3)
        return rows.reshape(-1, 2 * height, 2 * width, len(bias)).permute(0, 3, 1, 2)


def _fold() -> Tensor:
    """Which old pixel lies under which weight, (2, 5, 3), for either place of the new pixel.

    A new pixel 2i + a meets, under its weight k, the doubled pixel 2i + a + k - 2, and so the old
    one i + (a + k - 2) // 2.
    """
    place, weight = torch.arange(2)[:, None], torch.arange(SIDE)
    old = (place + weight) // 2  # 0, 1, 2 for i - 1, i, i + 1
    return (old[..., None] == torch.arange(NEAR)).float()
