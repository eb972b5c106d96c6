"""20,000 malformed and random requests against a live server; `make hostile` sends 200,000."""

import asyncio
from pathlib import Path

from snapshot.writer import encode
from tests.hostile.campaign import descriptors, memory, run
from tests.live import serve, wait_until
from tests.small_worlds import Mirror, small_data

SEED = 20261121
REQUESTS = 20_000
WARM_UP = 4_000
# An allocator's unevenness; a leak of 1 KiB a request would be twice this.
MAX_GROWTH_KIB = 10_000


def test_hostile_input(tmp_path: Path) -> None:
    """No 5xx, no traceback, no hang, no dead worker and no growth; good requests are answered."""
    snapshot = tmp_path / "mm.snap"
    snapshot.write_bytes(encode(small_data((Mirror(), Mirror("US")), {})))
    with serve(snapshot, tmp_path, "--workers", 2) as server:
        wait_until("both workers are there", lambda: len(server.workers()) == 2)
        asyncio.run(run(server.port, SEED + 1, WARM_UP))
        tree = [server.process.pid, *server.workers()]
        size, files = memory(tree), descriptors(tree)
        tally = asyncio.run(run(server.port, SEED, REQUESTS))
        assert tally.wrong == []
        assert tree == [server.process.pid, *server.workers()]
        wait_until("connections are closed", lambda: descriptors(tree) <= files)
        assert memory(tree) - size < MAX_GROWTH_KIB
        assert {"200", "400", "404", "405", "414", "431"} <= tally.answers.keys()
        assert server.get("/mirrorlist?path=top/dir").status == 200
