"""The workers of a server one by one: a kept connection to each, so that each can be asked.

Which worker has accepted a connection is told by the system, by the client's port.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

import click
import msgspec
import psutil
from msgspec import Struct

from loadtest.common.processes import tree, until
from loadtest.common.servers import Server, get

_AT_ONCE, _MOST = 8, 400
_START_SECONDS, _ASK_SECONDS = 30.0, 10.0


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
        return get(self._connection, target, address)

    def snapshot(self) -> str:
        """Return the id of the snapshot that the worker answers from."""
        _, body = self.ask("/health/ready")
        return msgspec.json.decode(body, type=_Ready).snapshot.id

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def worker_pids(server: Server, count: int) -> list[int]:
    """Return the processes of a server's workers, as soon as there are this many."""
    until(
        f"{server.url}: {count} workers", lambda: len(tree(server.pid)) == count + 1, _START_SECONDS
    )
    return tree(server.pid)[1:]


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
            # Connections that come at once are shared out more evenly than one after the other.
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
            get(one, "/health/live", "192.0.2.1")
    return made


def _add(found: dict[int, Worker], made: list[HTTPConnection], pids: Sequence[int]) -> None:
    owners = {
        socket.raddr.port: pid
        for pid in pids
        for socket in psutil.Process(pid).net_connections("tcp4")
        if socket.status == psutil.CONN_ESTABLISHED
    }
    for one in made:
        pid = owners.get(one.sock.getsockname()[1]) if one.sock else None
        if pid is None or pid in found:
            one.close()
        else:
            found[pid] = Worker(pid, one)
