"""Wide convolutions by Fourier transform: less arithmetic, for networks that only draw."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

MOST_BYTES = 2**29  # of a convolution's transformed kernels, which grow with the maps' surface
AT_ONCE = 4  # pictures that are transformed back together: their waves stay in the cache


class Transforms(NamedTuple):
    """The matrices of a convolution on maps of one size, s; n waves of which m = n // 2 + 1 stay.

    All are real: a complex number is two values that stand one after another.
    """

    across: Tensor  # (2 * m, s): of rows of values, waves
    down: Tensor  # (n * 4, s * 2): of columns of these, waves twice: as they are, and turned by i
    kernels: Tensor  # (m * n, 2 * I, O)
    back: Tensor  # (2 * s, n * 2)
    out: Tensor  # (s, m * 2)


class FourierConvolution(nn.Module):
    """A convolution of maps as the product of their transforms: the convolution theorem.

    With F the discrete Fourier transform of n x n values, y_o = F^-1(sum_i F(x_i) * F(w_oi)), where
    n = s + k // 2 is long enough for maps of s x s and kernels of k x k that no value which is kept
    wraps around. Each pair of maps takes n (n / 2 + 1) complex products, where the sum itself takes
    k^2 s^2 real ones. The transforms of so short a length are matrix products, along rows and then
    along columns: on CPUs these are faster than fast transforms, which wait for memory.

    Maps that are not square, or so large that the transformed kernels would fill the memory, are
    convolved plainly, and so are those on other devices.

    Args:
        convolution: a same-padded convolution of stride 1, which gives its weight and bias. The
            weight is transformed when maps of another size come, or once it has changed
        least_gain: products that are to be saved for each value that is transformed; where maps are
            too small for that they are convolved plainly
    """

    def __init__(self, convolution: nn.Conv2d, least_gain: float = -math.inf) -> None:
        super().__init__()
        self.convolution = convolution
        self.least_gain = least_gain
        self._made: tuple[int, int, torch.dtype] | None = None
        self._transforms: Transforms | None = None

    @torch.no_grad()
    def forward(self, maps: Tensor) -> Tensor:
        """Maps (B, O, S, S), laid channels-last, for maps (B, I, S, S), without gradients."""
        if not self._suits(maps):
            plain: Tensor = self.convolution(maps)
            return plain
        count, inputs, size, _ = maps.shape
        across, down, kernels, back, out = self._prepared(size)
        waves = across @ maps.permute(0, 2, 3, 1)  # (B, S, 2 * m, I)
        waves = down @ waves.reshape(count, 2 * size, -1)  # (B, n * 4, m * I)
        waves = waves.view(count, -1, 2, 2, len(kernels) // (len(down) // 4), inputs)
        waves = waves.permute(4, 1, 2, 0, 3, 5).reshape(len(kernels), 2 * count, 2 * inputs)
        waves = torch.bmm(waves, kernels)  # (m * n, 2 * B, O)
        waves = waves.view(-1, back.shape[1], count, kernels.shape[2])  # (m, n * 2, B, O)
        found = maps.new_empty(count, size, size, kernels.shape[2])
        bias = self.convolution.bias if self.convolution.bias is not None else maps.new_zeros(())
        for place, some in zip(found.split(AT_ONCE), waves.split(AT_ONCE, 2), strict=True):
            rows = back @ some.flatten(2)  # (m, 2 * S, few * O)
            values = out @ rows.view(out.shape[1], size, -1).transpose(0, 1)  # (S, S, few * O)
            torch.add(values.unflatten(2, (len(place), -1)).permute(2, 0, 1, 3), bias, out=place)
        return found.permute(0, 3, 1, 2)

    def _suits(self, maps: Tensor) -> bool:
        if maps.dim() != 4 or maps.shape[2] != maps.shape[3] or not maps.numel():
            return False
        weight, size = self.convolution.weight, maps.shape[2]
        outputs, inputs, side, _ = weight.shape
        length = size + side // 2
        waves = length * (length // 2 + 1)
        return (
            weight.device.type == "cpu"
            and 2 * waves * inputs * outputs * weight.element_size() <= MOST_BYTES
            and gain(self.convolution, waves / size**2) >= self.least_gain
        )

    def _prepared(self, size: int) -> Transforms:
        weight = self.convolution.weight
        wanted = (size, weight._version, weight.dtype)
        if self._transforms is None or self._made != wanted:
            self._transforms = None  # before others take as much memory
            self._made, self._transforms = wanted, transforms(weight, size)
        return self._transforms


def gain(convolution: nn.Conv2d, waves: float) -> float:
    """Real products saved for each value that is transformed, at so many waves for each place."""
    inputs, outputs = convolution.in_channels, convolution.out_channels
    saved = convolution.kernel_size[0] ** 2 - 4 * waves  # for each pair of maps
    return saved * inputs * outputs / (inputs + outputs)


def transforms(weight: Tensor, size: int) -> Transforms:
    """The matrices for a weight (O, I, k, k) and maps of this size."""
    side = weight.shape[-1]
    length = size + side // 2
    half = length // 2 + 1
    place, wave = torch.arange(size), torch.arange(length)
    reach = torch.arange(side) - side // 2

    def turned(rows: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
        """Cosines and sines of so many turns; whole numbers modulo the length keep them exact."""
        turns = torch.outer(rows, columns).remainder(length).double()
        return (turns * (2 * math.pi / length)).cos(), (turns * (2 * math.pi / length)).sin()

    cos, sin = turned(wave[:half], place)
    across = torch.stack([cos, -sin])  # (2, m, s)
    share = torch.full((half,), 2.0).double()  # the waves that do not stay mirror those that do
    share[0] = share[length / 2 == wave[:half]] = 1.0
    out = (torch.stack([cos, -sin], 1) * (share / length)[:, None, None]).flatten(0, 1).T

    cos, sin = turned(wave, place)
    real, imaginary = torch.stack([cos, sin], 2), torch.stack([-sin, cos], 2)  # (n, s, 2)
    down = torch.stack([real, -imaginary, imaginary, real], 1)  # (n, 4, s, 2)
    cos, sin = (cos / length).T, (sin / length).T
    back = torch.stack([torch.stack([cos, -sin], 2), torch.stack([sin, cos], 2)])  # (2, s, n, 2)

    # exp(i (u y + v x)) of a kernel's places, which lie around its middle.
    (cos_u, sin_u), (cos_v, sin_v) = turned(wave, reach), turned(wave[:half], reach)
    both = torch.stack(
        [
            torch.einsum("uy,vx->vuyx", cos_u, cos_v) - torch.einsum("uy,vx->vuyx", sin_u, sin_v),
            torch.einsum("uy,vx->vuyx", cos_u, sin_v) + torch.einsum("uy,vx->vuyx", sin_u, cos_v),
        ],
        2,
    )  # (m, n, 2, k, k)
    places = weight.permute(2, 3, 1, 0).flatten(2).flatten(0, 1)  # (k * k, I * O)
    kernels = both.reshape(-1, side * side).to(weight) @ places
    return Transforms(
        across.flatten(0, 1).to(weight),
        down.flatten(2).flatten(0, 1).to(weight),
        kernels.view(half * length, -1, len(weight)),
        back.flatten(2).flatten(0, 1).to(weight),
        out.contiguous().to(weight),
    )
