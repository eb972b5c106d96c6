"""Mutants of the heads that real clients and proxies send: what is recognised, and what it means.

Whatever the recogniser admits must mean to the full protocol what it means to the recogniser: the
same list, the same X-Forwarded-For lines, and whether the connection stays.
"""

import asyncio
import random
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from mirrorlist.lists.answer import Answer
from mirrorlist.web.fast import FastProtocol
from mirrorlist.web.judge import Shape
from mirrorlist.web.shapes import Recogniser, Request
from tests.connection import HOST, Wire

LINES = (
    b"GET /metalink?repo=fedora-41&arch=x86_64 HTTP/1.1\r\n",
    b"GET /mirrorlist?repo=epel-9&arch=aarch64&infra=stock&content=centos HTTP/1.1\r\n",
    b"GET /mirrorlist?path=pub/fedora/linux/releases&country=de,fr HTTP/1.1\r\n",
    b"GET /a/b/metalink?repo=x%20y&arch=i386 HTTP/1.1\r\n",
    b"GET /mirrorlist/9/baseos?country=de HTTP/1.1\r\n",
    b"GET http://mirrors.example/mirrorlist?repo=a&arch=b HTTP/1.1\r\n",
)
HEADS = (
    (
        b"Host: mirrors.example.org\r\nUser-Agent: libdnf (Fedora Linux 41; server)\r\n"
        b"Accept: */*\r\nCache-Control: no-cache\r\nPragma: no-cache\r\nX-Forwarded-For: %s\r\n\r\n"
    ),
    (
        b"host: mirrors.example.org\r\nuser-agent: urlgrabber/3.10 yum/3.4.3\r\n"
        b"x-forwarded-for: %s\r\nconnection: close\r\n\r\n"
    ),
    (
        b"Host: a\r\nX-Forwarded-For: %s\r\nX-Forwarded-Proto: https\r\nVia: 1.1 proxy\r\n"
        b"Connection: keep-alive\r\n\r\n"
    ),
    (
        b"Host: a:3000\r\nUser-Agent: ZYpp 17.31.0 (curl 8.0.1)\r\nAccept: */*\r\n"
        b"X-ZYpp-AnonymousId: 6f2b0d2a\r\nX-ZYpp-DistributionFlavor: appliance\r\n\r\n"
    ),
    b"Host: a\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\nConnection: close\r\n\r\n",
    b"Host: a\r\nContent-Length: 0\r\nX-Forwarded-For: %s\r\n\r\n",
    b"Host: a\r\nTransfer-Encoding: chunked\r\nX-Forwarded-For: %s\r\n\r\n0\r\nX: y\r\n\r\n",
    b"Host: a\r\nConnection: upgrade\r\nUpgrade: h2c\r\nX-Forwarded-For: %s\r\n\r\n",
    b"Host: a\r\nX-Forwarded-For: %s\r\nX-Forwarded-For: 10.0.0.1\r\n\r\n",
    b"Host: a\r\nForwarded: for=192.0.2.1\r\n\r\n",
)
VALUES = (b"192.0.2.7", b"2001:db8::7", b"198.51.100.1, 10.0.0.1", b"unknown", b"", b"1.2.3.4:80")
# What is special to HTTP, to parsers of it, or to what tells plain values here.
BYTES = (
    *(b"\r\n", b"\r", b"\n", b" ", b"\t", b":", b",", b"\0", b"\x7f", b"\xff", b"\r\n ", b"\r\n\t"),
    *(b"\r\n\r\n", b"GET ", b"POST ", b" HTTP/1.0", b" HTTP/1.1", b"HTTP/2.0", b"?", b"#", b"%"),
    *(b"Content-Length: 5\r\n", b"Content-Length:0\r\n", b"Transfer-Encoding: chunked\r\n"),
    *(b"Connection: close\r\n", b"Connection: keep-alive\r\n", b"Connection: upgrade\r\n"),
    *(b"X-Forwarded-For: ", b"\r\nX-Forwarded-For: 9.9.9.9", b"x-forwarded-for:", b"Expect: "),
    *(b"Upgrade: h2c\r\n", b"Proxy-Connection: close\r\n", b"Keep-Alive: 5\r\n", b"a", b"0"),
)


