"""Where a portrait lies in a photo: named recipes of geometry, each one analytic transform.

A recipe first turns the photo so that the eyes are level (the level frame, in photo pixels), then
cuts a square out of that. Nothing here touches pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import hypot, radians, tan
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from purrtrait.images.affine import Matrix, Point, composed, inverted, moved, shift

Points: TypeAlias = Mapping[str, Point]
Box: TypeAlias = tuple[float, float, float, float]  # left, top, right, bottom
Border: TypeAlias = Literal["edge", "median", "grey"]
Filter: TypeAlias = Literal["area", "bicubic"]

EYES = ("left eye", "right eye")  # left and right as the viewer sees them
OUTER_EARS = ("left ear outer", "right ear outer")
EARS = (
    *("left ear outer", "left ear tip", "left ear inner"),
    *("right ear inner", "right ear tip", "right ear outer"),
)
CAT_POINTS = (*EYES, "mouth", *EARS)

LEAST = 1.0  # photo pixels: eyes that are nearer, and squares that are smaller, say nothing
EYES_TOGETHER = "its eyes are at one point"
EARS_IN_LINE = "its ears are one above the other"
ON_A_LINE = "its points are on one line"
BESIDE_THE_PHOTO = "its face is outside of the photo"
EMPTY_BOX = "the box around its face is empty"
NOT_SQUARE = "it is not square"

# What is remarked of a face that is used all the same.
EYES_EXCHANGED = "its eyes were named the wrong way round, and are exchanged back"
MOUTH_ABOVE = "its mouth is above its eyes, and so are its ears"

MEOW_EYES = (0.5, 0.4)  # where the middle of the eyes lies, as shares of the portrait's side
LEFT_EYE, RIGHT_EYE = (0.32, 0.42), (0.68, 0.42)  # the same for both eyes of the recipe ``eyes``
FOUND_MARGIN = 0.1  # of the side of a found box, on each side
STEEPEST = tan(radians(30))  # eyes of a found face that lie steeper are not believed


class Unalignable(Exception):  # noqa: N818 - it is said of a photo, not of the program
    """A face that cannot be aligned; ``reason`` says why in plain words that stay the same."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Face:
    """What is known about where the face of a photo is: named points, and a box around it."""

    points: Points
    box: Box | None = None


@dataclass(frozen=True, eq=False)
class Placement:
    """Where the portrait of one photo lies.

    ``upright`` leads from the photo to the level frame, without changing sizes; ``box`` is a square
    of that frame. ``border`` says what stands where there is no photo: ``edge`` repeats the photo's
    edge; ``grey`` is (128, 128, 128); ``median`` repeats the edge within ``canvas`` (width, height
    of the photo, from the level frame's origin), and beyond it is the median colour of what of
    the box lies within. ``filter`` says how the pixels are drawn (``images.warp``). ``remark`` says
    what is odd about the face, in words that stay the same; mostly nothing.
    """

    upright: Matrix
    box: Box
    canvas: tuple[int, int]
    border: Border = "edge"
    filter: Filter = "area"
    remark: str = ""

    @property
    def side(self) -> float:
        """Photo pixels along the portrait's side."""
        return self.box[2] - self.box[0]

    def cut(self, size: int) -> Matrix:
        """Lead from the level frame to the pixels of a portrait of ``size`` pixels."""
        scale = size / self.side
        return np.array([[scale, 0, -self.box[0] * scale], [0, scale, -self.box[1] * scale]])

    def matrix(self, size: int) -> Matrix:
        """Lead from the photo to the pixels of a portrait of ``size`` pixels."""
        return composed(self.cut(size), self.upright)

    def carry(self, points: Points, size: int) -> dict[str, Point]:
        """Points of the photo as points of the portrait."""
        return _named(points, moved(self.matrix(size), list(points.values())))

    def restore(self, points: Points, size: int) -> dict[str, Point]:
        """Points of the portrait as points of the photo."""
        return _named(points, moved(inverted(self.matrix(size)), list(points.values())))


