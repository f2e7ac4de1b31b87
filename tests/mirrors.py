"""A server on this machine whose answers are planned, for tests of what is fetched."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TypeAlias


class Request(BaseHTTPRequestHandler):
    """A request to the test's server, and words to answer it in."""

    server: Mirrors

    def do_GET(self) -> None:
        """Answer as planned for this path; the last plan stays."""
        self.server.asked[self.path].append(self.headers.get("Range", ""))
        plan = self.server.plans[self.path]
        (plan.pop(0) if len(plan) > 1 else plan[0])(self)

    def answer(self, status: int, body: bytes, **headers: object) -> None:
        """Send a status, headers and a body; note how long it was."""
        self.send_response(status)
        told = {"Content-Length": len(body), **{k.replace("_", "-"): v for k, v in headers.items()}}
        for name, value in told.items():
            self.send_header(name, str(value))
        # Before anything is written: whoever has read it, or headers without a body, looks at once.
        self.server.sent[self.path].append(len(body))
        self.end_headers()
        self.wfile.write(body)

    def first(self) -> int:
        """The first byte that is wanted."""
        return int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class Mirrors(ThreadingHTTPServer):
    """A server whose paths each have a plan; remembers the ranges asked for and the bytes sent."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.plans: dict[str, list[Answer]] = {}
        self.asked: dict[str, list[str]] = defaultdict(list)
        self.sent: dict[str, list[int]] = defaultdict(list)

    def plan(self, path: str, *answers: Answer) -> str:
        """Make a path of the server, to be answered so; its address."""
        self.plans[path] = list(answers)
        return f"http://127.0.0.1:{self.server_port}{path}"

    def handle_error(self, request: object, address: object) -> None:
        """A client that went away is no news."""


Answer: TypeAlias = Callable[[Request], None]


def ranges(request: Request, content: bytes) -> None:
    """Honour Range as RFC 9110 has it."""
    first = request.first()
    if first == 0:
        request.answer(200, content)
    elif first >= len(content):
        request.answer(416, b"", Content_Range=f"bytes */{len(content)}")
    else:
        told = f"bytes {first}-{len(content) - 1}/{len(content)}"
        request.answer(206, content[first:], Content_Range=told)


def status(number: int) -> Answer:
    return lambda request: request.answer(number, b"no")


def moved(address: str) -> Answer:
    return lambda request: request.answer(302, b"", Location=address)


@contextmanager
def serving() -> Iterator[Mirrors]:
    """Run a server until the block ends."""
    with Mirrors() as mirrors:
        thread = threading.Thread(target=mirrors.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield mirrors
        finally:
            mirrors.shutdown()
            thread.join()
