"""Fetches archives: mirrors in order, resumed, and checked by their sums."""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urljoin, urlsplit

import pooch
import requests
from urllib3.exceptions import HTTPError

from purrtrait.datasets.archive import checksum
from purrtrait.datasets.offers import Archive, Offer, offered

PIECE_BYTES = 2**16
TIMEOUT_SECONDS = (10, 60)  # until the server is reached, and between two pieces
PAUSES_SECONDS = (1, 2, 4)  # before a mirror that failed is asked again
BUSY = frozenset({408, 429})  # statuses that pass, as all from 500 do
WRONG_RANGE = 416
LOCAL = {"127.0.0.1", "::1", "localhost"}

log = logging.getLogger(__name__)

ReportBytes: TypeAlias = Callable[[int, int], None]  # bytes of the archive that are here, and all
Pause: TypeAlias = Callable[[float], None]  # waits so many seconds


class _Passing(Exception):  # noqa: N818 - a state of the network
    """A failure that may have passed when the mirror is asked again."""


class _Refused(Exception):  # noqa: N818 - the mirror's answer
    """The mirror does not have the archive."""


@dataclass(frozen=True)
class Advice:
    """What somebody can do by hand: with another file in the place, and where no mirror helps."""

    taken: str
    failed: str


def fetch(name: str, folder: Path, progress: ReportBytes, pause: Pause = time.sleep) -> list[Path]:
    """Return the archives of the dataset ``name``, in ``folder``: there already, or fetched.

    Each is as ``fetch_one`` gives it. ValueError says what was tried and how to get the archive by
    hand.
    """
    offer = offered(name)
    return [
        fetch_one(archive, folder, _advice(archive, offer, folder), progress, pause)
        for archive in offer.archives
    ]


def _advice(archive: Archive, offer: Offer, folder: Path) -> Advice:
    target = folder / archive.name
    source = folder if len(offer.archives) > 1 else target
    return Advice(
        f"Use it as it is with `purrtrait prepare {offer.parser} {target}`, or move it away to "
        "fetch the official one.",
        f"get it by hand from {offer.page}, put it into {folder} and run: purrtrait prepare "
        f"{offer.parser} {source}",
    )


def fetch_one(
    archive: Archive,
    folder: Path,
    advice: Advice,
    progress: ReportBytes,
    pause: Pause = time.sleep,
) -> Path:
    """Return an archive in ``folder``: there already, or fetched.

    It appears whole and checked, or not at all; what has arrived of it waits beside it in
    ``NAME.part``, to be continued by a later call. Nothing is overwritten. Without a checksum
    nothing would tell an old part from that of another file: what is there is fetched anew.
    ValueError says what was tried, and the advice.
    """
    target = folder / archive.name
    try:
        if not archive.checksum:
            _clear(target)
        if target.exists():
            _expect_official(target, archive, advice)
        else:
            _try_mirrors(archive, folder, advice, progress, pause)
    except OSError as error:
        raise ValueError(
            f"{target} cannot be written ({error.strerror or error}): choose a folder that is "
            "yours, on a disk with enough room."
        ) from error
    log.info("%s is here (%s)", target, archive.checksum or "unchecked")
    return target


def _clear(target: Path) -> None:
    for path in (target, _part(target)):
        path.unlink(missing_ok=True)


def _part(target: Path) -> Path:
    return target.with_name(f"{target.name}.part")


def _expect_official(target: Path, archive: Archive, advice: Advice) -> None:
    algorithm, expected = archive.checksum.split(":")
    found = checksum(target, algorithm)
    if found != expected:
        raise ValueError(
            f"{target} is there already and is not the official file: its {algorithm} is {found}, "
            f"expected {expected}. {advice.taken}"
        )


def _try_mirrors(
    archive: Archive, folder: Path, advice: Advice, progress: ReportBytes, pause: Pause
) -> None:
    failures = []
    for url in archive.mirrors:
        try:
            _from_mirror(url, archive, folder, progress, pause)
        except (_Passing, _Refused) as error:
            failures.append(f"{url} ({error})")
            log.warning("%s could not be fetched from %s: %s", archive.name, url, error)
        else:
            return
    later = ", and what has arrived is continued" if archive.checksum else ""
    raise ValueError(
        f"{archive.name} could not be fetched. Tried {', '.join(failures)}. Try again later{later}"
        f"; or {advice.failed}"
    )


