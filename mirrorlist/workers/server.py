"""One worker: the listening socket, uvicorn around the app, and its orderly end."""

import asyncio
import os
import signal
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, cast

import uvicorn

from mirrorlist.process.messages import Say, lost_lines
from mirrorlist.process.signals import STOP, Handler
from mirrorlist.process.threads import Threads
from mirrorlist.records.accesslog import AccessLog
from mirrorlist.records.counts import ENDPOINTS, Count, Counts, Level, Slot
from mirrorlist.records.growth import Growth
from mirrorlist.records.heartbeat import BEAT_SECONDS
from mirrorlist.records.worker_state import WorkerReport
from mirrorlist.service import Service
from mirrorlist.web.app import App
from mirrorlist.web.capacity import Policy, most_connections
from mirrorlist.web.config import make_config
from mirrorlist.web.entrance import CAN_ENTER, Entrance
from mirrorlist.web.fast import FastProtocol
from mirrorlist.web.front import Front
from mirrorlist.web.protocol import LimitedProtocol, MakeProtocol
from mirrorlist.web.proxied import ProxiedFastProtocol, ProxiedProtocol
from mirrorlist.web.stalled import cut_off_stalled
from mirrorlist.workers.refresh import Files, Refresher

if TYPE_CHECKING:
    from mirrorlist.records.spooler import Spooler

_OTHER = ENDPOINTS.index("other")
# The classes of connections, by whether they are fast, and whether proxies send PROXY headers.
_KINDS = {
    (False, False): LimitedProtocol,
    (True, False): FastProtocol,
    (False, True): ProxiedProtocol,
    (True, True): ProxiedFastProtocol,
}
# haproxy keeps connections to a server open and reuses them: this is longer than its own idle time.
KEEP_ALIVE_SECONDS = 75
# Answers take microseconds; what is still open after this is a client that does not read.
GRACEFUL_SECONDS = 10
_LAST_SECONDS = 5
_NO_ENTRANCE = (
    "this system has no TCP_DEFER_ACCEPT: connections are accepted by uvicorn's listener, which"
    " takes more time for those that ask once"
)


def work(
    service: Service,
    listeners: Sequence[socket.socket],
    counts: Counts,
    files: Files,
    say: Say,
    lifeline: int,
    *,
    fast: bool = True,
    proxied: bool = False,
    drains: bool = False,
    loop: str = "uvloop",
    spooler: "Spooler | None" = None,
    app: App | None = None,
) -> None:
    """Serve until SIGTERM, SIGINT or the supervisor's end, then finish what is under way.

    `counts` is the shared memory for counters and the worker's report. Changed `files` are taken
    into use; one worker says so for all. `lifeline` is the reading end of a pipe that the
    supervisor holds open: it ends when the supervisor is killed, and then no worker stays behind
    with the port. With `fast` lists are answered by FastProtocol, without it by the app. With
    `proxied` trusted proxies begin their connections with a PROXY header. With `drains` SIGTERM
    and SIGINT count only once the supervisor ends the server: a service manager and Ctrl-C signal
    all processes at the beginning of a drain. `loop` is uvicorn's name of an event loop.
    `spooler` writes statistics. `app` is of the service, and made before the fork: making it
    touches a megabyte of Python's own pages.
    """
    if drains:
        _wait_for_the_end(counts)
    service.reseed()
    slot = service.slot = counts.claim()
    report = WorkerReport(slot, service.store.catalog, service.geo, service.clock())
    threads = Threads(say, partial(slot.add, Count.STARTS_REFUSED))
    # One worker says what all of them do.
    say_once = say if slot.number == 0 else _silent
    policy = _policy(slot)
    front = Front(service, policy) if fast and not proxied else None
    config = make_config(
        app or App(service),
        front or _protocol(service, policy, fast, proxied),
        loop=loop,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACEFUL_SECONDS,
    )
    start_log(service.log, threads)
    start_refresh(Refresher(service, files, say_once, report), threads)
    if spooler:
        spooler.start(threads)
    housekeeping = Housekeeping(slot, service.log, threads, spooler)
    server = _WorkerServer(config, service.log, housekeeping, threads, spooler)
    if drains:
        server.may_end = lambda: counts.is_ending
    threads.start("lifeline", partial(_end_with, lifeline, server))
    if front:
        server.enter_by(front, say_once)
    server.run(sockets=[*listeners])


