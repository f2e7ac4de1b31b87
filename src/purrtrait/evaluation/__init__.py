"""The tables of extractors and metrics: how pictures become numbers, and numbers scores."""

from collections.abc import Callable

from purrtrait.evaluation import (
    coverage,
    diversity,
    efficientnet,
    frechet,
    inception,
    kernel,
    pixels,
)
from purrtrait.evaluation.features import Extractor
from purrtrait.evaluation.metric import Metric
from purrtrait.evaluation.uncertainty import LeftOut

EXTRACTORS: dict[str, Callable[[], Extractor]] = {
    "efficientnet-lite0": efficientnet.EfficientNetLite0,
    "pixels": pixels.Pixels,
    "inception": inception.Inception,
}

METRICS: dict[str, Metric] = {
    "frechet": frechet.frechet,
    "frechet-infinite": frechet.infinite,
    "kernel": kernel.kernel,
    "coverage": coverage.coverage,
    "diversity": diversity.diversity,
}

# Metrics whose standard errors come from groups that are left out; of the others from halves.
LEFT_OUT: dict[str, LeftOut] = {
    "kernel": kernel.left_out,
    "coverage": coverage.left_out,
    "diversity": diversity.left_out,
}
