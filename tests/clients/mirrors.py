"""File servers on loopback that act as mirrors, each in one condition.

Each has a port of its own, or all of them are trees of one server.
"""

import re
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

from tests.clients.database import SUBPATH
from tests.clients.packages import Repositories
from tests.clients.recording import Request

JUNK = b"<html><body>This site is for sale</body></html>\n"
REPOMD = "/repodata/repomd.xml"

Journal = list[tuple[int, Request]]


class Condition(StrEnum):
    """What is the matter with a mirror, which the database says is up to date."""

    GOOD = "serves the current repository"
    STALE = "serves yesterday's repository"
    JUNK = "serves the current repository with a page of HTML as repomd.xml"
    SPOILT = "serves the current repository with packages of the right size and wrong bytes"
    MISSING = "answers 404 to everything"
    FAILING = "answers 500 to everything"
    DEAD = "refuses connections"


class Mirror:
    """A mirror as a test sees it: its URLs, its condition and what it was asked."""

    def __init__(
        self, origin: str, tree: str, condition: Condition, place: int, journal: Journal
    ) -> None:
        """Describe the mirror at a place of the list; `tree` is the URL path of its tree."""
        self.tree = tree
        self.tree_url = f"{origin}{tree}"
        self.repository_url = f"{self.tree_url}/{SUBPATH}/"
        self.condition = condition
        self.requests: list[Request] = []
        self._place = place
        self._journal = journal

    def record(self, request: Request) -> None:
        """Keep a request, here and in the journal that all mirrors of a stage share."""
        self.requests.append(request)
        self._journal.append((self._place, request))

    @property
    def repomd_requests(self) -> list[Request]:
        """The requests for repomd.xml alone."""
        return [request for request in self.requests if request.path.endswith(REPOMD)]

    @property
    def package_requests(self) -> list[Request]:
        """The requests for packages alone."""
        return [request for request in self.requests if request.path.endswith(".rpm")]


class _MirrorServer(ThreadingHTTPServer):
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], repositories: Repositories) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, _MirrorHandler)
        self.repositories = repositories
        self.mirrors: Sequence[Mirror] = ()

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a client that went away in the middle; print any other error."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]

    def find(self, path: str) -> Mirror:
        """The mirror in whose tree a path is; the first one without any."""
        inside = (mirror for mirror in self.mirrors if path.startswith(f"{mirror.tree}/"))
        return next(inside, self.mirrors[0])


class _MirrorHandler(BaseHTTPRequestHandler):
    """Answers from a repository's files below a prefix, or fails as the condition says."""

    server: _MirrorServer
    protocol_version = "HTTP/1.1"
    timeout = 30
    # The head and the body are two writes, between which a peer may wait to acknowledge.
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        path = unquote(self.path.partition("?")[0])
        mirror = self.server.find(path)
        mirror.record(Request(self.requestline, tuple(self.headers.items())))
        match mirror.condition:
            case Condition.MISSING:
                self._answer(404, b"no such file\n")
            case Condition.FAILING:
                self._answer(500, b"out of order\n")
            case Condition.JUNK if path.endswith(REPOMD):
                self._answer(200, JUNK)
            case _:
                self._answer_with_file(mirror, path)

    def do_HEAD(self) -> None:
        self.do_GET()

    def _answer_with_file(self, mirror: Mirror, path: str) -> None:
        repositories, stale = self.server.repositories, mirror.condition is Condition.STALE
        folder = (repositories.old if stale else repositories.new).folder
        prefix = f"{mirror.tree}/{SUBPATH}/"
        file = folder / path.removeprefix(prefix).lstrip("/")
        if path.startswith(prefix) and file.is_file():
            self._answer_with_bytes(_read(file, mirror.condition))
        else:
            self._answer(404, b"no such file\n")

    def _answer_with_bytes(self, body: bytes) -> None:
        """Answer with all bytes, or with the one range of them that was asked for."""
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if found is None:
            self._answer(200, body)
            return
        first, last = int(found[1]), min(int(found[2] or len(body)), len(body) - 1)
        if first >= len(body):
            self._answer(416, b"", f"bytes */{len(body)}")
        else:
            self._answer(206, body[first : last + 1], f"bytes {first}-{last}/{len(body)}")

    def _answer(self, status: int, body: bytes, content_range: str | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if content_range is not None:
            self.send_header("Content-Range", content_range)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the mirror keeps its own record."""


def _read(file: Path, condition: Condition) -> bytes:
    body = file.read_bytes()
    if condition is Condition.SPOILT and file.suffix == ".rpm":
        return body[:-1] + bytes([body[-1] ^ 1])
    return body


@contextmanager
def run_mirror(
    condition: Condition,
    repositories: Repositories,
    tree: str,
    *,
    host: str = "127.0.0.1",
    place: int = 0,
    journal: Journal | None = None,
) -> Iterator[Mirror]:
    """Run one mirror, with the repository below its tree, until the block ends."""
    journal = [] if journal is None else journal
    if condition is Condition.DEAD:
        with reserve_port(host) as port:
            yield Mirror(f"http://{join(host, port)}", tree, condition, place, journal)
        return
    with _run_server(host, repositories) as server:
        origin = f"http://{join(host, server.server_port)}"
        server.mirrors = (mirror,) = (Mirror(origin, tree, condition, place, journal),)
        yield mirror


@contextmanager
def run_mirrors_together(
    conditions: Sequence[Condition],
    repositories: Repositories,
    tree: str,
    *,
    host: str = "127.0.0.1",
    journal: Journal,
) -> Iterator[tuple[Mirror, ...]]:
    """Run many mirrors as trees of one server, `/0/fedora` and so on; none can be dead."""
    assert Condition.DEAD not in conditions
    with _run_server(host, repositories) as server:
        origin = f"http://{join(host, server.server_port)}"
        server.mirrors = mirrors = tuple(
            Mirror(origin, f"/{place}{tree}", condition, place, journal)
            for place, condition in enumerate(conditions)
        )
        yield mirrors


@contextmanager
def reserve_port(host: str) -> Iterator[int]:
    """A port that is bound and never listens: it refuses all, and nobody else gets it."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as reserved:
        reserved.bind((host, 0))
        yield reserved.getsockname()[1]


def join(host: str, port: int) -> str:
    """An address and a port as they stand in a URL."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@contextmanager
def _run_server(host: str, repositories: Repositories) -> Iterator[_MirrorServer]:
    with _MirrorServer((host, 0), repositories) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
