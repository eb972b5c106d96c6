"""Processes of the command `mirrorlist` without the second that its imports take.

A template imports all of the code once and forks a process for each start, with that start's
arguments, environment, folder and output; from there on the process is as any other, to its exit
code. With `-c`, a Python program and its arguments, a process runs that program.
"""

import atexit
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import typing
from contextlib import suppress
from functools import cache
from importlib import import_module
from io import BufferedWriter, FileIO, TextIOWrapper
from pathlib import Path
from pkgutil import walk_packages
from selectors import EVENT_READ, DefaultSelector
from typing import IO, NoReturn, Protocol

ROOT = Path(__file__).parent.parent
_REQUEST_BYTES = 1 << 16


class Process(Protocol):
    """A running process, as far as a forked one and subprocess.Popen have the same."""

    @property
    def pid(self) -> int:
        """Its number."""

    def poll(self) -> int | None:
        """Return its exit code, or None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; return its exit code."""

    def send_signal(self, sig: int) -> None:
        """Send it a signal, unless it has ended."""


class Forked:
    """A process that the template has forked."""

    def __init__(self, news: socket.socket) -> None:
        """Take the socket on which the template says its number, and at its end its exit code."""
        self._news = news
        self._code: int | None = None
        self.pid = self._told(None)

    def poll(self) -> int | None:
        """Return its exit code, or None while it runs."""
        with suppress(BlockingIOError):
            return self._ended(0)
        return None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; return its exit code. Raises TimeoutError."""
        return self._ended(timeout)

    def send_signal(self, sig: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, sig)

    def _ended(self, limit: float | None) -> int:
        if self._code is None:
            self._code = self._told(limit)
            self._news.close()
        return self._code

    def _told(self, limit: float | None) -> int:
        self._news.settimeout(limit)
        told = self._news.recv(_REQUEST_BYTES)
        assert told, "the template of the command has ended"
        return int(told)


class Template:
    """A process that has imported the command, and what it is told."""

    def __init__(self) -> None:
        """Start it; it ends with us."""
        self._socket, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with other:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.forked", str(other.fileno())],
                cwd=ROOT,
                env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
                stdin=subprocess.DEVNULL,
                pass_fds=[other.fileno()],
                start_new_session=True,
            )

    def start(
        self,
        command: list[str],
        environment: dict[str, str],
        folder: str | Path,
        output: tuple[IO[bytes], IO[bytes]],
    ) -> Forked:
        """Start a command in a session of its own, with files for its output and its errors."""
        request = json.dumps([command, environment, str(folder)]).encode()
        news, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with other:
            files = [*(file.fileno() for file in output), other.fileno()]
            socket.send_fds(self._socket, [request], files)
        return Forked(news)

    def run(
        self,
        command: list[str],
        environment: dict[str, str],
        output: tuple[IO[bytes], IO[bytes]],
        limit: float,
    ) -> int:
        """Run a command with files for its output and its errors; return its exit code.

        If it takes longer than `limit` seconds it is killed; raises TimeoutError.
        """
        process = self.start(command, environment, os.getcwd(), output)
        try:
            return process.wait(limit)
        except BaseException:
            process.send_signal(signal.SIGKILL)
            process.wait()
            raise

    def close(self) -> None:
        """End it."""
        self._socket.close()
        self._process.wait()


@cache
def template() -> Template:
    """The one of this process, started when first asked for."""
    made = Template()
    atexit.register(made.close)
    return made


class _Children:
    """The processes that the template has forked, and for each of them who waits for its end."""

    def __init__(self, requests: socket.socket) -> None:
        """Take the socket from which the requests come."""
        self._requests = requests
        self._selector = DefaultSelector()
        self._selector.register(requests, EVENT_READ)

    def fork_each(self) -> None:
        """Fork a process for each request; return in that process, or end at the last one."""
        while True:
            for key, _ in self._selector.select():
                if key.data is not None:
                    self._tell_the_end(key.fd, *key.data)
                elif self._forked(*socket.recv_fds(self._requests, _REQUEST_BYTES, 3)[:2]):
                    return

    def _forked(self, request: bytes, files: list[int]) -> bool:
        if not request:
            os._exit(0)
        process = os.fork()
        if not process:
            self._forget()
            _become(files, *json.loads(request))
            return True
        for file in files[:2]:
            os.close(file)
        news = socket.socket(fileno=files[2])
        news.send(b"%d" % process)
        self._selector.register(os.pidfd_open(process), EVENT_READ, (process, news))
        return False

    def _tell_the_end(self, watched: int, process: int, news: socket.socket) -> None:
        self._selector.unregister(watched)
        os.close(watched)
        code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        # A test that failed does not wait for the end.
        with news, suppress(BrokenPipeError, ConnectionResetError):
            news.send(b"%d" % code)

    def _forget(self) -> None:
        """In a forked process: close all that is the template's."""
        for key in list(self._selector.get_map().values()):
            if key.data is not None:
                os.close(key.fd)
                key.data[1].close()
        self._selector.close()
        self._requests.close()


def _become(files: list[int], command: list[str], environment: dict[str, str], folder: str) -> None:
    os.setsid()
    for number, file in enumerate(files[:2], start=1):
        os.dup2(file, number)
    for file in files:
        os.close(file)
    # The template's streams would seek in what may be a pipe here.
    sys.stdout, sys.stderr = _stream(1, "surrogateescape"), _stream(2, "backslashreplace")
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = command


def _stream(number: int, errors: str) -> TextIOWrapper:
    """A stream as Python makes it at its start."""
    binary = BufferedWriter(FileIO(number, "w", closefd=False))
    return TextIOWrapper(binary, "utf-8", errors, line_buffering=number == 2)


def _end(code: int) -> NoReturn:
    """End as the interpreter does, but do not take its objects apart: that copies the template."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    # As a script has it, from whose name click then takes the program's.
    sys.modules["__main__"].__package__ = None
    import mirrorlist
    import snapshot
    from mirrorlist.cli import main
    from mirrorlist.cli.dropin.command import main as server
    from mirrorlist.cli.dropin.generator import main as generator

    # What a command imports when it runs, such as a database's driver, takes a second.
    for package in (mirrorlist, snapshot):
        for module in walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                import_module(module.name)

    # A library of datasketches (nanobind) has these caches emptied at the end of each process,
    # which copies 1,200 pages of the template.
    for emptied in typing._cleanups:  # type: ignore[attr-defined]
        emptied()

    # Otherwise each process copies all of it when it collects its garbage, which takes longer
    # than the imports.
    gc.freeze()
    _Children(socket.socket(fileno=int(sys.argv[1]))).fork_each()
    try:
        if sys.argv[0] == "-c":
            exec(sys.argv.pop(1), {"__name__": "__main__"})
        else:
            programs = {"mirrorlist-server": server, "generate-mirrorlist-cache": generator}
            programs.get(sys.argv[0], main)()
        _end(0)
    except SystemExit as ended:
        if isinstance(ended.code, int):
            _end(ended.code)
        raise
