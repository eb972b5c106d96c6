"""File servers on loopback that act as mirrors, each on its own port, each in one condition."""

import socket
import threading
from collections.abc import Iterator
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


class Condition(StrEnum):
    """What is the matter with a mirror, which the database says is up to date."""

    GOOD = "serves the current repository"
    STALE = "serves yesterday's repository"
    JUNK = "serves the current repository with a page of HTML as repomd.xml"
    MISSING = "answers 404 to everything"
    FAILING = "answers 500 to everything"
    DEAD = "refuses connections"


class Mirror:
    """A mirror as a test sees it: its URLs, its condition and what it was asked."""

    def __init__(self, port: int, tree: str, condition: Condition) -> None:
        """Describe a mirror on a loopback port whose tree starts at the URL path `tree`."""
        self.tree_url = f"http://127.0.0.1:{port}{tree}"
        self.repository_url = f"{self.tree_url}/{SUBPATH}/"
        self.condition = condition
        self.requests: list[Request] = []

    @property
    def repomd_requests(self) -> list[Request]:
        """The requests for repomd.xml alone."""
        return [request for request in self.requests if request.path.endswith(REPOMD)]

    @property
    def package_requests(self) -> list[Request]:
        """The requests for packages alone."""
        return [request for request in self.requests if request.path.endswith(".rpm")]


class _MirrorServer(ThreadingHTTPServer):
    mirror: Mirror
    files: Path
    prefix: str


class _MirrorHandler(BaseHTTPRequestHandler):
    """Answers from a repository's files below a prefix, or fails as the condition says."""

    server: _MirrorServer
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_GET(self) -> None:
        headers = tuple(self.headers.items())
        self.server.mirror.requests.append(Request(self.requestline, headers))
        match self.server.mirror.condition:
            case Condition.MISSING:
                self._answer(404, b"no such file\n")
            case Condition.FAILING:
                self._answer(500, b"out of order\n")
            case Condition.JUNK if self.path.endswith(REPOMD):
                self._answer(200, JUNK)
            case _:
                self._answer_with_file()

    def _answer_with_file(self) -> None:
        path = unquote(self.path)
        file = self.server.files / path.removeprefix(self.server.prefix).lstrip("/")
        if path.startswith(self.server.prefix) and file.is_file():
            self._answer(200, file.read_bytes())
        else:
            self._answer(404, b"no such file\n")

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the mirror keeps its own record."""


@contextmanager
def run_mirror(condition: Condition, repositories: Repositories, tree: str) -> Iterator[Mirror]:
    """Run one mirror, with the repository below its tree, until the block ends."""
    if condition is Condition.DEAD:
        # Bound but never listening: refuses every connection, and nobody else gets the port.
        with socket.socket() as reserved:
            reserved.bind(("127.0.0.1", 0))
            yield Mirror(reserved.getsockname()[1], tree, condition)
        return
    stale = condition is Condition.STALE
    with _MirrorServer(("127.0.0.1", 0), _MirrorHandler) as server:
        server.mirror = Mirror(server.server_port, tree, condition)
        server.files = (repositories.old if stale else repositories.new).folder
        server.prefix = f"{tree}/{SUBPATH}/"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield server.mirror
        finally:
            server.shutdown()
            thread.join()
