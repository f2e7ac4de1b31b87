"""What a toy cat looks like: colours and proportions, and where its nine points are.

A head has coordinates of its own, in which it looks straight up: x to the right, y down, the line
between its eyes near y = 0, its cheeks near x = -1 and x = 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from purrtrait.images.affine import Point
from purrtrait.images.align import CAT_POINTS
from purrtrait.images.brush import Colour, Shape, blend

WHITE, PINK = (255, 255, 255), (232, 160, 158)
CENTRE = np.array([0.0, 0.12])  # of the skull
MOUTH = 0.62  # y of the mouth
OUTER, INNER = np.radians(-30), np.radians(-66)  # where an ear stands on the skull
COATS: tuple[tuple[Colour, Colour], ...] = (  # fur and its marks
    ((226, 150, 80), (170, 88, 36)),
    ((148, 146, 142), (78, 76, 78)),
    ((152, 120, 88), (72, 54, 42)),
    ((62, 58, 62), (150, 92, 52)),
    ((240, 236, 228), (214, 140, 76)),
    ((232, 212, 176), (92, 68, 56)),
    ((120, 132, 148), (70, 80, 100)),
    ((206, 178, 150), (122, 84, 70)),
)
IRISES: tuple[Colour, ...] = (
    *((214, 190, 60), (232, 160, 40), (128, 186, 80), (90, 170, 140)),
    *((96, 170, 222), (170, 110, 50)),
)
SKINS: tuple[Colour, ...] = (PINK, (206, 120, 118), (92, 66, 66))
MARKED = ("plain", "stripes", "blaze", "mask", "half", "patches")  # how toy_head can


@dataclass(frozen=True, eq=False)
class Look:
    """What a cat looks like; lengths are in the head's coordinates.

    ``cheeks`` and ``chin`` are half the width and height of the skull. ``ear`` is the tip of the
    right ear. ``eye`` is half the width of an eye and ``open`` its height over its width;
    ``slant`` is in radians. ``pupil`` is a share of the eye's width. ``turn`` and ``nod`` move the
    face on the skull. ``collar`` holds its colour, if there is one. ``hairs`` (N, 2) are places in
    the unit circle.
    """

    fur: Colour
    mark: Colour
    pale: Colour
    skin: Colour
    irises: tuple[Colour, Colour]
    collar: tuple[Colour, ...]
    marking: str
    cheeks: float
    chin: float
    tufts: float
    ear: Point
    gap: float
    eye: float
    open: float
    slant: float
    pupil: float
    gaze: float
    turn: float
    nod: float
    yawn: float
    droop: float
    hairs: np.ndarray

    @property
    def points(self) -> dict[str, Point]:
        """The nine points of the head."""
        outer, inner = (on_skull(self, np.array([angle]))[0].tolist() for angle in (OUTER, INNER))
        right, down = self.turn, self.nod
        places = (
            *((right - self.gap, down), (right + self.gap, down), (right, MOUTH + down)),
            *((-x, y) for x, y in (outer, self.ear, inner)),
            *(inner, self.ear, outer),
        )
        return {name: (x, y) for name, (x, y) in zip(CAT_POINTS, places, strict=True)}


def on_skull(look: Look, angles: np.ndarray) -> Shape:
    """The places (N, 2) on the edge of the skull at these angles, 0 being to the right."""
    ring = np.stack([np.cos(angles) * look.cheeks, np.sin(angles) * look.chin], 1)
    shape: Shape = ring + CENTRE
    return shape


def any_look(numbers: np.random.Generator) -> Look:
    """Draw what a cat looks like."""
    fur, mark = (_near(colour, numbers) for colour in COATS[numbers.integers(len(COATS))])
    iris, other = (_near(IRISES[place], numbers) for place in numbers.integers(len(IRISES), size=2))
    radius, angle = np.sqrt(numbers.random(120)), numbers.random(120) * 2 * np.pi
    spread = numbers.uniform
    return Look(
        fur=fur,
        mark=mark,
        pale=blend(fur, WHITE, spread(0.45, 0.95)),
        skin=_near(SKINS[numbers.integers(len(SKINS))], numbers),
        irises=(iris, other if numbers.random() < 0.08 else iris),
        collar=(_bright(numbers),) * int(numbers.random() < 0.4),
        marking=MARKED[numbers.integers(len(MARKED))],
        cheeks=spread(0.92, 1.06),
        chin=spread(0.8, 0.94),
        tufts=spread(0, 0.045),
        ear=(spread(0.7, 0.98), -spread(1.0, 1.35)),
        gap=spread(0.38, 0.47),
        eye=spread(0.2, 0.27),
        open=spread(0.55, 1.0),
        slant=spread(0, 0.35),
        pupil=spread(0.15, 0.7),
        gaze=spread(-0.6, 0.6),
        turn=spread(-0.14, 0.14),
        nod=spread(-0.06, 0.08),
        yawn=max(0.0, spread(-0.35, 0.15)),
        droop=spread(-0.2, 0.3),
        hairs=np.stack([np.cos(angle), np.sin(angle)], 1) * radius[:, None],
    )


def _near(colour: Colour, numbers: np.random.Generator) -> Colour:
    light = numbers.integers(-14, 15)
    red, green, blue = np.clip(
        np.add(colour, light) + numbers.integers(-10, 11, 3), 0, 255
    ).tolist()
    return red, green, blue


def _bright(numbers: np.random.Generator) -> Colour:
    levels = np.array([210, 40, numbers.integers(40, 210)])
    red, green, blue = numbers.permutation(levels).tolist()
    return red, green, blue
