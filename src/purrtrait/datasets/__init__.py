"""The table of parsers: one line for each way in which photos come in."""

from purrtrait.datasets.folder import parse_folder
from purrtrait.datasets.kittens import parse_kittens, parse_people
from purrtrait.datasets.photo import ParserEntry

_KITTENS = "David Revoy, CC-BY-4.0 (https://creativecommons.org/licenses/by/4.0/), from robohash"
_PEOPLE = "Pablo Stanley (avataaars), free for any use, from robohash"
_FOLDER = "the photographers of the folder's pictures; purrtrait does not know their terms"

PARSERS: dict[str, ParserEntry] = {
    # name: its parser, whether it needs a source, default count, flip natural, credit
    "kittens": ParserEntry(parse_kittens, False, 20_000, False, _KITTENS),
    "people": ParserEntry(parse_people, False, 20_000, False, _PEOPLE),
    "folder": ParserEntry(parse_folder, True, None, True, _FOLDER),
}
