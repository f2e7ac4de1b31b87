"""Draws the head of a toy cat at any place, size and angle, given by one similarity, the pose."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from purrtrait.images.affine import Matrix
from purrtrait.images.brush import (
    AROUND,
    MIRROR,
    Brush,
    Colour,
    Shape,
    blend,
    both,
    bow,
    leaf,
    oval,
)
from purrtrait.images.toy_look import CENTRE, MOUTH, WHITE, Look, on_skull

BLACK, DARK = (12, 10, 12), (38, 28, 30)
TONGUE, THROAT, BELL = (226, 120, 128), (96, 30, 40), (236, 196, 72)


def _outline(look: Look) -> Shape:
    """The skull with full cheeks, and tufts of hair on them."""
    from_cheek = np.arccos(np.abs(np.cos(AROUND))) * np.sign(np.sin(AROUND)) - np.radians(28)
    full = np.exp(-((from_cheek / np.radians(20)) ** 2))
    zigzag = np.where(np.arange(len(AROUND)) % 2, 1, -1)
    ring = on_skull(look, AROUND) - CENTRE
    shape: Shape = ring * (1 + full * (0.09 + look.tufts * zigzag))[:, None] + CENTRE
    return shape


def paint(canvas: np.ndarray, look: Look, pose: Matrix) -> None:
    """Draw a cat onto ``canvas``, uint8 (H, W, 3); ``pose`` leads from its head to the canvas."""
    head = Brush(canvas, pose)
    _paint_body(head, look)
    _paint_ears(head, look)
    outline = _outline(look)
    head.fill(blend(look.fur, BLACK, 0.22), outline)
    head.at(0, -0.02).fill(look.fur, (outline - CENTRE) * 0.95 + CENTRE)
    MARKINGS[look.marking].paint(head, look)
    _paint_hairs(head, look)
    face = head.at(look.turn, look.nod)
    _paint_muzzle(face, look)
    for side, iris in zip((-1, 1), look.irises, strict=True):
        _paint_eye(face.at(side * look.gap, 0), look, side, iris)


def _paint_body(head: Brush, look: Look) -> None:
    shade = blend(look.fur, BLACK, 0.3)
    tail = np.concatenate([bow((0.7, 3.3), (1.7, 2.9), -0.2), bow((1.7, 2.9), (1.6, 1.9), -0.2)])
    head.lines(blend(look.mark, BLACK, 0.3), 0.3, tail)
    head.fill(shade, oval(0, 1.7, 0.82, 1.3))
    head.fill(shade, oval(0, 2.55, 1.15, 1.0))
    head.fill(blend(look.pale, BLACK, 0.15), oval(0, 1.7, 0.48, 0.9))
    for paw in both(oval(0.42, 3.4, 0.36, 0.24)):
        head.fill(blend(look.pale, BLACK, 0.08), paw)
    for colour in look.collar:
        head.fill(
            colour,
            np.concatenate(
                [bow((-0.8, 0.95), (0.8, 0.95), -0.2), bow((0.84, 1.1), (-0.84, 1.1), 0.2)]
            ),
        )
        head.fill(BELL, oval(0, 1.42, 0.15, 0.15))
        head.lines(DARK, 0.03, np.array([(0, 1.44), (0, 1.55)]))


def _paint_ears(head: Brush, look: Look) -> None:
    share = MARKINGS[look.marking].ears
    for side, marked in zip((MIRROR, 1), share, strict=True):
        outer, tip, inner = (
            np.array(look.points[f"right ear {name}"]) for name in ("outer", "tip", "inner")
        )
        ear = np.concatenate([bow(outer, tip, -0.07), bow(tip, inner, -0.07)])
        colour = blend(look.fur, look.mark, marked)
        middle = (outer + tip + inner) / 3
        head.fill(blend(colour, BLACK, 0.22), ear * side)
        head.fill(colour, ((ear - middle) * 0.9 + middle) * side)
        low = (outer + inner) / 2 * 0.8 + tip * 0.2
        head.fill(blend(look.skin, BLACK, 0.12), ((ear - low) * 0.6 + low) * side)


def _paint_hairs(head: Brush, look: Look) -> None:
    """Short hairs that point away from the middle, every other one dark."""
    roots = look.hairs * (look.cheeks, look.chin) * 0.95 + CENTRE
    aside = look.hairs[:, ::-1] * (-0.012, 0.012)
    hairs = np.stack([roots - aside, roots + aside, roots + look.hairs * 0.09], 1)
    for first, (colour, share) in enumerate(((BLACK, 0.2), (WHITE, 0.25))):
        head.fill(blend(look.fur, colour, share), *hairs[first::2])


def _paint_muzzle(face: Brush, look: Look) -> None:
    face.fill(look.pale, oval(0, 0.78, 0.2, 0.17))
    if look.yawn > 0:
        face.fill(THROAT, oval(0, 0.66 + look.yawn / 2, 0.13, look.yawn))
        face.fill(TONGUE, oval(0, 0.7 + look.yawn * 0.8, 0.09, look.yawn * 0.55))
    for pad in both(oval(0.19, 0.56, 0.24, 0.19)):
        face.fill(look.pale, pad)
    line = blend(look.pale, BLACK, 0.65)
    lips = both(bow((0, MOUTH), (0.27, MOUTH - 0.02), -0.35))
    face.lines(line, 0.03, *lips, np.array([(0, 0.48), (0, MOUTH)]))
    face.fill(
        look.skin,
        np.concatenate(
            [
                bow((-0.13, 0.38), (0.13, 0.38), 0.15),
                bow((0.13, 0.38), (0, 0.5), 0.1),
                bow((0, 0.5), (-0.13, 0.38), 0.1),
            ]
        ),
    )
    dots = [oval(x, y, 0.014, 0.014) for x, y in ((0.24, 0.5), (0.3, 0.56), (0.22, 0.6))]
    face.fill(line, *both(*dots))
    whiskers = [
        leaf((0.27, 0.5 + 0.05 * row), (1.3, 0.28 + 0.2 * row + look.droop), 0.02, 0.1)
        for row in range(3)
    ]
    for whisker in both(*whiskers):
        face.fill(blend(WHITE, look.pale, 0.3), whisker)


def _paint_eye(socket: Brush, look: Look, side: int, iris: Colour) -> None:
    """One eye; ``side`` is -1 for the left and 1 for the right one."""
    cosine, sine = np.cos(look.slant), side * np.sin(look.slant)
    turn = np.array([[cosine, sine], [-sine, cosine]])
    x, y = np.cos(AROUND[::2]), np.sin(AROUND[::2])
    lids = np.stack([x, y * np.abs(y) ** 0.3 * look.open], 1) * look.eye @ turn.T
    socket.fill(DARK, lids * 1.22)
    socket.fill(blend(iris, BLACK, 0.25), lids)
    socket.fill(iris, lids * 0.86 + (0, 0.015))
    high = 0.8 * look.eye * look.open
    wide = min(look.pupil * look.eye, high)
    gaze = look.gaze * (0.8 * look.eye - wide)
    socket.fill(BLACK, oval(gaze, 0, wide, high))
    shine = 0.17 * look.eye
    socket.fill(WHITE, oval(gaze - 1.6 * shine, -2.2 * shine * look.open, shine, shine))


def _paint_nothing(head: Brush, look: Look) -> None:
    """Leave the fur as it is."""


def _paint_stripes(head: Brush, look: Look) -> None:
    edge = look.cheeks * 1.02
    head.fill(look.mark, leaf((0, 0.14 - look.chin), (0, -0.22), 0.3))
    for stripe in (
        leaf((0.16, -0.7), (0.24, -0.24), 0.26),
        leaf((0.34, -0.62), (0.52, -0.26), 0.26),
        leaf((edge, 0.12), (0.62, 0.2), 0.32),
        leaf((edge, 0.36), (0.56, 0.4), 0.28),
        leaf((edge * 0.9, 0.62), (0.52, 0.58), 0.26),
    ):
        head.fill(look.mark, *both(stripe))


def _paint_blaze(head: Brush, look: Look) -> None:
    blaze = np.concatenate(
        [
            bow((0, -0.68), (0.16, 0.1), 0.0),
            bow((0.16, 0.1), (0.62, 0.72), -0.1),
            bow((0.62, 0.72), (-0.62, 0.72), -0.18),
            bow((-0.62, 0.72), (-0.16, 0.1), -0.1),
        ]
    )
    head.at(look.turn / 2, 0).fill(look.pale, blaze)


def _paint_mask(head: Brush, look: Look) -> None:
    face = head.at(look.turn, look.nod)
    for step in range(1, 8):
        size = 1.15 - 0.1 * step
        colour = blend(look.fur, look.mark, step / 8)
        face.fill(colour, oval(0, 0.3, 0.72 * size, 0.68 * size))


def _paint_half(head: Brush, look: Look) -> None:
    outline = _outline(look)[: len(AROUND) // 2 + 1]
    wave = np.concatenate([bow(outline[-1], (0.05, 0.3), -0.1), bow((0.05, 0.3), outline[0], 0.2)])
    head.fill(look.mark, np.concatenate([outline * 0.985, wave]))


def _paint_patches(head: Brush, look: Look) -> None:
    head.fill(look.mark, oval(-0.5, -0.12, 0.4, 0.42), oval(0.62, 0.5, 0.24, 0.2))
    head.fill(blend(look.mark, BLACK, 0.6), oval(0.42, -0.3, 0.42, 0.32))


class Marking(NamedTuple):
    """How fur is marked, and how much of the mark's colour the left and right ear have."""

    paint: Callable[[Brush, Look], None]
    ears: tuple[float, float]


MARKINGS: dict[str, Marking] = {
    "plain": Marking(_paint_nothing, (0, 0)),
    "stripes": Marking(_paint_stripes, (0.4, 0.4)),
    "blaze": Marking(_paint_blaze, (0, 0)),
    "mask": Marking(_paint_mask, (1, 1)),
    "half": Marking(_paint_half, (0, 1)),
    "patches": Marking(_paint_patches, (1, 0)),
}
