"""Bundles come whole, checked and usable from a server, or not at all; nothing else is touched."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import socket
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

import purrtrait
from bundled import contents, small
from helpers import files
from mirrors import Answer, Mirrors, Request, ranges, serving, status
from purrtrait import shelf
from purrtrait.datasets.download import PAUSES_SECONDS
from purrtrait.pulling import catalogue
from purrtrait.pulling import pull as pulling
from purrtrait.pulling.pull import Pulled
from purrtrait.pulling.wanted import HUB_VARIABLE

OWN = catalogue.read(catalogue.OWN, "ours")
FILES = {"model.safetensors", "sampler.json", "README.md"}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirrors]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving() as mirrors:
        monkeypatch.setenv(HUB_VARIABLE, f"http://127.0.0.1:{mirrors.server_port}")
        yield mirrors


@pytest.fixture(autouse=True)
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the folder of pulled bundles, which is not there yet."""
    place = tmp_path / "my bundles"
    monkeypatch.setenv(shelf.VARIABLE, str(place))
    return place


@pytest.fixture
def tigers(tmp_path: Path) -> dict[str, bytes]:
    """Give the files of a bundle."""
    return contents(small(tmp_path / "made" / "tigers"))


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"tigers/{name}", content)
    return buffer.getvalue()


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def given(content: bytes) -> Answer:
    return partial(ranges, content=content)


def cut_off(content: bytes, bytes_: int) -> Answer:
    """Send so many bytes of it, then reset the connection."""

    def answer(request: Request) -> None:
        request.answer(200, content[:bytes_], Content_Length=len(content))
        request.wfile.flush()
        request.connection.shutdown(socket.SHUT_RDWR)

    return answer


class Watch:
    """What was reported while a bundle was pulled."""

    def __init__(self) -> None:
        self.pauses: list[float] = []
        self.bytes: list[tuple[int, int]] = []

    def pull(self, source: str, to: Path | None = None, listed: str | None = None) -> Pulled:
        known = pulling.catalogued(listed, lambda done, total: None, self.pauses.append)
        report = lambda *told: self.bytes.append(told)  # noqa: E731
        return pulling.pull(source, known, to, report, self.pauses.append)


@pytest.fixture
def watch() -> Watch:
    return Watch()


Offer = Callable[..., str]


@pytest.fixture
def offered(server: Mirrors, tigers: dict[str, bytes]) -> str:
    """Give the address of a sound archive, with its checksum."""
    content = zipped(tigers)
    return f"{server.plan('/tigers.zip', given(content))}#sha256={digest(content)}"


def test_an_archive_becomes_a_bundle_that_is_found_by_its_name(
    offered: str, tigers: dict[str, bytes], mine: Path, watch: Watch
) -> None:
    made = watch.pull(offered)
    assert made.path == mine / "tigers"
    assert made.sha256 == {"tigers.zip": offered.rpartition("=")[2]}
    assert contents(made.path) == tigers
    assert files(mine) == {f"tigers/{name}" for name in FILES}, "nothing is left beside it"
    assert watch.bytes[-1][0] == watch.bytes[-1][1] == len(zipped(tigers))
    assert purrtrait.sample("tigers", 2).shape == (2, 6, 6, 3)


def test_another_folder(offered: str, mine: Path, watch: Watch) -> None:
    made = watch.pull(offered, Path("else"))
    assert made.path == Path("else/tigers")
    assert files(Path("else")) == {f"tigers/{name}" for name in FILES}
    assert not mine.exists()


def test_nothing_is_overwritten(
    offered: str, server: Mirrors, mine: Path, watch: Watch, tmp_path: Path
) -> None:
    mine.mkdir()
    (mine / "tigers").write_text("mine")
    with pytest.raises(ValueError, match="nothing is overwritten"):
        watch.pull(offered)
    assert (mine / "tigers").read_text() == "mine"
    assert not server.asked
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="cannot be written"):
        watch.pull(offered, tmp_path / "file")


def test_a_broken_download_is_continued(
    server: Mirrors, tigers: dict[str, bytes], mine: Path, watch: Watch
) -> None:
    content = zipped(tigers)
    broken = cut_off(content, 1000)
    address = server.plan("/tigers.zip", broken, status(404))
    source = f"{address}#sha256={digest(content)}"
    with pytest.raises(ValueError, match="what has arrived is continued"):
        watch.pull(source)
    assert not (mine / "tigers").exists()
    assert len(files(mine)) == 1, "what has arrived"
    assert shelf.pulled() == {}
    server.plan("/tigers.zip", given(content))
    assert contents(watch.pull(source).path) == tigers
    assert server.asked["/tigers.zip"][-1] == "bytes=1000-"
    assert files(mine) == {f"tigers/{name}" for name in FILES}


def test_another_file_is_refused(
    server: Mirrors, tigers: dict[str, bytes], mine: Path, watch: Watch
) -> None:
    address = server.plan("/tigers.zip", given(zipped(tigers)))
    with pytest.raises(ValueError, match="its checksum is wrong"):
        watch.pull(f"{address}#sha256={digest(b'another')}")
    assert not mine.exists()


