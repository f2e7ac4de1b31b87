"""The table of parsers: one line for each way in which photos come in."""

from purrtrait.datasets.cat10k import parse_cat10k
from purrtrait.datasets.folder import parse_folder
from purrtrait.datasets.huggingface import parse_huggingface
from purrtrait.datasets.kittens import parse_kittens, parse_people
from purrtrait.datasets.lfw import parse_lfw
from purrtrait.datasets.packed import parse_archive
from purrtrait.datasets.photo import ParserEntry
from purrtrait.datasets.toys import parse_toy_cats
from purrtrait.images.align import CAT_POINTS

_KITTENS = "David Revoy, CC-BY-4.0 (https://creativecommons.org/licenses/by/4.0/), from robohash"
_PEOPLE = "Pablo Stanley (avataaars), free for any use, from robohash"
_TOYS = "drawn by purrtrait, free for any use"
_FOLDER = "the photographers of the folder's pictures; purrtrait does not know their terms"
_ARCHIVE = "the photographers of the archive's pictures; purrtrait does not know their terms"
_CAT = "Zhang, Sun and Tang 2008 (Cat Head Detection), photos from Flickr; for research"
_LFW = "Huang et al. 2007 (Labeled Faces in the Wild), press photos; for research"
_HUB = "the authors of the dataset; its card says on which terms"

_SCREENS = ("blank", "equal")  # what is never a loss among photos

PARSERS: dict[str, ParserEntry] = {
    # name: its parser, whether it needs a source, default count, flip natural, credit
    "kittens": ParserEntry(parse_kittens, False, 20_000, False, _KITTENS),
    "people": ParserEntry(parse_people, False, 20_000, False, _PEOPLE),
    "toy-cats": ParserEntry(
        *(parse_toy_cats, False, 1_000, True, _TOYS),
        *("cat-generator", frozenset(CAT_POINTS)),
    ),
    # and of photos: the alignment that suits them, points that are known, screens, whether photos
    "folder": ParserEntry(
        parse_folder, True, None, True, _FOLDER, screens=_SCREENS, photographs=True
    ),
    "archive": ParserEntry(
        parse_archive, True, None, True, _ARCHIVE, screens=_SCREENS, photographs=True
    ),
    "cat10k": ParserEntry(
        *(parse_cat10k, True, None, True, _CAT),
        *("cat-generator", frozenset(CAT_POINTS), _SCREENS, True),
    ),
    "lfw": ParserEntry(
        *(parse_lfw, True, None, True, _LFW),
        *("torch-gan", frozenset(), _SCREENS, True),
    ),
    "huggingface": ParserEntry(
        parse_huggingface, True, None, True, _HUB, screens=_SCREENS, photographs=True
    ),
}
