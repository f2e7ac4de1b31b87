"""The long versions: more pictures, longer trainings. `make soak` runs them."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import purrtrait

pytestmark = pytest.mark.soak

PREPARE = """
import resource, purrtrait
pack = purrtrait.prepare("kittens", out="pack", size=64, count={count})
print(len(pack.images), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak_kibibytes(folder: Path, count: int) -> int:
    """Peak memory of a process that prepares so many kittens."""
    folder.mkdir()
    return ran(PREPARE.format(count=count), folder, count)


def ran(script: str, folder: Path, count: int) -> int:
    """Run a script in a folder; it prints how many pictures it made, ``count``, and a number."""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=folder
    )
    made, peak = done.stdout.split()
    assert int(made) == count
    return int(peak)


def test_memory_does_not_grow_with_the_number_of_pictures(tmp_path: Path) -> None:
    few, many = (peak_kibibytes(tmp_path / str(n), n) for n in (5_000, 60_000))
    # Names and labels of 55,000 more pictures may take a little; their pixels are 660 MB.
    assert many - few < 120_000


PREPARE_PHOTOS = """
import re, pathlib, purrtrait

def own(done=0, total=0):  # KiB that are no map of a file: the pages of a pack can go at any time
    status = pathlib.Path("/proc/self/status").read_text()
    most.append(int(re.search(r"RssAnon:\\s+(\\d+)", status)[1]))

most = []
pack = purrtrait.prepare("archive", "photos.zip", out="pack", size=32, split=0.01, progress=own)
own()
print(len(pack.images), max(most))
"""


def peak_of_photos(folder: Path, count: int) -> int:
    """Most memory of its own, in KiB, of a process that prepares so many photos out of a zip."""
    folder.mkdir()
    numbers = np.random.default_rng(0)
    with zipfile.ZipFile(folder / "photos.zip", "w", zipfile.ZIP_STORED) as archive:
        for number in range(count):
            small = Image.fromarray(numbers.integers(0, 256, (5, 5, 3), dtype=np.uint8))
            data = io.BytesIO()
            small.resize((64, 64), Image.Resampling.BICUBIC).save(data, "JPEG", quality=80)
            archive.writestr(f"{number:06d}.jpg", data.getvalue())
    return ran(PREPARE_PHOTOS, folder, count)


def test_memory_does_not_grow_with_the_number_of_photos(tmp_path: Path) -> None:
    few, many = (peak_of_photos(tmp_path / str(n), n) for n in (5_000, 100_000))
    # Of 95,000 more photos the names, hashes and entries of the archive may be kept, 2 kB each; as
    # portraits they are 290 MB, and decoded 1.2 GB.
    assert many - few < 190_000, (few, many)


def moments(pictures: np.ndarray) -> np.ndarray:
    """Mean and deviation of every pixel, as one vector."""
    flat = pictures.reshape(len(pictures), -1) / 255
    return np.concatenate([flat.mean(0), flat.std(0)])


@pytest.mark.parametrize("recipe", ["portrait", "dcgan"])
def test_a_training_learns(recipe: str, tmp_path: Path) -> None:
    """Pixel statistics of samples come far nearer to those of pictures kept aside."""
    pack = purrtrait.prepare("kittens", out=tmp_path / "pack", size=16, count=2_000)
    aside = moments(pack.images[pack.rows("held-out")])
    settings = {"pixels": "0", "width": "16", "batch": "16"}
    distances = []
    for budget in (64, 20_000):
        run = purrtrait.train(
            recipe,
            pack.path,
            seed=1,
            budget=budget,
            settings=settings,
            upkeep={"previews": 0, "tensorboard": False},
        ).run
        drawn = moments(purrtrait.sample(run, 500, seed=3))
        distances.append(float(np.linalg.norm(drawn - aside)))
    assert distances[1] < 0.3 * distances[0]
