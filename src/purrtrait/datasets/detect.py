"""Finds faces in photos that nobody annotated, with the cascades that come with OpenCV.

A cascade (Viola and Jones, "Rapid object detection using a boosted cascade of simple features",
2001) fires in many windows around a face and in few elsewhere, so its windows are votes. A face is
where enough of them lie one upon another, and where both of two cascades have seen it.

Another detector is one function from pixels (H, W, 3) to a list of ``Face``, the best first, and
one line of ``FINDERS``. OpenCV works on all cores by itself: whoever runs finders on several
threads calls ``cv2.setNumThreads(1)`` before, once a process, as the number is the process's.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil, cos, floor, hypot, radians, sin
from pathlib import Path
from typing import TypeAlias

import cv2
import cv2.data
import numpy as np

from purrtrait.images.affine import Matrix, Point, composed, moved, shift
from purrtrait.images.align import Box, Face

SCALE_STEP = 1.1  # from one size of window to the next
ALIKE = 0.5  # windows with this intersection over union have seen the same thing
CROWDED = 0.4  # two spots that share this much of the smaller one are one face, or one is its nose
EYE_FACE = 160  # the side in pixels at which a face is searched for eyes
FOREHEAD = 0.6  # the upper share of a face that holds its eyes, with room for a tilt
STRAYED = 0.12  # how far from the expected place an eye may be, as a share of the face's side

Finder: TypeAlias = Callable[[np.ndarray], list[Face]]  # uint8 (H, W, 3) -> faces, the best first

# Says where it has seen something in a grey picture, uint8 (H, W): square windows (n, 3) float64,
# each the x and y of its middle and its side, in pixels.
Watcher: TypeAlias = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Spot:
    """The mean of windows that agree: its middle, side and clockwise turn; how many there are."""

    x: float
    y: float
    side: float
    degrees: float
    votes: int

    def at(self, across: float, down: float) -> Point:
        """Return the point at these shares of the turned square, from its upper left corner."""
        place = np.subtract((across, down), 0.5) * self.side
        x, y = moved(_turn(self.degrees), place)[0].tolist()
        return (self.x + x, self.y + y)

    def box(self) -> Box:
        """Return the upright square of the same middle and side."""
        half = self.side / 2
        return (self.x - half, self.y - half, self.x + half, self.y + half)


# A grey photo (H, W), a face in it, and where such faces have their eyes, by name, in shares of the
# face's side -> the eyes that are found.
Eyes: TypeAlias = Callable[[np.ndarray, Spot, Mapping[str, Point]], dict[str, Point]]


@dataclass(frozen=True)
class Search:
    """How one kind of face is looked for.

    A photo is brought to a longest side of ``longest`` pixels, so that the least window of the
    watchers is the least face; it is looked at with each of ``degrees`` undone. A face has at least
    ``votes`` windows, and at least ``each`` of every watcher.
    """

    watchers: Sequence[Watcher]
    longest: int
    degrees: Sequence[float]
    votes: int
    each: int
    eyes: Eyes
    eyes_at: Mapping[str, Point]


def find(pixels: np.ndarray, search: Search) -> list[Face]:
    """Find the faces in ``pixels`` uint8 (H, W, 3), the one with most votes first.

    The box is upright, whatever the turn of the face, and as large as the face. Points are given
    only if both eyes are found.
    """
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    scale = search.longest / max(grey.shape)
    small = _resized(grey, scale)
    seen = np.concatenate([_looked(small, turn, search.watchers) for turn in search.degrees])
    seen[:, :3] /= scale
    spots = agreed(seen, search.votes, search.each, len(search.watchers))
    return [Face(search.eyes(grey, spot, search.eyes_at), spot.box()) for spot in spots]


def agreed(seen: np.ndarray, votes: int, each: int, watchers: int) -> list[Spot]:
    """Where windows (n, 5) agree, the spot with most votes first, crowded ones left out.

    A window is the x and y of its middle, its side, its turn and the number of its watcher.
    """
    seen = seen[np.lexsort(seen.T)]  # cascades on several threads report in any order
    shared, surface = _shared(seen, seen), seen[:, 2] ** 2
    alike = shared >= ALIKE * (surface[:, None] + surface[None] - shared)
    free = np.ones(len(seen), bool)
    spots = []
    while free.any():
        counts = (alike & free).sum(axis=1) * free
        best = int(counts.argmax())
        if counts[best] < votes:
            break
        party = seen[alike[best] & free]
        free &= ~alike[best]
        if np.bincount(party[:, 4].astype(int), minlength=watchers).min() >= each:
            mean = party.mean(axis=0)
            x, y, side, degrees = mean[:4].tolist()
            spots.append(Spot(x, y, side, degrees, len(party)))
            free &= _shared(seen, mean[None])[:, 0] < CROWDED * np.minimum(surface, side**2)
    return spots


def _shared(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the surface that upright squares (n, 3+) and (m, 3+) have in common, (n, m)."""
    surface = np.ones((len(first), len(second)))
    half, other = first[:, None, 2] / 2, second[None, :, 2] / 2
    for axis in (0, 1):
        apart = first[:, None, axis] - second[None, :, axis]
        surface *= np.maximum(np.minimum(apart + half, other) - np.maximum(apart - half, -other), 0)
    return surface


def _resized(grey: np.ndarray, scale: float) -> np.ndarray:
    high, wide = (max(1, round(side * scale)) for side in grey.shape)
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return cv2.resize(grey, (wide, high), interpolation=how)


