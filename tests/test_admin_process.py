"""The admin listener of `serve`: what it says of all workers, and what becomes of its process."""

import json
import os
import re
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from mirrorlist.errors import StartError
from mirrorlist.process.threads import Threads
from mirrorlist.records.accesslog import AccessLog
from mirrorlist.records.counts import Count, Counts, Level
from mirrorlist.web.listener import listen
from mirrorlist.workers.server import Housekeeping
from snapshot.file.model import Repository
from snapshot.file.writer import encode
from tests.chromium import DESKTOP, PHONE, browser
from tests.command import assert_refused, run
from tests.factories import export_tables, world
from tests.live import Response, Server, exchange, read_to_end, request, serve, wait_until
from tests.small_worlds import Mirror, small_data

pytestmark = pytest.mark.system

TARGET = "/mirrorlist?repo=linux-40&arch=x86_64"
_ADMIN = re.compile(r"on http://127\.0\.0\.1:(\d+)/status")


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A snapshot of a small world."""
    folder = tmp_path_factory.mktemp("overseer")
    export_tables(folder, world())
    return folder / "mm.snap"


@pytest.fixture(scope="module")
def long_snapshot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A snapshot with so many repositories that listing them takes a while."""
    repositories = [Repository(f"{'long-' * 12}{n:06}", "x", 0, False) for n in range(50_000)]
    data = msgspec.structs.replace(small_data((Mirror(),), {}), repositories=repositories)
    path = tmp_path_factory.mktemp("long") / "mm.snap"
    path.write_bytes(encode(data))
    return path


class Running:
    """A server with two workers and an admin listener."""

    def __init__(self, server: Server) -> None:
        """Take the server, and find its admin listener in what it printed."""
        self.server = server
        wait_until("the admin listener is told", lambda: bool(_ADMIN.search(self.output())))
        found = _ADMIN.search(self.output())
        assert found
        self.port = int(found[1])
        wait_until("both workers have told their state", lambda: self.serving() == 2)

    def output(self) -> str:
        """Return what the server printed."""
        return self.server.output.read_text()

    def get(self, path: str) -> Response:
        """Ask the admin listener."""
        return exchange(self.port, request(path.encode()))

    def metrics(self) -> dict[tuple[str, ...], float]:
        """Return the samples of all metrics by their name and their labels' values."""
        text = self.get("/metrics").body.decode()
        families = list(text_string_to_metric_families(text))
        samples = [sample for family in families for sample in family.samples]
        return {(one.name, *one.labels.values()): one.value for one in samples}

    def requests(self, *labels: str) -> float:
        """Return how many requests with these labels were counted."""
        return self.metrics().get(("mirrorlist_requests_total", *labels), 0)

    def serving(self) -> float:
        """Return how many workers have told what they serve."""
        found = self.metrics()
        return sum(found[key] for key in found if key[0] == "mirrorlist_snapshot_info")

    def workers(self) -> list[int]:
        """Return the processes of the workers."""
        return [
            worker["process"] for worker in json.loads(self.get("/status.json").body)["workers"]
        ]

    def overseer(self) -> int:
        """Return the process that answers on the admin listener."""
        (found,) = {*self.server.workers()} - {*self.workers()}
        return found


@contextmanager
def running(snapshot: Path, folder: Path, *options: object) -> Iterator[Running]:
    """Serve with two workers, and an admin listener on a free port."""
    with serve(snapshot, folder, "--workers", 2, "--admin", "127.0.0.1:0", *options) as server:
        yield Running(server)


