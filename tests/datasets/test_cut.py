"""What comes of one photo: portraits by name, or the reason why there is none."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from purrtrait.datasets import cut
from purrtrait.datasets.alike import difference_hash
from purrtrait.datasets.cut import Cut, Sitting
from purrtrait.datasets.photo import (
    DAMAGED,
    TOO_MANY_PIXELS,
    Photo,
    Picture,
    Shrink,
    Unreadable,
    drawn,
)
from purrtrait.datasets.screen import SCREENS
from purrtrait.images.align import ALIGNMENTS, EYES_EXCHANGED, EYES_TOGETHER, Face
from purrtrait.images.colour import grey
from purrtrait.images.resize import fit

WIDE, HIGH = 120, 90
EYES = {"left eye": (50.0, 40.0), "right eye": (70.0, 40.0)}


def scene() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (HIGH, WIDE, 3), dtype=np.uint8)


def photo(face: Face | None = None) -> Photo:
    return Photo("a.jpg", drawn(scene), face=face)


def cutting(align: str = "none", **others: object) -> Cut:
    plan: dict[str, object] = {
        "size": 16,
        "alignment": ALIGNMENTS[align],
        "faces": cut.known,
        "shrink": lambda photo, width, height: 1,
        "code": difference_hash,
        **others,
    }
    return Cut(**plan)  # type: ignore[arg-type]


def reasons(pieces: cut.Pieces) -> list[tuple[str, str]]:
    return [(refused.name, refused.reason) for refused in pieces.refused]


def test_a_photo_becomes_one_portrait_of_its_name() -> None:
    pieces = cutting()(3, photo())
    (row,) = pieces.rows
    assert (row.name, row.side, pieces.faces, pieces.refused) == ("a.jpg", HIGH, 1, [])
    assert np.array_equal(row.pixels, fit(scene(), 16))
    assert row.code == difference_hash(grey(row.pixels)[..., 0])
    assert cutting(in_grey=True)(3, photo()).rows[0].pixels.shape == (16, 16, 1)


def test_several_faces_are_numbered_and_none_is_said() -> None:
    faces = [Face({}, (10.0, 10.0, 50.0, 50.0)), Face({}, (60.0, 20.0, 100.0, 60.0))]
    pieces = cutting("box", faces=lambda photo, picture: faces)(0, photo())
    assert [row.name for row in pieces.rows] == ["a.jpg#1", "a.jpg#2"]
    assert not np.array_equal(pieces.rows[0].pixels, pieces.rows[1].pixels)
    assert [row.side for row in pieces.rows] == pytest.approx([48, 48])  # with a margin
    assert pieces.faces == 2
    nowhere = cutting("box", faces=lambda photo, picture: [], shown=lambda pixels: pixels)
    nobody = nowhere(0, photo())
    assert (nobody.rows, reasons(nobody), nobody.faces) == ([], [("a.jpg", cut.NO_FACE)], 0)
    assert np.array_equal(nobody.refused[0].pixels, scene())


def broken(shrink: Shrink) -> Picture:
    raise Unreadable(DAMAGED)


def test_what_cannot_be_used_says_why() -> None:
    def reason(plan: Cut, one: Photo) -> str:
        pieces = plan(0, one)
        assert not pieces.rows
        ((name, said),) = reasons(pieces)
        assert name == "a.jpg"
        return said

    assert reason(cutting(), Photo("a.jpg", broken)) == DAMAGED
    small = Photo("a.jpg", drawn(lambda: scene()[:7]))
    assert reason(cutting(), small) == cut.TOO_SMALL
    assert reason(cutting(least=91), photo()) == "too small: under 91 pixels across"
    together = Face({"left eye": (5.0, 5.0), "right eye": (5.0, 5.0)})
    assert reason(cutting("eyes"), photo(together)) == EYES_TOGETHER
    assert reason(cutting("eyes"), photo(Face({}, (1.0, 1.0, 9.0, 9.0)))) == cut.NOT_ALL
    blank = Photo("a.jpg", drawn(lambda: np.full((40, 40, 3), 7, np.uint8)))
    assert reason(cutting(screens=["light", "blank"]), blank) == SCREENS["blank"].reason
    assert cutting(screens=["light"])(0, blank).rows


def test_one_bad_face_does_not_spoil_the_other() -> None:
    faces = [Face({}, (10.0, 10.0, 50.0, 50.0)), Face({}, (60.0, 20.0, 64.0, 24.0))]
    pieces = cutting("box", faces=lambda photo, picture: faces)(0, photo())
    assert [row.name for row in pieces.rows] == ["a.jpg#1"]
    assert reasons(pieces) == [("a.jpg#2", "too small: under 8 pixels across")]


def test_the_parser_may_adjust_a_face_to_its_photo() -> None:
    told: list[tuple[int, int]] = []

    def adjust(face: Face, width: int, height: int) -> Face:
        told.append((width, height))
        return Face(EYES)

    seen: list[Sitting] = []
    one = Photo("a.jpg", drawn(scene), face=Face({}), adjust=adjust)
    cutting("eyes", witnesses=[seen.append])(5, one)
    assert told == [(WIDE, HIGH)]
    ((face, place),) = seen[0].places
    assert (seen[0].number, seen[0].photo, face.points) == (5, one, EYES)
    assert place.carry(EYES, 100)["left eye"] == pytest.approx((32, 42))


def test_witnesses_see_the_whole_photo() -> None:
    def look(shrink: Shrink) -> Picture:
        factor = shrink(WIDE, HIGH)
        return Picture(scene()[::factor, ::factor], WIDE, HIGH, factor)

    seen: list[Sitting] = []

    def half(photo: Photo, width: int, height: int) -> int:
        return 2

    pieces = cutting(witnesses=[seen.append], shrink=half)(0, Photo("a.jpg", look))
    assert np.array_equal(seen[0].pixels(), scene())
    assert seen[0].pixels() is seen[0].pixels()  # it is decoded once more, and not twice
    # The pack does not depend on who looks.
    alone = cutting(shrink=half)(0, Photo("a.jpg", look))
    assert np.array_equal(pieces.rows[0].pixels, alone.rows[0].pixels)


def test_witnesses_tell_what_stays_from_what_is_refused() -> None:
    seen: list[Sitting] = []
    blank = Photo("a.jpg", drawn(lambda: np.full((40, 40, 3), 7, np.uint8)))
    cutting(screens=["blank"], witnesses=[seen.append])(1, blank)
    ((_, place),) = seen[0].others
    assert (seen[0].number, seen[0].places) == (1, [])
    assert place is not None and place.side == 40
    together = Face({"left eye": (5.0, 5.0), "right eye": (5.0, 5.0)})
    cutting("eyes", witnesses=[seen.append])(2, photo(together))
    assert (seen[1].places, seen[1].others) == ([], [(together, None)])
    cutting("box", faces=lambda photo, picture: [], witnesses=[seen.append])(3, photo())
    assert (seen[2].places, seen[2].others) == ([], [])
    cutting(witnesses=[seen.append])(4, Photo("a.jpg", broken))
    assert len(seen) == 3


def test_a_photo_too_large_in_its_own_size_is_in_the_pack_all_the_same(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def look(shrink: Shrink) -> Picture:
        if (factor := shrink(WIDE, HIGH)) == 1:
            raise Unreadable(TOO_MANY_PIXELS)
        return Picture(scene()[::factor, ::factor], WIDE, HIGH, factor)

    plan = cutting(shrink=lambda photo, width, height: 2, witnesses=[lambda one: one.pixels()])
    assert len(plan(0, Photo("a.jpg", look)).rows) == 1
    assert caplog.messages == [
        "a.jpg is in the pack, but not beside it: in its own size, " + TOO_MANY_PIXELS
    ]


def test_what_is_odd_about_a_face_is_remarked() -> None:
    points = {**EYES, "mouth": (60.0, 60.0)}
    assert cutting("eyes")(0, photo(Face(points))).rows[0].remark == ""
    above = {**EYES, "mouth": (60.0, 20.0)}
    assert cutting("eyes")(0, photo(Face(above))).rows[0].remark == EYES_EXCHANGED


def test_what_is_left_out_is_forgotten_unless_it_is_to_be_shown() -> None:
    refused = cutting(least=91)(0, photo()).refused
    assert refused[0].pixels.size == 0


def test_how_much_smaller_a_photo_may_be() -> None:
    known = partial(cut.shrink_known, ALIGNMENTS["none"], 64)
    assert [known(photo(), side, 2 * side) for side in (100, 255, 256, 511, 512, 1024)] == [
        *(1, 1, 2, 2, 4, 8)
    ]
    eyes = partial(cut.shrink_known, ALIGNMENTS["eyes"], 64)
    # The eyes are 20 pixels apart, and a portrait is 1 / 0.36 times as wide.
    assert eyes(photo(Face(EYES)), 4000, 3000) == 1
    far = {name: (x * 20, y * 20) for name, (x, y) in EYES.items()}
    assert eyes(photo(Face(far)), 4000, 3000) == 8
    assert eyes(photo(Face({})), 4000, 3000) == 1  # it will be refused
    assert [cut.shrink_searched(photo(), side, 99) for side in (1279, 2559, 2560, 9999, 10240)] == [
        *(1, 1, 2, 4, 8)
    ]


def test_a_face_found_in_a_smaller_picture_is_one_of_the_photo() -> None:
    def find(pixels: np.ndarray) -> list[Face]:
        assert pixels.shape == (45, 60, 3)
        return [Face({"left eye": (10.0, 12.5)}, (1.0, 2.0, 3.0, 4.0)), Face({})]

    picture = Picture(scene()[::2, ::2], WIDE, HIGH, 2)
    first, second = cut.found(find, photo(), picture)
    assert first == Face({"left eye": (20.0, 25.0)}, (2.0, 4.0, 6.0, 8.0))
    assert second == Face({})
