"""Runs a server: puts the sockets, the workers, the admin process and the supervisor together."""

import signal
import socket
from collections.abc import Callable, Sequence
from functools import partial

from msgspec import Struct, field

from mirrorlist.process.manager import Manager
from mirrorlist.process.messages import Say, lost_lines
from mirrorlist.process.signals import STOP
from mirrorlist.process.wording import duration
from mirrorlist.records.counts import Count, Counts
from mirrorlist.records.growth import Growth
from mirrorlist.records.heartbeat import HeartbeatMonitor
from mirrorlist.service import Service
from mirrorlist.settings.defaults import ADMIN_OF_SERVER, NOWHERE
from mirrorlist.status.admin import open_admin
from mirrorlist.status.admin_process import load_pages, run_admin
from mirrorlist.status.chain import targets_of
from mirrorlist.status.told import server_state
from mirrorlist.web.app import App
from mirrorlist.web.listener import host_and_port, shown_of
from mirrorlist.workers.load import Loaded
from mirrorlist.workers.serve_settings import ServeSettings
from mirrorlist.workers.server import work
from mirrorlist.workers.supervisor import (
    LOOK_SECONDS,
    Beside,
    Drain,
    Supervisor,
    Work,
    hold_signals,
)
from mirrorlist.workers.wheels import event_loop, load_late


class Hooks(Struct, frozen=True):
    """The hooks of the program that runs a server.

    `listening` is called with the first address and port once all are bound; `ends` are the signals
    that end the server; `over` returns whether it shall end without a signal. `tells_status` says
    that the public port names the status page. `manager` is told the server's state. `beside` are
    processes of that program, which hold none of the server's sockets; `closes` are their sockets.
    """

    listening: Callable[[str], None] = lambda address: None
    ends: frozenset[signal.Signals] = STOP
    over: Callable[[], bool] = lambda: False
    tells_status: bool = False
    manager: Manager = field(default_factory=Manager)
    beside: tuple[Beside, ...] = ()
    closes: Sequence[socket.socket] = ()


def run_server(
    settings: ServeSettings,
    loaded: Loaded,
    listeners: Sequence[socket.socket],
    say: Say,
    hooks: Hooks,
) -> None:
    """Print the addresses, and supervise workers on sockets that listen until told to stop."""
    service, files, spooler = loaded
    # From its first line on, the server obeys signals as one that runs.
    hold_signals()
    watch, chain = _watch_at(settings), targets_of(settings.chain, settings.watch_admin)
    counts = Counts(settings.workers)
    admin = open_admin(settings.admin, ADMIN_OF_SERVER, say)
    at = [shown_of(listener) for listener in listeners]
    _tell_begin(at, settings.workers, service, say)
    hooks.listening(at[0])
    loop = event_loop(say)
    load_late(loop)
    fast, proxied = settings.door == "fast", settings.proxy_protocol
    worker: Work = partial(
        work,
        service,
        listeners,
        counts,
        files,
        say,
        fast=fast,
        proxied=proxied,
        drains=settings.drain > 0,
        loop=loop,
        spooler=spooler,
        app=App(service),
    )
    own = [*listeners, *([admin] if admin else [])]
    beside = [one._replace(work=_without(own, one.work)) for one in hooks.beside]
    worker = _without(hooks.closes, worker)
    if admin:
        page = f"http://{shown_of(admin)}/status"
        service.status_page = page if hooks.tells_status else None
        say(f"status, health and metrics on {page}")
        worker = _without([admin], worker)
        load_pages()
        pages = partial(run_admin, admin, counts, service.stale, watch, settings.spool, chain, say)
        beside.insert(0, Beside("admin process", _without([*listeners, *hooks.closes], pages)))
    hooks.manager.begin(server_state(counts, settings.workers))
    _supervisor(settings, (worker, beside), listeners, counts, say, hooks).run()
    say("stopped")


def _watch_at(settings: ServeSettings) -> tuple[str, int] | None:
    """Return the address of the pages of a watch, if there may be one."""
    if settings.watch_admin == NOWHERE:
        return None
    return host_and_port(settings.watch_admin, "--watch-admin")


def _supervisor(
    settings: ServeSettings,
    works: tuple[Work, list[Beside]],
    listeners: Sequence[socket.socket],
    counts: Counts,
    say: Say,
    hooks: Hooks,
) -> Supervisor:
    """Return the supervisor of the workers and of the processes beside them."""
    worker, beside = works

    def stopping() -> None:
        counts.end()
        for listener in listeners:
            listener.close()

    return Supervisor(
        worker,
        settings.workers,
        say,
        stopping,
        beside,
        refused=partial(counts.supervisor.add, Count.STARTS_REFUSED),
        hung=make_check(counts),
        ends=hooks.ends,
        over=hooks.over,
        drain=Drain(settings.drain, counts.drain),
        manager=hooks.manager,
    )


def _tell_begin(bound: Sequence[str], workers: int, service: Service, say: Say) -> None:
    catalog = service.store.catalog
    say(
        f"listening on {' and '.join(f'http://{one}' for one in bound)}"
        f" with {workers} worker{'s' if workers > 1 else ''};"
        f" snapshot {catalog.id}, {duration(catalog.age(service.clock()))} old;"
        f" GeoIP: {service.geo.name}"
    )


def make_check(counts: Counts) -> Callable[[], list[int]]:
    """Return the supervisor's regular check.

    It counts the lines that standard error did not take, and returns the workers that hang.
    """
    monitor = HeartbeatMonitor(counts.beats, LOOK_SECONDS)
    lost = Growth(counts.supervisor, Count.MESSAGES_LOST, lost_lines)

    def check() -> list[int]:
        lost.add()
        return monitor.hung()

    return check


def _without(others: Sequence[socket.socket], work: Work) -> Work:
    """Return `work` for a process that first closes the sockets of other processes.

    While it held one of them open, clients could connect to it after its owner's end, and would
    wait for an answer in vain.
    """

    def alone(lifeline: int) -> None:
        for listener in others:
            listener.close()
        work(lifeline)

    return alone
