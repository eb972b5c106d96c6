"""Servers and watches whose standard error takes nothing: they live, answer and end with 0."""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.clients.server import find_free_port
from tests.factories import export_tables, make_database, world
from tests.live import ROOT, Response, exchange, request, wait_until

pytestmark = pytest.mark.system

TARGET = b"/mirrorlist?repo=linux-40&arch=x86_64"
KINDS = ("closed", "full", "no reader", "idle reader")
SECONDS = 20.0


@contextmanager
def standard_error(kind: str) -> Iterator[int]:
    """Give a standard error of a kind; -1 is a closed one."""
    if kind == "closed":
        yield -1
        return
    reader, writer = os.pipe() if kind != "full" else (-1, os.open("/dev/full", os.O_WRONLY))
    if kind == "idle reader":
        os.set_blocking(writer, False)
        with suppress(BlockingIOError):
            while os.write(writer, b"x" * select.PIPE_BUF):
                pass
        os.set_blocking(writer, True)
    elif kind == "no reader":
        os.close(reader)
        reader = -1
    try:
        yield writer
    finally:
        os.close(writer)
        if reader >= 0:
            os.close(reader)


@contextmanager
def started(kind: str, *arguments: object) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command with such a standard error, and standard output to the same place."""
    command = [sys.executable, "-m", "mirrorlist.cli", *map(str, arguments)]
    closing = 'exec "$@" >&- 2>&-' if kind == "closed" else 'exec "$@"'
    with standard_error(kind) as file:
        process = subprocess.Popen(
            ["sh", "-c", closing, "sh", *command],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=None if file < 0 else file,
            stderr=None if file < 0 else file,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def children(process: int) -> list[int]:
    """The processes that a process has forked."""
    return [
        int(one) for one in Path(f"/proc/{process}/task/{process}/children").read_text().split()
    ]


def get(port: int, target: bytes) -> Response | None:
    """Ask; None while nobody listens."""
    with suppress(OSError):
        return exchange(port, request(target))
    return None


def answers(port: int, target: bytes) -> bool:
    """Whether a target is answered with 200."""
    found = get(port, target)
    return found is not None and found.status == 200


@pytest.mark.parametrize("kind", KINDS)
def test_a_server(tmp_path: Path, kind: str) -> None:
    """A killed worker is replaced, a new snapshot taken by all, and SIGTERM ends it with 0."""
    export_tables(tmp_path, world())
    port, admin = find_free_port(), find_free_port()
    options = ("--port", port, "--admin", f"127.0.0.1:{admin}", "--workers", 2)
    with started(kind, "serve", "--snapshot", tmp_path / "mm.snap", *options) as server:
        wait_until("it answers", lambda: answers(port, TARGET), SECONDS)
        wait_until("its pages", lambda: answers(admin, b"/health/ready"), SECONDS)
        before = children(server.pid)
        os.kill(before[0], signal.SIGKILL)
        wait_until(
            "another worker",
            lambda: len(children(server.pid)) == 3 and before[0] not in children(server.pid),
            SECONDS,
        )
        assert before[1] in children(server.pid)
        (tmp_path / "mm.snap").write_bytes(b"spoilt")
        # Said by each process: by two that ended, by one that refuses.
        for number in (signal.SIGUSR1, signal.SIGHUP):
            os.kill(server.pid, number)
        wait_until("it is refused", lambda: not answers(admin, b"/health/fresh"), SECONDS)
        assert answers(port, TARGET)
        metrics = get(admin, b"/metrics")
        assert metrics is not None
        if kind != "closed":
            wait_until("lost lines count", lambda: lost(admin) > 0, SECONDS)
        server.terminate()
        assert server.wait(SECONDS) == 0


def lost(admin: int) -> float:
    """How many lines a server could not say, by its metrics."""
    page = get(admin, b"/metrics")
    assert page is not None
    name = "mirrorlist_messages_lost_total "
    return sum(float(x.split()[1]) for x in page.body.decode().splitlines() if x.startswith(name))


@pytest.mark.parametrize("kind", KINDS)
def test_a_watch(tmp_path: Path, kind: str) -> None:
    """It exports at its start and at each signal, and SIGTERM ends it with 0."""
    url, output = make_database(tmp_path / "mm.sqlite", world()), tmp_path / "mm.snap"
    port = find_free_port()
    options = ("--database", url, "--output", output, "--admin", f"127.0.0.1:{port}")
    with started(kind, "watch", *options) as watch:
        wait_until("an export", lambda: answers(port, b"/health/ready"), SECONDS)
        watch.send_signal(signal.SIGUSR1)
        wait_until("another export", lambda: exports(port) == 2, SECONDS)
        watch.send_signal(signal.SIGHUP)
        wait_until("and one more", lambda: exports(port) == 3, SECONDS)
        watch.terminate()
        assert watch.wait(SECONDS) == 0


def exports(port: int) -> int:
    """How many exports a watch has made."""
    page = get(port, b"/metrics")
    name = "mirrorlist_watch_export_seconds_count "
    lines = page.body.decode().splitlines() if page else []
    return sum(int(float(x.split()[1])) for x in lines if x.startswith(name))


def test_the_log_on_a_pipe_that_nobody_reads(tmp_path: Path) -> None:
    """With `--log -` answers go on, the outage shows, and the stop takes no longer than it says."""
    export_tables(tmp_path, world())
    port, admin = find_free_port(), find_free_port()
    options = ("--port", port, "--admin", f"127.0.0.1:{admin}", "--log", "-")
    with started("idle reader", "serve", "--snapshot", tmp_path / "mm.snap", *options) as server:
        wait_until("it answers", lambda: answers(port, TARGET), SECONDS)
        wait_until("the outage shows", lambda: outages(admin) == 1, SECONDS)
        assert answers(port, TARGET)
        begun = time.monotonic()
        server.terminate()
        assert server.wait(SECONDS) == 0
        assert time.monotonic() - begun < 6


def outages(admin: int) -> int:
    """How many workers cannot write their log, by the metrics."""
    page = get(admin, b"/metrics")
    name = "mirrorlist_log_outages "
    lines = page.body.decode().splitlines() if page else []
    return sum(int(float(x.split()[1])) for x in lines if x.startswith(name))
