"""Photos of toy cats whose nine points are known exactly, and files of them as in the CAT dataset.

Each is a function of a seed and its number. The points always lie within the photo; a cheek, the
chin or the tip of a whisker may not.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, floor, radians, sin
from pathlib import Path

import cv2
import numpy as np

from purrtrait.datasets.cat10k import ANNOTATION
from purrtrait.datasets.fill import ReportProgress, no_report
from purrtrait.datasets.photo import Collection, Photo, Wanted, drawn
from purrtrait.datasets.writer import expect_new, reserved
from purrtrait.images.affine import Matrix, moved
from purrtrait.images.align import CAT_POINTS, Face
from purrtrait.images.toy_head import paint
from purrtrait.images.toy_look import Look, any_look
from purrtrait.images.written import jpeg
from purrtrait.types import Draw

EDITION = "toy cats, first edition"  # another one when the same seed gives other photos
SIDES = (300, 600)  # of a photo, in pixels
SCALES = (0.15, 0.32)  # half the width of a head, as a share of the photo's shorter side
STEEPEST = 35  # degrees that a head is turned to either side
COARSE = 8  # photo pixels along one of the background, which is out of focus
ROUNDNESS = (120, 90, 15)  # degrees between corners of a thing: triangles, lozenges, ovals
FOLDER_PHOTOS = 1000  # in each of CAT_00, CAT_01, ...


@dataclass(frozen=True, eq=False)
class Scene:
    """A toy photo before it is drawn; ``pose`` leads from the head's coordinates to the photo."""

    width: int
    height: int
    look: Look
    pose: Matrix
    draw: Draw

    def face(self) -> Face:
        """Where the nine points lie in the photo."""
        points = self.look.points
        places = moved(self.pose, list(points.values())).tolist()
        return Face({name: (x, y) for name, (x, y) in zip(points, places, strict=True)})

    def pixels(self) -> np.ndarray:
        """The photo, uint8 (height, width, 3)."""
        canvas = _background(self.width, self.height, _numbers(self.draw, "background"))
        paint(canvas, self.look, self.pose)
        return canvas


def toy_scene(seed: int, number: int) -> Scene:
    """Say what photo ``number`` of a seed shows; the points may lie anywhere in it."""
    draw = Draw(seed, "toy cats", number)
    look, numbers = any_look(_numbers(draw, "look")), _numbers(draw, "pose")
    width, height = numbers.integers(SIDES[0], SIDES[1] + 1, 2).tolist()
    scale = numbers.uniform(*SCALES) * min(width, height)
    angle = radians(numbers.uniform(-STEEPEST, STEEPEST))
    along, across = scale * cos(angle), scale * sin(angle)
    turn = np.array([[along, -across, 0.0], [across, along, 0.0]])
    places = moved(turn, list(look.points.values()))
    room = (width, height) - np.ptp(places, axis=0)
    corner = numbers.random(2) * room - places.min(0)
    return Scene(width, height, look, turn + np.outer(corner, (0, 0, 1)), draw)


def _numbers(draw: Draw, purpose: str) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=draw.key(purpose)))


def _background(width: int, height: int, numbers: np.random.Generator) -> np.ndarray:
    """A gradient between the colours of four corners, and things in front of it, out of focus."""
    size = -(-width // COARSE), -(-height // COARSE)
    base = numbers.integers(50, 206) + numbers.integers(-45, 46, 3)
    corners = np.clip(base + numbers.integers(-40, 41, (2, 2, 3)), 0, 255).astype(np.uint8)
    coarse = cv2.resize(corners, size, interpolation=cv2.INTER_LINEAR)
    for _ in range(numbers.integers(3, 12)):
        tint = numbers.integers(-60, 61) + numbers.integers(-30, 31, 3)
        colour = np.clip(base + tint, 0, 255).tolist()
        place = (numbers.random(2) * size).astype(int).tolist()
        axes = numbers.integers(2, 16, 2).tolist()
        step = ROUNDNESS[numbers.integers(len(ROUNDNESS))]
        turn = int(numbers.integers(360))
        ring = np.array(cv2.ellipse2Poly(place, axes, turn, 0, 360, step))
        cv2.fillPoly(coarse, [ring], colour, cv2.LINE_AA)
    picture: np.ndarray = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return picture


def parse_toy_cats(wanted: Wanted) -> Collection:
    """Draw photos of toy cats, each when it is looked at; ``face`` has the nine points."""
    assert wanted.count is not None, "drawn pictures have no end: their number must be given"
    return Collection(
        count=wanted.count,
        fingerprint=EDITION,
        photos=(_photo(wanted.seed, number) for number in range(wanted.count)),
    )


def _photo(seed: int, number: int) -> Photo:
    scene = toy_scene(seed, number)
    return Photo(f"toy-cat-{number:07d}", drawn(scene.pixels), face=scene.face())


def write_cat_layout(
    folder: Path, count: int, seed: int = 0, progress: ReportProgress = no_report
) -> None:
    """Write ``count`` toy cats as the files of the CAT dataset, into a new or empty ``folder``.

    ``progress`` is told after each photo how many are done, and how many there are. ValueError if
    there is something in the folder; it appears whole or not at all.
    """
    _expect(folder, count)
    with reserved(folder) as temporary:
        for number in range(count):
            scene = toy_scene(seed, number)
            home = temporary / f"CAT_{number // FOLDER_PHOTOS:02d}"
            home.mkdir(exist_ok=True)
            photo = home / f"{number + 1:08d}_000.jpg"
            photo.write_bytes(jpeg(scene.pixels()))
            photo.with_name(photo.name + ANNOTATION).write_text(annotation(scene.face()))
            progress(number + 1, count)


def annotation(face: Face) -> str:
    """The line of a ``.cat`` file: 9, and the pixels x y that the nine points lie in."""
    places = [floor(place) for name in CAT_POINTS for place in face.points[name]]
    return " ".join(str(number) for number in (len(CAT_POINTS), *places)) + " "


def _expect(folder: Path, count: int) -> None:
    if count < 1:
        raise ValueError(f"Found a count of {count} toy cats, expected at least 1.")
    expect_new(folder)
