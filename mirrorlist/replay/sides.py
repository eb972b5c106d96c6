"""The two sides of a replay: each is a running server, or a snapshot file without a server."""

import http.client
import re
import threading
import time
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import msgspec
from msgspec.structs import replace

from mirrorlist.catalog.urls import REDIRECT_PROTOCOLS, make_url
from mirrorlist.errors import OptionError, QueryError, StartError
from mirrorlist.lists.explanation import Explanation
from mirrorlist.replay.deadlines import Deadlines
from mirrorlist.replay.meaning import Meaning, SeenAnswer, host_of, parse
from mirrorlist.replay.request import Request
from mirrorlist.request.client import Trust
from mirrorlist.request.geo import Geo
from mirrorlist.service import Service, Tuning
from mirrorlist.store import Store
from snapshot.file.reasons import Reason
from snapshot.file.text import without_userinfo

SECONDS = 30.0
# For comparison: a list of all mirrors in the world has about 100 KB.
MOST_BODY_BYTES = 16 << 20
# After this many requests in a row without an answer, the server counts as gone.
MOST_SILENT = 20
_ADDRESS = re.compile(r"[^/]+:\d+(/.*)?")


class Side(Protocol):
    """One of the two sides; if `is_ours`, it is this server and can explain its answers."""

    name: str
    is_ours: bool

    def ask(self, request: Request) -> SeenAnswer:
        """Return one answer; status 0 if there was none."""

    def explain(self, request: Request) -> Explanation | None:
        """Return why it answers so; None if it cannot say, or the answer is an error."""


def open_side(text: str, geo: Geo, minimum: int) -> Side:
    """Return the side that an option names; raises OperatorError or SnapshotError."""
    if text.startswith(("http://", "https://")):
        return ServerSide(text)
    if "://" in text or (_ADDRESS.fullmatch(text) and not Path(text).exists()):
        raise OptionError(
            f"--against {without_userinfo(text)}: neither a snapshot file nor http://... or https://..."
        )
    return SnapshotSide(Path(text), geo, minimum)


class SnapshotSide:
    """A snapshot file, answered from in this process."""

    is_ours = True

    def __init__(self, path: Path, geo: Geo, minimum: int) -> None:
        """Open the snapshot."""
        self.name = str(path)
        self._service = Service(Store(path, None), geo, Trust(), time.time, Tuning(minimum))

    def ask(self, request: Request) -> SeenAnswer:
        """Return one answer."""
        found = self._service.respond(
            request.is_metalink, request.query.encode(), "127.0.0.1", _lines(request)
        )
        body = found.body.decode(errors="replace")
        return SeenAnswer(found.status, found.content_type, found.location, body)

    def explain(self, request: Request) -> Explanation | None:
        """Return why it answers so."""
        try:
            return self._service.explain(
                request.query.encode(), "127.0.0.1", _lines(request), request.is_metalink
            )
        except QueryError:
            return None