def test_unchecked_must_be_said_and_begins_anew(
    server: Mirrors, tigers: dict[str, bytes], mine: Path, watch: Watch
) -> None:
    content = zipped(tigers)
    address = server.plan("/tigers.zip", cut_off(content, 1000), status(404))
    with pytest.raises(ValueError, match="#unchecked"):
        watch.pull(address)
    assert not server.asked
    with pytest.raises(ValueError, match="Try again later; or get it by hand"):
        watch.pull(f"{address}#unchecked")
    server.plan("/tigers.zip", given(content))
    made = watch.pull(f"{address}#unchecked")
    assert server.asked["/tigers.zip"] == ["", "bytes=1000-", ""], "the old part may be of another"
    assert made.sha256 == {"tigers.zip": digest(content)}
    assert contents(made.path) == tigers


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"model.safetensors": b"\x80\x04pickled"}, "cannot be read as safetensors"),
        ({"model.safetensors": b""}, "cannot be read as safetensors"),
        ({"sampler.json": b"{}"}, "cannot be read"),
        ({"sampler.json": b'{"schema": 1}'}, "does not describe a sampler"),
        ({"sampler.json": b'{"schema": 2}'}, r"tigers has schema 2, written by purrtrait \?"),
        ({"sampler.json": b'{"schema": Infinity}'}, "tigers is neither a bundle nor a checkpoint"),
        ({"sampler.json": b"[" * 99_999}, "tigers is neither a bundle nor a checkpoint"),
    ],
)
def test_what_cannot_be_opened_does_not_appear(
    changed: dict[str, bytes],
    said: str,
    server: Mirrors,
    tigers: dict[str, bytes],
    mine: Path,
    watch: Watch,
) -> None:
    content = zipped(tigers | changed)
    address = server.plan("/tigers.zip", given(content))
    with pytest.raises(ValueError, match=said):
        watch.pull(f"{address}#sha256={digest(content)}")
    assert files(mine) == set()


LIES: dict[str, object] = {
    "latent_size": 7,
    "prior": "weird",
    "size": 4096,
    "channels": 1,
    "credit": None,
    "pack": None,
}


@pytest.mark.parametrize("name", LIES)
def test_what_says_something_else_than_it_draws_does_not_appear(
    name: str, server: Mirrors, tigers: dict[str, bytes], mine: Path, watch: Watch
) -> None:
    """None stands for what is not said at all."""
    told = json.loads(tigers["sampler.json"]) | {name: LIES[name]}
    told = {key: value for key, value in told.items() if value is not None}
    content = zipped(tigers | {"sampler.json": json.dumps(told).encode()})
    address = server.plan("/tigers.zip", given(content))
    said = f"says {name}" if LIES[name] else f"tigers/sampler.json does not say its {name}"
    with pytest.raises(ValueError, match=said):
        watch.pull(f"{address}#sha256={digest(content)}")
    assert files(mine) == set()


@pytest.mark.parametrize("kind", ["unchecked", "checked", "listed"])
def test_no_redirection_leads_to_where_others_could_change_it(
    kind: str, offered: str, server: Mirrors, mine: Path, watch: Watch
) -> None:
    address, _, sum_ = offered.partition("#")
    other = address.replace("127.0.0.1", "127.0.0.2")  # this machine too, but not known as such

    def lead_on(request: Request) -> None:
        request.answer(302, b"", Location=other)

    led = server.plan("/other.zip", lead_on)
    asked = {
        "unchecked": (f"{led}#unchecked", None),
        "checked": (f"{led}#{sum_}", None),
        "listed": ("tigers", led),
    }[kind]
    with pytest.raises(ValueError, match=r"leads on to http://127\.0\.0\.2.*is not encrypted"):
        watch.pull(asked[0], listed=asked[1])
    assert files(mine) == set()


def test_no_more_is_taken_than_the_catalogue_says(
    offered: str, server: Mirrors, tigers: dict[str, bytes], mine: Path, watch: Watch
) -> None:
    address, _, sum_ = offered.partition("#sha256=")
    size = len(zipped(tigers))
    for most, told in ((size, len), (size - 1, None)):
        entry = {"about": "tigers", "urls": [address], "sha256": sum_, "size_bytes": most}
        Path("list.json").write_text(json.dumps({"schema": 1, "bundles": {"tigers": entry}}))
        if told:
            assert watch.pull("tigers", Path("enough"), "list.json").path.is_dir()
            continue
        with pytest.raises(ValueError, match=f"there is more of it than {most:,} bytes"):
            watch.pull("tigers", Path("less"), "list.json")


class Trap:
    """Runs when it is unpickled."""

    sprung = Path("sprung")

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (self.sprung,)  # type: ignore[return-value]