def _looked(grey: np.ndarray, degrees: float, watchers: Sequence[Watcher]) -> np.ndarray:
    """Return the windows (n, 5) of ``agreed`` that the watchers see with a turn undone."""
    level, back = _levelled(grey, degrees)
    rows = []
    for number, watcher in enumerate(watchers):
        windows = watcher(level)
        middles = moved(back, windows[:, :2])
        # Beyond the edges of a turned photo is nothing, whose corners look like ears.
        room = np.minimum(middles, grey.shape[::-1] - middles).min(axis=1)
        inside = 2 * room >= windows[:, 2]
        known = np.tile([degrees, number], (len(windows), 1))
        rows.append(np.concatenate([middles, windows[:, 2:], known], axis=1)[inside])
    return np.concatenate(rows)


def _levelled(grey: np.ndarray, degrees: float) -> tuple[np.ndarray, Matrix]:
    """Turn a picture anticlockwise, whole and on black; the matrix takes its points back."""
    if degrees == 0:
        return grey, shift(0, 0)
    turn, sides = _turn(degrees), np.array(grey.shape[::-1])
    canvas = np.ceil(np.abs(turn[:, :2]) @ sides).astype(int)
    back = composed(shift(*sides / 2), composed(turn, shift(*-canvas / 2)))
    # OpenCV counts from the middle of the first pixel, our points from its corner.
    of_middles = composed(shift(-0.5, -0.5), composed(back, shift(0.5, 0.5)))
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(grey, of_middles, canvas.tolist(), flags=how), back


def _turn(degrees: float) -> Matrix:
    """Turn clockwise, as y goes down, about the upper left corner."""
    cosine, sine = cos(radians(degrees)), sin(radians(degrees))
    return np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0]])


def expected_eyes(grey: np.ndarray, face: Spot, eyes_at: Mapping[str, Point]) -> dict[str, Point]:
    """Take the eyes to be where such faces have theirs."""
    return {name: face.at(*place) for name, place in eyes_at.items()}


def seen_eyes(
    grey: np.ndarray,
    face: Spot,
    eyes_at: Mapping[str, Point],
    watchers: Sequence[Watcher],
    votes: int,
) -> dict[str, Point]:
    """Return the eyes that watchers see, if there is exactly one near each expected place."""
    left, top, right, _ = face.box()
    left, top = max(0, floor(left)), max(0, floor(top))
    bottom = ceil(face.y + (FOREHEAD - 0.5) * face.side)
    scale = EYE_FACE / face.side
    part = _resized(grey[top:bottom, left : ceil(right)], scale)
    spots = agreed(_looked(part, 0, watchers), votes, 0, len(watchers))
    found = [(spot.x / scale + left, spot.y / scale + top) for spot in spots]
    eyes = {}
    for name, (x, y) in expected_eyes(grey, face, eyes_at).items():
        near = [eye for eye in found if hypot(eye[0] - x, eye[1] - y) <= STRAYED * face.side]
        if len(near) != 1:
            return {}
        eyes[name] = near[0]
    return eyes


def cascade(name: str) -> Watcher:
    """Watch with a cascade of OpenCV, such as ``frontalface_default``; read at its first use."""
    return partial(_watch, name)


def _watch(name: str, grey: np.ndarray) -> np.ndarray:
    found = _loaded(name).detectMultiScale(grey, scaleFactor=SCALE_STEP, minNeighbors=0)
    windows = np.array(found, np.float64).reshape(-1, 4)  # left, top, width, height
    return np.column_stack([windows[:, :2] + windows[:, 2:] / 2, windows[:, 2]])


class _Own(threading.local):
    """A thread's own cascades by name: one must not look at two pictures at once."""

    def __init__(self) -> None:
        self.cascades: dict[str, cv2.CascadeClassifier] = {}


_own = _Own()


def _loaded(name: str) -> cv2.CascadeClassifier:
    if name not in _own.cascades:
        path = Path(cv2.data.haarcascades) / f"haarcascade_{name}.xml"
        if not path.is_file():
            raise ValueError(
                f"OpenCV {cv2.__version__} came without the cascade {path.name}, which finds "
                'faces: pip install "opencv-python-headless<5".'
            )
        _own.cascades[name] = cv2.CascadeClassifier(str(path))
    return _own.cascades[name]


# The numbers were chosen by looking at what is found in photos of cats and of people.
CATS = Search(
    watchers=(cascade("frontalcatface"), cascade("frontalcatface_extended")),
    longest=240,  # of a window of 24 pixels: a tenth; smaller ones are mostly fur
    degrees=(-20, 0, 20),
    votes=8,
    each=2,
    # Cascades for eyes miss two cats of three. These are within a fifteenth of the face's side,
    # unless the cat looks away.
    eyes=expected_eyes,
    eyes_at={"left eye": (0.27, 0.42), "right eye": (0.73, 0.42)},
)
PEOPLE = Search(
    watchers=(cascade("frontalface_default"), cascade("frontalface_alt2")),
    longest=240,
    degrees=(0,),
    votes=16,
    each=1,
    eyes=partial(seen_eyes, watchers=(cascade("eye"), cascade("eye_tree_eyeglasses")), votes=3),
    eyes_at={"left eye": (0.31, 0.40), "right eye": (0.69, 0.40)},
)

FINDERS: dict[str, Finder] = {
    "cats": partial(find, search=CATS),
    "people": partial(find, search=PEOPLE),
}
