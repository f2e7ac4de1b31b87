"""Changes training pictures afresh each time that they are seen: light, noise, place, colours.

A variation is a function of a batch of portraits and of the batch's own randomness, so that a run
that is resumed sees the same pictures, and processes see what one would see. (What a critic sees,
and lets gradients through, is changed in ``images.augment``.)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Annotated, Literal, NamedTuple, TypeAlias

import torch
from annotated_types import Ge, Le
from torch import Tensor
from torch.nn.functional import grid_sample

from purrtrait.images.augment import places
from purrtrait.types import Amount, Chance, Draw, Images, Positive

Variation: TypeAlias = Callable[[Images, Draw], Images]  # portraits in [-1, 1], in and out
Border: TypeAlias = Literal["edge", "black"]

_PADDING: dict[Border, str] = {"edge": "border", "black": "zeros"}  # of light, where 0 is black
_LUMA = {1: (1.0,), 3: (0.299, 0.587, 0.114)}  # share of each channel in the grey of a picture


class Ranges(NamedTuple):
    """How far a picture is changed; all but noise are drawn uniformly.

    ``brightness`` and ``scale`` are factors, ``noise`` is a standard deviation as a share of the
    way from black to white, ``degrees`` is the widest turn either way.
    """

    brightness: tuple[float, float]
    noise: float
    scale: tuple[float, float]
    degrees: float


CATS = Ranges(brightness=(0.85, 1.15), noise=0.02, scale=(0.93, 1.08), degrees=8)
PEOPLE = Ranges(brightness=(0.9, 1.1), noise=0.0, scale=(0.82, 1.1), degrees=8)


def as_they_are(images: Images, draw: Draw) -> Images:
    """The same pictures."""
    return images


def none() -> Variation:
    """The pictures of the pack as they are."""
    return as_they_are


def cat_generator(
    brightness: tuple[Amount, Amount] = CATS.brightness,
    noise: Amount = CATS.noise,
    scale: tuple[Positive, Positive] = CATS.scale,
    degrees: Amount = CATS.degrees,
    translation: Chance = 0.0222,
    border: Border = "edge",
) -> Variation:
    """The changes of cat-generator: brightness, noise, then scale, turn and translation at once.

    There, turns were whole degrees, and translations whole pixels of the photo: up to 4, where the
    square of a face has typically 180. Here both are continuous.

    Args:
        brightness: range of the factor on all values, black being 0, such as [0.85, 1.15]
        noise: standard deviation of the noise on each value, as a share of white
        scale: range of the factor by which the face is larger, such as [0.93, 1.08]
        degrees: widest turn, to either side
        translation: farthest move along either axis, as a share of the picture's side
        border: what comes in from outside: edge (the outermost pixels again) or black
    """
    return partial(
        _handled,
        ranges=Ranges(brightness, noise, scale, degrees),
        translation=translation,
        border=border,
    )


def face_generator(
    brightness: tuple[Amount, Amount] = PEOPLE.brightness,
    scale: tuple[Positive, Positive] = PEOPLE.scale,
    degrees: Amount = PEOPLE.degrees,
    translation: Chance = 0.0595,
    border: Border = "edge",
) -> Variation:
    """The changes of face-generator: brightness, then scale, turn and translation at once.

    There, turns were whole degrees, and translations whole pixels: up to 5 of the 84 along a face.
    Here both are continuous.

    Args:
        brightness: range of the factor on all values, black being 0, such as [0.9, 1.1]
        scale: range of the factor by which the face is larger, such as [0.82, 1.1]
        degrees: widest turn, to either side
        translation: farthest move along either axis, as a share of the picture's side
        border: what comes in from outside: edge (the outermost pixels again) or black
    """
    return partial(
        _handled,
        ranges=Ranges(brightness, PEOPLE.noise, scale, degrees),
        translation=translation,
        border=border,
    )


def jitter(
    brightness: Chance = 0.1,
    contrast: Chance = 0.1,
    saturation: Chance = 0.1,
    hue: Annotated[float, Ge(0), Le(0.5)] = 0.02,
) -> Variation:
    """Colours changed as torchvision's ColorJitter does it; grey pictures only in the first two.

    Each picture has factors of its own; all of a batch are changed in one order, drawn anew for
    each batch.

    Args:
        brightness: the values are multiplied by 1 plus or minus at most this
        contrast: the distance from the mean grey is multiplied by 1 plus or minus at most this
        saturation: the distance from grey is multiplied by 1 plus or minus at most this
        hue: hues turn by at most this to either side, as a share of the circle of colours
    """
    return partial(_jittered, strengths=(brightness, contrast, saturation, hue))


VARIATIONS: dict[str, Callable[..., Variation]] = {
    "none": none,
    "cat-generator": cat_generator,
    "face-generator": face_generator,
    "jitter": jitter,
}


def _handled(
    images: Images, draw: Draw, ranges: Ranges, translation: float, border: Border
) -> Images:
    count = len(images)
    factors = draw.uniform((count, 1, 1, 1), "brightness of variation", *ranges.brightness)
    light = _light(images) * factors
    if ranges.noise:  # most of the time goes into drawing it
        light += ranges.noise * draw.normal(images.shape, "noise of variation")
    scale = draw.uniform((count,), "scale of variation", *ranges.scale)
    turn = math.radians(ranges.degrees)
    angle = draw.uniform((count,), "turn of variation", -turn, turn)
    moved = draw.uniform((count, 2), "translation of variation", -2 * translation, 2 * translation)
    grid = places(1 / scale, angle, moved, images.shape)
    return _portraits(
        grid_sample(light.clamp_(0, 1), grid, padding_mode=_PADDING[border], align_corners=False)
    )


def _jittered(images: Images, draw: Draw, strengths: tuple[float, ...]) -> Images:
    numbers = draw.uniform((len(images), len(strengths)), "colours of variation", -1, 1)
    amounts = numbers * numbers.new_tensor(strengths)
    light = _light(images)
    for number in draw.permutation(len(_COLOURS), "order of colours of variation"):
        light = _COLOURS[number](light, amounts[:, number, None, None, None])
    return _portraits(light)


def _light(images: Images) -> Tensor:
    """Portraits as shares of white: 0 is black, 1 is white."""
    return images / 2 + 0.5


def _portraits(light: Tensor) -> Images:
    images = (2 * light - 1).clamp_(-1, 1)  # for what resampling may round beyond white
    return images.contiguous(memory_format=torch.channels_last)


def _brightness(light: Tensor, amount: Tensor) -> Tensor:
    return (light * (1 + amount)).clamp_(0, 1)


def _contrast(light: Tensor, amount: Tensor) -> Tensor:
    middle = _grey(light).mean((2, 3), keepdim=True)
    return torch.lerp(middle, light, 1 + amount).clamp_(0, 1)


def _saturation(light: Tensor, amount: Tensor) -> Tensor:
    return torch.lerp(_grey(light), light, 1 + amount).clamp_(0, 1)


def _grey(light: Tensor) -> Tensor:
    """The grey (B, 1, H, W) of each pixel."""
    shares = light.new_tensor(_LUMA[light.shape[1]])
    return (light * shares[:, None, None]).sum(1, keepdim=True)


def _hue(light: Tensor, amount: Tensor) -> Tensor:
    """Hues turned by a share of the circle; lightest and darkest channel of a pixel stay (HSV).

    Around the circle a channel is highest for a third of the way, lowest for another, and goes
    evenly from one to the other between them: the hue says where on that way each channel is.
    """
    if light.shape[1] == 1:
        return light
    high, low = light.amax(1, keepdim=True), light.amin(1, keepdim=True)
    spread = high - low
    steps = (light.roll(-1, 1) - light.roll(-2, 1)) / spread.clamp_min(1e-8)
    red, green, blue = steps.split(1, 1)
    first, second, _ = (light == high).split(1, 1)
    hue = torch.where(first, red, torch.where(second, green + 2, blue + 4)) + 6 * amount  # of 6
    offsets = light.new_tensor([5, 3, 1])[:, None, None]
    way = (offsets + hue) % 6
    return high - spread * torch.minimum(way, 4 - way).clamp_(0, 1)


_COLOURS = (_brightness, _contrast, _saturation, _hue)
