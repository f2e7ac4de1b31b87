"""Draws kittens and people from the parts that the package ``robohash`` carries.

The definition, so that scores compare: opaque white ground; each part reduced from its native
1024 px by exact area averaging of premultiplied colour; composited ("over", in sRGB values) in the
package's order; parts drawn uniformly and independently. The package draws in the alphabetical
order of what follows the ``#`` in a folder's name: body, fur, eyes, mouth, accessories for
kittens. For people this puts accessories below the body, which hides most of their glasses.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import prod
from pathlib import Path

import numpy as np
from PIL import Image

from purrtrait.datasets.photo import Collection, Photo, Wanted, drawn
from purrtrait.images.resize import cut_out, sums_down

WHITE = 255.0
CHUNK_BYTES = 2**24  # of float32 pictures: what is composited before the next photos are yielded
FLOAT_BYTES = 4


@dataclass(frozen=True)
class Family:
    """A set of the package; ``native_pixels`` is the surface of all its parts, cut to their ink."""

    folder: str
    singular: str
    native_pixels: int


FAMILIES: Mapping[str, Family] = {
    "kittens": Family("set4", "kitten", 26_000_000),
    "people": Family("set5", "person", 198_000_000),
}


@dataclass(frozen=True)
class Part:
    """A part at its size, cut to its ink: what it adds, and the share of light it lets through.

    Both are float32 (h, w, 3); ``colour`` is premultiplied, in grey levels.
    """

    rows: slice
    columns: slice
    colour: np.ndarray
    through: np.ndarray


@dataclass(frozen=True)
class Parts:
    """The parts of a family at one size, layer by layer in the order in which they are drawn.

    Each is read once, when a picture first needs it: there are hundreds of parts for people.
    """

    size: int
    files: Mapping[str, Sequence[Path]]
    _read: dict[Path, Part] = field(default_factory=dict, repr=False)

    @classmethod
    def load(cls, name: str, size: int) -> Parts:
        """Return the parts of ``kittens`` or ``people``, to be composited at ``size`` pixels."""
        return cls(size, part_files(name))

    def part(self, layer: str, number: int) -> Part:
        """Part ``number`` of a layer."""
        path = self.files[layer][number]
        if path not in self._read:
            self._read[path] = _reduced(path, self.size)
        return self._read[path]

    def composite(self, indices: np.ndarray) -> np.ndarray:
        """Draw the pictures (N, size, size, 3) uint8 whose part numbers are rows of (N, layers)."""
        canvas = np.full((len(indices), self.size, self.size, 3), WHITE, np.float32)
        tables = [
            {number: self.part(layer, number) for number in set(column)}
            for layer, column in zip(self.files, indices.T.tolist(), strict=True)
        ]
        # One picture after another, each part on its own rectangle: a picture stays in the cache,
        # and most parts are small. Faster than layer by layer over a batch.
        for picture, numbers in zip(canvas, indices.tolist(), strict=True):
            for table, number in zip(tables, numbers, strict=True):
                part = table[number]
                place = picture[part.rows, part.columns]
                place *= part.through
                place += part.colour
        canvas += 0.5  # what follows cuts off, so this rounds to nearest
        return canvas.astype(np.uint8)


def part_files(name: str) -> dict[str, list[Path]]:
    """List the files of each layer, in drawing order; a part's number is its place in its list."""
    root = _package() / "sets" / FAMILIES[name].folder
    folders = sorted(
        (folder for folder in root.iterdir() if folder.is_dir()),
        key=lambda folder: folder.name.partition("#")[2],
    )
    return {_layer(folder.name): sorted(folder.glob("*.png")) for folder in folders}


def _layer(folder_name: str) -> str:
    return folder_name.partition("#")[2].lstrip("0123456789").lower()


