"""The running server: its workers, their replacement, and every way to its end."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
import pytest

from snapshot.file.model import Repository
from snapshot.file.writer import encode
from tests.command import program
from tests.live import COMMAND, Server, read_to_end, request, serve, wait_until
from tests.small_worlds import DIRECTORY, Mirror, small_data

TARGET = f"/mirrorlist?path={DIRECTORY}"
# Their list is more than a loopback connection buffers, so that an answer is under way for long.
MANY_REPOSITORIES = 2_500
LONG_NAME = "a-repository-with-a-long-name-" * 80


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A snapshot with one mirror."""
    return _written(tmp_path_factory, [])


@pytest.fixture(scope="module")
def long_snapshot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A snapshot with repository names so long that listing them takes a while."""
    repositories = [
        Repository(f"{LONG_NAME}{number:06}", "x86_64", 0, False)
        for number in range(MANY_REPOSITORIES)
    ]
    return _written(tmp_path_factory, repositories)


def _written(factory: pytest.TempPathFactory, repositories: list[Repository]) -> Path:
    data = msgspec.structs.replace(small_data((Mirror(),), {}), repositories=repositories)
    path = factory.mktemp("supervisor") / "mm.snap"
    path.write_bytes(encode(data))
    return path


@contextmanager
def _running(
    snapshot: Path, folder: Path, workers: int = 1, options: tuple[object, ...] = ()
) -> Iterator[Server]:
    with serve(snapshot, folder, "--workers", workers, *options) as server:
        wait_until("all workers are there", lambda: len(server.workers()) == workers)
        assert server.get(TARGET).status == 200
        yield server


def _is_running(process: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _refuses(port: int) -> bool:
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


@contextmanager
def _answer_under_way(server: Server) -> Iterator[socket.socket]:
    """A connection whose long answer has begun and is not read."""
    with closing(socket.socket()) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(10)
        connection.connect(("127.0.0.1", server.port))
        connection.sendall(request(b"/repositories?format=json"))
        assert connection.recv(8, socket.MSG_PEEK) == b"HTTP/1.1"
        yield connection


def test_a_dead_worker_is_replaced(snapshot: Path, tmp_path: Path) -> None:
    """After kill -9 of a worker there are two again, and the server has answered all along."""
    with _running(snapshot, tmp_path, workers=2) as server:
        dead, other = server.workers()
        os.kill(dead, signal.SIGKILL)
        assert server.get(TARGET).status == 200
        wait_until(
            "a new worker", lambda: len(server.workers()) == 2 and dead not in server.workers()
        )
        assert other in server.workers()
        os.kill(other, signal.SIGKILL)
        assert server.get(TARGET).status == 200
        assert f"worker {dead} ended unexpectedly" in server.output.read_text()


def test_each_worker_draws_for_itself(tmp_path: Path) -> None:
    """Workers are forked from one process, and yet none draws the orders that another draws."""
    path = tmp_path / "mm.snap"
    path.write_bytes(encode(small_data((Mirror(),) * 12, {})))
    with _running(path, tmp_path, options=("--reuse", 1)) as server:
        (first,) = server.workers()
        drawn = {server.get(TARGET).body for _ in range(10)}
        os.kill(first, signal.SIGKILL)
        wait_until("a new worker", lambda: bool({*server.workers()} - {first}))
        assert len(drawn | {server.get(TARGET).body for _ in range(10)}) == 20


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stop(snapshot: Path, tmp_path: Path, number: signal.Signals) -> None:
    """SIGTERM and SIGINT end the server with 0; no worker stays and the port is free."""
    with _running(snapshot, tmp_path, workers=2) as server:
        workers = server.workers()
        assert server.end(number) == 0
        assert not any(map(_is_running, workers))
        assert _refuses(server.port)
        assert server.output.read_text().endswith("mirrorlist: stopped\n")


def test_interrupt_of_the_whole_group(snapshot: Path, tmp_path: Path) -> None:
    """Ctrl-C, which reaches supervisor and workers alike, ends the server with 0."""
    with _running(snapshot, tmp_path, workers=2) as server:
        os.killpg(server.process.pid, signal.SIGINT)
        assert server.process.wait(10) == 0
        assert "unexpectedly" not in server.output.read_text()


@pytest.mark.system
def test_an_answer_under_way_is_finished(long_snapshot: Path, tmp_path: Path) -> None:
    """After SIGTERM an answer under way comes to its last byte, then the server ends with 0."""
    with _running(long_snapshot, tmp_path) as server, _answer_under_way(server) as connection:
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        assert server.process.poll() is None, "ended before the answer was read"
        head, _, body = read_to_end(connection).partition(b"\r\n\r\n")
        assert f"content-length: {len(body)}" in head.decode().lower()
        assert msgspec.json.decode(body)["total"] == MANY_REPOSITORIES
        assert server.process.wait(5) == 0


@pytest.mark.system
def test_a_second_signal_waits_for_nobody(long_snapshot: Path, tmp_path: Path) -> None:
    """A second SIGTERM ends the server at once, though a client still reads."""
    with _running(long_snapshot, tmp_path, workers=2) as server, _answer_under_way(server):
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        started = time.monotonic()
        assert server.end() == 0
        assert time.monotonic() - started < 2
        assert _refuses(server.port)


def test_two_fast_signals(snapshot: Path, tmp_path: Path) -> None:
    """Two SIGTERMs at once end the server with 0 like one."""
    with _running(snapshot, tmp_path, workers=2) as server:
        workers = server.workers()
        server.process.send_signal(signal.SIGTERM)
        assert server.end() == 0
        assert not any(map(_is_running, workers))


@pytest.mark.parametrize("is_stopped", [False, True])
def test_no_worker_outlives_the_supervisor(
    snapshot: Path, tmp_path: Path, is_stopped: bool
) -> None:
    """After kill -9 of the supervisor its workers end and the port is free, stopped ones too."""
    with _running(snapshot, tmp_path, workers=2) as server:
        workers = server.workers()
        if is_stopped:
            os.kill(workers[0], signal.SIGSTOP)
        server.end(signal.SIGKILL)
        wait_until("no worker is left", lambda: not any(map(_is_running, workers)))
        assert _refuses(server.port)


@pytest.mark.system
def test_nobody_new_is_let_in_while_stopping(long_snapshot: Path, tmp_path: Path) -> None:
    """After SIGTERM a new connection is refused at once, so that a proxy asks another server."""
    with _running(long_snapshot, tmp_path) as server, _answer_under_way(server):
        server.process.send_signal(signal.SIGTERM)
        wait_until("connections are refused", lambda: _refuses(server.port), 1)


def test_start_again_on_the_same_port(snapshot: Path, tmp_path: Path) -> None:
    """A server can take its predecessor's port at once."""
    with _running(snapshot, tmp_path) as server:
        port = server.port
        assert server.end() == 0
    with serve(snapshot, tmp_path, "--port", port) as server:
        assert server.port == port
        assert server.get(TARGET).status == 200


