"""Catalogues are read from JSON and TOML, and refuse what could not be pulled safely."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from purrtrait import shelf
from purrtrait.pulling import catalogue

SUM = "0123456789abcdef" * 4
TIGERS = {"about": "tigers", "urls": ["https://a.example/tigers.zip"], "sha256": SUM}


def written(folder: Path, **bundles: Any) -> Path:
    file = folder / "listed"
    file.write_text(json.dumps({"schema": 1, "bundles": bundles}))
    return file


def test_our_own_holds_what_ships_and_else_only_what_has_a_checksum() -> None:
    own = catalogue.read(catalogue.OWN, "ours").bundles
    assert {name for name, entry in own.items() if not entry.urls} == set(shelf.shipped())
    for entry in own.values():
        assert all(url.startswith("https://") for url in entry.urls)


def test_both_formats_say_the_same(tmp_path: Path) -> None:
    toml = tmp_path / "toml"
    toml.write_text(
        f'schema = 1\n[bundles.tigers]\nabout = "tigers"\n'
        f'urls = ["https://a.example/tigers.zip"]\nsha256 = "{SUM}"\n'
    )
    found = catalogue.read(written(tmp_path, tigers=TIGERS), "json")
    assert catalogue.read(toml, "toml") == found
    assert found.bundles["tigers"].urls == ("https://a.example/tigers.zip",)
    assert found.bundles["tigers"].size_bytes == 0


@pytest.mark.parametrize(
    ("name", "changed", "said"),
    [
        ("tigers", {"sha256": ""}, "urls but no sha256"),
        ("tigers", {"sha256": SUM[1:]}, "sha256"),
        ("tigers", {"sha256": SUM.upper()}, "sha256"),
        ("tigers", {"sha256": f"{SUM}\n"}, "sha256"),
        ("tigers", {"size_bytes": -1}, "size_bytes"),
        ("tigers", {"pickle": "yes"}, "pickle"),
        ("tigers", {"about": None}, "about"),
        ("../tigers", {}, "should match pattern"),
        (".tigers", {}, "should match pattern"),
        ("a/b", {}, "should match pattern"),
        ("tigers\n", {}, "should match pattern"),
    ],
)
def test_entries_that_are_refused(
    name: str, changed: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        catalogue.read(written(tmp_path, **{name: TIGERS | changed}), "listed")
    assert "the catalogue listed is not valid" in str(caught.value)


@pytest.mark.parametrize("text", ["{", "a = [", "[1]", "\x00", "<html>"])
def test_texts_that_are_none(text: str, tmp_path: Path) -> None:
    (tmp_path / "listed").write_text(text)
    with pytest.raises(ValueError, match="the list"):
        catalogue.read(tmp_path / "listed", "the list")


def test_files_that_are_not_there_and_later_formats(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the list cannot be read as a catalogue"):
        catalogue.read(tmp_path / "none", "the list")
    (tmp_path / "listed").write_text('{"schema": 2, "bundles": 3}')
    with pytest.raises(ValueError, match="has schema 2; this version reads up to 1"):
        catalogue.read(tmp_path / "listed", "the list")
