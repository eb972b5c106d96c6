"""Where answers come from: a server over HTTP, or the app in this process; asked repeatedly."""

import http.client
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from mirrorlist.records.accesslog import AccessLog
from mirrorlist.records.logline import LogEntry
from mirrorlist.replay.meaning import Meaning, SeenAnswer
from mirrorlist.replay.request import Request
from mirrorlist.web.app import App
from tests.asgi import call
from tests.comparison.piles import Pile
from tests.live import Server, take_log

SECONDS = 30.0
_DATE = re.compile(r"DATE: \d{4}-\d\d-\d\d; ")


class RequestLog:
    """A server's request log, read as it grows."""

    def __init__(self, path: Path | None) -> None:
        """Take the file, which need not be there yet, or None for a log that nobody sees."""
        self._path = path
        self._size = path.stat().st_size if path and path.exists() else 0

    def news(self) -> str | None:
        """Return what was written since the last look, without the dates; None if unseen."""
        if self._path is None:
            return None
        if not self._path.exists():
            return ""
        with self._path.open("rb") as file:
            file.seek(self._size)
            written = file.read()
        self._size += len(written)
        return _DATE.sub("", written.decode())


class TakenLog(RequestLog):
    """The request log of a server of ours, which writes it by itself only once a second."""

    def __init__(self, server: Server, path: Path) -> None:
        """Take a server with one worker, and its log."""
        super().__init__(path)
        self._server = server
        self._file = path

    def news(self) -> str:
        """Return what was written since the last look, without the dates."""
        return _DATE.sub("", take_log(self._server, self._file).decode())


class Asker(Protocol):
    """Something that gives one answer to one request."""

    def ask(self, request: Request) -> SeenAnswer:
        """Return an answer, with a new draw each time."""


class OverHttp:
    """A running server, asked from loopback on one connection."""

    def __init__(self, url: str, log: RequestLog | None = None) -> None:
        """Take the server's URL, and its request log if it can be read here."""
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(
            parts.hostname or "127.0.0.1", parts.port or 80, timeout=SECONDS
        )
        self._prefix = parts.path.rstrip("/")
        self._log = log or RequestLog(None)

    def ask(self, request: Request) -> SeenAnswer:
        """Return an answer; a connection that ends without one has the status 0."""
        connection = self._connection
        headers = {} if request.forwarded is None else {"X-Forwarded-For": request.forwarded}
        try:
            connection.request(request.method, self._prefix + request.target, headers=headers)
            response = connection.getresponse()
            body = response.read().decode()
        except (http.client.RemoteDisconnected, ConnectionResetError):
            connection.close()
            return SeenAnswer(0, log=self._log.news())
        location = response.getheader("Location")
        return SeenAnswer(
            response.status,
            response.getheader("Content-Type"),
            # mirrorlist-server's may have letters that are not ASCII, in UTF-8.
            location and location.encode("latin-1").decode(),
            body,
            self._log.news(),
        )


class MemoryLog(AccessLog):
    """A request log whose lines wait for the one who asks, and never come into the file."""

    def __init__(self, path: Path) -> None:
        """Take a path where a file may be."""
        super().__init__(str(path))
        self._lines_since: list[str] = []

    def write(self, entry: LogEntry, now: float) -> None:
        """Keep an entry's line."""
        self._lines_since.append(self._make_line(entry, now))

    def news(self) -> str:
        """Return what was written since the last look, without the dates."""
        news = _DATE.sub("", "".join(self._lines_since))
        self._lines_since.clear()
        return news


class InProcess:
    """Apps that draw from a sequence of their own each, asked in turn."""

    def __init__(self, apps: Sequence[App], log: MemoryLog) -> None:
        """Take the apps and the request log that all of them write."""
        self._apps = apps
        self._log = log
        self._asked: dict[Request, int] = defaultdict(int)

    def ask(self, request: Request) -> SeenAnswer:
        """Return an answer; the nth to the same request is always the same."""
        app = self._apps[self._asked[request] % len(self._apps)]
        self._asked[request] += 1
        headers = []
        if request.forwarded is not None:
            headers.append((b"x-forwarded-for", request.forwarded.encode("latin-1")))
        found = call(app, request.target.encode(), method=request.method, headers=headers)
        kept = {name.lower(): value for name, value in found.headers.items()}
        return SeenAnswer(
            found.status,
            kept.get("content-type"),
            kept.get("location"),
            found.body.decode(),
            self._log.news(),
        )


class Asked:
    """A source that asks as often as it must, and keeps what it saw."""

    def __init__(self, asker: Asker) -> None:
        """Take whom to ask."""
        self._asker = asker
        self._piles: dict[Request, Pile] = defaultdict(Pile)

    def see(self, request: Request, asks: int) -> Meaning:
        """Return what at least `asks` answers have in common."""
        pile = self._piles[request]
        while pile.count < asks:
            pile.add(self._asker.ask(request))
        return pile.meaning()

    def forget(self) -> None:
        """Forget what was seen so far."""
        self._piles.clear()
