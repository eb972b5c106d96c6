"""The admin process, beside the workers: answers for all of them on the admin listener.

It reads the workers' counters and reports in shared memory and asks no worker anything. So it also
sees a worker that hangs or died, because each worker writes a beat every second. What programs ask
for is loaded before the fork, so that its pages are shared; what only people look at is made apart.
"""

import select
import signal
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from mirrorlist.process.messages import Say, lost_lines
from mirrorlist.process.signals import HELD, pass_over, release
from mirrorlist.process.threads import Steady, Threads
from mirrorlist.records.backlog import backlog_of
from mirrorlist.records.counts import Count, Counts
from mirrorlist.records.growth import Growth
from mirrorlist.records.worker_state import worker_states
from mirrorlist.status.admin import Admin, AnyRoutes, Reply, json_reply
from mirrorlist.status.apart import Apart, Compiled
from mirrorlist.status.chain import ChainAsker, Target
from mirrorlist.status.last_hours import SAMPLE_SECONDS, LastHours, Sample
from mirrorlist.status.server_state import Status, status_of, tiers_of
from mirrorlist.status.shared import Shared
from mirrorlist.status.stage import PATH, Stage
from mirrorlist.status.stages import Rising, server_stages
from mirrorlist.status.watch_state import WatchState, ask_watch
from mirrorlist.web.health import all_ready, fresh

# The greatest age of a watch's state on a page.
ASK_EVERY_SECONDS = 10.0
_LOOK_SECONDS = 1.0


def load_pages() -> None:
    """Load the modules of the pages that programs ask for; to be called before the fork.

    Loaded in the admin process, each would touch shared pages there, and take four times as much.
    """
    # A page whose library is missing says so.
    with suppress(ImportError):
        from mirrorlist.status import stage_metrics, stage_texts  # noqa: F401


def run_admin(
    listener: socket.socket,
    counts: Counts,
    stale: float,
    watch: tuple[str, int] | None,
    spool: Path | None,
    chain: Sequence[Target],
    say: Say,
    lifeline: int,
) -> None:
    """Answer until killed, or until the supervisor ends, which the lifeline's reading end tells.

    `watch` is the address where a watch may be, which is asked for its state at intervals;
    `spool` is the folder of the statistics; `chain` are the addresses of other stages. A service
    manager and Ctrl-C signal all processes, but this one stays until the last worker has
    ended, because it says meanwhile that the server is draining. This thread waits for nothing but
    the lifeline, so the process ends in time, even if other threads still wait.
    """
    observer, slot = Observer(counts, watch), counts.admin_process
    # Before a signal is answered: that line may be lost already, and counts.
    lost = Growth(slot, Count.MESSAGES_LOST, lost_lines, lost_lines())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    pass_over("admin process", HELD, say)
    release()
    threads = Threads(say, partial(slot.add, Count.STARTS_REFUSED))
    asker = ChainAsker(chain)
    Admin(listener, pages(counts, stale, observer, time.time, spool, asker)).start(threads)
    asker.start(threads)
    if watch:
        threads.go_on("watch", observer.ask_and_rest)

    def step() -> bool:
        has_ended = bool(select.select([lifeline], [], [], _LOOK_SECONDS)[0])
        lost.add()
        survived.add()
        threads.again()
        observer.look(time.time())
        return has_ended

    steady = Steady(step)
    survived = Growth(slot, Count.ERRORS_SURVIVED, lambda: threads.survived + steady.survived)
    steady.run()


