"""Archives arrive whole and checked from servers that drop, truncate, lie and are busy."""

from __future__ import annotations

import hashlib
import logging
import re
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pooch
import pytest

from helpers import files
from mirrors import Answer, Mirrors, Request, moved, ranges, serving, status
from purrtrait.datasets import PARSERS
from purrtrait.datasets.download import PAUSES_SECONDS, Advice, fetch, fetch_one
from purrtrait.datasets.offers import OFFERS, Archive, Offer

CONTENT = np.random.default_rng(0).bytes(300_000)
OTHER = np.random.default_rng(1).bytes(300_000)
NAME = "toys.tgz"
CHECKSUM = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"


def whole(request: Request) -> None:
    request.answer(200, CONTENT)


def wrong(request: Request) -> None:
    request.answer(200, OTHER)


def ranged(request: Request) -> None:
    ranges(request, CONTENT)


def ranged_without_size(request: Request) -> None:
    first = request.first()
    request.answer(206, CONTENT[first:], Content_Range=f"bytes {first}-{len(CONTENT) - 1}/*")


def in_portions(request: Request) -> None:
    """Give less than what was asked for, as a server may."""
    first = request.first()
    last = min(first + 50_000, len(CONTENT)) - 1
    told = f"bytes {first}-{last}/{len(CONTENT)}"
    request.answer(206, CONTENT[first : last + 1], Content_Range=told)


def from_the_start(request: Request) -> None:
    """Answer 206, but with all of it."""
    told = f"bytes 0-{len(CONTENT) - 1}/{len(CONTENT)}"
    request.answer(206, CONTENT, Content_Range=told)


def never_satisfied(request: Request) -> None:
    request.answer(416, b"")


def truncated(request: Request) -> None:
    request.answer(200, CONTENT[:100_000], Content_Length=len(CONTENT))


def dropped(request: Request) -> None:
    """Send a part from where the client is, then reset the connection."""
    first = request.first()
    told = f"bytes {first}-{len(CONTENT) - 1}/{len(CONTENT)}"
    left = CONTENT[first:]
    status = 206 if first else 200
    request.answer(
        status, left[: min(len(left), 90_000)], Content_Range=told, Content_Length=len(left)
    )
    request.wfile.flush()
    request.connection.shutdown(socket.SHUT_RDWR)


def in_chunks(request: Request) -> None:
    """Send the whole without telling how long it is."""
    request.protocol_version = "HTTP/1.1"
    request.send_response(200)
    request.send_header("Transfer-Encoding", "chunked")
    request.send_header("Connection", "close")
    request.end_headers()
    for start in range(0, len(CONTENT), 50_000):
        piece = CONTENT[start : start + 50_000]
        request.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
    request.wfile.write(b"0\r\n\r\n")


def said_to_be_packed(request: Request) -> None:
    """Announce the archive as a compressed tar, as some servers do."""
    request.answer(200, CONTENT, Content_Encoding="x-gzip")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirrors]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving() as mirrors:
        yield mirrors


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "archives"


Offered: TypeAlias = Callable[..., None]


@pytest.fixture
def offered(monkeypatch: pytest.MonkeyPatch) -> Offered:
    """Give what puts the dataset `toys` with these mirrors into the table."""

    def offer(*mirrors: str) -> None:
        archive = Archive(NAME, CHECKSUM, mirrors)
        monkeypatch.setitem(OFFERS, "toys", Offer((archive,), "folder", "https://toys.example"))

    return offer


class Watch:
    """What was reported while a dataset was fetched."""

    def __init__(self) -> None:
        self.pauses: list[float] = []
        self.bytes: list[tuple[int, int]] = []

    def fetch(self, folder: Path) -> list[Path]:
        return fetch("toys", folder, lambda *told: self.bytes.append(told), self.pauses.append)


@pytest.fixture
def watch() -> Watch:
    return Watch()


def expect_arrived(folder: Path, found: list[Path]) -> None:
    assert found == [folder / NAME]
    assert found[0].read_bytes() == CONTENT
    assert files(folder) == {NAME}, "nothing is left beside it"


def begin(folder: Path, content: bytes) -> Path:
    """Leave a part of the archive behind, as an interrupted process would."""
    folder.mkdir()
    part = folder / f"{NAME}.part"
    part.write_bytes(content)
    return part


def test_a_whole_file(server: Mirrors, offered: Offered, folder: Path, watch: Watch) -> None:
    offered(server.plan("/a", whole))
    expect_arrived(folder, watch.fetch(folder))
    assert watch.bytes == sorted(watch.bytes)
    assert watch.bytes[-1] == (len(CONTENT), len(CONTENT))
    assert len(watch.bytes) > 3
    assert not watch.pauses