def test_a_worker_loads_no_database(snapshot: Path, tmp_path: Path) -> None:
    """No part of SQLAlchemy or psycopg is mapped in the supervisor or in a worker."""
    with serve(snapshot, tmp_path, command=COMMAND) as server:
        wait_until("the worker is there", lambda: len(server.workers()) == 1)
        assert server.get(TARGET).status == 200
        assert _database_parts(server.process.pid) == set()
        assert _database_parts(*server.workers()) == set()


def test_a_loaded_database_would_be_seen() -> None:
    """The look into a process does find SQLAlchemy and psycopg where they are loaded."""
    code = "import sqlalchemy, psycopg, sys; print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        process.stdout.readline()
        assert _database_parts(process.pid) >= {"sqlalchemy", "psycopg"}
        process.communicate()


def _database_parts(process: int) -> set[str]:
    mapped = Path(f"/proc/{process}/maps").read_text().lower()
    return {name for name in ("sqlalchemy", "psycopg", "libpq", "greenlet") if name in mapped}


DYING = """
import sys
from mirrorlist.workers.supervisor import Supervisor
Supervisor(lambda lifeline: None, 1, lambda text: print(text, flush=True)).run()
print("stopped")
"""


def test_a_worker_that_dies_at_once_is_not_forked_in_a_loop() -> None:
    """Workers that end right after their start are replaced at a slow pace, until the stop."""
    with program(DYING) as (process, printed):
        # Counted from the first end: on a busy machine the start alone takes longer than a second.
        first = printed.readline()
        time.sleep(1.3)
        process.send_signal(signal.SIGTERM)
        lines = [first.rstrip(), *printed.read().splitlines()]
        assert process.wait(10) == 0
    assert lines[-1] == "stopped"
    assert 1 <= len(lines) - 1 <= 4
    assert all("ended unexpectedly; starting another" in line for line in lines[:-1])