def mutants(rng: random.Random) -> Iterator[bytes]:
    """Yield heads without end: as they are, or changed in a few places."""
    while True:
        head = rng.choice(HEADS)
        data = rng.choice(LINES) + (head % rng.choice(VALUES) if b"%s" in head else head)
        for _ in range(rng.choice((0, 1, 1, 1, 2, 3))):
            data = _changed(data, rng)
        yield data


def _changed(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data) + 1)
    match rng.randrange(5):
        case 0:
            return data[:at] + rng.choice(BYTES) + data[at:]
        case 1:
            return data[:at] + data[at + rng.randrange(1, 4) :]
        case 2:
            return data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]
        case 3:
            lines = data.split(b"\r\n")
            rng.shuffle(lines[1:-2])
            other = lines[rng.randrange(len(lines))]
            return b"\r\n".join([*lines[:1], other, *lines[1:]])
        case _:
            return data[:at] + data[at:].swapcase()[: rng.randrange(12)] + data[at + 12 :]


def _paths() -> frozenset[bytes]:
    return frozenset((b"/mirrorlist/9/baseos", b"/mirrorlist/9/base"))


class _Asked:
    """A service that remembers what it was asked."""

    request_paths = staticmethod(_paths)

    def __init__(self) -> None:
        self.calls: list[tuple[tuple[bool, bytes], tuple[bytes, ...], bool, int]] = []

    def respond(
        self,
        is_metalink: bool,
        query: bytes,
        peer: object,
        forwarded: Any,
        is_head: bool,
        software: int,
    ) -> Answer:
        self.calls.append(((is_metalink, query), tuple(forwarded), is_head, software))
        return Answer(200, "text/plain", (b"answer",))


class Judge:
    """The full protocol's view of some bytes."""

    def __init__(self) -> None:
        """Begin a loop that never has anything to do."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            raise AssertionError(scope)

        self._loop = asyncio.new_event_loop()
        self._config = uvicorn.Config(app, log_config=None, lifespan="off", ws="none")
        self._config.load()
        self._state = ServerState()
        self._state.default_headers = [(b"date", b"now")]

    def means(self, data: bytes) -> Request | None:
        """Return the one list that is asked for, the lines, and what else the head says."""
        asked: Any = _Asked()
        protocol = FastProtocol(self._config, self._state, {}, _loop=self._loop, service=asked)
        wire = Wire(HOST)
        wire.protocol, wire.loop = protocol, self._loop
        protocol.connection_made(wire)
        protocol.data_received(data)
        is_kept = not wire.is_closing() and protocol.is_at_rest
        protocol.retire()
        if len(asked.calls) != 1 or wire.written.count(b"HTTP/1.1 ") != 1:
            return None
        ((key, forwarded, is_head, software),) = asked.calls
        return None if is_head else Request(key, forwarded, Shape(is_kept, software))

    def close(self) -> None:
        """Leave nothing behind."""
        self._loop.close()


def disagreements(
    seed: int, accepted: int, tick: Callable[[int], None] = lambda admitted: None
) -> tuple[int, list[bytes]]:
    """Return how many mutants were made until this many were admitted, and the wrong ones."""
    rng, judge = random.Random(seed), Judge()
    recogniser, made, admitted, wrong = Recogniser(_paths), 0, 0, []
    for data in mutants(rng):
        made += 1
        found = recogniser.recognise(data)
        if found is None:
            continue
        admitted += 1
        if judge.means(data) != found:
            wrong.append(data)
        if admitted >= accepted:
            break
        if made % 5000 == 0:
            # What was learned must not hide what is judged.
            recogniser = Recogniser(_paths)
            tick(admitted)
    judge.close()
    return made, wrong