class Observer:
    """Observes what counters do not say: the server's last hours, and the watch beside it."""

    def __init__(
        self,
        counts: Counts,
        address: tuple[str, int] | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the counts and the address of a watch; nothing is known before the first look."""
        self.hours = LastHours()
        self._counts, self._address, self._clock = counts, address, clock
        self._asked: tuple[float, WatchState | None] = 0.0, None
        self._next = 0.0

    @property
    def watch(self) -> WatchState | None:
        """The state of the watch; None if it has not answered for long."""
        at, state = self._asked
        return state if self._clock() - at < 3 * ASK_EVERY_SECONDS else None

    def ask(self) -> None:
        """Ask the watch, which takes seconds at most."""
        if self._address:
            self._asked = self._clock(), ask_watch(*self._address)

    def ask_and_rest(self) -> None:
        """Ask the watch, and wait until it is time to ask again."""
        self.ask()
        time.sleep(ASK_EVERY_SECONDS)

    def look(self, now: float) -> None:
        """Take a sample if its minute is over; never waits."""
        # A clock that was set back begins a new minute.
        if now >= self._next or now < self._next - SAMPLE_SECONDS:
            self._next = now + SAMPLE_SECONDS
            totals = self._counts.totals()
            changes = self.watch.changes if self.watch else None
            sample = Sample(now, tuple(tiers_of(totals).values()), changes)
            self.hours.add(sample, totals.countries)


def pages(
    counts: Counts,
    stale: float,
    observer: Observer,
    clock: Callable[[], float],
    spool: Path | None = None,
    asker: ChainAsker | None = None,
) -> AnyRoutes:
    """Return the pages about all workers; data older than `stale` seconds are not fresh.

    `spool` is the folder of the statistics, if there is one; `asker` asks the other stages.
    """
    stages, apart = stages_of(counts, stale, clock, spool), Apart()

    def is_ready() -> Reply:
        found = all_ready(worker_states(counts), counts.is_draining, stale, clock())
        return json_reply(found, 200 if found.ready else 503)

    def is_fresh() -> Reply:
        found = fresh(worker_states(counts), stale, clock())
        return json_reply(found, 200 if found.fresh else 503)

    def metrics() -> Reply:
        # Loaded before the fork by `load_pages`, unless a library is missing.
        from mirrorlist.status.metrics import CONTENT_TYPE, Metrics, ServedState, served_state
        from mirrorlist.status.stage_metrics import StageMetrics

        def state() -> ServedState:
            return served_state(
                worker_states(counts), clock(), backlog_of(spool) if spool else None
            )

        page = Metrics(counts.totals, state)
        return Reply(200, page.render(StageMetrics(stages)), CONTENT_TYPE)

    def page(compiled: Compiled) -> Reply:
        from mirrorlist.status.pages import keep_compiled, server_page

        keep_compiled(compiled)
        return server_page(status(), observer.hours)

    def status() -> Status:
        return status_of(
            worker_states(counts),
            counts.totals(),
            observer.watch,
            is_draining=counts.is_draining,
            stale=stale,
            now=clock(),
        )

    return {
        ("GET", "/health/live"): lambda: Reply(200, b"OK\n"),
        ("GET", "/health/ready"): is_ready,
        ("GET", "/health/fresh"): is_fresh,
        ("GET", "/metrics"): metrics,
        ("GET", "/status"): Shared(partial(apart.made, page)),
        ("GET", "/status.json"): lambda: json_reply(status()),
        **_pages_of_chain(asker or ChainAsker([]), stages, clock, apart),
    }


def stages_of(
    counts: Counts, stale: float, clock: Callable[[], float], spool: Path | None
) -> Callable[[], list[Stage]]:
    """Return what tells the stages of this server."""
    rising = Rising()

    def stages() -> list[Stage]:
        found = server_stages(worker_states(counts), counts.totals(), spool, stale, clock())
        return [rising(one) for one in found]

    return stages


def _pages_of_chain(
    asker: ChainAsker, stages: Callable[[], list[Stage]], clock: Callable[[], float], apart: Apart
) -> AnyRoutes:
    def chain() -> Reply:
        return json_reply(asker.chain(stages(), clock()))

    def page(compiled: Compiled) -> Reply:
        from mirrorlist.status.pages import chain_page, keep_compiled

        keep_compiled(compiled)
        return chain_page(asker.chain(stages(), clock()))

    return {
        ("GET", PATH): lambda: json_reply(stages()),
        ("GET", "/chain"): chain,
        ("GET", "/chain.html"): Shared(partial(apart.made, page)),
        ("GET", "/chain.json"): chain,
    }
