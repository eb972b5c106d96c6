"""The workers of a server one by one: a kept connection to each, so that each can be asked.

Which worker has a connection is found in /proc: the client's port leads to the socket, and the
socket to the process that has it open.
"""

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit

import click
import msgspec
from msgspec import Struct

from loadtest.common.processes import tree
from loadtest.common.servers import Server

_AT_ONCE, _MOST = 8, 400
_START_SECONDS, _ASK_SECONDS = 30.0, 10.0
_LOOK_SECONDS = 0.01


class _Snapshot(Struct):
    id: str


class _Ready(Struct):
    snapshot: _Snapshot


class Worker:
    """One worker, asked over a connection of its own."""

    def __init__(self, pid: int, connection: HTTPConnection) -> None:
        """Take the process, and a connection that it has accepted."""
        self.pid = pid
        self._connection = connection

    def ask(self, target: str, address: str = "192.0.2.1") -> tuple[int, bytes]:
        """Return status and body; raises OSError or HTTPException once the worker is gone."""
        return _ask(self._connection, target, address)

    def snapshot(self) -> str:
        """Return the id of the snapshot that the worker answers from."""
        _, body = self.ask("/health/ready")
        return msgspec.json.decode(body, type=_Ready).snapshot.id

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def worker_pids(server: Server, count: int) -> list[int]:
    """Return the processes of a server's workers, as soon as there are so many."""
    deadline = time.monotonic() + _START_SECONDS
    while len(found := tree(server.pid)[1:]) != count:
        if time.monotonic() > deadline:
            raise click.ClickException(f"{server.url}: {len(found)} workers, and not {count}")
        time.sleep(_LOOK_SECONDS)
    return found


@contextmanager
def each_worker(server: Server, pids: Sequence[int]) -> Iterator[list[Worker]]:
    """Give a connection to each of a server's workers, closed after the block."""
    found: dict[int, Worker] = {}
    tried = 0
    try:
        while len(found) < len(pids):
            if tried >= _MOST:
                raise click.ClickException(f"{server.url}: a worker takes no connection")
            tried += _AT_ONCE
            # Those who come at once are shared out more evenly than one after the other.
            _add(found, _connect(server, _AT_ONCE), pids)
        yield [found[pid] for pid in pids]
    finally:
        for worker in found.values():
            worker.close()


def all_serve(workers: Iterable[Worker], snapshot: str) -> bool:
    """Return whether every worker answers from a snapshot, by its id."""
    return all(worker.snapshot() == snapshot for worker in workers)


def _connect(server: Server, count: int) -> list[HTTPConnection]:
    parts = urlsplit(server.url)
    made = [HTTPConnection(parts.hostname or "", parts.port, _ASK_SECONDS) for _ in range(count)]
    for one in made:
        one.connect()
    for one in made:
        # Accepted, and not only in the kernel's queue.
        with suppress(OSError, HTTPException):
            _ask(one, "/health/live", "192.0.2.1")
    return made


def _add(found: dict[int, Worker], made: list[HTTPConnection], pids: Sequence[int]) -> None:
    sockets = {pid: _sockets(pid) for pid in pids}
    inodes = dict(_connections())
    for one in made:
        inode = inodes.get(_own_port(one), "")
        pid = next((pid for pid in pids if inode in sockets[pid]), None)
        if pid is None or pid in found:
            one.close()
        else:
            found[pid] = Worker(pid, one)


def _own_port(connection: HTTPConnection) -> int:
    if connection.sock is None:
        return 0
    port: int = connection.sock.getsockname()[1]
    return port


def _connections() -> Iterator[tuple[int, str]]:
    """The other side's port and the socket's inode of each connection of this machine."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        row = line.split()
        if row[9] != "0":
            yield int(row[2].partition(":")[2], 16), row[9]


def _sockets(pid: int) -> set[str]:
    """The inodes of a process's sockets."""
    found = set()
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            target = os.readlink(file)
            if target.startswith("socket:["):
                found.add(target[len("socket:[") : -1])
    return found


def _ask(connection: HTTPConnection, target: str, address: str) -> tuple[int, bytes]:
    connection.request("GET", target, headers={"X-Forwarded-For": address})
    answer = connection.getresponse()
    return answer.status, answer.read()