@dataclass(frozen=True)
class Alignment:
    """A recipe: what it has to know of a face, and where it puts the portrait.

    ``needs`` holds names of points, and "box" for the box. ``place`` takes a face that has them and
    the photo's width and height; it raises ``Unalignable``.
    """

    needs: frozenset[str]
    place: Callable[[Face, int, int], Placement]


def _named(points: Points, places: np.ndarray) -> dict[str, Point]:
    return {name: (float(x), float(y)) for name, (x, y) in zip(points, places, strict=True)}


class _Eyes(NamedTuple):
    """The middle of the eyes, the way from the left to the right one, and what is odd there."""

    middle: np.ndarray
    along: np.ndarray
    remark: str = ""


def _eyes(points: Points) -> _Eyes:
    """Find the eyes, exchanged back where they are named the wrong way round.

    In a photo that hangs upside down, some annotations name the eyes by where they lie in the photo
    and not in the face. Turned level, the mouth is then above them, and the ears below. Where the
    ears are above them too, it is the mouth that is wrong.
    """
    left, right = (np.array(points[name]) for name in EYES)
    middle, along = (left + right) / 2, right - left
    if hypot(*along) < LEAST:
        raise Unalignable(EYES_TOGETHER)
    eyes = _Eyes(middle, along)
    if _below(eyes, points, ["mouth"]) >= 0:
        return eyes
    if _below(eyes, points, EARS) < 0:
        return eyes._replace(remark=MOUTH_ABOVE)
    return _Eyes(middle, -along, EYES_EXCHANGED)


def _below(eyes: _Eyes, points: Points, names: Sequence[str]) -> float:
    """Positive if those of the named points that are known lie below the level eyes on average."""
    ways = [np.subtract(points[name], eyes.middle) for name in names if name in points]
    return float(sum(eyes.along[0] * down - eyes.along[1] * right for right, down in ways))


def _levelled(along: np.ndarray, start: np.ndarray, end: np.ndarray) -> Matrix:
    """Turn the photo so that ``along`` points to the right, and the point ``start`` is at ``end``.

    Without angles: what is level already is turned by exactly nothing.
    """
    cosine, sine = along / hypot(*along)
    turn = np.array([[cosine, sine], [-sine, cosine]])
    return np.column_stack([turn, end - turn @ start])


def centred(points: Points, width: int, height: int) -> Matrix:
    """Lead from a photo to the canvas of ``cat-generator``: eyes level, their middle its centre."""
    eyes = _eyes(points)
    return _levelled(eyes.along, eyes.middle, np.array([width / 2, height / 2]))


def rectangles(points: Points, width: int, height: int) -> dict[str, Box]:
    """Return the face rectangles ``r0`` ... ``r4`` of ``cat-generator``, on its level canvas.

    ``points`` are all nine, in the photo. r0 holds the points; r1 is r0 moved onto the middle of
    eyes and mouth, r2 half of that way and clipped to the canvas; r3 holds r0 and r2; r4 is r3 made
    square, its longer side trimmed alike on both sides. (The ancestor rounded all of them to whole
    pixels, so that a small face jumped when it was turned or scaled.)
    """
    level = moved(centred(points, width, height), [points[name] for name in CAT_POINTS])
    r0 = np.concatenate([level.min(0), level.max(0)])
    way = np.tile(level[:3].mean(0) - (r0[:2] + r0[2:]) / 2, 2)
    r1 = r0 + way
    r2 = np.clip(r0 + way / 2, 0, [width, height, width, height])
    r3 = np.concatenate([np.minimum(r0, r2)[:2], np.maximum(r0, r2)[2:]])
    surplus = np.ptp(r3.reshape(2, 2), axis=0)
    trimmed = (surplus - surplus.min()) / 2
    r4 = r3 + np.concatenate([trimmed, -trimmed])
    return {f"r{n}": _box(edges) for n, edges in enumerate((r0, r1, r2, r3, r4))}


