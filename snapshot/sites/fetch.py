"""Gets small files from the primary, over HTTP or from a folder, within limits."""

import asyncio
import stat
import urllib.request
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple, Protocol
from urllib.parse import quote, urljoin, urlsplit

import aiohttp

from snapshot.file.wholefile import read_regular
from snapshot.sites.getting import CODES, REDIRECTS, explain
from snapshot.sites.inside import Inside
from snapshot.sites.names import LookUp, Names, look_up

SECONDS = 20.0
"""How long a server may be silent."""
MOST_SECONDS = 60.0
"""How long one file may take with all redirects, however slowly it drips."""


class FetchError(Exception):
    """A file that cannot be had; the text says why."""

    is_silent = False
    """Whether there was no answer in time."""


class Got(NamedTuple):
    """A file, and its ETag if it has one; no `data` means that it has the ETag that was asked."""

    data: bytes | None
    etag: str | None = None


UNKNOWN_SIZE = -1


class Tree(Protocol):
    """The primary."""

    def get(self, path: str, most: int, etag: str | None = None) -> Got:
        """Return a file of at most `most` bytes; raises FetchError."""

    def size(self, path: str) -> int | None:
        """Return a file's bytes, UNKNOWN_SIZE, or None if it is not there; raises FetchError."""


class Folder:
    """A primary on this machine."""

    def __init__(self, root: Path) -> None:
        """Take the folder."""
        self._root = root

    def get(self, path: str, most: int, etag: str | None = None) -> Got:
        """Return a file of at most `most` bytes; raises FetchError."""
        try:
            return Got(read_regular(self._root / path, most))
        except OSError as error:
            raise FetchError(f"{self._root / path}: {error.strerror}") from error

    def size(self, path: str) -> int | None:
        """Return a file's bytes, or None if it is not there."""
        try:
            found = (self._root / path).stat()
        except OSError:
            return None
        return found.st_size if stat.S_ISREG(found.st_mode) else None


class _Answer(NamedTuple):
    status: int
    reason: str
    headers: Mapping[str, str]
    data: bytes


class Web:
    """A primary behind an http or https URL."""

    def __init__(
        self,
        url: str,
        agent: str,
        inside: Inside | None = None,
        *,
        ask: LookUp = look_up,
        seconds: float = MOST_SECONDS,
    ) -> None:
        """Take the URL, what to call this program, and where redirects may lead."""
        self._url, self._seconds = url.rstrip("/"), seconds
        self._inside = inside or Inside()
        self._headers = {
            "User-Agent": agent,
            "Accept-Encoding": "identity",
            "Cache-Control": "no-cache",
        }
        # A name is looked up once, so the address that was checked is the one that is asked.
        self._look_up = cache(lambda host: tuple(ask(host)))

    def get(self, path: str, most: int, etag: str | None = None) -> Got:
        """Return a file of at most `most` bytes; raises FetchError."""
        answer = self._answer(path, "GET", {"If-None-Match": etag} if etag else {}, most)
        if etag and answer.status == 304:
            return Got(None, etag)
        if answer.status != 200:
            raise FetchError(f"{self._at(path)}: {answer.status} {answer.reason}")
        if (coding := answer.headers.get("Content-Encoding", "identity")) != "identity":
            raise FetchError(f"{self._at(path)}: in the coding {coding:.20}, not asked for")
        return Got(answer.data, answer.headers.get("ETag"))

    def size(self, path: str) -> int | None:
        """Return a file's bytes, UNKNOWN_SIZE, or None if it is not there; raises FetchError."""
        answer = self._answer(path, "HEAD", {}, 0)
        if answer.status in (404, 410):
            return None
        if answer.status != 200:
            raise FetchError(f"{self._at(path)}: {answer.status} {answer.reason}")
        length = answer.headers.get("Content-Length", "")
        return int(length) if length.isdecimal() else UNKNOWN_SIZE

    def _at(self, path: str) -> str:
        return f"{self._url}/{quote(path)}"

    def _answer(self, path: str, method: str, more: dict[str, str], most: int) -> _Answer:
        try:
            return asyncio.run(self._in_time(self._at(path), method, more, most))
        except TimeoutError as error:
            found = FetchError(f"{self._at(path)}: no answer in time")
            found.is_silent = True
            raise found from error
        except aiohttp.ClientPayloadError as error:
            raise FetchError(f"{self._at(path)}: cut short") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise FetchError(f"{self._at(path)}: {explain(error)}") from error

    async def _in_time(self, url: str, method: str, more: dict[str, str], most: int) -> _Answer:
        async with asyncio.timeout(self._seconds), self._session(names := self._names()) as session:
            for _ in range(REDIRECTS + 1):
                async with session.request(
                    method, url, headers=more, allow_redirects=False
                ) as answer:
                    if answer.status not in CODES:
                        return await _read(answer, most)
                    url = urljoin(url, answer.headers.get("Location", ""))
                await self._refuse(names, url)
            raise ValueError(f"more than {REDIRECTS} redirects")

    def _names(self) -> Names:
        return Names(self._look_up)

    def _session(self, names: Names) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(resolver=names, use_dns_cache=False),
            headers=self._headers,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(sock_connect=SECONDS, sock_read=SECONDS),
            trust_env=bool(urllib.request.getproxies()),
        )

    async def _refuse(self, names: Names, target: str) -> None:
        """Raise ValueError for a redirect that is not followed."""
        parts = urlsplit(target)
        if parts.scheme not in ("http", "https"):
            raise ValueError(f"a redirect to {parts.scheme:.20}: is not followed")
        if not self._inside.allows(target) and await names.is_inside(parts.hostname):
            raise ValueError(f"a redirect into a private network: {target:.100}")


async def _read(answer: aiohttp.ClientResponse, most: int) -> _Answer:
    data = bytearray()
    if answer.status == 200 and answer.method != "HEAD":
        async for chunk in answer.content.iter_any():
            data += chunk
            if len(data) > most:
                raise ValueError(f"more than {most:,} bytes")
    return _Answer(answer.status, answer.reason or "", answer.headers, bytes(data))