PASSING = """
import signal, sys
from mirrorlist.workers.supervisor import Supervisor

def work(lifeline):
    print("blocked" if signal.SIGUSR2 in signal.pthread_sigmask(signal.SIG_BLOCK, []) else "open")
    sys.stdout.flush()
    signal.sigwait({signal.SIGUSR2})
    print("came", flush=True)
    signal.pause()

Supervisor(work, 1, print).run()
"""


def test_sigusr2_reaches_a_worker_that_can_obey() -> None:
    """SIGUSR2 is passed on to the workers, and held back there until they can handle it."""
    with program(PASSING) as (process, printed):
        assert printed.readline() == "blocked\n"
        process.send_signal(signal.SIGUSR2)
        assert printed.readline() == "came\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


REFUSED = """
import os, resource, sys, time
from mirrorlist.workers.supervisor import Supervisor
if os.getuid() == 0:
    os.setresuid(64978, 64978, 64978)
hard = resource.getrlimit(resource.RLIMIT_NPROC)[1]
resource.setrlimit(resource.RLIMIT_NPROC, (1, hard))
count = 0

def refused():
    global count
    count += 1
    if count == 2:
        resource.setrlimit(resource.RLIMIT_NPROC, (hard, hard))

def say(text):
    print(text, flush=True)
    raise OSError("nobody listens")

Supervisor(lambda lifeline: time.sleep(60), 2, say, refused=refused).run()
print(count)
"""


def test_a_refused_fork() -> None:
    """Forks that the system refuses, the very first among them, are tried again, and said once;
    whoever cannot be told does not end it either.
    """
    with program(REFUSED) as (process, printed):
        first, second = printed.readline(), printed.readline()
        process.send_signal(signal.SIGTERM)
        assert printed.read() == "2\n"
        assert process.wait(10) == 0
    assert "cannot be started: Resource temporarily unavailable; trying again" in first
    assert "0 of 2 workers run" in first
    assert second == "all processes run now\n"


HUNG = """
import os, signal, sys, time
from mirrorlist.workers import supervisor
supervisor.LOOK_SECONDS = 0.05
reading, writing = os.pipe()
first = []

def work(lifeline):
    os.write(writing, b"%8d" % os.getpid())
    signal.pause()

def hung():
    if not first:
        first.append(int(os.read(reading, 8)))
    return first

supervisor.Supervisor(work, 1, lambda text: print(text, flush=True), hung=hung).run()
"""


def test_a_worker_that_hangs() -> None:
    """One that does not answer any more is killed, and another takes its place."""
    with program(HUNG) as (process, printed):
        assert "does not answer any more; it is killed" in printed.readline()
        assert "ended unexpectedly; starting another" in printed.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


REAPED = """
import os, signal
from mirrorlist.workers.supervisor import Beside, Supervisor

def work(lifeline):
    os.write(1, b"up\\n")
    signal.pause()

def stopping():
    with open(f"/proc/self/task/{os.getpid()}/children") as children:
        for child in map(int, children.read().split()):
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)

Supervisor(work, 1, print, stopping, [Beside("beside", work)]).run()
print("stopped")
"""


def test_an_end_that_somebody_else_was_told() -> None:
    """A worker of whose end somebody else took the news counts as ended."""
    with program(REAPED) as (process, printed):
        assert printed.readline() + printed.readline() == "up\nup\n"
        process.send_signal(signal.SIGTERM)
        assert printed.read() == "stopped\n"
        assert process.wait(10) == 0