def test_what_is_there_is_not_fetched(
    server: Mirrors, offered: Offered, folder: Path, watch: Watch
) -> None:
    offered(server.plan("/a", whole))
    watch.fetch(folder)
    expect_arrived(folder, watch.fetch(folder))
    assert server.asked["/a"] == [""]


def test_another_file_of_that_name_is_left_alone(
    server: Mirrors, offered: Offered, folder: Path, watch: Watch
) -> None:
    offered(server.plan("/a", whole))
    begin(folder, b"").rename(folder / NAME)
    (folder / NAME).write_bytes(OTHER)
    with pytest.raises(ValueError, match=r"not the official file: its sha256 is .* or move it"):
        watch.fetch(folder)
    assert (folder / NAME).read_bytes() == OTHER
    assert not server.asked


def test_a_dropped_connection_is_continued_where_it_broke(
    server: Mirrors, offered: Offered, folder: Path, watch: Watch
) -> None:
    offered(server.plan("/a", dropped, ranged))
    expect_arrived(folder, watch.fetch(folder))
    begin, rest = server.asked["/a"]
    assert begin == ""
    first = int(re.fullmatch(r"bytes=(\d+)-", rest)[1])  # type: ignore[index]
    assert 0 < first <= server.sent["/a"][0]
    assert server.sent["/a"][1] == len(CONTENT) - first, "only the rest was sent"
    assert watch.pauses == [1]


def test_as_long_as_bytes_arrive_no_drop_is_the_last(
    server: Mirrors, offered: Offered, folder: Path, watch: Watch
) -> None:
    offered(server.plan("/a", status(503), dropped, status(503), dropped, dropped, ranged))
    expect_arrived(folder, watch.fetch(folder))
    assert watch.pauses == [1, 1, 2, 1, 1]


def test_a_body_that_is_cut_off_is_fetched_again(
    server: Mirrors, offered: Offered, folder: Path, watch: Watch
) -> None:
    offered(server.plan("/a", truncated, whole))
    expect_arrived(folder, watch.fetch(folder))
    assert server.asked["/a"] == ["", "bytes=100000-"]
    assert watch.pauses == [1]


def test_a_body_that_is_always_cut_off_at_the_same_place_is_given_up(
    server: Mirrors, offered: Offered, folder: Path, watch: Watch
) -> None:
    offered(server.plan("/a", truncated))
    with pytest.raises(ValueError, match=r"/a \(.*\)\. Try again later"):
        watch.fetch(folder)
    assert watch.pauses == list(PAUSES_SECONDS)
    assert files(folder) == {f"{NAME}.part"}


def test_portions_are_put_together(
    server: Mirrors, offered: Offered, folder: Path, watch: Watch
) -> None:
    begin(folder, CONTENT[:120_000])
    offered(server.plan("/a", in_portions))
    expect_arrived(folder, watch.fetch(folder))
    assert server.sent["/a"] == [50_000, 50_000, 50_000, 30_000]


def test_a_busy_server_is_asked_again_after_growing_pauses(
    server: Mirrors, offered: Offered, folder: Path, watch: Watch
) -> None:
    offered(server.plan("/a", status(503), status(503), whole))
    expect_arrived(folder, watch.fetch(folder))
    assert watch.pauses == [1, 2]


def test_a_part_of_an_earlier_run_is_continued(
    server: Mirrors, offered: Offered, folder: Path, watch: Watch
) -> None:
    begin(folder, CONTENT[:200_000])
    offered(server.plan("/a", ranged))
    expect_arrived(folder, watch.fetch(folder))
    assert server.asked["/a"] == ["bytes=200000-"]
    assert server.sent["/a"] == [100_000]
    assert watch.bytes[0][0] > 200_000
    assert watch.bytes[-1] == (300_000, 300_000)


@pytest.mark.parametrize("answer", [whole, from_the_start, ranged_without_size])
def test_the_answer_and_not_the_request_says_where_the_bytes_belong(
    server: Mirrors, offered: Offered, folder: Path, watch: Watch, answer: Answer
) -> None:
    begin(folder, CONTENT[:200_000])
    offered(server.plan("/a", answer))
    expect_arrived(folder, watch.fetch(folder))
    assert server.asked["/a"] == ["bytes=200000-"]


