"""The cost of the most expensive requests of each kind, in units of a newly drawn list.

`python -m tests.hostile.prices mm.snap` prints the table alone, for any snapshot. CPU time is what
the kernel counted for the worker's threads (`/proc/PID/task/*/schedstat`): of the first one, which
is the event loop, and of all of them.
"""

import itertools
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from snapshot.file.reader import Snapshot
from tests.hostile.dear import LEAVE, Dear, dear_kinds, drawn_list, targets
from tests.live import Server, serve, wait_until

MOST_LISTS = 10.0
"""What a request may cost on the event loop, in drawn lists."""

_SECONDS = 0.15
_LEAST, _MOST = 5, 400
_WARM_UP = 20
_HEADROOM = 60.0


@dataclass(frozen=True)
class Price:
    """What a kind of request costs: nanoseconds of CPU on the event loop, and in all threads."""

    kind: str
    loop: float
    whole: float
    sent: int
    received: int

    def lists(self, unit: float) -> float:
        """Return what it costs on the event loop in drawn lists."""
        return self.loop / unit


def measure(snapshot: Path, folder: Path) -> tuple[float, list[Price]]:
    """Return what a drawn list costs in nanoseconds, and the price of each kind of request."""
    known = targets(Snapshot(snapshot))
    with serve(snapshot, folder, "--reuse", 0) as server:
        unit = price(server, drawn_list(known)).loop
    with serve(snapshot, folder) as server:
        return unit, [price(server, kind) for kind in dear_kinds(known)]


def price(server: Server, kind: Dear) -> Price:
    """Return the price of a kind: the mean of many, each of them another one of the kind."""
    wait_until("the worker is there", lambda: len(server.workers()) == 1)
    (worker,) = server.workers()
    numbers = itertools.count()
    sent = received = 0
    with _connection(server.port) as asker:
        for _ in range(min(_WARM_UP, kind.most)):
            asker.ask(kind.make(next(numbers)))
        before, count = cpu(worker), 0
        while count < _LEAST or (
            count < min(_MOST, kind.most) and cpu(worker)[0] - before[0] < _SECONDS * 1e9
        ):
            data = kind.make(next(numbers))
            sent, received, count = len(data), asker.ask(data), count + kind.requests
        asker.settle()
        after = cpu(worker)
    loop, whole = ((one - other) / count for one, other in zip(after, before, strict=True))
    return Price(kind.name, loop, whole, sent, received)


def table(unit: float, prices: list[Price]) -> list[str]:
    """Return the lines of a table, and of a verdict on each kind."""
    lines = [f"a list drawn anew: {unit / 1000:.0f} us of CPU", ""]
    lines += [
        "| request | on the event loop | in drawn lists | in all threads | bytes in, out | |",
        "|---|---:|---:|---:|---:|---|",
    ]
    for one in sorted(prices, key=lambda one: -one.loop):
        verdict = "PASS" if one.lists(unit) <= MOST_LISTS else "FAIL"
        lines.append(
            f"| {one.kind} | {one.loop / 1000:,.0f} us | {one.lists(unit):.1f} |"
            f" {one.whole / 1000:,.0f} us | {one.sent:,}, {one.received:,} | {verdict} |"
        )
    return lines


class _Asker:
    """Asks on one connection as long as it stays open, then on another."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None

    def ask(self, data: bytes) -> int:
        """Send requests, read until as many answers came; return the bytes of the last one."""
        wanted = data.count(b" HTTP/1.1\r\n")
        leaves = data.endswith(LEAVE)
        if leaves:
            data = data.removesuffix(LEAVE)
        for _ in range(2):
            if self._socket is None:
                self._socket = socket.create_connection(("127.0.0.1", self._port), _HEADROOM)
            try:
                self._socket.sendall(data)
                if leaves:
                    self.close()
                    return 0
                return self._read(self._socket, wanted)
            except (ConnectionError, EOFError):
                self.close()
        return 0

    def settle(self) -> None:
        """Wait until whatever was begun for clients that left is over."""
        self.ask(b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n")

    def close(self) -> None:
        """Leave."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _read(self, connection: socket.socket, wanted: int) -> int:
        kept = b""
        size = 0
        for _ in range(wanted):
            while b"\r\n\r\n" not in kept:
                kept += self._more(connection)
            head, _, kept = kept.partition(b"\r\n\r\n")
            lines = head.lower().split(b"\r\n")
            length = next((int(one[15:]) for one in lines if one.startswith(b"content-length:")), 0)
            parts, got = [kept], len(kept)
            while got < length:
                parts.append(self._more(connection))
                got += len(parts[-1])
            body = b"".join(parts)
            size, kept = len(head) + length, body[length:]
            if b"connection: close" in lines:
                self.close()
                return size
        return size

    def _more(self, connection: socket.socket) -> bytes:
        data = connection.recv(1 << 18)
        if not data:
            raise EOFError
        return data


@contextmanager
def _connection(port: int) -> Iterator[_Asker]:
    asker = _Asker(port)
    try:
        yield asker
    finally:
        asker.close()


def cpu(process: int) -> tuple[int, int]:
    """Return the nanoseconds that the first thread of a process has run, and all of them."""
    found = {
        task.name: int((task / "schedstat").read_text().split()[0])
        for task in Path(f"/proc/{process}/task").iterdir()
    }
    return found[str(process)], sum(found.values())


@click.command()
@click.argument("snapshot", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def main(snapshot: Path) -> None:
    """Print what the dearest requests cost with a snapshot; ends with 1 if one costs too much."""
    with tempfile.TemporaryDirectory() as folder:
        unit, prices = measure(snapshot.resolve(), Path(folder))
    click.echo("\n".join(table(unit, prices)))
    if any(one.lists(unit) > MOST_LISTS for one in prices):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
