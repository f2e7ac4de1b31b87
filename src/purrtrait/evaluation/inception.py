"""The extractor that FID is defined with; comes with the package torch-fidelity, which is apart."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import torch

from purrtrait.types import Features

HOW = (
    "the extractor 'inception' needs the package torch-fidelity, with torchvision beside a torch "
    "that fits it, and downloads its weights when it is first used. Install it in an environment "
    "of its own (see docs/scores.md), or use the extractor efficientnet-lite0"
)
NO_WEIGHTS = (
    "torch-fidelity is here, but its weights could not be loaded ({error}). Expected about 90 MB, "
    "downloaded once from its releases to {folder}: connect to the network and try again, remove "
    "what is damaged there, or use the extractor efficientnet-lite0"
)


class Inception:
    """Inception-v3 of Szegedy et al. 2016 as ported for FID (Heusel et al. 2017), pooled.

    torch-fidelity resizes to 299 x 299 px as TensorFlow did. ValueError where it is not there, or
    has no weights.
    """

    name = "inception"
    identity = "inception-v3-compat 2048"

    def __init__(self) -> None:
        try:
            ported: Any = importlib.import_module("torch_fidelity.feature_extractor_inceptionv3")
        except ImportError as error:
            raise ValueError(f"{HOW} ({error})") from None
        try:
            self.network = ported.FeatureExtractorInceptionV3(self.identity, ["2048"])
        # No network, a download that was cut off or is another, a folder that cannot be written to.
        except Exception as error:
            folder = f"{torch.hub.get_dir()}/checkpoints"
            raise ValueError(NO_WEIGHTS.format(error=error, folder=folder)) from error

    @torch.no_grad()
    def __call__(self, pixels: np.ndarray) -> Features:
        """Features (B, 2048) of pixels (B, H, W, C) uint8; grey ones are repeated in 3 channels."""
        images = torch.from_numpy(np.array(pixels)).permute(0, 3, 1, 2).expand(-1, 3, -1, -1)
        features: Features = self.network(images.contiguous())[0].float()
        return features