@pytest.fixture(scope="module")
def shared(snapshot: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server for tests that end none of its processes."""
    with running(snapshot, tmp_path_factory.mktemp("shared")) as server:
        yield server


def test_health(shared: Running) -> None:
    """The server lives, is ready, says the same of it as on the public port, and is fresh."""
    assert (shared.get("/health/live").status, shared.get("/health/live").body) == (200, b"OK\n")
    ready, fresh = shared.get("/health/ready"), shared.get("/health/fresh")
    assert (ready.status, fresh.status) == (200, 200)
    said = json.loads(ready.body)
    assert (said["ready"], said["stale"]) == (True, False)
    public = json.loads(shared.server.get("/health/ready").body)
    del said["snapshot"]["age"], public["snapshot"]["age"]
    assert said == public
    assert json.loads(fresh.body)["reason"] is None


def test_the_page_in_a_browser(shared: Running, tmp_path: Path) -> None:
    """Chromium shows the status page of a running server, in light and dark, on a phone too."""
    shared.server.get(TARGET)
    with browser(tmp_path) as chromium:
        for size, scheme in ((PHONE, "light"), (DESKTOP, "dark")):
            chromium.open(f"http://127.0.0.1:{shared.port}/status", size, scheme)
            assert chromium.evaluate("document.title") == "mirrorlist: ready"
            assert chromium.evaluate("document.documentElement.scrollWidth") <= size[0]
            shown = chromium.evaluate("document.body.innerText")
            assert all(str(worker) in shown for worker in shared.workers())
            assert chromium.picture().startswith(b"\x89PNG")
        assert chromium.complaints == []


def test_pages_that_are_not_public(shared: Running) -> None:
    """Metrics, freshness and status are on the admin listener alone."""
    for path in ("/metrics", "/status", "/status.json", "/health/fresh"):
        assert shared.server.get(path).status == 404


def test_both_workers_count(shared: Running) -> None:
    """The metrics cover both workers: each request is counted once, in either worker."""
    labels = "mirrorlist", "200", "global"
    before = shared.requests(*labels)
    for _ in range(40):
        assert shared.server.get(TARGET).status == 200
    assert shared.requests(*labels) == before + 40


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        pytest.param(b"nonsense\r\n\r\n", "400", id="no HTTP"),
        pytest.param(request(b"/" + b"x" * 9000), "414", id="a long target"),
        pytest.param(request(b"/", headers=[b"a: b"] * 99), "431", id="many headers"),
    ],
)
def test_refused_requests_count(shared: Running, sent: bytes, status: str) -> None:
    """What the protocol refuses is counted by its status."""
    before = shared.requests("other", status, "none")
    with socket.create_connection(("127.0.0.1", shared.server.port), 10) as connection:
        connection.sendall(sent)
        assert read_to_end(connection).startswith(b"HTTP/1.1 " + status.encode())
    assert shared.requests("other", status, "none") == before + 1


def test_a_killed_worker(snapshot: Path, tmp_path: Path) -> None:
    """What a killed worker counted stays, and its successor tells its state in its place."""
    with running(snapshot, tmp_path) as server:
        for _ in range(30):
            server.server.get(TARGET)
        dead, other = server.workers()
        overseer = server.overseer()
        os.kill(dead, signal.SIGKILL)
        wait_until("two others", lambda: len({*server.workers()} - {dead}) == 2)
        assert server.requests("mirrorlist", "200", "global") == 30
        assert other in server.workers()
        assert server.overseer() == overseer


def test_a_killed_overseer(snapshot: Path, tmp_path: Path) -> None:
    """The admin process is replaced, knows all counts again, and costs no worker."""
    with running(snapshot, tmp_path) as server:
        server.server.get(TARGET)
        workers, dead = server.workers(), server.overseer()
        os.kill(dead, signal.SIGKILL)
        # A request meanwhile waits for the new process.
        assert server.requests("mirrorlist", "200", "global") == 1
        assert server.workers() == workers
        assert server.overseer() != dead
        assert f"admin process {dead} ended unexpectedly" in server.output()


def test_draining(long_snapshot: Path, tmp_path: Path) -> None:
    """While an answer is under way the server is not ready; then all of it ends, and with 0."""
    with running(long_snapshot, tmp_path) as server, socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(10)
        client.connect(("127.0.0.1", server.server.port))
        client.sendall(request(b"/repositories?format=json"))
        assert client.recv(8, socket.MSG_PEEK) == b"HTTP/1.1"
        processes = server.server.workers()
        assert server.get("/health/ready").status == 200
        # As a service manager does, which signals every process.
        for process in (server.overseer(), server.server.process.pid):
            os.kill(process, signal.SIGTERM)
        wait_until("it is not ready", lambda: server.get("/health/ready").status == 503)
        assert json.loads(server.get("/health/ready").body)["stale"] is True
        old = server.get("/health/fresh")
        assert (old.status, "more than 900 s" in old.body.decode()) == (503, True)
        assert server.get("/health/live").status == 200
        read_to_end(client)
        assert server.server.process.wait(10) == 0
        assert "unexpectedly" not in server.output()
        assert not any(Path(f"/proc/{one}").exists() for one in processes)


def test_a_refused_snapshot(snapshot: Path, tmp_path: Path) -> None:
    """A damaged file makes the server not fresh, and ready all the same, until a good one comes."""
    good, served = snapshot.read_bytes(), tmp_path / "served.snap"
    served.write_bytes(good)

    def publish(content: bytes) -> None:
        (tmp_path / "new").write_bytes(content)
        (tmp_path / "new").replace(served)

    with running(served, tmp_path) as server:
        assert server.get("/health/fresh").status == 200
        publish(good[:-1])
        refused = ("mirrorlist_swaps_refused_total",)
        wait_until("both workers refuse it", lambda: server.metrics()[refused] == 2)
        reason = json.loads(server.get("/health/fresh").body)["reason"]
        assert reason.startswith(f"a snapshot file is refused: {served}: ")
        assert (server.get("/health/ready").status, server.server.get(TARGET).status) == (200, 200)
        page = server.get("/status").body.decode()
        assert "by 2 of 2 workers" in page
        publish(good)
        wait_until("it is fresh again", lambda: server.get("/health/fresh").status == 200)


def test_log_lines_count(snapshot: Path, tmp_path: Path) -> None:
    """Lines of the request log are counted when they are written."""
    with running(snapshot, tmp_path, "--log", tmp_path / "log") as server:
        for _ in range(20):
            server.server.get(TARGET)
        written = ("mirrorlist_log_lines_written_total",)
        wait_until("all lines are written", lambda: server.metrics()[written] == 20)


def test_lost_lines_count(tmp_path: Path) -> None:
    """Lines that are lost, and bytes that wait, are counted beside those that are written."""
    log, counts = AccessLog(str(tmp_path / "log")), Counts(1)
    carrier = Housekeeping(counts.claim(), log, Threads(print))
    for written, lost in ((3, 0), (5, 2), (5, 2)):
        log.written, log.lost = written, lost
        carrier.step(0.0)
    totals = counts.totals()
    assert totals.counts[Count.LOG_LINES_WRITTEN] == 5
    assert totals.counts[Count.LOG_LINES_LOST] == 2
    assert totals.levels[Level.LOG_QUEUED_BYTES] == 0


def test_no_process_outlives_the_supervisor(snapshot: Path, tmp_path: Path) -> None:
    """After kill -9 of the supervisor the admin process ends, and its address is free."""
    with running(snapshot, tmp_path) as server:
        overseer = server.overseer()
        server.server.end(signal.SIGKILL)
        wait_until("it is gone", lambda: not _runs(overseer))
        wait_until("its address is free", lambda: _refuses(server.port))


def test_workers_that_hang(snapshot: Path, tmp_path: Path) -> None:
    """When no worker answers any more, the server is not ready; when they do, it is again."""
    with running(snapshot, tmp_path) as server:
        workers = [one for one in server.server.workers() if one != server.overseer()]
        for worker in workers:
            os.kill(worker, signal.SIGSTOP)
        silent = ("mirrorlist_workers_silent",)
        wait_until("all are silent", lambda: server.metrics()[silent] == 2, 30)
        assert server.get("/health/ready").status == 503
        assert "silent for" in server.get("/status").body.decode()
        for worker in workers:
            os.kill(worker, signal.SIGCONT)
        wait_until("it is ready", lambda: server.get("/health/ready").status == 200)


def test_a_neighbour_that_drips(snapshot: Path, tmp_path: Path) -> None:
    """A watch that never ends its answer delays neither a page nor the shutdown."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        where = f"127.0.0.1:{listener.getsockname()[1]}"
        with running(snapshot, tmp_path, "--watch-admin", where) as server:
            connection, _ = listener.accept()
            with connection:
                # It waits for us now.
                assert connection.recv(4)
                assert server.get("/health/ready").status == 200
                overseer = server.overseer()
                server.server.end(signal.SIGKILL)
                wait_until("it is gone", lambda: not _runs(overseer))


def _runs(process: int) -> bool:
    """Whether a process is there and no zombie, which is its new parent's business."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _refuses(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_a_default_address_in_use(snapshot: Path, tmp_path: Path) -> None:
    """Without --admin, an address in use is one warning, and the server serves all the same."""
    with ExitStack() as taken:
        # If it is in use already, all the better.
        with suppress(StartError):
            taken.enter_context(listen("127.0.0.1", 3001))
        # Nothing given is as if it had not been given.
        with serve(snapshot, tmp_path, "--admin", "") as server:
            assert server.get(TARGET).status == 200
            said = server.output.read_text()
        assert said.count("warning: ") == 1
        assert "warning: no health and metrics: 127.0.0.1:3001: cannot listen" in said


def test_an_admin_address_in_use(snapshot: Path, tmp_path: Path) -> None:
    """An address that was given and is in use ends the start with 1, and no port is opened."""
    with listen("127.0.0.1", 0) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = run("serve", "--snapshot", snapshot, "--port", 0, "--admin", address)
    assert_refused(done, 1, address, "choose another --admin")
