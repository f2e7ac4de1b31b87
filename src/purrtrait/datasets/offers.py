"""The datasets that can be fetched: their archives, checksums and mirrors."""

from __future__ import annotations

from dataclasses import dataclass

from purrtrait.words import lookup


@dataclass(frozen=True)
class Archive:
    """A file, its checksum as ``algorithm:digits``, and where it is, the best place first.

    The checksum of a file that is taken unchecked is empty. More than ``most_bytes`` are not taken.
    """

    name: str
    checksum: str
    mirrors: tuple[str, ...]
    most_bytes: int = 2**36


@dataclass(frozen=True)
class Offer:
    """The archives of a dataset, the parser that reads them, and a page for fetching by hand."""

    archives: tuple[Archive, ...]
    parser: str
    page: str


# The place that config.json of github.com/zylamarek/cat-dataset names, with the checksums, and the
# one that opened when the authors' own server closed.
_CAT = "https://archive.org/download/CAT_DATASET"
_CAT_OLD = "https://web.archive.org/web/20150703060412/http://137.189.35.203/WebUI/CatDatabase/Data"
_CAT_PAGE = "https://archive.org/details/CAT_DATASET"
_LFW = "http://vis-www.cs.umass.edu/lfw"  # the authors' server, without an address since 2025
_LFW_OLD = "https://web.archive.org/web/20231118124720if_/https://vis-www.cs.umass.edu/lfw"
_LFW_PAGE = "https://web.archive.org/web/20250105084504/https://vis-www.cs.umass.edu/lfw/"
_FIGSHARE = "https://ndownloader.figshare.com/files"


def _cat(name: str, checksum: str) -> Archive:
    return Archive(name, checksum, (f"{_CAT}/{name}", f"{_CAT_OLD}/{name}"))


def _lfw(name: str, checksum: str, mirror: str) -> Offer:
    return Offer((Archive(name, checksum, (mirror, f"{_LFW}/{name}")),), "lfw", _LFW_PAGE)


OFFERS: dict[str, Offer] = {
    "cat10k": Offer(
        (
            _cat("CAT_DATASET_01.zip", "md5:1c98d0f6931623623c1f3030ed8c582c"),
            _cat("CAT_DATASET_02.zip", "md5:06423894f0fd5746481ae7f1149d38d2"),
        ),
        "cat10k",
        _CAT_PAGE,
    ),
    "lfw": _lfw(
        "lfw-deepfunneled.tgz",
        "md5:68331da3eb755a505a502b5aacb3c201",  # on the authors' page and in torchvision
        f"{_LFW_OLD}/lfw-deepfunneled.tgz",
    ),
    # Checksums and mirrors of these two are those of scikit-learn.
    "lfw-funneled": _lfw(
        "lfw-funneled.tgz",
        "sha256:b47c8422c8cded889dc5a13418c4bc2abbda121092b3533a83306f90d900100a",
        f"{_FIGSHARE}/5976015",
    ),
    "lfw-original": _lfw(
        "lfw.tgz",
        "sha256:055f7d9c632d7370e6fb4afc7468d40f970c34a80d4c6f50ffec63f5a8d536c0",
        f"{_FIGSHARE}/5976018",
    ),
}


def offered(name: str) -> Offer:
    """The offer of a name; ValueError names the known ones."""
    return lookup(OFFERS, "dataset to download", name)
