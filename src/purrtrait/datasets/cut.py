"""Cuts the portraits out of one photo: look, find faces, align, draw, screen."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cache
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

log = logging.getLogger(__name__)

EXCLUDED = "named in the list of photos to leave out"


class Row(NamedTuple):
    """A portrait, uint8 (size, size, C), with its name and what screening wants to know of it.

    ``side`` is the number of photo pixels along it, ``detail`` how sharp it is, ``code`` a hash by
    which copies are known, ``remark`` what is odd about its face, mostly nothing.
    """

    name: str
    pixels: np.ndarray
    side: float
    detail: float
    code: int
    remark: str = ""


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
    """A photo that could be looked at: its number, from 0, and the faces in it.

    ``pixels`` gives its pixels (H, W, 3) in its own size, or raises ``Unreadable``. ``places`` are
    those of the portraits that stay, ``others`` the faces that are refused, with their places as
    far as they have any.
    """

    number: int
    photo: Photo
    pixels: Callable[[], np.ndarray]
    places: Sequence[tuple[Face, Placement]]
    others: Sequence[tuple[Face, Placement | None]]


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
    that can be looked at. Photos and single portraits whose names are ``unwanted`` are left out.
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
    unwanted: AbstractSet[str] = frozenset()

    def __call__(self, number: int, photo: Photo) -> Pieces:
        """Return what photo ``number`` gives; what cannot be used is refused with its reason."""
        if photo.name in self.unwanted:
            return Pieces(refused=(Refused(photo.name, EXCLUDED, NOTHING),))
        try:
            picture = photo.look(lambda width, height: self.shrink(photo, width, height))
            _expect_large(picture)
            faces = self.faces(photo, picture)
        except Unreadable as error:
            return Pieces(refused=(Refused(photo.name, error.reason, NOTHING),))
        rows: list[Row] = []
        refused: list[Refused] = []
        places: list[tuple[Face, Placement]] = []
        others: list[tuple[Face, Placement | None]] = []
        for name, face in zip(_names(photo.name, len(faces)), faces, strict=True):
            place: Placement | None = None
            try:
                if name in self.unwanted:
                    raise Unreadable(EXCLUDED)
                place = _placed(self.alignment, face, picture.width, picture.height)
                rows.append(self._row(name, place, picture))
                places.append((face, place))
            except (Unalignable, Unreadable) as error:
                known = name in self.unwanted  # to whoever named it
                seen = NOTHING if known else self.shown(picture.pixels)
                refused.append(Refused(name, error.reason, seen))
                others.append((face, place))
        if not faces:
            refused.append(Refused(photo.name, NO_FACE, self.shown(picture.pixels)))
        self._tell(Sitting(number, photo, _in_own_size(photo, picture), places, others))
        return Pieces(rows, refused, len(faces))

    def _tell(self, sitting: Sitting) -> None:
        """Show a photo to the witnesses, unless it can only be decoded smaller than it is."""
        for witness in self.witnesses:
            try:
                witness(sitting)
            except Unreadable as error:
                name, reason = sitting.photo.name, error.reason
                log.warning(
                    "%s is in the pack, but not beside it: in its own size, %s", name, reason
                )

    def _row(self, name: str, place: Placement, picture: Picture) -> Row:
        if place.side < self.least:
            raise Unreadable(f"too small: under {self.least} pixels across")
        portrait = draw(picture.pixels, place, self.size, picture.shrunk)
        luma = grey(portrait)
        seen = glance(luma[..., 0])
        if reason := fault(seen, self.screens):
            raise Unreadable(reason)
        pixels = luma if self.in_grey else portrait
        return Row(name, pixels, place.side, seen.detail, self.code(luma[..., 0]), place.remark)


def _in_own_size(photo: Photo, picture: Picture) -> Callable[[], np.ndarray]:
    """Give a photo's pixels: the pack must not depend on who looks, so others decode it anew."""
    return (lambda: picture.pixels) if picture.shrunk == 1 else cache(photo.read)


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
