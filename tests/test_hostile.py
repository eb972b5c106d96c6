"""Malformed and random requests against a live server: 1,500, and 20,000 as a system test.

`make hostile` sends 200,000.
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hostile.campaign import connections, descriptors, memory, run
from tests.hostile.data import GOOD, make_snapshot
from tests.live import Server, serve, wait_until

SEED = 20261121
FEW, MANY = 1_500, 20_000
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


def test_hostile_input(server: Server) -> None:
    """No 5xx, no traceback, no hang, no lost answer and no dead worker."""
    _send(server, SEED, FEW)
    wait_until("connections are closed", lambda: not connections(server.port))


@pytest.mark.system
def test_much_hostile_input(server: Server) -> None:
    """After many more, no connection is left open and memory has not grown."""
    _send(server, SEED + 1, WARM_UP)
    wait_until("connections are closed", lambda: not connections(server.port))
    tree = _tree(server)
    size, files = memory(tree), descriptors(tree)
    _send(server, SEED, MANY)
    wait_until("connections are closed", lambda: descriptors(tree) <= files)
    assert memory(tree) - size < MAX_GROWTH_KIB