def _box(edges: np.ndarray) -> Box:
    left, top, right, bottom = edges.tolist()
    return left, top, right, bottom


def _square(corner: np.ndarray, side: float) -> Box:
    return _box(np.concatenate([corner, corner + side]))


def _cat_generator(face: Face, width: int, height: int) -> Placement:
    box = rectangles(face.points, width, height)["r4"]
    left, top, right, bottom = box
    if right - left < LEAST:
        raise Unalignable(ON_A_LINE)
    if min(right, bottom, width - left, height - top) < LEAST:
        raise Unalignable(BESIDE_THE_PHOTO)
    upright, remark = centred(face.points, width, height), _eyes(face.points).remark
    return Placement(upright, box, (width, height), "median", remark=remark)


def _meow(face: Face, width: int, height: int) -> Placement:
    middle, along, remark = _eyes(face.points)
    upright = _levelled(along, middle, middle)
    side = float(np.ptp(moved(upright, [face.points[name] for name in OUTER_EARS])[:, 0]))
    if side < LEAST:
        raise Unalignable(EARS_IN_LINE)
    box = _square(middle - np.array(MEOW_EYES) * side, side)
    return Placement(upright, box, (width, height), "grey", remark=remark)


def _by_eyes(face: Face, width: int, height: int) -> Placement:
    middle, along, remark = _eyes(face.points)
    side = hypot(*along) / (RIGHT_EYE[0] - LEFT_EYE[0])
    box = _square(middle - np.add(LEFT_EYE, RIGHT_EYE) / 2 * side, side)
    return Placement(_levelled(along, middle, middle), box, (width, height), remark=remark)


def _by_box(face: Face, width: int, height: int) -> Placement:
    assert face.box is not None, "the recipe needs a box"
    edges = np.array(face.box).reshape(2, 2)
    if np.diff(edges, axis=0).min() <= 0:
        raise Unalignable(EMPTY_BOX)
    middle, side = edges.mean(0), float(np.diff(edges, axis=0).max()) * (1 + 2 * FOUND_MARGIN)
    upright = _levelled(_found_tilt(face.points), middle, middle)
    return Placement(upright, _square(middle - side / 2, side), (width, height))


def _found_tilt(points: Points) -> np.ndarray:
    """Return the way from eye to eye of a found face, or just to the right if that is no help."""
    if points.keys() >= set(EYES):
        along = np.subtract(points["right eye"], points["left eye"])
        if along[0] > 0 and abs(along[1]) <= STEEPEST * along[0]:
            return along
    return np.array([1.0, 0.0])


def _middle(face: Face, width: int, height: int) -> Placement:
    side = min(width, height)
    corner = np.array([(width - side) // 2, (height - side) // 2])
    return Placement(shift(0, 0), _square(corner, side), (width, height))


def _share_of_250(box: Box, filter: Filter) -> Callable[[Face, int, int], Placement]:
    """Cut the same place out of every square photo: ``box`` of one of 250 pixels."""

    def place(face: Face, width: int, height: int) -> Placement:
        if width != height:
            raise Unalignable(NOT_SQUARE)
        edges = np.array(box) * width / 250
        return Placement(shift(0, 0), _box(edges), (width, height), filter=filter)

    return place


ALIGNMENTS: dict[str, Alignment] = {
    "none": Alignment(frozenset(), _middle),
    "cat-generator": Alignment(frozenset(CAT_POINTS), _cat_generator),
    "meow": Alignment(frozenset((*EYES, "mouth", *OUTER_EARS)), _meow),
    "face-generator": Alignment(frozenset(), _share_of_250((83, 92, 167, 176), "area")),
    "torch-gan": Alignment(frozenset(), _share_of_250((50, 50, 200, 200), "bicubic")),
    "eyes": Alignment(frozenset(EYES), _by_eyes),
    "box": Alignment(frozenset({"box"}), _by_box),
}
