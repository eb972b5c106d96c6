"""The end of a server that drains first, and the clients that must not hold an end up."""

import os
import re
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from snapshot.file.model import Repository
from snapshot.file.writer import encode
from tests.live import Server, serve, wait_until
from tests.small_worlds import DIRECTORY, Mirror, small_data

TARGET = f"/mirrorlist?path={DIRECTORY}"
READY = b"/health/ready"
# Longer than any test waits: a drain that is not cut short makes the test fail.
LONG = 60
# The answers to this many requests are more than a loopback connection holds.
MANY = 20_000


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A snapshot with one mirror."""
    path = tmp_path_factory.mktemp("drain") / "mm.snap"
    path.write_bytes(encode(small_data((Mirror(),), {})))
    return path


@contextmanager
def draining(snapshot: Path, folder: Path, seconds: float) -> Iterator[Server]:
    """A server that was told to end, and drains."""
    with serve(snapshot, folder, "--workers", 2, "--drain", seconds) as server:
        assert server.get(READY.decode()).status == 200
        server.process.send_signal(signal.SIGTERM)
        wait_until("it is not ready", lambda: server.get(READY.decode()).status == 503)
        yield server


def ask(connection: socket.socket) -> bytes:
    """Ask for a list on a kept connection, and return the first line of the answer."""
    connection.sendall(f"GET {TARGET} HTTP/1.1\r\nHost: test\r\n\r\n".encode())
    return connection.recv(1 << 16).partition(b"\r\n")[0]


def test_it_answers_while_it_drains(snapshot: Path, tmp_path: Path) -> None:
    """While it drains, lists are answered on new connections and on one that was kept; then the
    server ends with 0.
    """
    with serve(snapshot, tmp_path, "--drain", 0.3) as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as kept:
            assert ask(kept) == b"HTTP/1.1 200 OK"
            server.process.send_signal(signal.SIGTERM)
            wait_until("it is not ready", lambda: server.get(READY.decode()).status == 503)
            assert ask(kept) == b"HTTP/1.1 200 OK"
            assert server.get(TARGET).status == 200
        assert server.process.wait(5) == 0
        assert "draining for 0.3 s" in server.output.read_text()


def test_a_worker_that_is_told_too(snapshot: Path, tmp_path: Path) -> None:
    """A service manager signals all processes of a server, and yet its workers drain."""
    with serve(snapshot, tmp_path, "--workers", 2, "--drain", LONG) as server:
        wait_until("all workers are there", lambda: len(server.workers()) == 2)
        assert server.get(TARGET).status == 200
        workers = server.workers()
        wait_until("all can be told", lambda: all(map(catches, workers)))
        for process in (*workers, server.process.pid):
            os.kill(process, signal.SIGTERM)
        wait_until("it is not ready", lambda: server.get(READY.decode()).status == 503)
        time.sleep(0.2)
        assert server.workers() == workers
        assert server.get(TARGET).status == 200
        assert server.end() == 0


def catches(process: int) -> bool:
    """Return whether a process has a handler for SIGTERM."""
    found = re.search(r"SigCgt:\s+(\w+)", Path(f"/proc/{process}/status").read_text())
    return bool(found and int(found[1], 16) >> (signal.SIGTERM - 1) & 1)


def test_a_second_signal_ends_it(snapshot: Path, tmp_path: Path) -> None:
    """A second SIGTERM ends the drain, and the server with 0."""
    with draining(snapshot, tmp_path, LONG) as server:
        assert server.end() == 0


def test_an_interrupt_does_not_drain(snapshot: Path, tmp_path: Path) -> None:
    """Ctrl-C ends a server at once, even with --drain."""
    with serve(snapshot, tmp_path, "--drain", LONG) as server:
        assert server.get(TARGET).status == 200
        assert server.end(signal.SIGINT) == 0
        assert "draining" not in server.output.read_text()


def test_its_supervisor_dies(snapshot: Path, tmp_path: Path) -> None:
    """If the supervisor is killed while the server drains, the workers end."""
    with draining(snapshot, tmp_path, LONG) as server:
        server.end(signal.SIGKILL)
        wait_until("the port is closed", lambda: refuses(server.port))


def refuses(port: int) -> bool:
    """Return whether a port refuses connections."""
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


@pytest.mark.system
@pytest.mark.parametrize("target", [TARGET, "/repositories?format=json"], ids=["lists", "pages"])
def test_a_client_that_never_reads(tmp_path: Path, target: str) -> None:
    """A client that pipelines requests and reads no answer holds the end up for seconds only."""
    wanted = f"GET {target} HTTP/1.1\r\nHost: test\r\n\r\n".encode()
    repositories = [Repository(f"r{number:06}", "x86_64", 0, False) for number in range(2_500)]
    data = replace(small_data((Mirror(),) * 200, {}), repositories=repositories)
    snapshot = tmp_path / "mm.snap"
    snapshot.write_bytes(encode(data))
    with serve(snapshot, tmp_path) as server, closing(socket.socket()) as client:
        assert server.get(target).status == 200
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", server.port))
        client.sendall(wanted * MANY)
        # Until the server can send no more.
        time.sleep(0.5)
        assert server.end() == 0
        assert "killed" not in server.output.read_text()
