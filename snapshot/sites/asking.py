"""Asks mirrors for small files over HTTP: many at once, few of one mirror, all within limits."""

import asyncio
import os
import random
import ssl
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import NamedTuple
from urllib.parse import quote, urljoin, urlsplit

import aiohttp
from msgspec import Struct

from snapshot.sites.fetch import is_inside

MOST_AT_ONCE = 64
MOST_OF_A_HOST = 4
CONNECT_SECONDS, SILENT_SECONDS, MOST_SECONDS = 10, 10, 20
PAUSE_SECONDS = 2
_REDIRECTS = 5
_CODES = (301, 302, 303, 307, 308)
# This many files in a row without any answer: the rest is not asked for in this probe.
_SILENT = 3
CERTIFICATE = "certificate: "
"""How the error for a certificate begins that clients refuse."""


class Reply(NamedTuple):
    """What came: a body, or the status of an answer without one, or why there was no answer."""

    body: bytes | None = None
    status: int | None = None
    error: str | None = None
    tls_expires: int | None = None
    etag: str | None = None


class Question(NamedTuple):
    """A file below a URL, and the ETag that it had; a reply with the status 304 says the same."""

    url: str
    path: str
    etag: str | None = None


class Limits(Struct, frozen=True):
    """How much at most; tests make it smaller."""

    at_once: int = MOST_AT_ONCE
    of_a_host: int = MOST_OF_A_HOST
    connect: float = CONNECT_SECONDS
    silent: float = SILENT_SECONDS
    seconds: float = MOST_SECONDS
    pause: float = PAUSE_SECONDS


def ask_all(
    questions: Iterable[Question],
    most: int,
    agent: str,
    progress: Callable[[int], None],
    limits: Limits | None = None,
) -> dict[Question, Reply]:
    """Return the reply to each question; `most` is how many bytes a file may have."""
    return asyncio.run(_Asking(most, agent, progress, limits or Limits()).ask(questions))


class _Asking:
    """One round of questions."""

    def __init__(
        self, most: int, agent: str, progress: Callable[[int], None], limits: Limits
    ) -> None:
        self._most, self._agent, self._progress = most, agent, progress
        self._limits = limits
        self._all = asyncio.Semaphore(limits.at_once)
        self._hosts: dict[str | None, asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(limits.of_a_host)
        )
        self._silent: dict[str, list[str]] = defaultdict(list)

    async def ask(self, questions: Iterable[Question]) -> dict[Question, Reply]:
        limits = self._limits
        timeout = aiohttp.ClientTimeout(
            total=limits.seconds, sock_connect=limits.connect, sock_read=limits.silent
        )
        found: dict[Question, Reply] = {}
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=limits.at_once, limit_per_host=limits.of_a_host),
            timeout=timeout,
            headers={"User-Agent": self._agent},
            cookie_jar=aiohttp.DummyCookieJar(),
        ) as session:

            async def one(question: Question) -> Reply:
                # The mirror first: what waits for one mirror must not keep others waiting.
                async with self._hosts[urlsplit(question.url).hostname], self._all:
                    found[question] = await self._reply(session, question)
                self._progress(len(found))
                return found[question]

            async def all_of(asked: list[Question]) -> None:
                # One first: mirrors that hang would take all places otherwise.
                first = await one(asked[0])
                if first.error is not None:
                    found.update(dict.fromkeys(asked, first))
                    return
                await asyncio.gather(*map(one, asked[1:]))

            by_url: dict[str, list[Question]] = defaultdict(list)
            for question in questions:
                by_url[question.url].append(question)
            async with asyncio.TaskGroup() as group:
                for asked in by_url.values():
                    group.create_task(all_of(asked))
        return found

    async def _reply(self, session: aiohttp.ClientSession, question: Question) -> Reply:
        silent = self._silent[question.url]
        if len(silent) >= _SILENT:
            return Reply(error=silent[-1])
        reply = await self._once(session, question)
        if reply.error is not None and not reply.error.startswith(CERTIFICATE):
            # A packet may have been lost, or a server restarted: not all ask again at one moment.
            await asyncio.sleep(self._limits.pause * random.uniform(0.5, 1.5))
            reply = await self._once(session, question)
        if reply.error is None:
            silent.clear()
        else:
            silent.append(reply.error)
        return reply

    async def _once(self, session: aiohttp.ClientSession, question: Question) -> Reply:
        try:
            headers = {"If-None-Match": question.etag} if question.etag else {}
            return await self._get(session, f"{question.url}/{quote(question.path)}", headers)
        except TimeoutError:
            return Reply(error="no answer in time")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Reply(error=_why(error))

    async def _get(
        self, session: aiohttp.ClientSession, url: str, headers: dict[str, str]
    ) -> Reply:
        for _ in range(_REDIRECTS + 1):
            async with session.get(url, headers=headers, allow_redirects=False) as answer:
                if answer.status not in _CODES:
                    return await self._body(answer)
                target = urljoin(url, answer.headers.get("Location", ""))
            if why := await _refused(url, target):
                return Reply(error=why)
            url = target
        return Reply(error=f"more than {_REDIRECTS} redirects")

    async def _body(self, answer: aiohttp.ClientResponse) -> Reply:
        expires = _expires(answer)
        if answer.status != 200:
            return Reply(status=answer.status, tls_expires=expires)
        data = bytearray()
        async for chunk in answer.content.iter_any():
            data += chunk
            if len(data) > self._most:
                # An answer that is too long is an answer: it is not what should be there.
                return Reply(body=b"", status=200, tls_expires=expires)
        etag = answer.headers.get("ETag")
        return Reply(body=bytes(data), status=200, tls_expires=expires, etag=etag)


async def _refused(url: str, target: str) -> str | None:
    """Return why a redirect is not followed, or None."""
    parts, loop = urlsplit(target), asyncio.get_running_loop()
    if parts.scheme not in ("http", "https"):
        return f"a redirect to {parts.scheme}: is not followed"
    ask = loop.run_in_executor
    if await ask(None, is_inside, parts.hostname) and not await ask(
        None, is_inside, urlsplit(url).hostname
    ):
        return f"a redirect into a private network: {target:.100}"
    return None


def _expires(answer: aiohttp.ClientResponse) -> int | None:
    connection = answer.connection
    transport = connection.transport if connection else None
    certificate = transport.get_extra_info("peercert") if transport else None
    end = certificate.get("notAfter") if certificate else None
    return int(ssl.cert_time_to_seconds(end)) if end else None


def _why(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"{CERTIFICATE}{getattr(error.certificate_error, 'verify_message', error)}"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "its name does not resolve"
    if isinstance(error, aiohttp.ClientConnectorError) and error.os_error.errno:
        return os.strerror(error.os_error.errno)
    return " ".join(str(error).split())[:200] or type(error).__name__
