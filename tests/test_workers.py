"""Two workers under constant load: who loses what when one of them is killed."""

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from snapshot.file.writer import encode
from tests.live import Server, serve
from tests.small_worlds import DIRECTORY, Mirror, small_data

pytestmark = pytest.mark.system

REQUEST = f"GET /mirrorlist?path={DIRECTORY} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
EACH, AT_ONCE, MOST = 4, 16, 400
SECONDS = 20.0


class Client:
    """Asks again and again on a kept connection, and connects again if it ends."""

    def __init__(self, port: int) -> None:
        """Take the server's port."""
        self.port = port
        self.own_port = 0
        self.answers = 0
        self.lost = 0
        self.wrong: list[str] = []

    async def run(self) -> None:
        """Ask until cancelled."""
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except OSError as error:
                self.wrong.append(f"connecting: {error}")
                return
            self.own_port = writer.get_extra_info("sockname")[1]
            try:
                while True:
                    await self._ask(reader, writer)
            except (OSError, asyncio.IncompleteReadError):
                self.lost += 1
            finally:
                writer.close()

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(REQUEST)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200 "):
            self.wrong.append(head.decode())
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
        await reader.readexactly(length)
        self.answers += 1


class Clients:
    """Many clients at once."""

    def __init__(self, server: Server) -> None:
        """Take the server; nobody asks yet."""
        self.server = server
        self.all: list[Client] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def add(self) -> None:
        """Let one more ask, and wait for its first answer."""
        client = Client(self.server.port)
        self.all.append(client)
        self._tasks.append(asyncio.create_task(client.run()))
        await until("an answer", lambda: client.answers > 0)

    async def add_for(self, workers: list[int]) -> None:
        """Start more clients until each worker has this many connections."""
        while any(len(self.of(worker)) < EACH for worker in workers):
            assert len(self.all) < MOST, [len(self.of(worker)) for worker in workers]
            # Those who come at once are shared out more evenly than one after the other.
            await asyncio.gather(*(self.add() for _ in range(AT_ONCE)))

    def of(self, worker: int) -> list[Client]:
        """The clients whose connection a worker has."""
        sockets = _sockets(worker)
        ports = {port for port, inode in _connections(self.server.port) if inode in sockets}
        return [client for client in self.all if client.own_port in ports]

    async def asked_again(self) -> None:
        """Wait until each has got more answers."""
        before = [client.answers for client in self.all]
        await until(
            "more answers for all",
            lambda: all(
                client.answers > count + 5 for client, count in zip(self.all, before, strict=True)
            ),
        )

    async def end(self) -> None:
        """Let nobody ask any more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def until(what: str, holds: Callable[[], bool]) -> None:
    """Wait until a condition holds, while others go on."""
    async with asyncio.timeout(SECONDS):
        while not holds():
            await asyncio.sleep(0.01)


def _connections(port: int) -> list[tuple[int, str]]:
    """The client's port and the socket's inode of each connection to a port of loopback."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return [
        (int(row[2].partition(":")[2], 16), row[9])
        for row in rows
        if int(row[1].partition(":")[2], 16) == port and row[9] != "0"
    ]


def _sockets(process: int) -> set[str]:
    """The inodes of a process's sockets."""
    found = set()
    for file in Path(f"/proc/{process}/fd").iterdir():
        try:
            target = os.readlink(file)
        except OSError:
            continue
        if target.startswith("socket:["):
            found.add(target[len("socket:[") : -1])
    return found


async def _kill_one(server: Server) -> None:
    await until("two workers", lambda: len(server.workers()) == 2)
    dead, other = server.workers()
    clients = Clients(server)
    try:
        await clients.add_for([dead, other])
        await clients.asked_again()
        assert [client.lost for client in clients.all] == [0] * len(clients.all)
        its_own = clients.of(dead)
        os.kill(dead, signal.SIGKILL)
        await until("a new worker", lambda: len(set(server.workers()) - {dead}) == 2)
        await clients.asked_again()
        assert [client for client in clients.all if client.lost] == its_own
        assert {client.lost for client in its_own} == {1}
    finally:
        await clients.end()
    assert [wrong for client in clients.all for wrong in client.wrong] == []
    await _takes_connections(server, *(set(server.workers()) - {other}))


async def _takes_connections(server: Server, worker: int) -> None:
    clients = Clients(server)
    try:
        await clients.add_for([worker])
    finally:
        await clients.end()


@pytest.mark.parametrize("door", ["fast", "asgi"])
def test_only_a_killed_workers_connections_fail(tmp_path: Path, door: str) -> None:
    """After kill -9 of a worker its connections end and no other; a new one takes its place."""
    snapshot = tmp_path / "mm.snap"
    snapshot.write_bytes(encode(small_data((Mirror(),), {})))
    with serve(snapshot, tmp_path, "--workers", 2, "--door", door) as server:
        asyncio.run(_kill_one(server))