def test_a_part_that_is_complete_is_taken(
    server: Mirrors, offered: Offered, folder: Path, watch: Watch
) -> None:
    begin(folder, CONTENT)
    offered(server.plan("/a", ranged))
    expect_arrived(folder, watch.fetch(folder))
    assert server.sent["/a"] == [0]


def test_a_part_that_is_too_long_is_begun_anew(
    server: Mirrors, offered: Offered, folder: Path, watch: Watch
) -> None:
    begin(folder, CONTENT + b"more")
    offered(server.plan("/a", ranged))
    expect_arrived(folder, watch.fetch(folder))
    assert server.asked["/a"] == ["bytes=300004-", ""]


@pytest.mark.parametrize("length", [1_000, 300_000])
def test_a_part_of_something_else_is_begun_anew(
    server: Mirrors, offered: Offered, folder: Path, watch: Watch, length: int
) -> None:
    begin(folder, OTHER[:length])
    offered(server.plan("/a", ranged))
    expect_arrived(folder, watch.fetch(folder))
    assert server.asked["/a"] == [f"bytes={length}-", ""]


def test_what_a_part_has_too_much_is_cut_off(
    server: Mirrors, offered: Offered, folder: Path, watch: Watch
) -> None:
    begin(folder, OTHER + OTHER)
    offered(server.plan("/a", whole))
    expect_arrived(folder, watch.fetch(folder))
    assert server.asked["/a"] == ["bytes=600000-"]


def test_a_part_is_blamed_for_a_wrong_checksum_only_once(
    server: Mirrors, offered: Offered, folder: Path, watch: Watch
) -> None:
    begin(folder, CONTENT[:1000])
    offered(server.plan("/a", wrong))
    with pytest.raises(ValueError, match="its checksum is wrong"):
        watch.fetch(folder)
    assert server.asked["/a"] == ["bytes=1000-", ""]
    assert files(folder) == set()


def test_a_range_that_never_suits_ends(
    server: Mirrors, offered: Offered, folder: Path, watch: Watch
) -> None:
    begin(folder, CONTENT[:1000])
    offered(server.plan("/a", never_satisfied))
    with pytest.raises(ValueError, match="status 416"):
        watch.fetch(folder)
    assert server.asked["/a"] == ["bytes=1000-", ""]


def test_wrong_content_is_thrown_away_and_the_next_mirror_asked(
    server: Mirrors, offered: Offered, folder: Path, watch: Watch
) -> None:
    offered(server.plan("/a", wrong), server.plan("/b", whole))
    expect_arrived(folder, watch.fetch(folder))
    assert server.asked == {"/a": [""], "/b": [""]}


def test_a_missing_file_is_not_asked_for_again(
    server: Mirrors, offered: Offered, folder: Path, watch: Watch
) -> None:
    offered(server.plan("/a", status(404)), server.plan("/b", whole))
    expect_arrived(folder, watch.fetch(folder))
    assert not watch.pauses


def test_the_next_mirror_continues_what_the_first_began(
    server: Mirrors, offered: Offered, folder: Path, watch: Watch
) -> None:
    offered(server.plan("/a", dropped, status(404)), server.plan("/b", ranged))
    expect_arrived(folder, watch.fetch(folder))
    assert server.sent["/b"][0] < len(CONTENT)


def test_a_moved_file_is_followed_with_its_range(
    server: Mirrors, offered: Offered, folder: Path, watch: Watch
) -> None:
    begin(folder, CONTENT[:200_000])
    offered(server.plan("/a", moved(server.plan("/b", ranged))))
    expect_arrived(folder, watch.fetch(folder))
    assert server.asked["/b"] == ["bytes=200000-"]


@pytest.mark.parametrize("answer", [in_chunks, said_to_be_packed])
def test_unusual_bodies(
    server: Mirrors, offered: Offered, folder: Path, watch: Watch, answer: Answer
) -> None:
    offered(server.plan("/a", answer))
    expect_arrived(folder, watch.fetch(folder))


def test_when_all_fails_it_says_what_was_tried_and_what_to_do(
    server: Mirrors, offered: Offered, folder: Path, watch: Watch
) -> None:
    with socket.socket() as taken:  # nobody listens there
        taken.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{taken.getsockname()[1]}/c"
        offered(server.plan("/a", wrong), server.plan("/b", status(404)), closed)
        with pytest.raises(ValueError, match="could not be fetched") as caught:
            watch.fetch(folder)
    told = str(caught.value)
    assert "/a (its checksum is wrong)" in told
    assert "/b (status 404)" in told
    assert f"{closed} (the connection failed: ConnectionError)" in told
    assert "by hand from https://toys.example" in told
    assert told.endswith(f"purrtrait prepare folder {folder / NAME}")
    assert watch.pauses == list(PAUSES_SECONDS)
    assert files(folder) == set()


