"""The sheets of judged portraits have the names of their ancestors, and show what was chosen."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import stacked
from helpers import files
from purrtrait import choosing, copying
from purrtrait.choosing import Asked, Pyramid
from purrtrait.datasets.pack import Pack
from purrtrait.gallery import Gallery
from purrtrait.images.resize import enlarge, to_uint8
from purrtrait.images.sheet import grid
from purrtrait.sampling.levels import Refined
from purrtrait.types import Images

CPU = torch.device("cpu")
ASKED = Asked(drawn=300, keep=9, k=2, seed=7, neighbours=4)
BASE = {
    "random300_0001_base.jpg",
    "random256_0001_base.jpg",
    "trainset_s1_0001_base.jpg",
    "best_0001_base.jpg",
    "worst_0001_base.jpg",
    "random_0001_base.jpg",
    "best_0001_neighbours_base.jpg",
    "verdicts_0001.csv",
}
FIRST = {
    "trainset_s2_up12_0001.jpg",
    "trainset_s3_up12norm_0001.jpg",
    "trainset_s4_c2f_12_0001.jpg",
    "best_0001_c2f_12.jpg",
    "worst_0001_c2f_12.jpg",
    "random_0001_c2f_12.jpg",
}
SECOND = {
    "trainset_s5_up16_0001_base.jpg",
    "trainset_s6_c2f_16_0001.jpg",
    "best_0001_c2f_16.jpg",
    "worst_0001_c2f_16.jpg",
    "random_0001_c2f_16.jpg",
}


@pytest.fixture(scope="module")
def gallery(kittens: Pack, tmp_path_factory: pytest.TempPathFactory) -> Gallery:
    last = stacked.trained(kittens).latest_of_each()["refine-16"].path
    pyramid = choosing.opened(last, CPU)
    made = Gallery(pyramid, kittens, ASKED, tmp_path_factory.mktemp("gallery"))
    made.run(0)
    return made


def shows(path: Path, images: Images, columns: int = 8, larger: int = 64) -> bool:
    """Whether a sheet shows pictures, as nearly as a JPEG can."""
    expected = grid(to_uint8(images), columns, scale=larger // images.shape[-1])
    with Image.open(path) as picture:
        found = np.asarray(picture)
    return found.shape == expected.shape and bool(np.abs(found - expected.astype(int)).max() <= 8)


def test_every_file_has_its_name(gallery: Gallery) -> None:
    assert files(gallery.out) == BASE | FIRST | SECOND


def test_a_later_run_has_the_next_number(gallery: Gallery, tmp_path: Path) -> None:
    whole = gallery.pyramid
    part = Pyramid(whole.samplers[:1], whole.names[:1], whole.critics[:1], CPU)
    few = Gallery(part, gallery.pack, Asked(drawn=10, keep=3), tmp_path)
    found = few.run(1)
    kinds = ("best", "worst", "random", "random10", "trainset_s1")
    expected = {f"{kind}_0002_base.jpg" for kind in kinds} | {"verdicts_0002.csv"}
    assert files(tmp_path) == expected
    assert list(found) == ["trainset", "best", "worst", "random", "verdicts"]
    with (tmp_path / "verdicts_0002.csv").open(encoding="utf-8") as file:
        assert [row["seed row"] for row in csv.DictReader(file)] == [str(n) for n in range(10, 20)]


def test_the_sheets_show_the_sets(gallery: Gallery) -> None:
    made, out = choosing.drawn(gallery.pyramid, ASKED, 0), gallery.out
    assert shows(out / "random256_0001_base.jpg", made.portraits[:256], 16, 32)
    assert shows(out / "random300_0001_base.jpg", made.portraits, 32, 32)
    for name, rows in made.sets.items():
        pictures = made.portraits[rows]
        assert shows(out / f"{name}_0001_base.jpg", pictures)
        for stage, size in ((1, 12), (2, 16)):
            pictures = choosing.refined(gallery.pyramid, stage, ASKED, made, rows, pictures)
            assert shows(out / f"{name}_0001_c2f_{size}.jpg", pictures)


def test_the_sheets_of_training_pictures_show_each_step(gallery: Gallery) -> None:
    made, out = choosing.drawn(gallery.pyramid, ASKED, 0), gallery.out
    pictures = choosing.trainset(gallery.pack, ASKED, 0, 8)
    assert shows(out / "trainset_s1_0001_base.jpg", pictures)
    rows = torch.arange(9)
    for stage, size, given, drawn in (
        (1, 12, ("s2_up12_0001", "s3_up12norm_0001"), "s4_c2f_12_0001"),
        (2, 16, ("s5_up16_0001_base",), "s6_c2f_16_0001"),
    ):
        for step in given:
            assert shows(out / f"trainset_{step}.jpg", enlarge(pictures, size))
        pictures = choosing.refined(gallery.pyramid, stage, ASKED, made, rows, pictures)
        assert shows(out / f"trainset_{drawn}.jpg", pictures)


def test_the_table_has_every_verdict(gallery: Gallery) -> None:
    made = choosing.drawn(gallery.pyramid, ASKED, 0)
    with (gallery.out / "verdicts_0001.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["number"]) for row in rows] == list(range(300))
    assert [float(row["verdict"]) for row in rows] == pytest.approx(
        made.ranking.verdicts.tolist(), rel=1e-4, abs=1e-6
    )
    for name, kept in made.sets.items():
        marked = {int(row["number"]) for row in rows if name in row["sets"].split()}
        assert marked == set(kept.tolist())


def test_the_best_stand_beside_their_neighbours(gallery: Gallery) -> None:
    made = choosing.drawn(gallery.pyramid, ASKED, 0)
    best = to_uint8(made.portraits[made.sets["best"][:4]])
    found = copying.nearest_pixels(gallery.pack, best)
    with Image.open(gallery.out / "best_0001_neighbours_base.jpg") as picture:
        shown = np.asarray(picture)
    expected = copying.grid(best, found, gallery.pack)
    assert shown.shape == expected.shape
    assert np.abs(shown - expected.astype(int)).max() <= 8


def test_a_size_that_comes_twice_has_two_names(gallery: Gallery, tmp_path: Path) -> None:
    base, _, top = gallery.pyramid.samplers
    assert isinstance(top, Refined)
    # A second refiner of the same size on top, which takes the noise of the first.
    again = Refined(top.drawer, top, 16)
    critics = [gallery.pyramid.critics[0], None, None]
    pyramid = Pyramid([base, top, again], ["base", "first", "again"], critics, CPU)
    Gallery(pyramid, gallery.pack, Asked(drawn=4, keep=2, k=1), tmp_path).run(0)
    assert {"best_0001_c2f_16.jpg", "best_0001_c2f_16_again.jpg"} < files(tmp_path)


def test_grey_pictures_are_not_laid_beside_colour(
    gallery: Gallery, grey_kittens: Pack, tmp_path: Path
) -> None:
    wrong = Gallery(gallery.pyramid, grey_kittens, ASKED, tmp_path)
    with pytest.raises(ValueError, match="expected a pack of the same colours"):
        wrong.run(0)
    assert not files(tmp_path)
