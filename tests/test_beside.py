"""A long wait beside other work: its result, its errors, and its early end."""

import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from snapshot.export.beside import beside
from tests.command import COMMAND, PLAIN, SECONDS
from tests.factories import world
from tests.live import wait_until
from tests.postgresql import Server, run_server

WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"

Connection = psycopg.Connection[tuple[object, ...]]


def _never() -> None:
    raise AssertionError("stopped without need")


def test_the_result() -> None:
    """The result can be asked for more than once, and the work is done once."""
    numbers = iter(range(9))
    with beside(lambda: next(numbers), _never) as result:
        assert (result(), result()) == (0, 0)


def test_the_system_refuses_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work for which there is no thread is done once, when its result is asked for."""

    def refused(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refused)
    done: list[int] = []
    with beside(lambda: done.append(1), lambda: None) as wait:
        assert done == []
        wait()
        wait()
    assert done == [1]


def test_an_error_of_the_work() -> None:
    """An error of the work is raised where the result is asked for, and nothing is stopped."""
    nothing: dict[str, str] = {}
    with pytest.raises(KeyError), beside(nothing.popitem, _never) as result:
        result()


def test_an_error_of_the_block() -> None:
    """After an error in the block the work is stopped, and has ended when the block is over."""
    stop, ended = threading.Event(), []

    def work() -> None:
        assert stop.wait(SECONDS)
        ended.append(True)

    with pytest.raises(ZeroDivisionError), beside(work, stop.set):
        raise ZeroDivisionError
    assert ended == [True]


def test_an_error_after_the_work() -> None:
    """Work that has ended is not stopped."""
    with pytest.raises(ZeroDivisionError), beside(lambda: 0, _never) as result:
        1 / result()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A PostgreSQL server with the small world."""
    with run_server() as server:
        server.create_filled("mm", world())
        yield server


@pytest.fixture
def other(server: Server) -> Iterator[Connection]:
    """A connection beside another that has locked the largest table, as a migration does."""
    url = server.url("mm").replace("+psycopg", "")
    with psycopg.connect(url) as locks, psycopg.connect(url, autocommit=True) as other:
        locks.execute("LOCK TABLE host_category_dir")
        yield other
        locks.rollback()


def _export(server: Server, folder: Path, *more: str) -> "subprocess.Popen[str]":
    words = ["--database", server.url("mm"), "--output", str(folder / "mm.snap"), *more]
    command = [*COMMAND, "export", *words]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=PLAIN)


@pytest.mark.system
def test_a_signal_while_the_database_works(
    tmp_path: Path, server: Server, other: Connection
) -> None:
    """SIGTERM ends an export whose statement waits for a lock: at once, and without a file."""

    def is_waiting() -> bool:
        return other.execute(WAITING).fetchall() == [(1,)]

    with _export(server, tmp_path) as process:
        wait_until("the export waits", is_waiting, SECONDS)
        process.terminate()
        _, said = process.communicate(timeout=SECONDS)
    assert (process.returncode, said) == (128 + signal.SIGTERM, "")
    assert [*tmp_path.iterdir()] == []


@pytest.mark.system
@pytest.mark.usefixtures("other")
def test_a_bad_file_while_the_database_works(tmp_path: Path, server: Server) -> None:
    """A file that cannot be used ends the export, although the database has not answered."""
    (tmp_path / "asn").write_text("junk\n")
    with _export(server, tmp_path, "--asn", str(tmp_path / "asn")) as process:
        _, said = process.communicate(timeout=SECONDS)
    assert "no line of the form PREFIX ASN" in said
    assert (process.returncode, said.count("\n")) == (2, 1)
    assert [file.name for file in tmp_path.iterdir()] == ["asn"]
