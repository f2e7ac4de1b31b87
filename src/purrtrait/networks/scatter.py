"""Convolutions to a single map by scattering, for networks that only draw."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class ScatteredConvolution(nn.Module):
    """A convolution to one map as the sum of products that each place gives to its surroundings.

    y(p) = sum_q sum_i w_i(q) x_i(p + q) reads all maps anew for each of the k x k places q of the
    kernel. Here they are read once, for the k^2 sums over i, which then are moved by q and added
    (as columns of an image are, "col2im"). The arithmetic is the same.

    Args:
        convolution: a same-padded convolution of stride 1 to one map, which gives its weight and
            bias
    """

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        self.convolution = convolution

    @torch.no_grad()
    def forward(self, maps: Tensor) -> Tensor:
        """Maps (B, 1, H, W) for maps (B, I, H, W), without gradients."""
        if maps.dim() != 4 or not maps.numel():
            plain: Tensor = self.convolution(maps)
            return plain
        weight, bias = self.convolution.weight, self.convolution.bias
        side = weight.shape[-1]
        given = weight.flip(2, 3).permute(2, 3, 0, 1).reshape(side * side, -1, 1, 1)
        sums = functional.conv2d(maps, given).flatten(2)  # (B, k * k, H * W)
        found = functional.fold(sums, maps.shape[2:], side, padding=side // 2)
        return found if bias is None else found.add_(bias)
