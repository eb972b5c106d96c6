"""What real processes tell systemd: when they are ready, that they live, and that they end."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from tests.cache_file import write_cache
from tests.dropin import DropIn
from tests.factories import export_tables, make_database, world
from tests.forked import Process, template
from tests.live import ROOT, Server, serve, wait_until
from tests.notified import Manager

pytestmark = pytest.mark.system
SECONDS = 20.0


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    """The manager of one process."""
    with closing(Manager(tmp_path)) as made:
        yield made


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A snapshot of a small database."""
    folder = tmp_path_factory.mktemp("systemd")
    export_tables(folder, world())
    return folder / "mm.snap"


@contextmanager
def serving(
    manager: Manager,
    snapshot: Path,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    *options: object,
) -> Iterator[Server]:
    """A server that tells the manager its state; it is ready."""
    for name, value in manager.environment().items():
        monkeypatch.setenv(name, value)
    with serve(snapshot, folder, *options) as server:
        told = manager.until("READY")
        assert told.process == server.process.pid
        yield server


@contextmanager
def staying(folder: Path, environment: dict[str, str], *words: object) -> Iterator[Process]:
    """A command that stays."""
    command = ["mirrorlist", *map(str, words)]
    with (folder / "said").open("wb") as said:
        plain = {"PATH": "/usr/bin:/bin", **environment}
        process = template().start(command, plain, ROOT, (said, said))
    try:
        yield process
        assert "Traceback" not in (folder / "said").read_text()
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_a_server_that_is_ready(
    manager: Manager, snapshot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server is ready when its port answers, and says the snapshot, its age and hosts; only the
    supervisor tells, also when a worker is replaced.
    """
    with serving(manager, snapshot, tmp_path, monkeypatch, "--workers", 2) as server:
        assert server.get("/health/ready").status == 200
        text = manager.until("STATUS", "2 of 2 workers answer").lines["STATUS"]
        assert text.startswith("snapshot ")
        assert " old, 9 hosts; " in text
        first = server.workers()[0]
        os.kill(first, signal.SIGKILL)
        wait_until("another worker", lambda: len({*server.workers()} - {first}) == 2)
        manager.until("WATCHDOG")
        manager.until("WATCHDOG")
        assert {told.process for told in manager.all} == {server.process.pid}
        assert sum("READY" in told.lines for told in manager.all) == 1


def test_workers_that_hang(
    manager: Manager, snapshot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No WATCHDOG=1 is told while no worker's loop turns."""
    with serving(manager, snapshot, tmp_path, monkeypatch) as server:
        (worker,) = server.workers()
        os.kill(worker, signal.SIGSTOP)
        # What it did before is told once, then only its age.
        while (told := manager.next()) and "WATCHDOG" in told.lines:
            pass
        time.sleep(1.2)
        assert not any("WATCHDOG" in told.lines for told in manager.rest())
        os.kill(worker, signal.SIGCONT)
        manager.until("WATCHDOG")


def test_a_supervisor_that_hangs(
    manager: Manager, snapshot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is told while the supervisor hangs, although its workers answer."""
    with serving(manager, snapshot, tmp_path, monkeypatch) as server:
        os.kill(server.process.pid, signal.SIGSTOP)
        wait_until("it is stopped", lambda: _state(server.process.pid) == "T")
        manager.rest()
        time.sleep(1.2)
        assert server.get("/health/live").status == 200
        assert not manager.rest()
        os.kill(server.process.pid, signal.SIGCONT)
        manager.until("WATCHDOG")


def test_a_reload_of_a_server(
    manager: Manager, snapshot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGHUP is told as a reload, which is over when a worker's loop has turned again."""
    with serving(manager, snapshot, tmp_path, monkeypatch) as server:
        server.process.send_signal(signal.SIGHUP)
        manager.until("RELOADING")
        manager.until("READY")


def test_the_end_of_a_server(
    manager: Manager, snapshot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end is told, and nothing after it."""
    with serving(manager, snapshot, tmp_path, monkeypatch) as server:
        assert server.end() == 0
        assert manager.until("STOPPING").lines["STATUS"] == "ending, after the answers under way"
        assert not manager.rest()


def test_a_drain(
    manager: Manager, snapshot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A drain is told with the time that it needs, then the end."""
    with serving(manager, snapshot, tmp_path, monkeypatch, "--drain", 1) as server:
        server.process.send_signal(signal.SIGTERM)
        draining = manager.until("STOPPING").lines
        assert draining["STATUS"].startswith("draining for 1 s")
        assert int(draining["EXTEND_TIMEOUT_USEC"]) >= 16e6
        assert server.get("/health/live").status == 200
        assert manager.until("STOPPING").lines["STATUS"].startswith("ending")
        assert server.process.wait(SECONDS) == 0


def test_a_server_that_waits(manager: Manager, tmp_path: Path) -> None:
    """A start with --wait asks for the time that it may take."""
    words = ["serve", "--snapshot", tmp_path / "no.snap", "--port", 0, "--wait", 300]
    with staying(tmp_path, manager.environment(), *words, "--admin", "none"):
        told = manager.until("EXTEND_TIMEOUT_USEC").lines
        assert int(told["EXTEND_TIMEOUT_USEC"]) > 300e6
        assert told["STATUS"] == f"waiting for {tmp_path}/no.snap"


def test_mirrorlist_server(manager: Manager, tmp_path: Path) -> None:
    """The drop-in tells its state too, under a unit that asks for it."""
    dropin = DropIn(tmp_path)
    dropin.environment |= manager.environment()
    with dropin.serving() as server:
        assert manager.until("READY").process == server.process.pid
        server.process.send_signal(signal.SIGTERM)
        manager.until("STOPPING")


def test_a_watch(manager: Manager, tmp_path: Path) -> None:
    """A watch is ready after its first export, lives while its loop turns, and tells its end."""
    words = _watch(tmp_path, make_database(tmp_path / "mm.sqlite", world()))
    with staying(tmp_path, manager.environment(), *words) as process:
        told = manager.until("READY")
        assert told.process == process.pid
        assert told.lines["STATUS"].startswith("snapshot ")
        assert told.lines["STATUS"].endswith(" old, 9 hosts")
        assert (tmp_path / "mm.snap").exists()
        manager.until("WATCHDOG")
        process.send_signal(signal.SIGHUP)
        manager.until("RELOADING")
        manager.until("READY")
        process.send_signal(signal.SIGTERM)
        manager.until("STOPPING")
        assert process.wait(SECONDS) == 0


def test_a_watch_without_its_database(manager: Manager, tmp_path: Path) -> None:
    """A watch is ready although its database is away, and says the error."""
    away = "postgresql://nobody@127.0.0.1:1/none"
    with staying(tmp_path, manager.environment(), *_watch(tmp_path, away)) as process:
        assert manager.until("READY").lines["STATUS"].startswith("error: ")
        process.send_signal(signal.SIGTERM)
        manager.until("STOPPING")


def test_an_import(manager: Manager, tmp_path: Path) -> None:
    """`import-cache --watch` is ready after its first import, lives, and tells its end."""
    cache = write_cache(tmp_path / "cache.proto")
    words = ["import-cache", cache, "--output", tmp_path / "mm.snap", "--watch"]
    with staying(tmp_path, manager.environment(), *words) as process:
        assert manager.until("READY").lines["STATUS"].startswith("snapshot ")
        manager.until("WATCHDOG")
        cache.write_bytes(b"no cache")
        manager.until("STATUS", "error: ")
        process.send_signal(signal.SIGHUP)
        manager.until("RELOADING")
        manager.until("READY")
        process.send_signal(signal.SIGTERM)
        manager.until("STOPPING")
        assert process.wait(SECONDS) == 0


def test_a_push_does_not_tell(manager: Manager, tmp_path: Path) -> None:
    """The command of --push has no variable of systemd: it cannot tell in place of the watch."""
    words = _watch(tmp_path, make_database(tmp_path / "mm.sqlite", world()))
    seen = tmp_path / "environment"
    command = f"env >{seen}.new; mv {seen}.new {seen}"
    with staying(tmp_path, manager.environment(), *words, "--push", command):
        wait_until("the push has run", seen.exists, SECONDS)
    assert "SNAPSHOT=" in seen.read_text()
    assert "NOTIFY_SOCKET" not in seen.read_text()
    assert "WATCHDOG" not in seen.read_text()


def _watch(folder: Path, database: str) -> list[object]:
    return [
        *("watch", "--database", database, "--output", folder / "mm.snap"),
        *("--admin", "127.0.0.1:0"),
    ]


def _state(process: int) -> str:
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]


def test_one_shot_commands_tell_nothing(manager: Manager, tmp_path: Path) -> None:
    """An export is not a service that stays: its unit is of Type=oneshot."""
    database = make_database(tmp_path / "mm.sqlite", world())
    environment = {"PATH": "/usr/bin:/bin", **manager.environment()}
    command = ["mirrorlist", "export", "--database", database, "--output", tmp_path / "mm.snap"]
    with (tmp_path / "said").open("wb") as said:
        started = template().start([*map(str, command)], environment, ROOT, (said, said))
    assert started.wait(SECONDS) == 0
    assert not manager.rest()
