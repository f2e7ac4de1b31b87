"""Where the head of a cat is: the ``.cat`` files of the CAT dataset.

Their first line is 9 and nine pairs x y of whole numbers, pixels counted from the upper left one.
"""

from __future__ import annotations

import re
from dataclasses import replace

from purrtrait.datasets.photo import Unreadable
from purrtrait.images.affine import Point
from purrtrait.images.align import CAT_POINTS, Face

NOT_NUMBERS = "its annotation is not a line of whole numbers"
NOT_NINE = "its annotation does not hold nine points"

_WHOLE = re.compile(r"-?[0-9]{1,6}")
_MIDDLE = 0.5  # of a pixel, from its edge


def keypoints(text: str) -> dict[str, Point]:
    """Return the nine points of an annotation; ``Unreadable`` if it is malformed.

    A number's sign is ignored, as some are negative by mistake. Further lines are too.
    """
    words = text.partition("\n")[0].split()
    if not words or not all(_WHOLE.fullmatch(word) for word in words):
        raise Unreadable(NOT_NUMBERS)
    count, *numbers = (abs(int(word)) for word in words)
    if count != len(CAT_POINTS) or len(numbers) != 2 * len(CAT_POINTS):
        raise Unreadable(NOT_NINE)
    middles = [number + _MIDDLE for number in numbers]
    return dict(zip(CAT_POINTS, zip(middles[::2], middles[1::2], strict=True), strict=True))


def clipped(face: Face, width: int, height: int) -> Face:
    """Move the points that lie outside a photo of this size to the middle of its nearest pixel."""
    points = {name: (_within(x, width), _within(y, height)) for name, (x, y) in face.points.items()}
    return replace(face, points=points)


def _within(place: float, side: int) -> float:
    return min(max(place, _MIDDLE), side - _MIDDLE)
