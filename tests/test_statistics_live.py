"""Statistics of a real server: the totals are what its clients have sent."""

import os
import re
import signal
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from snapshot.stats import spool
from snapshot.stats.spool import Batch
from tests.factories import export_tables, world
from tests.live import Server, exchange, request, serve, wait_until

TARGETS = (
    b"/metalink?repo=linux-40&arch=x86_64&countme=2",
    b"/mirrorlist?repo=linux-40&arch=x86_64",
    b"/mirrorlist?repo=linux-40&arch=x86_64&redirect=1",
    b"/metalink?repo=invented&arch=x86_64",
    b"/metalink?repo=%ff&arch=x86_64",
)
_ADMIN = re.compile(r"on http://127\.0\.0\.1:(\d+)/status")
AGENT = b"User-Agent: libdnf5/5.2 (Fedora Linux 41; server; Linux.x86_64)"


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a small world."""
    folder = tmp_path_factory.mktemp("statistics")
    return Path(export_tables(folder, world())[0].path)


def batches(folder: Path) -> list[Batch]:
    """Return all batches in a spool; each has a name of its own."""
    found = [batch for path in spool.files(folder) for batch in spool.read(path)]
    assert len({(batch.source, batch.sequence) for batch in found}) == len(found)
    return found


def send(server: Server, times: int, headers: Sequence[bytes] = (AGENT,)) -> Counter[int]:
    """Send each target several times, and return how often each status came."""
    asked = [request(target, headers=headers) for target in TARGETS for _ in range(times)]
    return Counter(exchange(server.port, one).status for one in asked)


@pytest.mark.parametrize("door", ["fast", "asgi"])
def test_totals(snapshot: Path, tmp_path: Path, door: str) -> None:
    """Over two workers and a restart, all that clients sent is counted once, by its status."""
    folder, sent = tmp_path / "spool", Counter[int]()
    for times in (3, 4):
        with serve(snapshot, tmp_path, "--spool", folder, "--workers", 2, "--door", door) as server:
            sent += send(server, times)
            exchange(server.port, request(TARGETS[0], "HEAD"))
            assert server.end() == 0
    rows = [row for batch in batches(folder) for row in batch.counts]
    assert Counter({row.status: 0 for row in rows}) == Counter(dict.fromkeys(sent, 0))
    counted = Counter[int]()
    for row in rows:
        counted[row.status] += row.requests
    assert counted == sent
    assert {row.client for row in rows} == {"dnf5"}
    assert {row.countme for row in rows} == {0, 2}
    assert not [name for name in os.listdir(folder) if name.endswith((".open", ".part"))]


def test_a_killed_worker(snapshot: Path, tmp_path: Path) -> None:
    """A worker that is killed costs what it counted since its last file, and nothing else."""
    folder = tmp_path / "spool"
    with serve(snapshot, tmp_path, "--spool", folder) as server:
        send(server, 1)
        (worker,) = server.workers()
        os.kill(worker, signal.SIGKILL)
        wait_until("another worker", lambda: server.workers() not in ([], [worker]))
        sent = send(server, 2)
        assert server.end() == 0
    assert sum(batch.requests for batch in batches(folder)) == sent.total()


def test_metrics(snapshot: Path, tmp_path: Path) -> None:
    """The metrics have the spool's files, bytes and age."""
    folder = tmp_path / "spool"
    folder.mkdir()
    batch = Batch("0" * 32, 1, "other", begun=1000, ended=1060)
    path = spool.write(folder, batch.file_name, spool.encode([batch]))
    with serve(snapshot, tmp_path, "--spool", folder, "--admin", "127.0.0.1:0") as server:
        wait_until("the address is told", lambda: b"/status" in server.output.read_bytes())
        found = _ADMIN.search(server.output.read_text())
        assert found is not None
        page = exchange(int(found[1]), request(b"/metrics")).body.decode()
    lines = dict(line.rsplit(" ", 1) for line in page.splitlines() if line[0] != "#")
    assert float(lines["mirrorlist_spool_files"]) == 1
    assert float(lines["mirrorlist_spool_bytes"]) == path.stat().st_size
    assert float(lines["mirrorlist_spool_age_seconds"]) > 1e9
    assert float(lines["mirrorlist_statistics_other_total"]) == 0
