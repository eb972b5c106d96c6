"""Sends attempts over many connections at once, and good requests between them; judges both."""

import asyncio
import re
import socket
import struct
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.hostile.attempts import Attempt, End, make_attempt

CONNECTIONS = 32
# Clients that begin a request and never end it, all through a run.
HELD = 64
# More than the 10 s that the server waits for headers.
SECONDS = 30.0
_PAUSE_SECONDS = 0.005
_STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) [A-Za-z -]+\r\n")
_BUSY = re.compile(rb"HTTP/1\.1 503 [^\n]+\n(?:[^\n]+\n)*?retry-after: \d+\r\n", re.I)
# Established, and closed by the client alone: what the server still holds.
_OPEN_STATES = ("01", "08")
_RESET = struct.pack("ii", 1, 0)


@dataclass
class Tally:
    """What was sent and what came back; `wrong` names each attempt that must not be.

    `good`: how many good requests were answered meanwhile, each on a connection of its own.
    """

    attempts: int = 0
    requests: int = 0
    good: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


async def run(
    port: int, seed: int, requests: int, good: str, tick: Callable[[int], None] | None = None
) -> Tally:
    """Send at least this many requests of a seed's sequence, and ask for `good` all the while."""
    tally = Tally()

    async def send_attempts() -> None:
        while tally.requests < requests:
            number = tally.attempts
            tally.attempts += 1
            attempt = make_attempt(seed, number)
            tally.requests += attempt.requests
            await _judge(port, f"seed {seed}, attempt {number}", attempt, tally)
            if tick:
                tick(tally.requests)

    async with _held_connections(port), _good_client(port, good, tally):
        await asyncio.gather(*(send_attempts() for _ in range(CONNECTIONS)))
    return tally


async def _judge(port: int, name: str, attempt: Attempt, tally: Tally) -> None:
    try:
        received = await asyncio.wait_for(_send(port, attempt), SECONDS)
    except TimeoutError:
        tally.wrong.append(f"{name}: no end within {SECONDS} s")
        return
    if attempt.end is not End.READS:
        tally.answers[attempt.end.value] += 1
        return
    statuses = [status.decode() for status in _STATUS.findall(received)]
    tally.answers.update(statuses or ["no whole request, no answer"])
    # 503 is what a client hears where as many wait as may, with the time when to come again.
    ours = [status for status in statuses if status >= "500"]
    if len(ours) != len(_BUSY.findall(received)):
        tally.wrong.append(f"{name}: {statuses}")
    if len(statuses) < attempt.due:
        tally.wrong.append(f"{name}: {attempt.due} answers due, not {statuses}")


async def _send(port: int, attempt: Attempt) -> bytes:
    """Send an attempt's pieces; return what came back, nothing when the client goes first."""
    loop = asyncio.get_running_loop()
    parts = []
    with socket.socket() as connection:
        connection.setblocking(False)
        await loop.sock_connect(connection, ("127.0.0.1", port))
        try:
            for piece in attempt.pieces:
                await loop.sock_sendall(connection, piece)
                await asyncio.sleep(_PAUSE_SECONDS if attempt.slow else 0)
            if attempt.end is End.READS:
                connection.shutdown(socket.SHUT_WR)
                while part := await loop.sock_recv(connection, 1 << 16):
                    parts.append(part)
            elif attempt.end is End.RESETS:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        except OSError:
            # The server hung up: what it said before still counts.
            pass
    return b"".join(parts)


@asynccontextmanager
async def _held_connections(port: int) -> AsyncIterator[None]:
    """Hold connections with half a request, or with not a byte of one."""
    async with AsyncExitStack() as stack:
        for number in range(HELD):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            stack.callback(writer.close)
            writer.write(b"GET /metalink?repo=" * (number % 2))
        yield


@asynccontextmanager
async def _good_client(port: int, target: str, tally: Tally) -> AsyncIterator[None]:
    """Ask a good request again and again while the block runs; each must be a 200."""
    request = f"GET {target} HTTP/1.1\r\nHost: good\r\nConnection: close\r\n\r\n".encode()
    over = asyncio.Event()

    async def ask() -> None:
        while not over.is_set():
            try:
                received = await asyncio.wait_for(_send(port, Attempt((request,), 1, 1)), SECONDS)
            except TimeoutError:
                received = b""
            if received.startswith(b"HTTP/1.1 200 "):
                tally.good += 1
            else:
                tally.wrong.append(f"a good request: {received[:60]!r}")

    task = asyncio.create_task(ask())
    try:
        yield
    finally:
        over.set()
        await task


def memory(processes: list[int]) -> int:
    """Return the proportional memory of processes in KiB."""
    return sum(
        int(re.findall(r"^Pss:\s+(\d+)", Path(f"/proc/{p}/smaps_rollup").read_text(), re.M)[0])
        for p in processes
    )


def connections(port: int) -> int:
    """Return how many connections to a port of loopback are open on the server's side."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(line[1].endswith(f":{port:04X}") and line[3] in _OPEN_STATES for line in lines)


def descriptors(processes: list[int]) -> int:
    """Return how many files processes have open."""
    return sum(len(list(Path(f"/proc/{p}/fd").iterdir())) for p in processes)
