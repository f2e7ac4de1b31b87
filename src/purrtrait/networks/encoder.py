"""The encoder of variational autoencoders: portraits to normal distributions of latents."""

from __future__ import annotations

from torch import Tensor, nn

from purrtrait.types import Count, Encoder, Images


class ConvolvingEncoder(Encoder):
    """Three strided 5x5 convolutions and a dense layer, each with batch norm; two linear heads.

    Larsen et al. 2016, "Autoencoding beyond pixels using a learned similarity metric", table 1.

    Args:
        size: width and height of the pictures, a multiple of 8
        channels: 1 (grey) or 3 (colour)
        latent: numbers in a latent
        width: maps of the first layer; the others keep their proportion to it
    """

    def __init__(self, size: int, channels: int, latent: Count = 128, width: Count = 64) -> None:
        super().__init__()
        last, rest = divmod(size, 8)
        if rest or not last:
            raise ValueError(
                f"the pictures are {size} px wide; this network halves them three times and "
                "expects a multiple of 8 px. Prepare the pack at such a --size"
            )
        self.latent_size = latent
        hidden = 32 * width
        self.layers = nn.Sequential(
            *_halving(channels, width),
            *_halving(width, 2 * width),
            *_halving(2 * width, 4 * width),  # (B, 4 * width, size / 8, size / 8)
            nn.Flatten(),
            nn.Linear(4 * width * last**2, hidden, bias=False),
            *(nn.BatchNorm1d(hidden), nn.ReLU(inplace=True)),
        )
        self.mean = nn.Linear(hidden, latent)
        self.log_variance = nn.Linear(hidden, latent)

    def forward(self, images: Images) -> tuple[Tensor, Tensor]:
        """Mean and log variance (B, Z) each, for portraits in [-1, 1]."""
        hidden = self.layers(images)
        return self.mean(hidden), self.log_variance(hidden)


def _halving(maps: int, wanted: int) -> list[nn.Module]:
    # Batch norm takes every constant away, so that a bias before it would learn nothing.
    return [
        nn.Conv2d(maps, wanted, 5, 2, 2, bias=False),
        nn.BatchNorm2d(wanted),
        nn.ReLU(inplace=True),
    ]
