"""Damaged pictures, archives and annotations are read or refused; nothing else ever happens."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from purrtrait.datasets.cat10k import parse_cat10k
from purrtrait.datasets.packed import parse_archive
from purrtrait.datasets.photo import Collection, Unreadable, Wanted, decode

MUTATIONS = 200
SECONDS = 10  # that a file may take, on a busy machine

SOAK = """
import resource, runpy
counts = runpy.run_path({path!r})["survive"](10_000)
print(sum(counts.values()), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def flipped(data: bytearray, numbers: np.random.Generator) -> None:
    for place in numbers.integers(0, len(data), numbers.integers(1, 9)):
        data[place] ^= int(numbers.integers(1, 256))


def cut(data: bytearray, numbers: np.random.Generator) -> None:
    del data[int(numbers.integers(1, len(data))) :]


def inserted(data: bytearray, numbers: np.random.Generator) -> None:
    place = int(numbers.integers(0, len(data)))
    data[place:place] = numbers.bytes(int(numbers.integers(1, 600)))


def doubled(data: bytearray, numbers: np.random.Generator) -> None:
    first, last = sorted(numbers.integers(0, len(data), 2).tolist())
    data[last:last] = data[first:last]


def filled(data: bytearray, numbers: np.random.Generator) -> None:
    first = int(numbers.integers(0, len(data)))
    last = min(len(data), first + int(numbers.integers(1, 40)))
    data[first:last] = bytes([int(numbers.choice([0, 255, 32]))]) * (last - first)


MUTATORS = (flipped, cut, inserted, doubled, filled)


def mutated(data: bytes, numbers: np.random.Generator) -> bytes:
    damaged = bytearray(data)
    for _ in range(numbers.integers(1, 4)):
        MUTATORS[numbers.integers(0, len(MUTATORS))](damaged, numbers)
    return bytes(damaged)


def picture(kind: str, seed: int = 0) -> bytes:
    numbers = np.random.default_rng(seed)
    buffer = io.BytesIO()
    noise = Image.fromarray(numbers.integers(0, 256, (12, 10, 3), dtype=np.uint8))
    noise.resize((50, 60)).save(buffer, kind)
    return buffer.getvalue()


def packed(kind: str) -> bytes:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "photos"
        folder.mkdir()
        for number, form in enumerate(("JPEG", "PNG", "PPM")):
            (folder / f"{number}.png").write_bytes(picture(form, number))
        (folder / "dataset.json").write_text(
            '{"labels": [["0.png", 1], ["1.png", 0], ["2.png", 1]]}'
        )
        return Path(shutil.make_archive(str(folder), kind, folder)).read_bytes()


def looked_at(found: Collection) -> Iterable[str]:
    for photo in found.photos:
        try:
            assert photo.read().dtype == np.uint8
            yield "read"
        except Unreadable as error:
            assert error.reason
            yield "refused"


def of_picture(data: bytes, folder: Path) -> Iterable[str]:
    try:
        assert decode(io.BytesIO(data)).shape[2] == 3
        yield "read"
    except Unreadable as error:
        assert error.reason
        yield "refused"


def of_archive(data: bytes, folder: Path) -> Iterable[str]:
    path = folder / "archive"
    path.write_bytes(data)
    try:
        yield from looked_at(parse_archive(Wanted(path, 32, None, 0)))
    except ValueError as error:
        assert str(path) in str(error)  # one of ours
        yield "refused"


def of_annotation(data: bytes, folder: Path) -> Iterable[str]:
    (folder / "cat.jpg").write_bytes(picture("JPEG"))
    (folder / "cat.jpg.cat").write_bytes(data)
    yield from looked_at(parse_cat10k(Wanted(folder, 32, None, 0)))


READERS: Mapping[str, tuple[Callable[[], bytes], Callable[[bytes, Path], Iterable[str]]]] = {
    **{
        kind: (partial(picture, kind), of_picture)
        for kind in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "PPM")
    },
    **{kind: (partial(packed, kind), of_archive) for kind in ("zip", "tar", "gztar")},
    "cat": (lambda: b"9 1 1 2 2 3 3 4 4 5 5 6 6 7 7 8 8 9 9\n", of_annotation),
}


def in_time(work: Callable[[], Iterable[str]], what: str) -> list[str]:
    """Do it in a thread that is given up, and the test with it, when it takes too long."""
    came: list[str] = []
    wrong: list[BaseException] = []

    def run() -> None:
        try:
            came.extend(work())
        except BaseException as error:  # noqa: BLE001 - raised again below
            wrong.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(SECONDS)
    assert not thread.is_alive(), f"{what} takes longer than {SECONDS} seconds"
    if wrong:
        raise AssertionError(f"{what}: {wrong[0]!r}") from wrong[0]
    return came


def survive(mutations: int) -> Counter[tuple[str, str]]:
    """Read so many damaged files, as many of each kind; how often each was read and refused."""
    sound = {kind: make() for kind, (make, _) in READERS.items()}
    counts: Counter[tuple[str, str]] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(mutations):
            kind = tuple(READERS)[seed % len(READERS)]
            data = mutated(sound[kind], np.random.default_rng(seed))
            work = partial(READERS[kind][1], data, Path(folder))
            counts.update((kind, outcome) for outcome in in_time(work, f"{kind} of seed {seed}"))
    return counts


def test_damaged_files_are_read_or_refused() -> None:
    counts = survive(MUTATIONS)
    assert {kind for kind, outcome in counts if outcome == "refused"} == set(READERS)
    assert {kind for kind, outcome in counts if outcome == "read"} >= {"JPEG", "zip", "tar"}


@pytest.mark.soak
def test_ten_thousand_damaged_files_take_less_than_a_gigabyte() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SOAK.format(path=__file__)],
        capture_output=True,
        text=True,
        check=True,
    )
    outcomes, peak_kibibytes = map(int, done.stdout.split())
    assert outcomes >= 10_000
    assert peak_kibibytes < 2**30 / 1024
