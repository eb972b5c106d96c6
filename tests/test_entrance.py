"""Connections that are accepted, read, answered and closed without a transport."""

import asyncio
import re
import resource
import socket
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn
import uvloop
from uvicorn.server import ServerState

from mirrorlist.service import Service
from mirrorlist.web.app import App
from mirrorlist.web.capacity import NO_POLICY
from mirrorlist.web.entrance import CAN_ENTER, PAUSE_SECONDS, Entrance
from mirrorlist.web.front import Front
from mirrorlist.web.light import LightConnection
from snapshot.file.reader import Snapshot
from snapshot.file.writer import encode
from tests.in_process import make_service
from tests.live import exchange, request, serve, wait_until
from tests.small_worlds import DIRECTORY, Mirror, small_data

TARGET = f"/mirrorlist?path={DIRECTORY}".encode()
KEPT = b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % TARGET
LAST = request(TARGET)
LIVE = b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n"
KEEP_ALIVE = 75

Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter
pytestmark = pytest.mark.skipif(not CAN_ENTER, reason="TCP_DEFER_ACCEPT is Linux's")


@dataclass
class World:
    """An entrance with its front, and a way to connect to it."""

    entrance: Entrance
    front: Front
    state: ServerState
    connect: Callable[[], Coroutine[Any, Any, tuple[Reader, Writer]]]

    async def ask(self, sent: bytes) -> bytes:
        """Send on a connection of its own, and return all that comes."""
        reader, writer = await self.connect()
        writer.write(sent)
        received = await asyncio.wait_for(reader.read(), 10)
        writer.close()
        return received

    async def settle(self) -> list[Any]:
        """Wait until whatever was accepted is a connection, and return all of them."""
        for _ in range(20):
            await asyncio.sleep(0.001)
            await self.entrance.wait_closed()
        return [*self.state.connections]


@asynccontextmanager
async def entrance(service: Service, listener: socket.socket) -> AsyncIterator[World]:
    """Open an entrance, and close it with all of its connections."""
    config = uvicorn.Config(
        App(service), lifespan="off", log_config=None, timeout_keep_alive=KEEP_ALIVE
    )
    config.load()
    state, loop = ServerState(), asyncio.get_running_loop()
    state.default_headers = [(b"date", b"now")]
    front = Front(service, NO_POLICY)
    front.begin(config, state, {}, loop)
    opened = Entrance(listener, front)
    name = listener.getsockname()

    async def connect() -> tuple[Reader, Writer]:
        if listener.family == socket.AF_UNIX:
            return await asyncio.open_unix_connection(name)
        return await asyncio.open_connection(*name[:2])

    try:
        yield World(opened, front, state, connect)
    finally:
        opened.close()
        await opened.wait_closed()
        connections: set[Any] = state.connections
        for one in [*connections]:
            one.transport.abort()
        await asyncio.sleep(0.01)
        assert not connections
        listener.close()


def listening(kind: str, folder: Path) -> socket.socket:
    """Return a socket that listens."""
    if kind == "unix":
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(folder / "socket"))
        listener.listen()
        return listener
    if kind == "ipv6":
        return socket.create_server(("::1", 0), family=socket.AF_INET6)
    return socket.create_server(("127.0.0.1", 0))


Test = Callable[[World], Coroutine[Any, Any, None]]
Run = Callable[[Test], None]


@pytest.fixture
def service(tmp_path: Path) -> Service:
    """A service with one mirror."""
    (tmp_path / "mm.snap").write_bytes(encode(small_data((Mirror(),), {})))
    return make_service(Snapshot(tmp_path / "mm.snap"))


@pytest.fixture(params=["ipv4", "ipv6", "unix"])
def run(request: pytest.FixtureRequest, service: Service, tmp_path: Path) -> Run:
    """Run a test in a loop with an entrance, on each family of sockets."""

    def run(test: Test) -> None:
        async def within() -> None:
            async with entrance(service, listening(request.param, tmp_path)) as world:
                await test(world)

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(asyncio.wait_for(within(), 20))

    return run


