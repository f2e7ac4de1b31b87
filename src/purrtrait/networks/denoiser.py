"""The denoiser: a noisy portrait in, a clean one out."""

from __future__ import annotations

from torch import nn

from purrtrait.types import Amount, Images, Retoucher


class Denoiser(Retoucher):
    """Two unpadded convolutions, then two dense layers that draw the picture anew; sigmoid.

    The noise of its training (deviation 0.1 of pictures in [0, 1], 0.2 of portraits in [-1, 1]) is
    not its own: whoever trains it adds it.

    Args:
        size: width and height of the pictures, at least 5
        channels: 1 (grey) or 3 (colour)
        slope: of the leaky rectifiers below 0
    """

    def __init__(self, size: int, channels: int, slope: Amount = 0.333) -> None:
        super().__init__()
        if size < 5:
            raise ValueError(
                f"the pictures are {size} px wide; the denoiser trims 2 px from each side and "
                "expects at least 5 px (such as 16 or 32). Prepare the pack at such a --size"
            )
        self.shape = (size, size, channels)
        self.layers = nn.Sequential(
            *(nn.Conv2d(channels, 8, 3), nn.BatchNorm2d(8), nn.LeakyReLU(slope, inplace=True)),
            *(nn.Conv2d(8, 8, 3), nn.BatchNorm2d(8), nn.LeakyReLU(slope, inplace=True)),
            *(nn.Dropout(0.2), nn.Flatten()),  # (B, 8 * (size - 4)^2)
            *(nn.Linear(8 * (size - 4) ** 2, 2048), nn.BatchNorm1d(2048)),
            *(nn.LeakyReLU(slope, inplace=True), nn.Dropout(0.2)),
            *(nn.Linear(2048, channels * size * size), nn.Sigmoid()),
        )

    def forward(self, images: Images) -> Images:
        """Portraits (B, C, size, size) in [-1, 1], cleaned."""
        values = self.layers((images + 1) / 2)
        # The values are taken as channels-last pictures, which saves a transposition.
        pictures: Images = values.unflatten(1, self.shape).permute(0, 3, 1, 2)
        return 2 * pictures - 1