def _from_mirror(
    url: str, archive: Archive, folder: Path, progress: ReportBytes, pause: Pause
) -> None:
    """Fetch and check the archive; failures in a row are counted anew when more has arrived."""
    pooch.get_logger().setLevel(logging.WARNING)  # it would write to the terminal
    part = _part(folder / archive.name)
    furthest = _size(part)
    begun_elsewhere = furthest > 0
    pauses = iter(PAUSES_SECONDS)
    while True:
        try:
            # A downloader of our own, since those of pooch begin anew each time.
            downloader = partial(_download, part=part, progress=progress, most=archive.most_bytes)
            known = archive.checksum or None
            pooch.retrieve(url, known, archive.name, folder, downloader=downloader)
            return
        except _Passing as error:
            if _size(part) > furthest:
                furthest, pauses = _size(part), iter(PAUSES_SECONDS)
            seconds = next(pauses, None)
            if seconds is None:
                raise
            log.info("%s: %s; asking again in %d seconds", url, error, seconds)
            pause(seconds)
        except ValueError as error:  # pooch: the checksum is another; what was fetched is deleted
            if not begun_elsewhere:
                raise _Refused("its checksum is wrong") from error
            begun_elsewhere = False  # the fault may lie in the part: once more, the whole


def _download(
    url: str, whole: str, _caller: object, part: Path, progress: ReportBytes, most: int
) -> None:
    """Fetch the file at ``url`` by way of ``part``, which becomes ``whole`` when it is complete."""
    try:
        _complete(url, part, progress, most)
    except (requests.RequestException, HTTPError) as error:
        raise _Passing(f"the connection failed: {type(error).__name__}") from error
    part.replace(whole)


def _complete(url: str, part: Path, progress: ReportBytes, most: int) -> None:
    """Fetch what ``part`` lacks, or the whole if the server gives only that; ``most`` bytes."""
    with _ask(url, _size(part)) as response:
        start, total = _extent(response)
        if response.status_code == WRONG_RANGE:
            if total == _size(part):
                return
            part.unlink()
            _complete(url, part, progress, most)
            return
        part.touch()
        with part.open("r+b") as file:
            file.seek(start)
            file.truncate()
            # Not iter_content: it would unpack a .tgz that is announced as a compressed tar.
            for piece in response.raw.stream(PIECE_BYTES, decode_content=False):
                if max(total, file.tell() + len(piece)) > most:
                    raise _Refused(f"there is more of it than {most:,} bytes")
                file.write(piece)
                progress(file.tell(), max(total, file.tell()))
            file.flush()
            os.fsync(file.fileno())
            if file.tell() < total:
                raise _Passing(f"broke off after {file.tell():,} of {total:,} bytes")


def _ask(url: str, have: int) -> requests.Response:
    """Return the server's answer to a request for all but the first ``have`` bytes."""
    wanted = {"Range": f"bytes={have}-"} if have else {}
    headers = {"Accept-Encoding": "identity", **wanted}
    response = requests.get(
        url,
        headers=headers,
        stream=True,
        timeout=TIMEOUT_SECONDS,
        hooks={"response": _expect_private_way},
    )
    status = response.status_code
    if response.ok or (status == WRONG_RANGE and have):
        return response
    response.close()
    kind = _Passing if status >= 500 or status in BUSY else _Refused
    raise kind(f"status {status}")


def _expect_private_way(response: requests.Response, *_: object, **__: object) -> None:
    """Refuse to be led from where nobody else has a hand in it to where others have."""
    target = urljoin(response.url, response.headers.get("Location", ""))
    if response.is_redirect and private(response.url) and not private(target):
        response.close()
        raise _Refused(f"it leads on to {target}, which is not encrypted")


def private(address: str) -> bool:
    """Whether nobody on the way can change what comes from an address."""
    parts = urlsplit(address)
    return parts.scheme == "https" or parts.hostname in LOCAL


def _extent(response: requests.Response) -> tuple[int, int]:
    """Where the bytes of the answer begin in the file, and the file's size, 0 if it is not told."""
    told = response.headers.get("Content-Range", "")
    if within := re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)", told):
        return int(within[1] or 0), int(within[2].replace("*", "0"))
    return 0, int(response.headers.get("Content-Length", 0))


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
