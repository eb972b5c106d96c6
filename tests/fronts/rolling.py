"""Restarts two servers behind a front, one after the other, while clients ask all the time."""

import csv
import signal
import socket
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import NamedTuple

from loadtest.common.wrk import Load, load
from tests.clients.server import find_free_port
from tests.fronts.front import Edit, started, switched_on
from tests.fronts.kinds import CADDY, HAPROXY, NGINX, Kind
from tests.live import Server, serve, wait_until

UP_SECONDS = 20.0
# After this time each front has found a server again that listens.
_FOUND_SECONDS = 2.0
TRUSTED = ("--trusted-proxy", "127.0.0.1")


class Case(NamedTuple):
    """A front's lines, the name of its port, and the seconds of the servers' --drain."""

    name: str
    edit: Edit
    port: str
    drain: float
    kind: Kind = HAPROXY


class Found(NamedTuple):
    """What clients saw during a number of rolling restarts."""

    case: Case
    rolls: int
    load: Load

    @property
    def failures(self) -> int:
        """Requests that failed: no answer, or one with an error."""
        return self.load.refused + self.load.failed


def as_it_is(text: str) -> str:
    """Leave a file as it is."""
    return text


def without_retries(text: str) -> str:
    """Let haproxy send nothing twice."""
    for line in ("    option redispatch 1\n", "    retry-on conn-failure empty-response\n"):
        assert line in text
        text = text.replace(line, "")
    return text.replace("    retries 3", "    retries 0", 1)


def for_wrk(text: str) -> str:
    """Let Caddy answer wrk, which names no site."""
    assert "mirrors.example.org {" in text
    text = text.replace("mirrors.example.org {", "https:// {")
    return text.replace("\tservers {", "\tdefault_sni mirrors.example.org\n\tservers {")


def fedora(repository: str, check: str | None = None) -> Edit:
    """Switch the lines of Fedora's proxies on, with a repository or page that is there."""

    def edit(text: str) -> str:
        lines = switched_on("Switched off: the lines of Fedora")(text)
        return lines.replace("/metalink?repo=epel-9&arch=x86_64", check or repository)

    return edit


def cases(metalink: str, drain: float) -> tuple[Case, ...]:
    """Return all that is measured; the metalink is one of the data set."""
    ready = fedora(metalink, "/health/ready")
    return (
        Case("contrib/haproxy, `--drain`", as_it_is, "https", drain),
        Case("contrib/haproxy", as_it_is, "https", 0),
        Case("contrib/haproxy less retries, `--drain`", without_retries, "https", drain),
        Case("contrib/haproxy less retries", without_retries, "https", 0),
        Case("Fedora's lines, checking `/health/ready`, `--drain`", ready, "plain", drain),
        Case("Fedora's lines, `--drain`", fedora(metalink), "plain", drain),
        Case("Fedora's lines", fedora(metalink), "plain", 0),
        Case("contrib/nginx", as_it_is, "https", 0, NGINX),
        Case("contrib/caddy, `--drain`", for_wrk, "https", drain, CADDY),
    )


class Site:
    """Two servers, each with a port that it keeps, and a front before them."""

    def __init__(self, stack: ExitStack, snapshot: Path, folder: Path, case: Case) -> None:
        """Start all of it."""
        self._stack, self._snapshot, self._folder = stack, snapshot, folder
        self._options = ("--drain", case.drain) if case.drain else ()
        self._ports = (find_free_port(), find_free_port())
        self._running: list[tuple[AbstractContextManager[Server], Server]] = []
        for number in (0, 1):
            (folder / str(number)).mkdir()
            self._running.append(self._start(number))
        front = started(case.kind, folder, self._ports, case.edit, listens=case.port)
        self.front = stack.enter_context(front)
        self.wait_up()

    def roll(self) -> None:
        """Restart one server, and the other one when the front has found the first again."""
        for number in (0, 1):
            context, server = self._running[number]
            server.process.send_signal(signal.SIGTERM)
            # Longer than a drain.
            assert server.process.wait(60) == 0
            context.__exit__(None, None, None)
            self._running[number] = self._start(number)
            self.wait_up()

    def wait_up(self) -> None:
        """Return once the front finds both servers up."""
        if self.front.kind is not HAPROXY:
            time.sleep(_FOUND_SECONDS)
            return
        wait_until("both are up", lambda: self._states() == {"one": "UP", "two": "UP"}, UP_SECONDS)

    def _start(self, number: int) -> tuple[AbstractContextManager[Server], Server]:
        options = ("--port", self._ports[number], *TRUSTED, *self._options)
        context = serve(self._snapshot, self._folder / str(number), *options)
        return context, self._stack.enter_context(context)

    def _states(self) -> dict[str, str]:
        """Return haproxy's opinion of each server."""
        with socket.socket(socket.AF_UNIX) as connection:
            try:
                connection.connect(str(self._folder / "admin"))
            except (FileNotFoundError, ConnectionRefusedError):
                # haproxy opens its ports first.
                return {}
            connection.sendall(b"show stat\n")
            told = b"".join(iter(lambda: connection.recv(1 << 16), b"")).decode()
        rows = csv.DictReader(told.removeprefix("# ").splitlines())
        return {row["svname"]: row["status"] for row in rows if row["svname"] in ("one", "two")}


def roll_under_load(
    snapshot: Path, folder: Path, case: Case, requests: Sequence[str], seconds: int
) -> Found:
    """Restart both servers again and again for some seconds, while wrk asks for lists."""
    with ExitStack() as stack, ThreadPoolExecutor(1) as beside:
        site = Site(stack, snapshot, folder, case)
        scheme = "https" if case.port == "https" else "http"
        url = f"{scheme}://127.0.0.1:{site.front.ports[case.port]}"
        loading = beside.submit(load, url, requests, seconds, False)
        rolls = _rolls(site, loading, seconds)
        return Found(case, rolls, loading.result())


def _rolls(site: Site, loading: "Future[Load]", seconds: int) -> int:
    # By then wrk has begun.
    time.sleep(0.5)
    rolls, took, end = 0, 0.0, time.monotonic() + seconds - 0.5
    while not took or time.monotonic() + took < end:
        began = time.monotonic()
        site.roll()
        took = time.monotonic() - began
        # On a machine that is very busy the last one may have come too late.
        rolls += not loading.done()
    return rolls