class _WorkerServer(uvicorn.Server):
    """uvicorn's server, which tells each second that it runs, and how; and which writes what is
    left of the request log and the statistics at its end.

    Not after `run()`, as that ends with the signal that ended it.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        log: AccessLog | None,
        housekeeping: "Housekeeping",
        threads: Threads,
        spooler: "Spooler | None",
    ) -> None:
        super().__init__(config)
        self._log, self._housekeeping, self._threads = log, housekeeping, threads
        self._spooler = spooler
        self._next_beat = 0.0
        self._front: Front | None = None
        self._say: Say = _silent
        self.may_end: Callable[[], bool] = lambda: True

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end at a signal, if it is time for that."""
        if self.may_end():
            super().handle_exit(sig, frame)

    def enter_by(self, front: Front, say: Say) -> None:
        """Let a front make the connections; to be called before the server runs."""
        self._front, self._say = front, say

    async def on_tick(self, counter: int) -> bool:
        """Do uvicorn's and the worker's regular work; returns whether it is time to end."""
        if (now := time.monotonic()) >= self._next_beat:
            self._next_beat = now + BEAT_SECONDS
            self._housekeeping.step(now)
            self._threads.again()
        return await super().on_tick(counter)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept: directly, where the system has what that needs."""
        front = self._front
        if front is None:
            await super().startup(sockets)
            return
        loop = asyncio.get_running_loop()
        front.begin(self.config, self.server_state, self.lifespan.state, loop)
        await super().startup([] if CAN_ENTER else sockets)
        if CAN_ENTER:
            entrances = [Entrance(one, front) for one in sockets or []]
            self.servers += cast(list[asyncio.base_events.Server], entrances)
        else:
            self._say(_NO_ENTRANCE)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Finish the answers under way, but wait for no client that takes nothing."""
        cutting = asyncio.create_task(cut_off_stalled(self.server_state.connections))
        await super().shutdown(sockets)
        cutting.cancel()
        if self._log:
            self._log.close()
        if self._spooler:
            self._spooler.close()
        self._housekeeping.step(time.monotonic())


def _policy(slot: Slot) -> Policy:
    def refused(status: int) -> None:
        slot.add_request(_OTHER, status, None)

    return Policy(most_connections(), refused, partial(slot.add, Count.CONNECTIONS_GAVE_WAY))


def _protocol(service: Service, policy: Policy, fast: bool, proxied: bool) -> MakeProtocol:
    """Return what makes this worker's connections; what is not asked for costs nothing."""
    own: dict[str, object] = {"policy": policy}
    if fast:
        own["service"] = service
    if proxied:
        own["is_proxy"] = service.trust.is_proxy
    return partial(_KINDS[fast, proxied], **own)


class Housekeeping:
    """Carries the counts of a worker's threads into its slot, where only one thread may write."""

    def __init__(
        self,
        slot: Slot,
        log: AccessLog | None,
        threads: Threads,
        spooler: "Spooler | None" = None,
    ) -> None:
        """Take the worker's slot, its threads, and its request log and statistics, if any."""
        self._slot, self._log, self._spooler = slot, log, spooler
        self._growths = [
            # Lines that were lost before the fork are counted by the supervisor.
            Growth(slot, Count.MESSAGES_LOST, lost_lines, lost_lines()),
            Growth(slot, Count.ERRORS_SURVIVED, lambda: threads.survived),
        ]
        if log:
            self._growths += count_log_lines(slot, log)
        if spooler:
            self._growths += count_spooled(slot, spooler)

    def step(self, now: float) -> None:
        """Write the worker's beat, counts and levels; `now` is of the monotonic clock."""
        slot = self._slot
        slot.beat(now)
        if log := self._log:
            log.look(now)
            slot.set(Level.LOG_QUEUED_BYTES, log.queued)
            slot.set(Level.LOG_OUTAGES, log.is_out)
        if spooler := self._spooler:
            slot.set(Level.STATISTICS_WAITING, spooler.waiting)
            slot.set(Level.SPOOL_OUTAGES, spooler.is_out)
        for growth in self._growths:
            growth.add()


def count_log_lines(slot: Slot, log: AccessLog) -> list[Growth]:
    """Return the counters of the lines that a request log has written, and of those it lost."""
    return [
        Growth(slot, Count.LOG_LINES_WRITTEN, lambda: log.written),
        Growth(slot, Count.LOG_LINES_LOST, lambda: log.lost),
    ]


def count_spooled(slot: Slot, spooler: "Spooler") -> list[Growth]:
    """Return the counters of the requests that statistics have, and of those without labels."""
    return [
        Growth(slot, Count.STATISTICS_WRITTEN, lambda: spooler.written),
        Growth(slot, Count.STATISTICS_OTHER, lambda: spooler.others),
    ]


def start_log(log: AccessLog | None, threads: Threads) -> None:
    """Begin the log's thread, and let SIGUSR2 open its file again."""
    if log:
        log.start(threads)
    signal.signal(signal.SIGUSR2, Handler(lambda number: log.reopen() if log else None))
    # SIGUSR2 was held back until it had this handler.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR2})


def start_refresh(refresher: Refresher, threads: Threads) -> None:
    """Begin to check the files, and let SIGHUP check them at once."""
    refresher.start(threads)
    signal.signal(signal.SIGHUP, Handler(lambda number: refresher.wake()))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})


def _wait_for_the_end(counts: Counts) -> None:
    """Pass over signals that come before uvicorn has handlers for them, until the server ends."""
    for number in STOP:
        signal.signal(number, lambda number, frame: os._exit(0) if counts.is_ending else None)


def _silent(text: str) -> None:
    """Say nothing, because another worker says it for all."""


def _end_with(lifeline: int, server: _WorkerServer) -> None:
    # Even an error here ends the worker: it must not stay behind with the port.
    with suppress(OSError):
        os.read(lifeline, 1)
    server.should_exit = True
    time.sleep(GRACEFUL_SECONDS + _LAST_SECONDS)
    # The event loop hangs, and the supervisor, which would kill this worker, is gone.
    os._exit(1)
