"""Sends attempts over many connections at once and counts what came back."""

import asyncio
import re
import socket
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.hostile.attempts import Attempt, make_attempt

CONNECTIONS = 32
# More than the 10 s that the server waits for headers.
SECONDS = 30.0
_STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) [A-Za-z -]+\r\n")


@dataclass
class Tally:
    """What was sent and what came back; `wrong` names each attempt that must not be."""

    attempts: int = 0
    requests: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


async def run(
    port: int, seed: int, requests: int, first: int = 0, tick: Callable[[int], None] | None = None
) -> Tally:
    """Send at least so many requests of a seed's sequence, from an attempt's number on."""
    tally = Tally(attempts=first)

    async def worker() -> None:
        while tally.requests < requests:
            number = tally.attempts
            tally.attempts += 1
            attempt = make_attempt(seed, number)
            tally.requests += attempt.requests
            await _one(port, f"seed {seed}, attempt {number}", attempt, tally)
            if tick:
                tick(tally.requests)

    await asyncio.gather(*(worker() for _ in range(CONNECTIONS)))
    tally.attempts -= first
    return tally


async def _one(port: int, name: str, attempt: Attempt, tally: Tally) -> None:
    try:
        received = await asyncio.wait_for(_send(port, attempt), SECONDS)
    except TimeoutError:
        tally.wrong.append(f"{name}: no end within {SECONDS} s")
        return
    if received is None:
        tally.answers["left by the client"] += 1
        return
    statuses = [status.decode() for status in _STATUS.findall(received)]
    tally.answers.update(statuses or ["closed without an answer"])
    if any(status >= "500" for status in statuses):
        tally.wrong.append(f"{name}: {statuses}")


async def _send(port: int, attempt: Attempt) -> bytes | None:
    loop = asyncio.get_running_loop()
    parts = []
    with socket.socket() as connection:
        connection.setblocking(False)
        await loop.sock_connect(connection, ("127.0.0.1", port))
        try:
            for piece in attempt.pieces:
                await loop.sock_sendall(connection, piece)
                await asyncio.sleep(0)
            if attempt.leaves:
                return None
            connection.shutdown(socket.SHUT_WR)
            while part := await loop.sock_recv(connection, 1 << 16):
                parts.append(part)
        except OSError:
            # The server hung up: what it said before still counts.
            pass
    return b"".join(parts)


def memory(processes: list[int]) -> int:
    """Return the proportional memory of processes in KiB."""
    return sum(
        int(re.findall(r"^Pss:\s+(\d+)", Path(f"/proc/{p}/smaps_rollup").read_text(), re.M)[0])
        for p in processes
    )


def descriptors(processes: list[int]) -> int:
    """Return how many files processes have open."""
    return sum(len(list(Path(f"/proc/{p}/fd").iterdir())) for p in processes)
