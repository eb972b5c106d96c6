"""20,000 malformed and random requests against a live server; `make hostile` sends 200,000."""

import asyncio
from pathlib import Path

from tests.hostile.campaign import connections, descriptors, memory, run
from tests.hostile.data import GOOD, make_snapshot
from tests.live import serve, wait_until

SEED = 20261121
REQUESTS = 20_000
WARM_UP = 4_000
# An allocator's unevenness; a leak of 1 KiB a request would be twice this.
MAX_GROWTH_KIB = 10_000


def test_hostile_input(tmp_path: Path) -> None:
    """No 5xx, no traceback, no hang, no lost answer, no dead worker and no growth."""
    with serve(make_snapshot(tmp_path), tmp_path, "--workers", 2) as server:
        wait_until("both workers are there", lambda: len(server.workers()) == 2)
        asyncio.run(run(server.port, SEED + 1, WARM_UP, GOOD))
        wait_until("connections are closed", lambda: not connections(server.port))
        tree = [server.process.pid, *server.workers()]
        size, files = memory(tree), descriptors(tree)
        tally = asyncio.run(run(server.port, SEED, REQUESTS, GOOD))
        assert tally.wrong == []
        assert tally.good > 0
        assert tree == [server.process.pid, *server.workers()]
        wait_until("connections are closed", lambda: descriptors(tree) <= files)
        assert memory(tree) - size < MAX_GROWTH_KIB
        assert {"200", "302", "400", "404", "405", "414", "431"} <= tally.answers.keys()
        assert server.get(GOOD).status == 200
