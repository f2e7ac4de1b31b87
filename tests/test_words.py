"""Names that are not known: the nearest one is offered, and all that there are."""

from __future__ import annotations

import pytest

from purrtrait.words import lookup, nearest

TABLE = {"hinge": 1, "logistic": 2, "least-squares": 3}


def test_a_known_name_gives_its_entry() -> None:
    assert [lookup(TABLE, "game", name) for name in TABLE] == [1, 2, 3]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "hinj",
            "unknown game 'hinj'. Did you mean 'hinge'? Known: hinge, logistic, least-squares",
        ),
        ("zzz", "unknown game 'zzz'. Known: hinge, logistic, least-squares"),
    ],
)
def test_an_unknown_name_is_answered(name: str, words: str) -> None:
    with pytest.raises(ValueError) as caught:
        lookup(TABLE, "game", name)
    assert str(caught.value) == words


def test_only_a_near_name_is_offered() -> None:
    assert nearest("logstic", TABLE) == " Did you mean 'logistic'?"
    assert nearest("", TABLE) == nearest("zzz", TABLE) == nearest("hinge", []) == ""
