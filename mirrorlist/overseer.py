"""The process beside the workers: answers for all of them on the admin listener.

It reads what they count and say of themselves in shared memory, so no worker is asked anything,
and one that hangs or dies is seen all the same. Whatever this process needs beyond a worker is
loaded when somebody first asks for it.
"""

import os
import signal
import socket
import time
from collections.abc import Callable

import msgspec

from mirrorlist.admin import Admin, Reply, Routes
from mirrorlist.counts import Counts
from mirrorlist.health import all_ready, fresh
from mirrorlist.status import status_of
from mirrorlist.worker_state import worker_states

_JSON = "application/json"


def oversee(listener: socket.socket, counts: Counts, stale: float, lifeline: int) -> None:
    """Answer until killed, or until the supervisor ends, which the lifeline's reading end tells.

    A service manager and Ctrl-C signal all processes; this one stays until the last worker ended,
    as it says meanwhile that the server is draining.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    Admin(listener, pages(counts, stale, time.time)).start()
    os.read(lifeline, 1)


def pages(counts: Counts, stale: float, clock: Callable[[], float]) -> Routes:
    """Return the pages about all workers; data older than `stale` seconds are not fresh."""

    def is_ready() -> Reply:
        found = all_ready(worker_states(counts), counts.is_draining, stale, clock())
        return as_json(found, 200 if found.ready else 503)

    def is_fresh() -> Reply:
        found = fresh(worker_states(counts), stale, clock())
        return as_json(found, 200 if found.fresh else 503)

    def metrics() -> Reply:
        from mirrorlist.metrics import CONTENT_TYPE, Metrics, state_of

        page = Metrics(counts.totals, lambda: state_of(worker_states(counts), clock()))
        return Reply(200, page.render(), CONTENT_TYPE)

    return {
        ("GET", "/health/live"): lambda: Reply(200, b"OK\n"),
        ("GET", "/health/ready"): is_ready,
        ("GET", "/health/fresh"): is_fresh,
        ("GET", "/metrics"): metrics,
        ("GET", "/status.json"): lambda: as_json(status_of(counts, stale, clock())),
    }


def as_json(value: object, status: int = 200) -> Reply:
    """Return a value as a page."""
    return Reply(status, msgspec.json.encode(value) + b"\n", _JSON)
