"""The tables of extractors and metrics: how pictures become numbers, and numbers scores."""

from collections.abc import Callable

from purrtrait.evaluation import efficientnet
from purrtrait.evaluation.features import Extractor

EXTRACTORS: dict[str, Callable[[], Extractor]] = {
    "efficientnet-lite0": efficientnet.EfficientNetLite0,
}
