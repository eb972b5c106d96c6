"""Gets one small file over HTTP: its redirects, its limits, and the certificate's end."""

import os
import socket
import ssl
import time
import urllib.request
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any, NamedTuple
from urllib.parse import quote, urljoin, urlsplit

import aiohttp
from msgspec import Struct

from snapshot.file.text import printable
from snapshot.sites.content import Content, Reader
from snapshot.sites.inside import Inside
from snapshot.sites.names import LookUp, Names, look_up
from snapshot.sites.parts import WAYS, Part, Way

MOST_AT_ONCE = 64
MOST_OF_A_HOST = 4
CONNECT_SECONDS, SILENT_SECONDS, MOST_SECONDS, URL_SECONDS = 10, 10, 15, 25
PAUSE_SECONDS = 2
TRIES = 3
CERTIFICATE = "certificate: "
"""How the error for a certificate begins that clients refuse."""
REDIRECTS = 5
CODES = (301, 302, 303, 307, 308)
_BUSY = 429
UNCHANGED = 304
# As long as those that servers make of a time and a size, ten times over.
_MOST_ETAG = 500


class Limits(Struct, frozen=True):
    """How much at most; tests make it smaller."""

    at_once: int = MOST_AT_ONCE
    of_a_host: int = MOST_OF_A_HOST
    connect: float = CONNECT_SECONDS
    silent: float = SILENT_SECONDS
    seconds: float = MOST_SECONDS
    url_seconds: float = URL_SECONDS
    pause: float = PAUSE_SECONDS
    tries: int = TRIES
    look_up: LookUp = look_up


class Question(NamedTuple):
    """A file below a URL, and the ETag that it had; a reply with the status 304 says the same.

    `family` is IPv4 or IPv6, as in `socket`, or 0 if it does not matter.
    """

    url: str
    path: str
    is_repomd: bool = True
    etag: str | None = None
    family: int = 0

    @property
    def host(self) -> str | None:
        """The name or address in its URL."""
        return urlsplit(self.url).hostname


class Reply(NamedTuple):
    """What came: a file, or the status of an answer without one, or why there was no answer.

    `is_final`: asking again at once would tell nothing else.
    """

    content: Content | None = None
    status: int | None = None
    error: str | None = None
    tls_expires: int | None = None
    etag: str | None = None
    is_final: bool = False
    tries: int = 1
    lacks: str | None = None
    """Which file that a repomd.xml names is not there or not whole, if that is known."""


Slot = Callable[[str | None], AbstractAsyncContextManager[None]]
"""A place for one request to a host, which is waited for."""


