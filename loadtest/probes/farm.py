"""All mirrors of a measurement in one process; each has an address of its own on loopback.

It is told the mirrors in a line of JSON, prints its port, and at each further line prints what
was asked since the line before.
"""

import asyncio
import sys
import zlib
from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec
import uvloop
from msgspec import Struct

from loadtest.probes.kinds import NOW, Mirror, repomd

SLOW_SECONDS = 0.1
_DRIP_SECONDS = 0.1
_HOLD_SECONDS = 600
_OLD = NOW - 30 * 86_400


class Asked(Struct, frozen=True):
    """What the mirrors of a kind were asked; the primary is a kind of its own."""

    requests: int
    unchanged: int
    most_in_flight: int
    """Of the mirror that had the most at once."""


class Farm:
    """The mirrors by their addresses, and what they were asked."""

    def __init__(self, mirrors: list[Mirror]) -> None:
        """Take the mirrors."""
        self._kinds = {one.address: one.kind for one in mirrors}
        self._target = next(one.address for one in mirrors if one.kind == "fast")
        self._bodies: dict[tuple[str, str], tuple[bytes, bytes]] = {}
        self.port = 0
        self._reset()

    def _reset(self) -> None:
        self._requests: Counter[str] = Counter()
        self._unchanged: Counter[str] = Counter()
        self._in_flight: Counter[str] = Counter()
        self._most: Counter[str] = Counter()

    def asked(self) -> dict[str, Asked]:
        """Return what was asked by kind, and begin again."""
        found = {
            kind: Asked(count, self._unchanged[kind], self._most[kind])
            for kind, count in self._requests.items()
        }
        self._reset()
        return found

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        address = writer.get_extra_info("sockname")[0]
        kind = self._kinds.get(address, "primary")
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                self._requests[kind] += 1
                self._in_flight[address] += 1
                self._most[kind] = max(self._most[kind], self._in_flight[address])
                try:
                    await self._answer(kind, head, writer)
                finally:
                    self._in_flight[address] -= 1
        except (OSError, RuntimeError, asyncio.IncompleteReadError):
            pass  # Who asked has gone; uvloop says RuntimeError for what is written then.
        finally:
            writer.close()

    async def _answer(self, kind: str, head: bytes, writer: asyncio.StreamWriter) -> None:
        line, *fields = head.decode("latin-1").split("\r\n")
        method, path, _ = line.split(" ")
        special = _SPECIAL.get(kind)
        if special is not None and await special(self, path, writer):
            return
        if method == "HEAD":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            return
        body, etag = self._body(kind, path)
        if f"If-None-Match: {etag.decode()}" in fields:
            self._unchanged[kind] += 1
            writer.write(b"HTTP/1.1 304 Not Modified\r\nETag: %s\r\n\r\n" % etag)
            return
        size = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nETag: %s\r\n\r\n" % (len(body), etag)
        if kind == "dripping":
            await _drip(writer, size + body)
        else:
            writer.write(size + body)
            await writer.drain()

    def _body(self, kind: str, path: str) -> tuple[bytes, bytes]:
        kind = kind if kind in ("stale", "lying") else ""
        if (kind, path) not in self._bodies:
            time, more = (_OLD, "") if kind == "stale" else (NOW, "<!-- x -->" if kind else "")
            body = repomd(path, time, more)
            self._bodies[kind, path] = body, b'"%08x"' % zlib.crc32(body)
        return self._bodies[kind, path]

    async def reset(self, path: str, writer: asyncio.StreamWriter) -> bool:
        """End the connection without an answer."""
        writer.transport.abort()
        raise ConnectionResetError

    async def redirect(self, path: str, writer: asyncio.StreamWriter) -> bool:
        """Lead to the fast mirror."""
        place = f"http://{self._target}:{self.port}{path}"
        writer.write(f"HTTP/1.1 302 Found\r\nLocation: {place}\r\n{_EMPTY}".encode())
        return True

    async def wait(self, path: str, writer: asyncio.StreamWriter) -> bool:
        """Answer after a while."""
        await asyncio.sleep(SLOW_SECONDS)
        return False

    async def hold(self, path: str, writer: asyncio.StreamWriter) -> bool:
        """Never answer."""
        await asyncio.sleep(_HOLD_SECONDS)
        return True

    async def fail(self, path: str, writer: asyncio.StreamWriter) -> bool:
        """Answer with a status that says nothing of the file."""
        writer.write(f"HTTP/1.1 503 Service Unavailable\r\n{_EMPTY}".encode())
        return True

    async def lack(self, path: str, writer: asyncio.StreamWriter) -> bool:
        """Answer that there is no such file."""
        writer.write(f"HTTP/1.1 404 Not Found\r\n{_EMPTY}".encode())
        return True


_EMPTY = "Content-Length: 0\r\n\r\n"
_SPECIAL: dict[str, Callable[..., Any]] = {
    "resetting": Farm.reset, "redirecting": Farm.redirect, "slow": Farm.wait, "silent": Farm.hold,
    "failing": Farm.fail, "empty": Farm.lack,
}  # fmt: skip


async def _drip(writer: asyncio.StreamWriter, data: bytes) -> None:
    """Send a byte now and then, so that the connection is never silent for long."""
    for at in range(len(data)):
        writer.write(data[at : at + 1])
        await writer.drain()
        await asyncio.sleep(_DRIP_SECONDS)


async def _main() -> None:
    loop = asyncio.get_running_loop()
    farm = Farm(msgspec.json.decode(sys.stdin.readline(), type=list[Mirror]))
    server = await asyncio.start_server(farm.serve, "0.0.0.0", 0, backlog=4096)
    farm.port = server.sockets[0].getsockname()[1]
    sys.stdout.write(f"{farm.port}\n")
    sys.stdout.flush()
    while await loop.run_in_executor(None, sys.stdin.readline):
        sys.stdout.write(msgspec.json.encode(farm.asked()).decode() + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    uvloop.run(_main())
