"""The process beside the workers: answers for all of them on the admin listener.

It reads what they count and say of themselves in shared memory, so no worker is asked anything,
and one that hangs or dies is seen all the same. Whatever this process needs beyond a worker is
loaded when somebody first asks for it.
"""

import select
import signal
import socket
import time
from collections.abc import Callable

import msgspec

from mirrorlist.admin import Admin, Reply, Routes
from mirrorlist.counts import Counts
from mirrorlist.health import all_ready, fresh
from mirrorlist.last_hours import SAMPLE_SECONDS, LastHours, Sample
from mirrorlist.status import Status, status_of, tiers_of
from mirrorlist.watch_state import WatchState, ask_watch
from mirrorlist.worker_state import worker_states

_JSON = "application/json"
# How old what a page says of the watch can be.
ASK_EVERY_SECONDS = 10.0


def oversee(
    listener: socket.socket,
    counts: Counts,
    stale: float,
    watch: tuple[str, int] | None,
    lifeline: int,
) -> None:
    """Answer until killed, or until the supervisor ends, which the lifeline's reading end tells.

    `watch`: where a watch may be, which is asked for its state now and then. A service manager and
    Ctrl-C signal all processes; this one stays until the last worker ended, as it says meanwhile
    that the server is draining.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    beside = Beside(counts, watch)
    beside.look(time.time())
    Admin(listener, pages(counts, stale, beside, time.time)).start()
    while not select.select([lifeline], [], [], ASK_EVERY_SECONDS)[0]:
        beside.look(time.time())


class Beside:
    """What a server's pages show beyond this moment: its last hours, and the watch beside it."""

    def __init__(self, counts: Counts, address: tuple[str, int] | None) -> None:
        """Take the counts and where the watch may be; nothing is known before the first look."""
        self.hours = LastHours()
        self.watch: WatchState | None = None
        self._counts = counts
        self._address = address
        self._next = 0.0

    def look(self, now: float) -> None:
        """Ask the watch, which takes seconds at most, and take a sample if its minute is over."""
        self.watch = ask_watch(*self._address) if self._address else None
        # A clock that was set back begins a new minute.
        if now >= self._next or now < self._next - SAMPLE_SECONDS:
            self._next = now + SAMPLE_SECONDS
            totals = self._counts.totals()
            changes = self.watch.changes if self.watch else None
            sample = Sample(now, tuple(tiers_of(totals).values()), changes)
            self.hours.add(sample, totals.countries)


def pages(counts: Counts, stale: float, beside: Beside, clock: Callable[[], float]) -> Routes:
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

    def page() -> Reply:
        from mirrorlist.pages import server_page

        return server_page(status(), beside.hours)

    def status() -> Status:
        return status_of(
            worker_states(counts),
            counts.totals(),
            beside.watch,
            is_draining=counts.is_draining,
            stale=stale,
            now=clock(),
        )

    return {
        ("GET", "/health/live"): lambda: Reply(200, b"OK\n"),
        ("GET", "/health/ready"): is_ready,
        ("GET", "/health/fresh"): is_fresh,
        ("GET", "/metrics"): metrics,
        ("GET", "/status"): page,
        ("GET", "/status.json"): lambda: as_json(status()),
    }


def as_json(value: object, status: int = 200) -> Reply:
    """Return a value as a page."""
    return Reply(status, msgspec.json.encode(value) + b"\n", _JSON)
