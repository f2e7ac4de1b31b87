"""How sharp pictures are: how much their grey changes from pixel to pixel."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

from purrtrait.types import Images

# ITU-R BT.601: what red, green and blue count in grey.
LUMA = (0.299, 0.587, 0.114)
LAPLACIAN = ((0.0, 1.0, 0.0), (1.0, -4.0, 1.0), (0.0, 1.0, 0.0))


def sharpness(images: Images) -> Tensor:
    """The standard deviation of the Laplacian (B,) of pictures (B, C, H, W) in [-1, 1].

    Of grey in levels of 0 to 255; 0 where nothing changes, the higher the sharper, and highest for
    noise (Pech-Pacheco et al. 2000, "Diatom autofocusing in brightfield microscopy": the variance
    of the Laplacian). The edge is repeated.
    """
    weights = images.new_tensor(LUMA if images.shape[1] == len(LUMA) else (1.0,))
    levels = 127.5 * torch.einsum("bchw,c->bhw", images, weights)
    padded = pad(levels[:, None], (1, 1, 1, 1), mode="replicate")
    found = conv2d(padded, images.new_tensor(LAPLACIAN)[None, None])
    return found.std((1, 2, 3), unbiased=False)
