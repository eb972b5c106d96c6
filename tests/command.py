"""Runs the command `mirrorlist` as a user does: a process, its output, its exit code."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import BytesIO, TextIOWrapper
from pathlib import Path
from tempfile import TemporaryFile
from typing import TextIO

import pytest

from mirrorlist.cli import main
from tests.forked import Process, template

COMMAND = [str(Path(sys.executable).parent / "mirrorlist")]
SECONDS = 90
_HANDLED = [
    *(signal.SIGTERM, signal.SIGINT, signal.SIGALRM),
    *(signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2),
]
PLAIN = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}


def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a subcommand to its end with a small, plain environment."""
    command = [*COMMAND, *map(str, arguments)]
    is_for_python = any(name.startswith("PYTHON") for name in environment)
    return (_started if is_for_python else _forked)(command, {**PLAIN, **environment})


def run_program(text: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a Python program that uses our modules, forked from a process that has them all."""
    return _forked(["-c", text, *map(str, arguments)], PLAIN)


@contextmanager
def program(text: str, *arguments: object) -> Iterator[tuple[Process, TextIO]]:
    """Start a Python program, forked likewise; yields it and what it prints, and kills it."""
    reader, writer = os.pipe()
    with open(reader) as printed, open(writer, "wb", buffering=0) as output:
        words = ["-c", text, *map(str, arguments)]
        process = template().start(words, PLAIN, os.getcwd(), (output, output))
        output.close()
        try:
            yield process, printed
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()


def run_unread(*arguments: object) -> tuple[int, str]:
    """Run a subcommand whose output nobody reads; return its exit code and its errors."""
    reader, writer = os.pipe()
    os.close(reader)
    command = [*COMMAND, *map(str, arguments)]
    with open(writer, "wb", buffering=0) as output, TemporaryFile() as errors:
        code = template().run(command, PLAIN, (output, errors), SECONDS)
        errors.seek(0)
        return code, errors.read().decode()


def run_here(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    """Run a subcommand in this process; return its exit code."""
    monkeypatch.setattr("sys.argv", ["mirrorlist", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert isinstance(ended.value.code, int)
    return ended.value.code


def run_inside(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a subcommand as `run` does, but in this process: for one that ends before it does much.

    A fork takes four times as long as the help of a command, or as a wrong option. A command that
    forks or writes to descriptors, such as `serve`, cannot run here.
    """
    command = ["mirrorlist", *map(str, arguments)]
    streams = [TextIOWrapper(BytesIO(), encoding="utf-8") for _ in range(2)]
    with (
        _signals_as_before(),
        pytest.MonkeyPatch.context() as patched,
        redirect_stdout(streams[0]),
        redirect_stderr(streams[1]),
    ):
        for name in [name for name in os.environ if name.startswith(("MIRRORLIST_", "COLUMNS"))]:
            patched.delenv(name)
        for name, value in environment.items():
            patched.setenv(name, value)
        code = run_here(patched, *arguments)
    told = []
    for stream in streams:
        stream.seek(0)
        told.append(stream.read())
    return subprocess.CompletedProcess(command, code, *told)


@contextmanager
def _signals_as_before() -> Iterator[None]:
    """Give back, after the block, what a command changes of how its process takes signals."""
    handlers = {number: signal.getsignal(number) for number in _HANDLED}
    hooks = sys.excepthook, sys.unraisablehook
    held = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    try:
        yield
    finally:
        sys.excepthook, sys.unraisablehook = hooks
        for number, handler in handlers.items():
            signal.signal(number, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, held)


def _started(command: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run it from the start, where Python reads its own variables."""
    return subprocess.run(
        command, capture_output=True, text=True, timeout=SECONDS, env=environment, check=False
    )


def _forked(command: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    with TemporaryFile() as output, TemporaryFile() as errors:
        code = template().run(command, environment, (output, errors), SECONDS)
        told = []
        for file in (output, errors):
            file.seek(0)
            told.append(file.read().decode())
    return subprocess.CompletedProcess(command, code, *told)


def assert_refused(done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    """Hold that a command ended with a code and one plain line on standard error."""
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert done.stderr.startswith("mirrorlist: error: ")
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr
