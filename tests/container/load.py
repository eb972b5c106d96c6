"""Clients that ask for lists through a proxy until they are told to stop, and what they saw."""

import asyncio
import sys
import time
from asyncio import StreamReader, StreamWriter

import msgspec

CLIENTS = 8
# Less than a full load, so that what is measured is the site and not these clients.
PAUSE_SECONDS = 0.004
_ANSWER_SECONDS = 20.0
TARGETS = (
    b"/metalink?repo=fedora-40&arch=x86_64",
    b"/mirrorlist?repo=fedora-40&arch=x86_64",
    b"/mirrorlist?path=pub/test/40/x86_64&country=de",
)


class Seen(msgspec.Struct):
    """What clients saw: requests, failures by kind, and the time of each answer in seconds.

    `again`: requests that were repeated on a new connection, because a kept one was closed before
    a byte of the answer came. RFC 9112 section 9.3.1 lets clients do that, and curl does.
    """

    requests: int = 0
    again: int = 0
    failures: dict[str, int] = msgspec.field(default_factory=dict)
    times: list[float] = msgspec.field(default_factory=list)

    def told(self) -> str:
        """The figures as a line."""
        ordered = sorted(self.times) or [0.0]
        p99 = ordered[int(len(ordered) * 0.99)] * 1000
        failed = ", ".join(f"{count} x {why}" for why, count in self.failures.items()) or "0"
        return (
            f"{self.requests:,} requests, failed: {failed}, asked again: {self.again},"
            f" p99 {p99:.0f} ms, slowest {ordered[-1] * 1000:.0f} ms"
        )


async def ask_until(stop: asyncio.Event, port: int) -> Seen:
    """Ask with all clients until the event is set."""
    seen = Seen()
    await asyncio.gather(*(_client(at, stop, port, seen) for at in range(CLIENTS)))
    return seen


class _Client:
    """A client that keeps its connection."""

    def __init__(self, port: int, seen: Seen) -> None:
        self._port, self._seen = port, seen
        self._kept: tuple[StreamReader, StreamWriter] | None = None

    async def ask(self, target: bytes) -> None:
        """Ask once more on a new connection if the kept one is closed without an answer."""
        try:
            await self._try(target)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            has_begun = isinstance(error, asyncio.IncompleteReadError) and error.partial
            if self._kept is None or has_begun:
                raise
            self.close()
            self._seen.again += 1
            await self._try(target)

    async def _try(self, target: bytes) -> None:
        connection = self._kept or await asyncio.open_connection("127.0.0.1", self._port)
        is_kept = await _exchange(*connection, target)
        self._kept = connection
        if not is_kept:
            self.close()

    def close(self) -> None:
        """Close the connection."""
        if self._kept:
            self._kept[1].close()
        self._kept = None


async def _client(at: int, stop: asyncio.Event, port: int, seen: Seen) -> None:
    client = _Client(port, seen)
    while not stop.is_set():
        at += 1
        begun = time.monotonic()
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                await client.ask(TARGETS[at % len(TARGETS)])
        except (OSError, EOFError, ValueError) as error:
            why = f"{type(error).__name__} {error}"[:60]
            seen.failures[why] = seen.failures.get(why, 0) + 1
            client.close()
        seen.requests += 1
        seen.times.append(time.monotonic() - begun)
        await asyncio.sleep(PAUSE_SECONDS)
    client.close()


async def _exchange(reader: StreamReader, writer: StreamWriter, target: bytes) -> bool:
    """Send a request, and return whether the connection is kept; raises ValueError unless the
    answer is a list.
    """
    writer.write(b"GET %b HTTP/1.1\r\nHost: test\r\n\r\n" % target)
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
    body = await reader.readexactly(length)
    if not head.startswith(b"http/1.1 200 ") or b"http://" not in body:
        raise ValueError(head.partition(b"\r\n")[0].decode())
    return b"\r\nconnection: close\r\n" not in head


async def main(port: int) -> None:
    """Say that it begins, ask until standard input is closed, then print what was seen as JSON."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), stop.set)
    sys.stdout.buffer.write(b"begins\n")
    sys.stdout.buffer.flush()
    sys.stdout.buffer.write(msgspec.json.encode(await ask_until(stop, port)))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