class ServerSide:
    """A running server; each thread has a connection of its own."""

    def __init__(self, url: str) -> None:
        """Take the server's URL; raises StartError if it does not answer."""
        # Without a password, because the name is printed in reports.
        self.name = url = without_userinfo(url)
        parts = urlsplit(url)
        self._host, self._prefix = parts.netloc.rpartition("@")[2], parts.path.rstrip("/")
        self._secure = parts.scheme == "https"
        self._mine = threading.local()
        self._deadlines = Deadlines(SECONDS)
        self._silent = 0
        status, body = self._get("/health/ready", {})
        if not status:
            raise StartError(f"{url}: gives no answer: {body.decode()}")
        # Only this server has /health/ready with the snapshot's id, and so /explain too.
        self.is_ours = status == http.client.OK and b'"snapshot"' in body

    def ask(self, request: Request) -> SeenAnswer:
        """Return one answer; raises StartError after too many requests without one."""
        try:
            response, body = self._exchange(self._prefix + request.target, _headers(request))
        except (OSError, ValueError, http.client.HTTPException) as error:
            return self._no_answer(error)
        self._silent = 0
        location = response.getheader("Location")
        return SeenAnswer(
            response.status,
            response.getheader("Content-Type"),
            # mirrorlist-server sends letters beyond ASCII in this header as UTF-8; http.client
            # decodes headers as Latin-1.
            location and location.encode("latin-1").decode(errors="replace"),
            body.decode(errors="replace"),
        )

    def explain(self, request: Request) -> Explanation | None:
        """Return why it answers so, if it is this server."""
        if not self.is_ours:
            return None
        target = f"{request.path}/explain?{request.query}"
        status, body = self._get(target, _headers(request))
        try:
            return msgspec.json.decode(body, type=Explanation) if status == 200 else None
        except (msgspec.DecodeError, RecursionError):
            return None

    def _no_answer(self, error: Exception) -> SeenAnswer:
        # A single answer that is cut short, or a reset, is a difference to report. A server that is
        # gone ends the replay.
        self._silent += 1
        if self._silent >= MOST_SILENT:
            raise StartError(f"{self.name}: gives no answer any more: {error}") from error
        return SeenAnswer(0, body=f"no answer: {type(error).__name__}")

    def _get(self, target: str, headers: dict[str, str]) -> tuple[int, bytes]:
        try:
            response, body = self._exchange(self._prefix + target, headers)
        except (OSError, ValueError, http.client.HTTPException) as error:
            return 0, str(error).encode()
        return response.status, body

    def _exchange(
        self, target: str, headers: dict[str, str]
    ) -> tuple[http.client.HTTPResponse, bytes]:
        connection = self._connection()
        try:
            if connection.sock is None:
                connection.connect()
            with self._deadlines.over(connection.sock):
                connection.request("GET", target, headers=headers)
                response = connection.getresponse()
                return response, _body(response)
        except BaseException:
            connection.close()
            raise

    def _connection(self) -> http.client.HTTPConnection:
        found: http.client.HTTPConnection | None = getattr(self._mine, "connection", None)
        if found is None:
            kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
            found = self._mine.connection = kind(self._host, timeout=SECONDS)
        return found


class Drawing:
    """A side that is seen by single answers, each of which is one draw."""

    def __init__(self, side: Side) -> None:
        """Take the side."""
        self._side = side

    def see(self, request: Request, asks: int) -> Meaning:
        """Return what one answer means; its order is tiers of one host each."""
        single = parse(self._side.ask(request))
        order = tuple(frozenset((name,)) for name in single.order)
        return replace(single.meaning, tiers=order)


class Describing:
    """A server of this project: it explains which other draws its answer could have had."""

    def __init__(self, side: Side) -> None:
        """Take the side."""
        self._side = side

    def see(self, request: Request, asks: int) -> Meaning:
        """Return what an answer means, with its tiers and all URLs that a redirect may have."""
        meaning = parse(self._side.ask(request)).meaning
        explanation = self._side.explain(request)
        if explanation is None:
            return meaning
        left_out = [one for one in explanation.excluded if one.code is Reason.OTHER_COUNTRIES]
        return replace(
            meaning,
            tiers=_tiers(explanation),
            redirects=_redirects(explanation) if meaning.redirects else meaning.redirects,
            for_other_countries=len(left_out),
        )


def _tiers(explanation: Explanation) -> tuple[frozenset[str], ...]:
    """The host names in the URLs of each tier, because an answer shows no other names."""
    tiers = groupby(explanation.hosts, key=lambda host: host.tier)
    return tuple(
        frozenset(host_of(url) for host in hosts for url in host.urls) for _, hosts in tiers
    )


def _redirects(explanation: Explanation) -> frozenset[str]:
    for _, hosts in groupby(explanation.hosts, key=lambda host: host.tier):
        found = {_first_of_web(host.urls) for host in hosts} - {None}
        if found:
            return frozenset(url for url in found if url is not None)
    return frozenset()


def _first_of_web(urls: Iterable[str]) -> str | None:
    return next((url for url in urls if make_url(url).protocol in REDIRECT_PROTOCOLS), None)


def _body(response: http.client.HTTPResponse) -> bytes:
    body = response.read(MOST_BODY_BYTES + 1)
    if len(body) > MOST_BODY_BYTES:
        raise ValueError(f"an answer of more than {MOST_BODY_BYTES:,} bytes")
    return body


def _lines(request: Request) -> list[bytes]:
    return [] if request.forwarded is None else [request.forwarded.encode("latin-1")]


def _headers(request: Request) -> dict[str, str]:
    return {} if request.forwarded is None else {"X-Forwarded-For": request.forwarded}