def test_a_connection_that_asks_once(run: Run) -> None:
    """It gets its whole answer and its end, and never was a connection of the loop."""

    async def test(world: World) -> None:
        if world.entrance._listener.family != socket.AF_UNIX:
            # A Unix socket tells of a connection before anything has come on it.
            world.front.open = None  # type: ignore[assignment, method-assign]
        received = await world.ask(LAST)
        assert received.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"connection: close\r\n" in received
        assert received.endswith(b"https://host1.example/top/dir/\n")
        assert world.state.total_requests == 1
        assert not world.state.connections

    run(test)


def test_those_that_wait_at_the_end(run: Run) -> None:
    """Who has connected and asked before the end gets an answer, however many they are."""

    async def test(world: World) -> None:
        listener = world.entrance._listener
        clients = [socket.socket(listener.family) for _ in range(40)]
        for client in clients:
            client.connect(listener.getsockname())
            client.sendall(LAST)
        world.entrance.close()
        listener.close()
        await world.settle()
        for client in clients:
            assert client.recv(1 << 16).startswith(b"HTTP/1.1 200 OK\r\n")
            client.close()

    run(test)


def test_a_connection_that_stays(run: Run) -> None:
    """It is a light connection that waits for its next request as long as any."""

    async def test(world: World) -> None:
        reader, writer = await world.connect()
        writer.write(KEPT)
        assert await reader.readuntil(b"\r\n\r\n")
        (made,) = await world.settle()
        assert type(made) is LightConnection
        assert made.is_asked
        assert made.deadline == made.waits_since + KEEP_ALIVE
        writer.write(LAST)
        assert (await reader.read()).count(b"HTTP/1.1 200 OK") == 1
        writer.close()

    run(test)


@pytest.mark.parametrize(
    ("pieces", "statuses"),
    [
        pytest.param([LIVE + LAST], [200, 200], id="another request first"),
        pytest.param([KEPT + LAST], [200, 200], id="two requests"),
        pytest.param([LAST[:9], LAST[9:]], [200], id="in two pieces"),
        pytest.param([b"junk\r\n\r\n"], [400], id="junk"),
        pytest.param([b"GET /" + b"x" * 40_000], [414], id="a head that is too long"),
        pytest.param([LAST.replace(b"GET", b"HEAD")], [200], id="HEAD"),
        pytest.param([LAST.replace(b"GET", b"POST")], [405], id="POST"),
        pytest.param([LAST.replace(b"1.1", b"1.0")], [200], id="HTTP/1.0"),
        pytest.param([request(b"/mirrorlist?repo=no&arch=x")], [404], id="unknown"),
    ],
)
def test_whatever_comes_first(run: Run, pieces: list[bytes], statuses: list[int]) -> None:
    """A first piece that is not recognised becomes a connection, with all that was read."""

    async def test(world: World) -> None:
        reader, writer = await world.connect()
        for piece in pieces:
            writer.write(piece)
            await asyncio.sleep(0.01)
        received = await asyncio.wait_for(reader.read(), 10)
        found = [int(part[:3]) for part in received.split(b"HTTP/1.1 ")[1:]]
        assert found == statuses
        writer.close()

    run(test)


def test_a_client_that_closes_its_half(run: Run) -> None:
    """It gets the answer to what it asked, and the connection ends."""

    async def test(world: World) -> None:
        reader, writer = await world.connect()
        writer.write(KEPT)
        writer.write_eof()
        assert (await asyncio.wait_for(reader.read(), 10)).startswith(b"HTTP/1.1 200 OK")
        writer.close()
        assert not await world.settle()

    run(test)


@pytest.mark.parametrize("sent", [b"", LAST, KEPT, b"GET"])
def test_a_client_that_goes_at_once(run: Run, sent: bytes) -> None:
    """Nothing of it is left, and the next client is answered."""

    async def test(world: World) -> None:
        for _ in range(20):
            _, writer = await world.connect()
            writer.write(sent)
            writer.transport.abort()
        assert (await world.ask(LAST)).startswith(b"HTTP/1.1 200 OK")
        for one in await world.settle():
            assert one.transport.is_closing()

    run(test)


