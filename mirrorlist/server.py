"""One worker: the listening socket, uvicorn around the app, and its orderly end."""

import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Sequence

import uvicorn

from mirrorlist.accesslog import AccessLog
from mirrorlist.app import App
from mirrorlist.counts import ENDPOINTS, Count, Counts, Level, Slot
from mirrorlist.door import make_door
from mirrorlist.protocol import LimitedProtocol
from mirrorlist.refresh import Files, Refresher, Say
from mirrorlist.service import Service
from mirrorlist.worker_state import Teller

_OTHER = ENDPOINTS.index("other")
# haproxy keeps connections to us open and reuses them; longer than its own idle time is best.
KEEP_ALIVE_SECONDS = 75
# Answers take microseconds; what is still open after this is a client that does not read.
GRACEFUL_SECONDS = 10


def work(
    service: Service,
    listeners: Sequence[socket.socket],
    counts: Counts,
    files: Files,
    say: Say,
    lifeline: int,
    *,
    fast: bool = True,
) -> None:
    """Serve until SIGTERM, SIGINT or the supervisor's end, then finish what is under way.

    `counts`: where what happens is counted, and how the worker is, is told. `files` are taken
    anew whenever they change; one worker says so for all. `lifeline` is the reading end of a
    pipe that the supervisor holds open: its end tells that the supervisor was killed, so no
    worker stays behind with the port. `fast`: lists are answered by the door, else all by the
    app.
    """
    service.reseed()
    slot = service.slot = counts.claim()
    teller = Teller(slot, service.store.catalog, service.geo, service.clock())
    # A client's mistake is its own business; only what we did wrong goes to the operator.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    threading.Thread(target=_end_with, args=(lifeline,), daemon=True).start()
    config = uvicorn.Config(
        App(service),
        loop="uvloop",
        http=_counting(make_door(service) if fast else LimitedProtocol, slot),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACEFUL_SECONDS,
    )
    if service.log:
        _keep(service.log, slot)
    _refresh(Refresher(service, files, say if slot.number == 0 else _silent, teller))
    _Server(config, service.log).run(sockets=[*listeners])


class _Server(uvicorn.Server):
    """uvicorn's server, which writes what is left of the request log at its end.

    Not after `run()`, as that ends with the signal that ended it.
    """

    def __init__(self, config: uvicorn.Config, log: AccessLog | None) -> None:
        super().__init__(config)
        self._log = log

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Finish what is under way."""
        await super().shutdown(sockets)
        if self._log:
            self._log.close()


def _counting(protocol: type[LimitedProtocol], slot: Slot) -> type[LimitedProtocol]:
    def refused(status: int) -> None:
        slot.add_request(_OTHER, status, None)

    return type("Counting", (protocol,), {"refused": staticmethod(refused)})


def carrying(log: AccessLog, slot: Slot) -> Callable[[], None]:
    """Return what counts the lines of a log in a slot; only the log's thread may call it."""
    written = lost = 0

    def carry() -> None:
        nonlocal written, lost
        written, more = log.written, log.written - written
        lost, fewer = log.lost, log.lost - lost
        slot.add(Count.LOG_LINES_WRITTEN, more)
        slot.add(Count.LOG_LINES_LOST, fewer)
        slot.set(Level.LOG_QUEUED_BYTES, log.queued)

    return carry


def _keep(log: AccessLog, slot: Slot) -> None:
    log.start(carrying(log, slot))
    signal.signal(signal.SIGUSR2, lambda number, frame: log.reopen())
    # Held back until there was a handler.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR2})


def _refresh(refresher: Refresher) -> None:
    refresher.start()
    signal.signal(signal.SIGHUP, lambda number, frame: refresher.wake())
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})


def _silent(text: str) -> None:
    """Say nothing, as another worker does."""


def _end_with(lifeline: int) -> None:
    os.read(lifeline, 1)
    os.kill(os.getpid(), signal.SIGTERM)