def test_no_pickle_is_ever_read(
    server: Mirrors, tigers: dict[str, bytes], mine: Path, watch: Watch
) -> None:
    trap = pickle.dumps(Trap())
    beside = dict.fromkeys(("model.pt", "pytorch_model.bin", "sampler.pkl", "x.npy"), trap)
    content = zipped(tigers | beside)
    address = server.plan("/tigers.zip", given(content))
    made = watch.pull(f"{address}#sha256={digest(content)}")
    assert files(made.path) == FILES
    purrtrait.sample("tigers", 2)
    for name in ("model.safetensors", "sampler.json"):
        content = zipped(tigers | {name: trap})
        address = server.plan("/lions.zip", given(content))
        with pytest.raises(ValueError, match="cannot be read"):
            watch.pull(f"{address}#sha256={digest(content)}")
    assert not Trap.sprung.exists()
    pickle.loads(trap)
    assert Trap.sprung.exists(), "the trap would have sprung"


def test_by_a_name_of_a_catalogue_at_an_address(
    offered: str, server: Mirrors, mine: Path, watch: Watch
) -> None:
    address, _, sum_ = offered.partition("#sha256=")
    gone = server.plan("/gone.zip", status(404))
    entry = {"about": "tigers", "urls": [gone, address], "sha256": sum_, "size_bytes": 10**6}
    listed = json.dumps({"schema": 1, "bundles": {"big-cats": entry}})
    catalogue_ = server.plan("/list", given(listed.encode()))
    assert watch.pull("big-cats", listed=catalogue_).path == mine / "big-cats"
    Path("list.json").write_text(listed)
    assert watch.pull("big-cats", Path("else"), "list.json").path == Path("else/big-cats")
    with pytest.raises(ValueError, match="unknown bundle 'tigers'"):
        watch.pull("tigers", listed=catalogue_)


def test_a_catalogue_that_is_not_there(server: Mirrors, watch: Watch) -> None:
    address = server.plan("/list", status(404))
    with pytest.raises(ValueError, match=r"status 404.*fetch the catalogue by hand"):
        watch.pull("tigers", listed=address)
    with pytest.raises(ValueError, match=r"no\.json cannot be read as a catalogue"):
        watch.pull("tigers", listed="no.json")
    with pytest.raises(ValueError, match="is not encrypted"):
        watch.pull("tigers", listed="http://a.example/list")


def test_a_repository_of_the_hub(
    server: Mirrors, tigers: dict[str, bytes], mine: Path, watch: Watch
) -> None:
    for name, content in tigers.items():
        server.plan(f"/somebody/tigers/resolve/v1/{name}", given(content))
    model = digest(tigers["model.safetensors"])
    made = watch.pull(f"hub:somebody/tigers@v1#sha256={model}")
    assert made.path == mine / "tigers"
    assert contents(made.path) == tigers
    assert made.sha256 == {name: digest(content) for name, content in tigers.items()}
    assert files(mine) == {f"tigers/{name}" for name in FILES}
    with pytest.raises(ValueError, match="its checksum is wrong"):
        watch.pull(f"hub:somebody/tigers@v1#sha256={digest(b'')}", Path("else"))
    assert files(Path("else")) == set()


def test_without_a_network_it_says_what_was_tried_and_what_to_do(mine: Path, watch: Watch) -> None:
    with socket.socket() as taken:  # nobody listens there
        taken.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{taken.getsockname()[1]}/tigers.zip"
        with pytest.raises(ValueError, match="could not be fetched") as caught:
            watch.pull(f"{closed}#sha256={digest(b'')}")
    told = str(caught.value)
    assert f"Tried {closed} (the connection failed: ConnectionError)" in told
    assert f"by hand from {closed} (its sha256 is {digest(b'')})" in told
    assert f"make the folder {mine / 'tigers'} with the bundle's files in it: model.saf" in told
    assert watch.pauses == list(PAUSES_SECONDS)
    assert not mine.exists()


def test_a_folder_that_was_there_stays(server: Mirrors, mine: Path, watch: Watch) -> None:
    mine.mkdir()
    address = server.plan("/tigers.zip", status(404))
    with pytest.raises(ValueError, match="could not be fetched"):
        watch.pull(f"{address}#sha256={digest(b'')}")
    assert list(mine.iterdir()) == []


def test_what_ships_is_here_already(offered: str, server: Mirrors, watch: Watch) -> None:
    assert watch.pull("kittens") == Pulled(shelf.shipped()["kittens"], {})
    with pytest.raises(ValueError, match="names 'kittens' without an address"):
        watch.pull("kittens", Path("else"))
    urls = [offered.partition("#")[0]]
    entry = {"about": "others", "urls": urls, "sha256": "0" * 64}
    Path("list.json").write_text(json.dumps({"schema": 1, "bundles": {"kittens": entry}}))
    with pytest.raises(ValueError, match="a bundle named kittens comes with purrtrait"):
        watch.pull("kittens", listed="list.json")
    other = offered.replace("/tigers.zip", "/kittens.zip")
    with pytest.raises(ValueError, match="a bundle named kittens comes with purrtrait"):
        watch.pull(other)
    assert not server.asked
    server.plan("/kittens.zip", *server.plans["/tigers.zip"])
    assert watch.pull(other, Path("else")).path == Path("else/kittens")
