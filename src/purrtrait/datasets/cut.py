"""Cuts the portraits out of one photo: look, find faces, align, draw, screen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np

from purrtrait.datasets.detect import Finder
from purrtrait.datasets.photo import Photo, Picture, Unreadable
from purrtrait.datasets.screen import fault, glance
from purrtrait.images.align import Alignment, Face, Placement, Unalignable
from purrtrait.images.colour import grey
from purrtrait.images.warp import FACTORS, draw, shrink_for

LEAST_SIDE = 8  # a photo whose shorter side has fewer pixels shows nothing
TOO_SMALL = f"too small: its shorter side is under {LEAST_SIDE} pixels"
NO_FACE = "no face was found"
NOT_ALL = "what this alignment needs of the face was not found"
SEARCHED = 1280  # pixels: a photo to be searched is decoded with its longer side at least this long
NOTHING = np.zeros((0, 0, 3), np.uint8)  # what a photo that cannot be read looks like


class Row(NamedTuple):
    """A portrait, uint8 (size, size, C), with its name and what screening wants to know of it.

    ``side`` is the number of photo pixels along it, ``detail`` how sharp it is, ``code`` a hash by
    which copies are known.
    """

    name: str
    pixels: np.ndarray
    side: float
    detail: float
    code: int


class Refused(NamedTuple):
    """A photo or portrait that is left out, why, and what it looks like: (0, 0, 3) if unknown."""

    name: str
    reason: str
    pixels: np.ndarray


class Pieces(NamedTuple):
    """All that came of one photo; ``faces`` counts those in it, if it could be looked at."""

    rows: Sequence[Row] = ()
    refused: Sequence[Refused] = ()
    faces: int | None = None


class Sitting(NamedTuple):
    """A photo with portraits: its number, from 0, its pixels in its own size, and their places."""

    number: int
    photo: Photo
    pixels: np.ndarray
    places: Sequence[tuple[Face, Placement]]


Witness: TypeAlias = Callable[[Sitting], None]  # writes something else of each photo
Faces: TypeAlias = Callable[[Photo, Picture], Sequence[Face]]
ShrinkTo: TypeAlias = Callable[[Photo, int, int], int]


def nothing(pixels: np.ndarray) -> np.ndarray:
    """Keep nothing of what a photo looks like."""
    return NOTHING


@dataclass(frozen=True)
class Cut:
    """How portraits of ``size`` pixels are cut out of photos.

    ``faces`` says where the faces of a photo are, after ``shrink`` said how much smaller than the
    file it may be. Portraits with fewer than ``least`` photo pixels along their side are left out,
    and so are those that fail one of the ``screens``. ``code`` hashes a portrait, and ``shown``
    makes what is kept of a photo that is left out. Each of the ``witnesses`` is told of each photo
    that gives portraits.
    """

    size: int
    alignment: Alignment
    faces: Faces
    shrink: ShrinkTo
    code: Callable[[np.ndarray], int]
    in_grey: bool = False
    least: int = LEAST_SIDE
    screens: Sequence[str] = ()
    shown: Callable[[np.ndarray], np.ndarray] = nothing
    witnesses: Sequence[Witness] = ()

    def __call__(self, number: int, photo: Photo) -> Pieces:
        """Return what photo ``number`` gives; what cannot be used is refused with its reason."""
        try:
            picture = photo.look(lambda width, height: self.shrink(photo, width, height))
            _expect_large(picture)
            faces = self.faces(photo, picture)
        except Unreadable as error:
            return Pieces(refused=(Refused(photo.name, error.reason, NOTHING),))
        places: list[tuple[Face, Placement]] = []
        rows: list[Row] = []
        refused: list[Refused] = []
        for name, face in zip(_names(photo.name, len(faces)), faces, strict=True):
            try:
                place = self._place(face, picture)
                rows.append(self._row(name, place, picture))
                places.append((face, place))
            except (Unalignable, Unreadable) as error:
                refused.append(Refused(name, error.reason, self.shown(picture.pixels)))
        if not faces:
            refused.append(Refused(photo.name, NO_FACE, self.shown(picture.pixels)))
        if places and self.witnesses:
            self._witnessed(number, photo, picture, places)
        return Pieces(rows, refused, len(faces))

    def _witnessed(
        self,
        number: int,
        photo: Photo,
        picture: Picture,
        places: Sequence[tuple[Face, Placement]],
    ) -> None:
        # They want the photo in its own size; the pack must not depend on that, so what was decoded
        # smaller is then decoded once more.
        pixels = picture.pixels if picture.shrunk == 1 else photo.read()
        for witness in self.witnesses:
            witness(Sitting(number, photo, pixels, places))

    def _place(self, face: Face, picture: Picture) -> Placement:
        place = _placed(self.alignment, face, picture.width, picture.height)
        if place.side < self.least:
            raise Unreadable(f"too small: under {self.least} pixels across")
        return place

    def _row(self, name: str, place: Placement, picture: Picture) -> Row:
        portrait = draw(picture.pixels, place, self.size, picture.shrunk)
        luma = grey(portrait)
        seen = glance(luma[..., 0])
        if reason := fault(seen, self.screens):
            raise Unreadable(reason)
        pixels = luma if self.in_grey else portrait
        return Row(name, pixels, place.side, seen.detail, self.code(luma[..., 0]))


def _placed(alignment: Alignment, face: Face, width: int, height: int) -> Placement:
    known = {*face.points, *(["box"] if face.box else [])}
    if not alignment.needs <= known:
        raise Unreadable(NOT_ALL)
    return alignment.place(face, width, height)


def _expect_large(picture: Picture) -> None:
    if min(picture.width, picture.height) < LEAST_SIDE:
        raise Unreadable(TOO_SMALL)


def _names(name: str, count: int) -> list[str]:
    """Name the portraits of a photo: as the photo if there is one, else with #1, #2, ..."""
    return [name] if count == 1 else [f"{name}#{number}" for number in range(1, count + 1)]


def known(photo: Photo, picture: Picture) -> Sequence[Face]:
    """Take the face that the parser knows of; where it knows of none, just the photo."""
    return [_known(photo, picture.width, picture.height)]


def _known(photo: Photo, width: int, height: int) -> Face:
    return photo.adjust(photo.face, width, height) if photo.face else Face({})


def shrink_known(alignment: Alignment, size: int, photo: Photo, width: int, height: int) -> int:
    """Return how much smaller a photo may be, of which the faces are known."""
    face = _known(photo, width, height)
    try:
        return shrink_for(_placed(alignment, face, width, height).side, size)
    except (Unalignable, Unreadable):  # it will be refused
        return 1


def found(find: Finder, photo: Photo, picture: Picture) -> Sequence[Face]:
    """Search the photo for faces, the best first."""
    return [_larger(face, picture.shrunk) for face in find(picture.pixels)]


def _larger(face: Face, factor: int) -> Face:
    points = {name: (x * factor, y * factor) for name, (x, y) in face.points.items()}
    left, top, right, bottom = (factor * edge for edge in face.box or (0.0,) * 4)
    return Face(points, (left, top, right, bottom) if face.box else None)


def shrink_searched(photo: Photo, width: int, height: int) -> int:
    """Return how much smaller a photo may be that is to be searched."""
    longer = max(width, height)
    return next((factor for factor in FACTORS if longer / factor >= SEARCHED), 1)
