"""Names, addresses and repositories say what is fetched; without a checksum nothing is."""

from __future__ import annotations

import pytest

from purrtrait.pulling.catalogue import Catalogue, Entry
from purrtrait.pulling.unpack import gather, unpack
from purrtrait.pulling.wanted import HUB_VARIABLE, find

SUM = "0123456789abcdef" * 4
CHECKED = f"sha256:{SUM}"
URLS = ("https://a.example/v1/tigers-1.zip", "http://b.example/tigers")
KNOWN = Catalogue(
    schema=1,
    bundles={
        "tigers": Entry(about="tigers", urls=URLS, sha256=SUM),
        "kittens": Entry(about="kittens"),
    },
)


def test_a_name_of_the_catalogue() -> None:
    found = find("tigers", KNOWN)
    assert (found.name, found.place) == ("tigers", unpack)
    (archive,) = found.archives
    assert (archive.name, archive.checksum, archive.mirrors) == ("tigers-1.zip", CHECKED, URLS)


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("https://a.example/lions.zip", "lions"),
        ("https://a.example/x/old%20lions/lions.tar.gz?download=1", "lions"),
        ("http://a.example/Lions_2.0.TGZ", "Lions_2.0"),
        ("https://a.example/lions.tar", "lions"),
        ("https://a.example/lions.tar.xz", "lions"),
    ],
)
def test_an_address(address: str, name: str) -> None:
    found = find(f"{address}#sha256={SUM.upper()}", KNOWN)
    assert found.name == name
    assert [(a.checksum, a.mirrors) for a in found.archives] == [(CHECKED, (address,))]
    assert found.archives[0].name.startswith(name)


@pytest.mark.parametrize(
    ("revision", "part"), [("", "main"), ("@v1.0", "v1.0"), ("@0a1b2c", "0a1b2c")]
)
def test_a_repository(revision: str, part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(HUB_VARIABLE, raising=False)
    found = find(f"hub:somebody/lions{revision}#sha256={SUM}", KNOWN)
    assert (found.name, found.place) == ("lions", gather)
    root = f"https://huggingface.co/somebody/lions/resolve/{part}"
    assert [(a.name, a.checksum, a.mirrors) for a in found.archives] == [
        ("model.safetensors", CHECKED, (f"{root}/model.safetensors",)),
        ("sampler.json", "", (f"{root}/sampler.json",)),
        ("README.md", "", (f"{root}/README.md",)),
    ]


def test_another_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(HUB_VARIABLE, "https://hub.example/")
    mirrors = [a.mirrors[0] for a in find("hub:somebody/lions#unchecked", KNOWN).archives]
    assert mirrors[0] == "https://hub.example/somebody/lions/resolve/main/model.safetensors"
    monkeypatch.setenv(HUB_VARIABLE, "http://hub.example")
    with pytest.raises(ValueError, match="is not encrypted"):
        find(f"hub:somebody/lions#sha256={SUM}", KNOWN)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("tiger", r"unknown bundle 'tiger'. Did you mean 'tigers'\? Known: tigers, kittens"),
        ("kittens", "names 'kittens' without an address"),
        ("../tigers", "says nothing that can be pulled"),
        ("tigers\n", "says nothing that can be pulled"),
        ("", "says nothing that can be pulled"),
        ("https://a.example/lions.zip", "names no checksum.*#sha256=.*#unchecked"),
        ("https://a.example/lions.zip#", "names no checksum"),
        ("https://a.example/lions.zip#sha256=12", "names no checksum"),
        (f"https://a.example/lions.zip#md5={SUM}", "names no checksum"),
        ("hub:somebody/lions", "names no checksum"),
        (f"hub:somebody#sha256={SUM}", "no repository of the hub"),
        (f"hub:somebody/../lions#sha256={SUM}", "no repository of the hub"),
        (f"hub:somebody/lions@../x#sha256={SUM}", "no repository of the hub"),
        (f"hub:somebody/lions@#sha256={SUM}", "no repository of the hub"),
        (f"ftp://a.example/lions.zip#sha256={SUM}", "is no address of a file"),
        (f"file:///lions.zip#sha256={SUM}", "is no address of a file"),
        (f"https://a.example/#sha256={SUM}", "names no archive"),
        (f"https://a.example/lions.pkl#sha256={SUM}", "names no archive"),
        (f"https://a.example/.zip#sha256={SUM}", "names no archive"),
        (f"https://a.example/..%2flions.zip#sha256={SUM}", "names no archive"),
        (f"https://a.example/..%5Clions.zip#sha256={SUM}", "names no archive"),
        ("http://a.example/lions.zip#unchecked", "is not encrypted"),
    ],
)
def test_what_is_refused(source: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        find(source, KNOWN)
