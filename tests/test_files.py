"""What is said of files that are not what was expected."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from purrtrait.files import expect_folder, reason


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{}", "it has no 'stage'"),
        ("[]", "its values are of another kind: list indices must be integers"),
        ('{"stage": 3}', "its values are of another kind: 'int' object has no attribute 'upper'"),
        ("{", "Expecting property name"),
    ],
)
def test_in_words_why_a_text_is_not_what_was_expected(text: str, words: str) -> None:
    with pytest.raises((KeyError, TypeError, AttributeError, ValueError)) as raised:
        json.loads(text)["stage"].upper()
    assert reason(raised.value).startswith(words)


def test_an_error_without_words_is_named() -> None:
    assert reason(ValueError()) == "ValueError"


def test_a_folder_is_expected_where_no_file_stands(tmp_path: Path) -> None:
    expect_folder(tmp_path)
    expect_folder(tmp_path / "new" / "newer")
    (tmp_path / "file").touch()
    for below in ("file", "file/new"):
        with pytest.raises(ValueError, match="file is a file; expected a folder"):
            expect_folder(tmp_path / below)
