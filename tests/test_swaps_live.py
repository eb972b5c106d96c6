"""Running servers whose snapshot changes: every worker takes it, however it is told."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from loadtest.common.servers import Server as Address
from loadtest.common.workers import Worker, all_serve, each_worker
from snapshot.file.reader import Snapshot
from snapshot.file.writer import encode
from tests.live import COMMAND, Server, serve, wait_until
from tests.mmdb import write_countries
from tests.published import put, world
from tests.small_worlds import DIRECTORY

pytestmark = pytest.mark.system

WORKERS = 2
TARGET = f"/mirrorlist?path={DIRECTORY}"
# watchfiles says that the kernel has no more watches, as on a busy machine.
DEAF = """
import sys, watchfiles
def watch(*paths, **options):
    raise OSError(28, "no more watches")
watchfiles.watch = watch
from mirrorlist.cli import main
sys.argv[0] = "mirrorlist"
main()
"""


@contextmanager
def running(folder: Path, *options: object, deaf: bool = False) -> Iterator[Server]:
    """Serve the first world with two workers."""
    put(folder / "mm.snap", encode(world(1)))
    command = [sys.executable, "-c", DEAF, "serve"] if deaf else COMMAND
    more = ("--workers", WORKERS, *options)
    with serve(folder / "mm.snap", folder, *more, command=command) as server:
        wait_until("all workers", lambda: len(server.workers()) == WORKERS)
        yield server


def served(server: Server, path: Path) -> None:
    """Wait until every worker answers from the file."""
    wanted = Snapshot(path).id
    address = Address(f"http://127.0.0.1:{server.port}", server.process.pid)
    with each_worker(address, server.workers()) as workers:
        wait_until("every worker has it", lambda: all_serve(workers, wanted))


def _is_replaced(server: Server, dead: int) -> bool:
    return dead not in server.workers() and len(server.workers()) == WORKERS


def _finds_french(worker: Worker) -> bool:
    _, body = worker.ask("/explain" + TARGET.removeprefix("/mirrorlist"), "192.0.2.1")
    return b'"FR"' in body


def test_every_worker_is_told(tmp_path: Path) -> None:
    """Every worker takes a published file by itself; the first alone says so, once."""
    with running(tmp_path) as server:
        for number in (2, 3):
            put(tmp_path / "mm.snap", encode(world(number)))
            served(server, tmp_path / "mm.snap")
        assert server.output.read_text().count(" is in use, read ") == 2


def test_every_worker_looks(tmp_path: Path) -> None:
    """Where the file system tells nothing, every worker finds a published file by looking."""
    with running(tmp_path, deaf=True) as server:
        put(tmp_path / "mm.snap", encode(world(2)))
        served(server, tmp_path / "mm.snap")


def test_sighup(tmp_path: Path) -> None:
    """SIGHUP to the supervisor makes every worker look, and ends nobody."""
    with running(tmp_path, deaf=True) as server:
        workers = server.workers()
        put(tmp_path / "mm.snap", encode(world(2)))
        server.process.send_signal(signal.SIGHUP)
        served(server, tmp_path / "mm.snap")
        assert server.workers() == workers


def test_early_sighups(tmp_path: Path) -> None:
    """SIGHUPs from the first moment on, also to workers that are just forked, end nobody."""
    with running(tmp_path) as server:
        dead, other = server.workers()
        os.kill(dead, signal.SIGKILL)
        seen = set[int]()
        while len(seen - {dead, other}) < 1 or len(server.workers()) < WORKERS:
            server.process.send_signal(signal.SIGHUP)
            for worker in server.workers():
                seen.add(worker)
                if worker != dead:
                    os.kill(worker, signal.SIGHUP)
        (new,) = set(server.workers()) - {other}
        put(tmp_path / "mm.snap", encode(world(2)))
        served(server, tmp_path / "mm.snap")
        assert set(server.workers()) == {new, other}
        assert server.output.read_text().count("ended unexpectedly") == 1


def test_a_new_worker_has_the_new_file(tmp_path: Path) -> None:
    """A worker that replaces a dead one after a swap answers from the new file, as all do."""
    with running(tmp_path) as server:
        put(tmp_path / "mm.snap", encode(world(2)))
        served(server, tmp_path / "mm.snap")
        for dead in server.workers():
            os.kill(dead, signal.SIGKILL)
            wait_until("a new worker", partial(_is_replaced, server, dead))
        served(server, tmp_path / "mm.snap")


def test_a_bad_file_is_refused_by_all(tmp_path: Path) -> None:
    """A file that stays bad is refused once in words, all serve on, and a good one is taken."""
    with running(tmp_path) as server:
        put(tmp_path / "good", encode(world(1)))
        (tmp_path / "mm.snap").write_bytes(b"bad")
        wait_until("it is refused", lambda: "refused" in server.output.read_text())
        served(server, tmp_path / "good")
        put(tmp_path / "mm.snap", encode(world(2)))
        served(server, tmp_path / "mm.snap")
        assert server.output.read_text().count("refused, the one before it stays") == 1


def test_a_file_written_in_place(tmp_path: Path) -> None:
    """A file that is slowly written in place serves when it is whole, and is never refused."""
    with running(tmp_path) as server:
        content = bytes(encode(world(2)))
        with (tmp_path / "mm.snap").open("wb") as file:
            for byte in range(0, len(content), 300):
                file.write(content[byte : byte + 300])
                file.flush()
                assert server.get(TARGET).status == 200
        served(server, tmp_path / "mm.snap")
        assert "refused" not in server.output.read_text()


def test_a_geoip_file(tmp_path: Path) -> None:
    """A changed GeoIP file is taken by every worker."""
    geoip = write_countries(tmp_path / "geo.mmdb", {"192.0.2.1": "DE"})
    with running(tmp_path, "--geoip", geoip) as server:
        write_countries(tmp_path / "part", {"192.0.2.1": "FR"}).rename(geoip)
        address = Address(f"http://127.0.0.1:{server.port}", server.process.pid)
        with each_worker(address, server.workers()) as workers:
            for worker in workers:
                wait_until("the country is another", partial(_finds_french, worker))