def test_control_c_keeps_what_has_arrived(
    server: Mirrors, offered: Offered, folder: Path, watch: Watch
) -> None:
    def interrupt(done: int, total: int) -> None:
        if done > 150_000:
            raise KeyboardInterrupt

    offered(server.plan("/a", ranged))
    with pytest.raises(KeyboardInterrupt):
        fetch("toys", folder, interrupt)
    assert files(folder) == {f"{NAME}.part"}
    there = (folder / f"{NAME}.part").stat().st_size
    assert 150_000 < there < 300_000
    expect_arrived(folder, watch.fetch(folder))
    assert server.asked["/a"] == ["", f"bytes={there}-"]


def test_each_archive_of_a_dataset_is_fetched(
    server: Mirrors, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archives = (
        Archive("one.zip", CHECKSUM, (server.plan("/one", whole),)),
        Archive("two.zip", f"md5:{hashlib.md5(OTHER).hexdigest()}", (server.plan("/two", wrong),)),
    )
    monkeypatch.setitem(OFFERS, "toys", Offer(archives, "folder", "https://toys.example"))
    found = fetch("toys", folder, lambda done, total: None)
    assert [path.name for path in found] == ["one.zip", "two.zip"]
    assert [path.read_bytes() for path in found] == [CONTENT, OTHER]


@pytest.mark.parametrize("left", [NAME, f"{NAME}.part"])
def test_without_a_checksum_what_is_left_of_something_else_is_not_used(
    server: Mirrors, folder: Path, left: str
) -> None:
    begin(folder, b"").unlink()
    (folder / left).write_bytes(OTHER[:200_000])
    archive = Archive(NAME, "", (server.plan("/a", ranged),))
    expect_arrived(folder, [fetch_one(archive, folder, Advice("", ""), lambda done, total: None)])
    assert server.asked["/a"] == [""]


def test_the_advice_is_given(server: Mirrors, folder: Path) -> None:
    archive = Archive(NAME, CHECKSUM, (server.plan("/a", status(404)),))
    advice = Advice("Move it.", "ask a friend.")
    with pytest.raises(ValueError, match=r"is continued; or ask a friend\.$"):
        fetch_one(archive, folder, advice, lambda done, total: None)
    (folder / NAME).write_bytes(OTHER)
    with pytest.raises(ValueError, match=rf"expected {CHECKSUM[7:]}\. Move it\.$"):
        fetch_one(archive, folder, advice, lambda done, total: None)


def test_a_folder_that_cannot_be_made(
    server: Mirrors, offered: Offered, tmp_path: Path, watch: Watch
) -> None:
    (tmp_path / "file").touch()
    offered(server.plan("/a", whole))
    with pytest.raises(ValueError, match=r"toys\.tgz cannot be written"):
        watch.fetch(tmp_path / "file")


def test_a_dataset_that_is_not_offered(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"'lfv'. Did you mean 'lfw'\? Known: cat10k"):
        fetch("lfv", folder, lambda done, total: None)
    assert not folder.exists()


def test_nothing_is_written_to_the_terminal(
    server: Mirrors,
    offered: Offered,
    folder: Path,
    watch: Watch,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(logging.getLogger("purrtrait"), "handlers", [])  # what we say ourselves
    offered(server.plan("/a", status(503), whole))
    logger = pooch.get_logger()
    handler = logging.StreamHandler(sys.stderr)
    logger.setLevel(logging.NOTSET)
    logger.addHandler(handler)
    try:
        watch.fetch(folder)
    finally:
        logger.removeHandler(handler)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("name", OFFERS)
def test_the_table_is_sound(name: str) -> None:
    offer = OFFERS[name]
    assert offer.parser in {*PARSERS, "cat10k", "lfw"}
    assert offer.page.startswith("https://")
    for archive in offer.archives:
        algorithm, digits = archive.checksum.split(":")
        assert re.fullmatch(r"[0-9a-f]+", digits)
        assert len(digits) == 2 * hashlib.new(algorithm).digest_size
        assert len(archive.mirrors) >= 2
        assert archive.mirrors[0].startswith("https://")
    every = [a for offer in OFFERS.values() for a in offer.archives]
    assert len({a.name for a in every}) == len({a.checksum for a in every}) == len(every)