def _package() -> Path:
    # find_spec does not run the package, which would import more than its pictures.
    spec = importlib.util.find_spec("robohash")
    if spec is None or spec.origin is None:
        raise ValueError(
            "The pictures of kittens and people come with the package robohash, which is not "
            'installed: pip install "robohash>=2,<3".'
        )
    return Path(spec.origin).parent


def _reduced(path: Path, size: int) -> Part:
    """Reduce a part by exact area averaging of premultiplied colour, cut to its ink."""
    with Image.open(path) as image:
        picture = image.convert("RGBA")
    native = picture.width
    assert picture.size == (native, native), f"{path.name} is not square"
    left, top, right, bottom = picture.getbbox() or (0, 0, 1, 1)  # a blank part: one clear pixel
    # New pixels, from and to, that hold any ink; then the old pixels below them.
    rows = (top * size // native, -(-bottom * size // native))
    columns = (left * size // native, -(-right * size // native))
    (top, bottom), (left, right) = (cut_out(native, size, *cut) for cut in (rows, columns))
    pixels = np.asarray(picture.crop((left, top, right, bottom))).astype(np.uint16)  # (H, W, 4)
    pixels[..., :3] *= pixels[..., 3:]
    across = sums_down(pixels, native, size, *rows).swapaxes(0, 1)
    means = sums_down(across, native, size, *columns).swapaxes(0, 1) / (native * native * 255)
    return Part(
        slice(*rows),
        slice(*columns),
        np.ascontiguousarray(means[..., :3], dtype=np.float32),
        np.repeat(1 - means[..., 3:], 3, axis=-1).astype(np.float32),
    )


def draw_indices(
    layers: Sequence[int], count: int, seed: int, chunk: int = 4096
) -> Iterator[np.ndarray]:
    """Part numbers of ``count`` pictures, uniform and independent, keyed by ``seed``.

    They come as arrays (up to ``chunk``, layers) int16, and are the same whatever the chunk. Made
    from the raw 64-bit numbers of Philox, which are the same in every version of numpy.
    """
    source = np.random.Philox(key=seed)
    for start in range(0, count, chunk):
        raw = source.random_raw((min(chunk, count - start), len(layers)))
        uniform = (raw >> np.uint64(11)) * 2.0**-53  # [0, 1)
        yield np.floor(uniform * np.asarray(layers)).astype(np.int16)


def _photos(name: str, wanted: Wanted, count: int) -> Iterator[Photo]:
    parts = Parts.load(name, wanted.size)
    layers = list(parts.files)
    sizes = [len(paths) for paths in parts.files.values()]
    chunk = max(1, CHUNK_BYTES // (wanted.size**2 * 3 * FLOAT_BYTES))
    number = 0
    for indices in draw_indices(sizes, count, wanted.seed, chunk):
        for picture, values in zip(parts.composite(indices), indices.tolist(), strict=True):
            yield Photo(
                f"{FAMILIES[name].singular}-{number:07d}",
                drawn(partial(np.copy, picture)),
                dict(zip(layers, values, strict=True)),
            )
            number += 1


def _parse(name: str, wanted: Wanted) -> Collection:
    assert wanted.count is not None, "drawn pictures have no end: their number must be given"
    values = {layer: len(paths) for layer, paths in part_files(name).items()}
    scale = (wanted.size / 1024) ** 2
    return Collection(
        count=wanted.count,
        fingerprint=f"robohash {FAMILIES[name].folder}, {prod(values.values())} combinations",
        photos=_photos(name, wanted, wanted.count),
        labels=values,
        memory_bytes=round(FAMILIES[name].native_pixels * scale * 6 * FLOAT_BYTES)
        + 2 * CHUNK_BYTES,
    )


def parse_kittens(wanted: Wanted) -> Collection:
    """Kittens by David Revoy: 15 bodies, 10 furs, 15 eyes, 10 mouths, 16 accessories."""
    return _parse("kittens", wanted)


def parse_people(wanted: Wanted) -> Collection:
    """People by Pablo Stanley."""
    return _parse("people", wanted)
