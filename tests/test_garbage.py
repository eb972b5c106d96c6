"""What a connection leaves behind: nothing that only the collector of garbage would find."""

import asyncio
import gc
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from weakref import WeakSet

import pytest
import uvicorn
import uvloop
from uvicorn.server import ServerState

from mirrorlist.lists.plan import Plan, Refusal
from mirrorlist.request.query import parse_query
from mirrorlist.service import Service
from mirrorlist.web.app import App
from mirrorlist.web.fast import FastProtocol
from mirrorlist.web.light import LightConnection
from mirrorlist.web.protocol import LimitedProtocol, MakeProtocol
from snapshot.file.reader import Snapshot
from tests.connection import light
from tests.contract_world import contract_world
from tests.in_process import make_service
from tests.live import request

LIST = b"/metalink?repo=linux-40&arch=x86_64"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Service:
    """A service of the contract's snapshot."""
    return make_service(contract_world(tmp_path_factory.mktemp("circles")))


@pytest.fixture
def uncollected() -> Iterator[None]:
    """No collection of garbage, as of what has lived for a while in a worker."""
    gc.disable()
    # get_objects() leaves out what is frozen: half a million objects of other tests.
    gc.freeze()
    yield
    gc.enable()


MAKERS: dict[str, Callable[[Service], MakeProtocol]] = {
    "light": light,
    "fast": lambda service: partial(FastProtocol, service=service),
    "asgi": lambda service: LimitedProtocol,
}


async def _left(service: Service, kind: str, sent: list[bytes], whole: bool) -> int:
    """Let a client connect and go; return how many connections are still in memory."""
    config = uvicorn.Config(App(service), lifespan="off", log_config=None, access_log=False)
    state, loop = ServerState(), asyncio.get_running_loop()
    state.default_headers = [(b"date", b"now")]
    make, before = MAKERS[kind](service), _connections()

    def connection() -> LimitedProtocol:
        return make(config, state, {}, _loop=loop)

    server = await loop.create_server(connection, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    for part in sent:
        writer.write(part)
        await writer.drain()
    answer = await reader.read() if whole else b""
    writer.close()
    await writer.wait_closed()
    while state.connections or state.tasks:
        await asyncio.sleep(0.001)
    # The loop holds the last call a moment longer.
    await asyncio.sleep(0.001)
    server.close()
    assert bool(answer) is whole
    return _connections() - before


def _connections() -> int:
    """Return how many connections are in memory, of whatever form."""
    return sum(isinstance(one, LimitedProtocol | LightConnection) for one in gc.get_objects())


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize(
    ("sent", "whole"),
    [
        pytest.param([request(LIST)], True, id="a list"),
        pytest.param([request(b"/metalink?repo=no&arch=x")], True, id="an unknown repository"),
        pytest.param([request(b"/health/ready")], True, id="health"),
        pytest.param([request(LIST).replace(b"close", b"keep-alive")] * 2, False, id="gone early"),
        pytest.param([b"GET /met"], False, id="half a request"),
        pytest.param([b"no HTTP\r\n\r\n"], True, id="no HTTP"),
        pytest.param([request(LIST, "POST", [b"Content-Length: 9"])], True, id="a body"),
    ],
)
@pytest.mark.usefixtures("uncollected")
def test_connections(service: Service, kind: str, sent: list[bytes], whole: bool) -> None:
    """A connection that has ended is gone at once, whatever came on it."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(_left(service, kind, sent, whole)) == 0


@pytest.mark.usefixtures("uncollected")
def test_plans(service: Service) -> None:
    """A plan that nobody has is gone at once, also one whose answer is an error."""
    alive = WeakSet[Plan | Refusal]()
    for query in (b"repo=linux-40&arch=x86_64", b"repo=no&arch=x"):
        service.plans.clear()
        for _ in range(2):
            service.respond(False, query, "192.0.2.1", [])
        alive.update(service.plans.kept)
        assert len(alive) == 1
        service.plans.clear()
        assert not alive


@pytest.mark.usefixtures("uncollected")
def test_snapshots(tmp_path: Path) -> None:
    """A snapshot with its service is gone at once."""
    snapshot = contract_world(tmp_path)
    alive = WeakSet[Snapshot]([snapshot])
    service = make_service(snapshot)
    service.respond(True, LIST.partition(b"?")[2], "192.0.2.1", [])
    assert parse_query(LIST.partition(b"?")[2], True).repo
    del snapshot, service
    assert not alive