class Getter:
    """Connections to mirrors; a context for all requests of a probe."""

    def __init__(self, most: int, agent: str, limits: Limits, slot: Slot, inside: Inside) -> None:
        """Take how many bytes a file may have, and where redirects may lead."""
        self._most, self._agent, self._limits, self._slot = most, agent, limits, slot
        self._inside = inside
        self.reader = Reader()
        self._stack = AsyncExitStack()
        self._sessions: dict[int, aiohttp.ClientSession] = {}
        self.names = Names(limits.look_up)
        self.spent: dict[str, float] = defaultdict(float)
        """Seconds of all requests to a URL; where requests wait for a place does not count."""

    async def __aenter__(self) -> "Getter":
        self._stack.push_async_callback(self.names.close)
        return self

    async def __aexit__(self, *about: Any) -> None:
        await self._stack.aclose()

    async def get(self, question: Question) -> Reply:
        """Return the reply to a question, whatever happens."""
        reply = await self._get(question)
        return reply._replace(
            error=shown(reply.error) if reply.error else None, etag=_usable(reply.etag)
        )

    async def lacks(self, question: Question, part: Part) -> str | None:
        """Return why a file that the answer names is not there whole; None if nothing tells."""
        why = None
        for way in WAYS:

            async def look(answer: aiohttp.ClientResponse) -> Reply:
                return Reply(lacks=part.trouble(answer.status, answer.headers))

            try:
                found = await self._follow(question, part.path, way, look)
            except (TimeoutError, aiohttp.ClientError, OSError, ValueError):
                return None
            if found.lacks is None:
                return None
            why = shown(found.lacks)
        return why

    async def _get(self, question: Question) -> Reply:
        etag = {"If-None-Match": question.etag} if question.etag else {}
        try:
            return await self._follow(
                question,
                question.path,
                Way("GET", etag),
                lambda answer: self._reply(answer, question),
            )
        except TimeoutError:
            # A lost packet was sent again several times meanwhile.
            return Reply(error="no answer in time", is_final=True)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            why = explain(error)
            return Reply(error=why, is_final=why.startswith(CERTIFICATE))

    def _session(self, family: int) -> aiohttp.ClientSession:
        if family not in self._sessions:
            connector = aiohttp.TCPConnector(
                limit=self._limits.at_once,
                family=socket.AddressFamily(family),
                resolver=self.names,
                use_dns_cache=False,
            )
            self._sessions[family] = aiohttp.ClientSession(
                connector=connector,
                # Only the bytes as they are have the primary's sum, and no small answer may
                # become a large one.
                headers={"User-Agent": self._agent, "Accept-Encoding": "identity"},
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                response_class=_Response,
                trust_env=bool(urllib.request.getproxies()),
            )
            self._stack.push_async_callback(self._sessions[family].close)
        return self._sessions[family]

    async def _follow(
        self,
        question: Question,
        path: str,
        way: Way,
        read: Callable[[aiohttp.ClientResponse], Awaitable[Reply]],
    ) -> Reply:
        session, url = self._session(question.family), f"{question.url}/{quote(path)}"
        left = self._limits.seconds
        for _ in range(REDIRECTS + 1):
            async with self._slot(urlsplit(url).hostname):
                begun = time.monotonic()
                try:
                    async with session.request(
                        way.method,
                        url,
                        headers=way.headers,
                        allow_redirects=False,
                        timeout=self._timeout(left),
                    ) as answer:
                        if answer.status not in CODES:
                            return await read(answer)
                        target = urljoin(url, answer.headers.get("Location", ""))
                finally:
                    took = time.monotonic() - begun
                    self.spent[question.url] += took
                left = max(left - took, 0.01)
            if why := await self._refused(target):
                return Reply(error=why, is_final=True)
            url = target
        return Reply(error=f"more than {REDIRECTS} redirects", is_final=True)

    def _timeout(self, left: float) -> aiohttp.ClientTimeout:
        limits = self._limits
        return aiohttp.ClientTimeout(
            total=left, sock_connect=limits.connect, sock_read=limits.silent
        )

    async def _reply(self, answer: aiohttp.ClientResponse, question: Question) -> Reply:
        expires = getattr(answer, "tls_expires", None)
        if answer.status >= 500 or answer.status == _BUSY:
            final = answer.status == _BUSY
            error = f"status {answer.status}"
            return Reply(error=error, status=answer.status, tls_expires=expires, is_final=final)
        if answer.status == UNCHANGED and not question.etag:
            error = f"status {UNCHANGED}, which says nothing, because no ETag was sent"
            return Reply(error=error, status=UNCHANGED, tls_expires=expires, is_final=True)
        if answer.status != 200:
            return Reply(status=answer.status, tls_expires=expires)
        if (coding := answer.headers.get("Content-Encoding", "identity")) != "identity":
            error = f"an answer in the coding {coding:.20}, which was not asked for"
            return Reply(error=error, tls_expires=expires, is_final=True)
        data = bytearray()
        async for chunk in answer.content.iter_any():
            data += chunk
            if len(data) > self._most:
                # An answer that is too long is an answer: it is not what should be there.
                content = Content("", None, f"more than {self._most:,} bytes")
                return Reply(content=content, status=200, tls_expires=expires)
        content = self.reader.read(bytes(data), question.is_repomd)
        etag = answer.headers.get("ETag")
        return Reply(content=content, status=200, tls_expires=expires, etag=etag)

    async def _refused(self, target: str) -> str | None:
        """Return why a redirect is not followed, or None."""
        parts = urlsplit(target)
        if parts.scheme not in ("http", "https"):
            return f"a redirect to {parts.scheme:.20}: is not followed"
        if self._inside.allows(target) or not await self.names.is_inside(parts.hostname):
            return None
        return f"a redirect into a private network: {target:.100}"


class _Response(aiohttp.ClientResponse):
    """Knows when the certificate ends, also where an answer without a body frees its connection."""

    tls_expires: int | None = None

    async def start(self, connection: Any) -> aiohttp.ClientResponse:
        """Note the end of the certificate, and read the head."""
        transport = connection.transport
        certificate = transport.get_extra_info("peercert") if transport else None
        end = certificate.get("notAfter") if certificate else None
        self.tls_expires = int(ssl.cert_time_to_seconds(end)) if end else None
        return await super().start(connection)


def explain(error: Exception) -> str:
    """Return why a request failed, in a few words."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"{CERTIFICATE}{getattr(error.certificate_error, 'verify_message', error)}"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "its name does not resolve"
    if isinstance(error, aiohttp.ClientConnectorError) and error.os_error.errno:
        return os.strerror(error.os_error.errno)
    return shown(str(error)) or type(error).__name__


def shown(text: str) -> str:
    """Return words of a mirror in a short line, which a terminal and a database can hold."""
    return printable(" ".join(text.split()))[:200]


def _usable(etag: str | None) -> str | None:
    """Return an ETag; None for one that a database or the next request could not hold."""
    is_plain = etag is not None and etag.isascii() and etag.isprintable()
    return etag if is_plain and len(etag or "") <= _MOST_ETAG else None
