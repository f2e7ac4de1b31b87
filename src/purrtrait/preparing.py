"""The public `prepare`: photos, fetched if they are to be, become a pack."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from purrtrait.datasets import PARSERS
from purrtrait.datasets.beside import NOTHING, Beside
from purrtrait.datasets.cut import LEAST_SIDE
from purrtrait.datasets.download import fetch
from purrtrait.datasets.offers import offered
from purrtrait.datasets.order import Order, expect_order
from purrtrait.datasets.pack import Pack
from purrtrait.datasets.prepare import no_report
from purrtrait.datasets.prepare import prepare as make_pack
from purrtrait.datasets.toys import write_cat_layout
from purrtrait.datasets.writer import occupied
from purrtrait.model import PathLike

TOYS = "toy-cats"
ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.xz")


def prepare(
    parser: str = "kittens",
    source: PathLike | None = None,
    *,
    out: PathLike | None = None,
    size: int = 64,
    count: int | None = None,
    grey: bool = False,
    seed: int = 0,
    split: float = 0.1,
    flip_natural: bool | None = None,
    exclude: PathLike | None = None,
    find: str | None = None,
    align: str | None = None,
    least: int = LEAST_SIDE,
    screens: Sequence[str] | None = None,
    beside: Beside = NOTHING,
    photos: PathLike | None = None,
    download: bool = False,
    progress: Callable[[int, int], None] = no_report,
) -> Pack:
    """Make a pack of pictures, or open it if the very same one is there already.

    ``parser`` is kittens, people or toy-cats, which need no ``source``, or says what that is:
    cat10k, lfw, folder, archive, huggingface. ``size`` is the pictures' side in pixels, ``split``
    the share that is held out for scores. ``exclude`` is a text file of photos' names to leave out.
    ``find`` (cats, people) searches photos for faces, ``align`` names how they are cut out,
    ``least`` is how many photo pixels a face must be wide, ``screens`` what it has to pass, and
    ``beside`` what else is written. ``photos`` is a new folder for the photos of toy-cats, as files
    of the CAT dataset. With ``download``, the archives of cat10k or lfw (also
    lfw-funneled and lfw-original) are fetched to ``source``, by default downloads/NAME, unless they
    are there. ``out`` is by default packs/NAME-SIZE. ValueError says what stands in the way.
    """
    path = Path(source) if source is not None else None
    wanted = parser
    if download:
        parser, path = _offered(parser, path)
    order = Order(
        parser,
        size=size,
        count=count,
        grey=grey,
        seed=seed,
        split=split,
        source=path,
        flip_natural=flip_natural,
        exclude=Path(exclude) if exclude is not None else None,
        find=find,
        align=align,
        least=least,
        screens=None if screens is None else tuple(screens),
    )
    expect_order(order)
    name = _plain_name(path, parser)
    target = Path(out) if out is not None else Path("packs") / f"{name}-{size}{'-grey' * grey}"
    if download:
        fetch(wanted, _downloads(wanted, source), progress)
    if photos is not None and not (occupied(target) and occupied(Path(photos))):
        _write_toys(parser, Path(photos), count, seed, progress)
    return make_pack(order, target, progress, beside)


def _write_toys(
    parser: str, folder: Path, count: int | None, seed: int, progress: Callable[[int, int], None]
) -> None:
    """Write the photos that the pack is drawn from."""
    if parser != TOYS:
        raise ValueError(
            f"Photos are written of {TOYS} only, which have no files of their own; found the "
            f"parser {parser}, whose photos are where you have them."
        )
    usual = PARSERS[TOYS].default_count
    assert usual is not None, "drawn pictures have no end"
    write_cat_layout(folder, usual if count is None else count, seed, progress)


def _downloads(name: str, folder: PathLike | None) -> Path:
    """The folder of the archives of a dataset that is fetched."""
    return Path("downloads") / name if folder is None else Path(folder)


def _offered(name: str, folder: Path | None) -> tuple[str, Path]:
    """The parser of a dataset that can be fetched, and where its archives will be."""
    offer = offered(name)
    where = _downloads(name, folder)
    archives = offer.archives
    return offer.parser, where / archives[0].name if len(archives) == 1 else where


def _plain_name(source: Path | None, parser: str) -> str:
    """What a pack is called after: its folder, or its archive without the endings."""
    if source is None:
        return parser
    name = source.resolve().name
    ending = next((end for end in ARCHIVES if name.lower().endswith(end)), "")
    return name[: len(name) - len(ending)] or parser