def test_a_stop(run: Run) -> None:
    """After a stop nothing is accepted, and connections that stay are closed."""

    async def test(world: World) -> None:
        reader, writer = await world.connect()
        writer.write(KEPT)
        await reader.readuntil(b"\r\n\r\n")
        (made,) = await world.settle()
        world.entrance.close()
        assert world.front.is_ending
        made.shutdown()
        assert (await asyncio.wait_for(reader.read(), 10)).startswith(b"#")
        writer.close()

    run(test)


def test_an_error_ends_one_connection(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """An internal error is told of, and the next client is answered."""

    async def test(world: World) -> None:
        answer = world.front.answer
        world.front.answer = None  # type: ignore[assignment, method-assign]
        assert await world.ask(LAST) == b""
        world.front.answer = answer  # type: ignore[method-assign]
        assert (await world.ask(LAST)).startswith(b"HTTP/1.1 200 OK")

    run(test)
    assert "TypeError" in capsys.readouterr().err


# By a Unix socket the newcomer would be accepted before anything comes from it.
@pytest.mark.parametrize("run", ["ipv4", "ipv6"], indirect=True)
def test_no_descriptor_is_left(run: Run) -> None:
    """A connection that waits makes way, and the newcomer is answered a little later."""

    async def test(world: World) -> None:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        held = [await world.connect() for _ in range(3)]
        for reader, writer in held:
            writer.write(KEPT)
            await reader.readuntil(b"\r\n\r\n")
            # The clock of the loop counts milliseconds.
            await asyncio.sleep(0.005)
            await world.settle()
        assert len(world.state.connections) == 3
        # Connected, but not accepted until there is room.
        reader, writer = await world.connect()
        with open("/dev/null") as lowest:
            resource.setrlimit(resource.RLIMIT_NOFILE, (lowest.fileno(), hard))
        try:
            writer.write(LAST)
            await asyncio.sleep(PAUSE_SECONDS / 2)
            gone = await asyncio.wait_for(held[0][0].read(), 10)
            assert gone.startswith(b"#")
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert (await asyncio.wait_for(reader.read(), 10)).startswith(b"HTTP/1.1 200 OK")
        for _, one in (*held, (reader, writer)):
            one.close()

    run(test)


@pytest.mark.parametrize("sent", [KEPT, LAST], ids=["kept", "close"])
def test_a_client_that_reads_slowly(tmp_path: Path, sent: bytes) -> None:
    """What the socket does not take at once comes later, whole."""
    mirrors = tuple(Mirror() for _ in range(4000))
    (tmp_path / "mm.snap").write_bytes(encode(small_data(mirrors, {})))
    service = make_service(Snapshot(tmp_path / "mm.snap"))

    async def within() -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        async with entrance(service, listener) as world:
            with socket.socket() as client:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                client.connect(listener.getsockname())
                client.setblocking(False)
                client.send(sent)
                (made,) = await world.settle()
                assert made.transport.get_write_buffer_size()
                received, whole = b"", 0
                while not whole or len(received) < whole:
                    part = await world.front.loop.sock_recv(client, 1 << 16)
                    assert part, "it ended early"
                    received += part
                    head, end, body = received.partition(b"\r\n\r\n")
                    if found := re.search(rb"content-length: (\d+)", head):
                        whole = len(head) + len(end) + int(found[1])
                assert len(received) == whole
                hosts = {line for line in body.splitlines() if line.startswith(b"https://")}
                assert len(hosts) == 4000

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(asyncio.wait_for(within(), 20))


ELSEWHERE = """
import socket, sys
del socket.TCP_DEFER_ACCEPT
from mirrorlist.cli import main
sys.argv[0] = "mirrorlist"
main()
"""


def test_elsewhere(tmp_path: Path) -> None:
    """A system without TCP_DEFER_ACCEPT is told of once, and its clients get the same."""
    (tmp_path / "mm.snap").write_bytes(encode(small_data((Mirror(),), {})))
    command = (sys.executable, "-c", ELSEWHERE, "serve")
    with serve(tmp_path / "mm.snap", tmp_path, "--workers", 2, command=command) as server:
        assert exchange(server.port, LAST).body.endswith(b"https://host1.example/top/dir/\n")
        wait_until("it is told", lambda: "no TCP_DEFER_ACCEPT" in server.output.read_text())
        assert server.end() == 0
        assert server.output.read_text().count("no TCP_DEFER_ACCEPT") == 1
