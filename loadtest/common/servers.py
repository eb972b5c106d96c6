"""Starts the servers that are measured, on free ports of loopback, and ends them."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import click
from msgspec import Struct

ROOT = Path(__file__).parents[2]
_SERVE = (sys.executable, "-m", "mirrorlist.cli", "serve", "--port", "0", "--admin", "none")
_FLOOR = (sys.executable, "-m", "loadtest.bench.floor")
_LISTENS = re.compile(r"listening on (http://127\.0\.0\.1:\d+)\s")
_START_SECONDS, _STOP_SECONDS = 30.0, 15.0
_LOOK_SECONDS = 0.001
_ASK_SECONDS = 10.0


class StderrReader(Protocol):
    """Where a server's standard error goes, and what was read of it so far."""

    writer: int

    @property
    def text(self) -> str:
        """All that was read."""


class Server(Struct, frozen=True):
    """A server that runs: its address, and the process at the top of its tree."""

    url: str
    pid: int


class Servers:
    """The servers that a load test has started; all of them end with the block."""

    def __init__(self) -> None:
        """Start none."""
        self._running: dict[int, tuple[subprocess.Popen[bytes], str]] = {}
        self._forgotten: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> "Servers":
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End all."""
        for pid in list(self._running):
            self.end(pid)
        for process in self._forgotten:
            process.kill()
            process.wait()

    def ours(
        self,
        snapshot: Path,
        options: Sequence[str] = (),
        before: Sequence[str] = (),
        stderr: StderrReader | None = None,
    ) -> Server:
        """Serve a snapshot; raises an error of one line if it does not start.

        `before`: a program that runs it; `stderr`: what reads what it says.
        """
        command = [*before, *_SERVE, "--snapshot", str(snapshot), *options]
        return self._start(command, stderr)

    def floor(self, kind: str, size: int) -> Server:
        """Answer fixed bytes as an `asgi` app, by a `protocol` class, or `bare`."""
        return self._start([*_FLOOR, kind, str(size)])

    def end(self, pid: int) -> None:
        """End a server with SIGTERM, or with SIGKILL if it does not."""
        process, _ = self._running.pop(pid)
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        # The workers end with their supervisor; a process that does not is killed here.
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)

    def forget(self, pid: int) -> None:
        """Do not end this server: the caller does that. The end of the block waits for it."""
        self._forgotten.append(self._running.pop(pid)[0])

    def check(self) -> None:
        """Raise an error of one line if a server has ended by itself."""
        for process, command in self._running.values():
            if process.poll() is not None:
                raise click.ClickException(f"ended with {process.returncode}: {command}")

    def _start(self, command: list[str], stderr: StderrReader | None = None) -> Server:
        with tempfile.TemporaryFile() as output:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=stderr.writer if stderr else subprocess.STDOUT,
                start_new_session=True,
            )
            self._running[process.pid] = process, " ".join(command)
            deadline = time.monotonic() + _START_SECONDS
            while True:
                printed = os.pread(output.fileno(), 1 << 16, 0).decode(errors="replace")
                said = stderr.text if stderr else printed
                if found := _LISTENS.search(said):
                    return Server(found[1], process.pid)
                if process.poll() is not None or time.monotonic() > deadline:
                    last = said.strip().rpartition("\n")[2] or "it says nothing"
                    raise click.ClickException(f"a server does not start: {last}")
                time.sleep(_LOOK_SECONDS)


def running(url: str, pid: int) -> Server:
    """Return a server that was started elsewhere; raises an error of one line without an answer."""
    try:
        Path(f"/proc/{pid}/smaps_rollup").read_bytes()
    except OSError as error:
        raise click.ClickException(
            f"process {pid} cannot be looked at: {error.strerror}; is it the server's?"
        ) from None
    server = Server(url.rstrip("/"), pid)
    ask(server, "/metalink?repo=a&arch=b", "192.0.2.1")
    return server


def says_close(server: Server) -> bool:
    """Return whether a server says that it closes a connection, as HTTP/1.1 wants it."""
    with _connection(server) as connection:
        connection.request("GET", "/mirrorlist", headers={"Connection": "close"})
        answer = connection.getresponse()
        answer.read()
        return answer.getheader("connection", "").lower() == "close"


@contextmanager
def _connection(server: Server) -> Iterator[HTTPConnection]:
    """Connect; any failure in the block is raised as an error of one line."""
    try:
        parts = urlsplit(server.url)
        connection = HTTPConnection(parts.hostname or "", parts.port, timeout=_ASK_SECONDS)
    except ValueError:
        raise click.ClickException(f"{server.url}: give it as http://ADDRESS:PORT") from None
    try:
        yield connection
    except (OSError, HTTPException) as error:
        raise click.ClickException(f"{server.url}: no answer: {error}") from None
    finally:
        connection.close()


def ask(server: Server, target: str, address: str) -> tuple[int, bytes]:
    """Ask a server once, on a connection of its own; returns status and body."""
    with _connection(server) as connection:
        return get(connection, target, address)


def get(
    connection: HTTPConnection, target: str, address: str, headers: Mapping[str, str] = {}
) -> tuple[int, bytes]:
    """Ask over a connection for a client's address; returns status and body."""
    connection.request("GET", target, headers={**headers, "X-Forwarded-For": address})
    answer = connection.getresponse()
    return answer.status, answer.read()


def _environment() -> dict[str, str]:
    return {key: os.environ[key] for key in os.environ if not key.startswith("MIRRORLIST_")}
