"""A real server under test: `mirrorlist serve` as a process, and requests byte for byte."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tests.forked import Process, template

ROOT = Path(__file__).parent.parent
COMMAND = (sys.executable, "-m", "mirrorlist.cli", "serve")
START_SECONDS = 60.0
STOP_SECONDS = 30.0
LOOK_SECONDS = 0.01

_LISTENING = re.compile(r"listening on http://(?:127\.0\.0\.1|\[::1?\]):(\d+) ")


@dataclass(frozen=True)
class Response:
    """One answer as it came; header names are lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Server:
    """A running server: its supervisor's process, its port, and what it printed."""

    process: Process
    port: int
    output: Path

    def get(self, target: str) -> Response:
        """Ask for a target."""
        return exchange(self.port, request(target.encode()))

    def workers(self) -> list[int]:
        """The processes of the workers."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(child) for child in children.read_text().split()]

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal to the supervisor and return its exit code."""
        self.process.send_signal(number)
        return self.process.wait(STOP_SECONDS)


@contextmanager
def serve(
    snapshot: Path, folder: Path, *options: object, command: Sequence[str] | None = None
) -> Iterator[Server]:
    """Serve a snapshot on a free port of loopback; nothing of it is left after the block.

    Without an admin listener, unless --admin is among the options. The process is forked from one
    that has imported everything; a `command`, such as COMMAND, is started from nothing.
    """
    apart = () if "--admin" in options else ("--admin", "none")
    output = folder / "serve.out"
    arguments = ["--snapshot", str(snapshot), "--port", "0", *apart, *map(str, options)]
    with output.open("wb") as file:
        process = _started([*command, *arguments], file) if command else _forked(arguments, file)
    try:
        yield Server(process, _port(process, output), output)
        assert "Traceback" not in output.read_text(), output.read_text()
    finally:
        _end(process)


def take_log(server: Server, log: Path) -> bytes:
    """Return and remove what a server with one worker has logged so far, as logrotate does."""
    taken = log.with_suffix(".taken")
    log.rename(taken)
    server.process.send_signal(signal.SIGUSR2)
    # It writes the old file to its end before it opens the new one.
    wait_until("the log is opened again", log.exists, look=0.001)
    return taken.read_bytes()


def wait_until(
    what: str, holds: Callable[[], bool], seconds: float = 30.0, look: float = LOOK_SECONDS
) -> None:
    """Wait until a condition holds; fail with its name if it does not in time."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(look)


def request(target: bytes, method: str = "GET", headers: Sequence[bytes] = ()) -> bytes:
    """Return the bytes of one request on a connection of its own."""
    lines = [b"%s %s HTTP/1.1" % (method.encode(), target), b"Host: test", *headers]
    return b"\r\n".join([*lines, b"Connection: close", b"", b""])


def exchange(port: int, sent: bytes, host: str = "127.0.0.1") -> Response:
    """Send bytes on a new connection and return the one answer, read to the connection's end."""
    with socket.create_connection((host, port), timeout=STOP_SECONDS) as connection:
        connection.sendall(sent)
        received = read_to_end(connection)
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)}
    assert len(headers) == len(lines), f"a header twice: {lines}"
    if not sent.startswith(b"HEAD "):
        assert len(body) == int(headers["content-length"])
    return Response(int(first.split()[1]), headers, body)


def read_to_end(connection: socket.socket) -> bytes:
    """Return everything that comes until the other side closes."""
    parts = []
    while part := connection.recv(1 << 16):
        parts.append(part)
    return b"".join(parts)


def _forked(arguments: list[str], output: IO[bytes]) -> Process:
    return template().start(["mirrorlist", "serve", *arguments], _plain(), ROOT, (output, output))


def _started(command: list[str], output: IO[bytes]) -> Process:
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=_plain(),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
    )


def _plain() -> dict[str, str]:
    return {key: os.environ[key] for key in os.environ if not key.startswith("MIRRORLIST_")}


def _port(process: Process, output: Path) -> int:
    wait_until(
        f"{' '.join(COMMAND)} listens: {output.read_text()}",
        lambda: process.poll() is not None or bool(_LISTENING.search(output.read_text())),
        START_SECONDS,
    )
    found = _LISTENING.search(output.read_text())
    assert found, f"serve ended with {process.poll()}: {output.read_text()}"
    return int(found[1])


def _end(process: Process) -> None:
    """End the process group that we started, whatever is left of it."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired, TimeoutError):
            process.wait(STOP_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
