"""The validator: a critic who knows no generator and so can compare several."""

from __future__ import annotations

from torch import Tensor, nn

from purrtrait.networks.blocks import whole
from purrtrait.types import Amount, Count, Critic, Images, Logits


class Validator(Critic):
    """Convolutions and dense layers with batch norm; told real pictures from spoilt ones.

    A sigmoid of its verdict is the probability of a real picture: the verdict is the difference of
    the ancestor's two outputs, which went through a softmax.

    Args:
        size: width and height of the pictures, at least 2
        channels: 1 (grey) or 3 (colour)
        width: maps of the first convolution; all others keep their proportion to it
        slope: of the leaky rectifiers below 0
    """

    judges_alone = False

    def __init__(self, size: int, channels: int, width: Count = 128, slope: Amount = 0.333) -> None:
        super().__init__()
        if size < 2:
            raise ValueError(
                f"the pictures are {size} px wide; the validator halves them and expects at least "
                "2 px (such as 16 or 32). Prepare the pack at such a --size"
            )
        maps, units = 2 * width, 8 * width
        self.layers = nn.Sequential(
            *(nn.Conv2d(channels, width, 3, 1, 1), _rectifier(slope)),
            *(nn.Conv2d(width, width, 3, 1, 1), _rectifier(slope)),
            *(nn.BatchNorm2d(width), nn.Dropout()),
            *(nn.Conv2d(width, maps, 3, 1, 1), _rectifier(slope)),
            *(nn.Conv2d(maps, maps, 3, 1, 1), nn.BatchNorm2d(maps), _rectifier(slope)),
            *(nn.MaxPool2d(2), nn.Dropout2d(), nn.Flatten()),
            *(nn.Linear(maps * (size // 2) ** 2, units), nn.BatchNorm1d(units)),
            *(_rectifier(slope), nn.Dropout()),
            *(nn.Linear(units, units), nn.BatchNorm1d(units), _rectifier(slope), nn.Dropout()),
        )
        self.verdict = nn.Linear(units, 2)  # fake, real

    def features(self, images: Images, given: Tensor | None = None) -> Tensor:
        """The last hidden layer, (B, 8 * width)."""
        features: Tensor = self.layers((whole(images, given) + 1) / 2)
        return features

    def forward(self, images: Images, given: Tensor | None = None) -> Logits:
        """Verdicts (B,) on portraits (B, C, H, W): log(P(real) / P(fake))."""
        outputs: Tensor = self.verdict(self.features(images, given))
        return outputs[:, 1] - outputs[:, 0]


def _rectifier(slope: float) -> nn.Module:
    return nn.LeakyReLU(slope, inplace=True)
