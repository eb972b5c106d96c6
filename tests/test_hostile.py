"""Malformed and random requests against a live server, 20,000 of them.

`make hostile` sends 200,000.
"""

import asyncio
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hostile.campaign import connections, descriptors, memory, run
from tests.hostile.data import DEMO, GOOD, make_snapshot
from tests.hostile.dear import LEAVE, dear_kinds
from tests.hostile.prices import MOST_LISTS, cpu, measure, table
from tests.live import Server, serve, wait_until

SEED = 20261121
MANY = 20_000
WARM_UP = 4_000
# An allocator's unevenness; a leak of 1 KiB a request would be twice this.
MAX_GROWTH_KIB = 10_000


STATUSES = {"200", "302", "400", "404", "405", "414", "431"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server with two workers."""
    with serve(make_snapshot(tmp_path), tmp_path, "--workers", 2) as server:
        wait_until("both workers are there", lambda: len(server.workers()) == 2)
        yield server


def _tree(server: Server) -> list[int]:
    return [server.process.pid, *server.workers()]


def _send(server: Server, seed: int, requests: int) -> None:
    """Send attempts and judge them: no 5xx, no hang, no lost answer, no dead worker."""
    tree = _tree(server)
    tally = asyncio.run(run(server.port, seed, requests, GOOD))
    assert tally.wrong == []
    assert tally.good > 0
    assert tree == _tree(server)
    assert tally.answers.keys() >= STATUSES
    assert server.get(GOOD).status == 200


@pytest.mark.system
def test_much_hostile_input(server: Server) -> None:
    """No 5xx, no traceback, no hang, no lost answer, no dead worker; no connection is left open
    and memory has not grown.
    """
    _send(server, SEED + 1, WARM_UP)
    wait_until("connections are closed", lambda: not connections(server.port))
    tree = _tree(server)
    size, files = memory(tree), descriptors(tree)
    _send(server, SEED, MANY)
    wait_until("connections are closed", lambda: descriptors(tree) <= files)
    assert memory(tree) - size < MAX_GROWTH_KIB


@pytest.mark.system
def test_what_the_dearest_requests_cost(tmp_path: Path) -> None:
    """No kind of request costs the event loop more than ten drawn lists, by the kernel's count.

    Beside another test the same request has taken 6.8 and 11.1 lists, so a kind is too dear if it
    is each of three times.
    """
    snapshot, dear = make_snapshot(tmp_path), set[str]()
    for turn in range(3):
        unit, found = measure(snapshot, tmp_path)
        assert len(found) > 40
        over = {one.kind for one in found if one.lists(unit) > MOST_LISTS}
        dear = dear & over if turn else over
        if not dear:
            break
    assert not dear, "\n".join(table(unit, found))


@pytest.mark.system
def test_aborted_filter_requests(tmp_path: Path) -> None:
    """After a hundred clients that asked for much and left, an honest one is answered at once."""
    (dear,) = [one for one in dear_kinds(DEMO) if one.name == "rsync filter: the client leaves"]
    with serve(make_snapshot(tmp_path), tmp_path) as server:
        wait_until("the worker is there", lambda: len(server.workers()) == 1)
        for number in range(100):
            with socket.create_connection(("127.0.0.1", server.port)) as connection:
                connection.sendall(dear.make(number).removesuffix(LEAVE))
        target = f"/rsyncFilter?categories={DEMO.categories}&since=0"
        wait_until("it is answered", lambda: server.get(target).status == 200, 2.0)
        (worker,) = server.workers()
        before, begun = cpu(worker), time.monotonic()
        time.sleep(0.5)
        spent = (cpu(worker)[1] - before[1]) / 1e9
        assert spent < 0.5 * (time.monotonic() - begun)
