"""`mirrorlist serve`: the server."""

import os
import socket
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from signal import Signals
from typing import TYPE_CHECKING

import click

from mirrorlist.cli.console import say
from mirrorlist.cli.exposure import warning_of_default_trust
from mirrorlist.cli.options import options
from mirrorlist.errors import OptionError
from mirrorlist.lists.orders import DEFAULT_REUSE
from mirrorlist.process.messages import lost_lines, stay
from mirrorlist.process.signals import STOP, hold
from mirrorlist.records.accesslog import AccessLog
from mirrorlist.records.logline import make_line_maker
from mirrorlist.request.client import DEFAULT_TRUSTED, Trust
from mirrorlist.request.geo import open_geo
from mirrorlist.service import Service
from mirrorlist.settings import DEFAULT_STALE, NOWHERE
from mirrorlist.store import Store
from mirrorlist.workers.refresh import Files, look_at_files
from snapshot.file.seal import read_key

if TYPE_CHECKING:
    from mirrorlist.records.counts import Counts

_LOOK_SECONDS = 0.1
_TELL_SECONDS = 15.0
DEFAULT_ADMIN = "127.0.0.1:3001"


@click.command(short_help="Answer /metalink and /mirrorlist from a snapshot.")
@options("serve")
def serve(
    snapshot_key: Path | None,
    stale: float,
    admin: str | None,
    watch_admin: str,
    snapshot: Path,
    host: tuple[str, ...],
    port: int,
    workers: int,
    geoip: Path | None,
    minimum: int,
    log: Path | None,
    log_format: str,
    log_addresses: str,
    door: str,
    reuse: int,
    trusted_proxy: tuple[str, ...],
    proxy_protocol: bool,
    seed: int | None,
    wait: float,
) -> None:
    """Answer /metalink and /mirrorlist from a snapshot.

    A changed snapshot or GeoIP file is taken into use at once, without a restart (SIGHUP makes
    it look, too); a bad file is refused. SIGTERM and SIGINT end the server after the answers
    under way; a worker that dies is replaced.

    \b
    mirrorlist serve --snapshot mm.snap --host 0.0.0.0 --workers 2 --log requests.log
    curl 'http://127.0.0.1:3000/metalink?repo=rawhide&arch=x86_64'
    curl http://127.0.0.1:3001/health/fresh
    """
    stay()
    hold()
    key = read_key(snapshot_key) if snapshot_key else None
    _await(snapshot, wait)
    trust = Trust(trusted_proxy or DEFAULT_TRUSTED)
    if proxy_protocol and trust.is_empty:
        raise OptionError("--proxy-protocol: with --trusted-proxy none, no peer may send it")
    access_log = _open_log(log, log_format, log_addresses)
    files = look_at_files(snapshot, geoip)
    service = load_service(snapshot, geoip, trust, minimum, access_log, seed, key, reuse, stale)

    def listening(address: str) -> None:
        if warning := warning_of_default_trust(host, trusted_proxy):
            say(warning)

    run_server(
        service,
        files,
        host,
        port,
        workers,
        admin,
        watch_admin,
        listening,
        fast=_is_fast(door),
        proxied=proxy_protocol,
    )


def load_service(
    snapshot: Path,
    geoip: Path | None,
    trust: Trust,
    minimum: int,
    log: AccessLog | None,
    seed: int | None = None,
    key: bytes | None = None,
    reuse: int = DEFAULT_REUSE,
    stale: float = DEFAULT_STALE,
) -> Service:
    """Load everything that answers are made from; raises the error of a file that is refused."""
    store, geo = Store(snapshot, key), open_geo(geoip)
    return Service(store, geo, trust, time.time, minimum, seed, log, reuse, stale)


def run_server(
    service: Service,
    files: Files,
    hosts: Sequence[str],
    port: int,
    workers: int,
    admin: str | None,
    watch_admin: str = NOWHERE,
    listening: Callable[[str], None] = lambda address: None,
    *,
    fast: bool = True,
    ends: frozenset[Signals] = STOP,
    over: Callable[[], bool] = lambda: False,
    proxied: bool = False,
    bound: Sequence[socket.socket] = (),
    tells_status: bool = False,
) -> None:
    """Bind each of the hosts, print the addresses, and supervise workers until told to stop.

    `admin`: the address of health, metrics and status, see `open_admin`; `watch_admin`: the same of
    a watch. `fast`: lists take the fast door; `proxied`: trusted proxies send PROXY
    headers. `listening` is called with the first address and port once all are bound; `ends` are
    the signals that end the server, and `over` returns whether it shall end without a signal.
    `bound`: sockets that listen already. `tells_status`: the public port names the status page.
    """
    # Imported here so that `--help` does not wait for uvicorn.
    from mirrorlist.records.counts import Count, Counts
    from mirrorlist.status.admin import open_admin
    from mirrorlist.status.admin_process import oversee
    from mirrorlist.web.listener import host_and_port, listen_all, shown_of
    from mirrorlist.workers.server import work
    from mirrorlist.workers.supervisor import Supervisor, Work

    watch = None if watch_admin == NOWHERE else host_and_port(watch_admin, "--watch-admin")
    listeners, counts = bound or listen_all(hosts, port), Counts(workers)
    overlooked = open_admin(admin, DEFAULT_ADMIN, say)
    at = [shown_of(listener) for listener in listeners]
    _tell_begin(at, workers, service)
    listening(at[0])
    worker: Work = partial(work, service, listeners, counts, files, say, fast=fast, proxied=proxied)
    beside: Work | None = None
    if overlooked:
        _tell_status(service, f"http://{shown_of(overlooked)}/status", public=tells_status)
        worker = _without([overlooked], worker)
        answer = partial(oversee, overlooked, counts, service.stale, watch, say)
        beside = _without(listeners, answer)

    def stopping() -> None:
        counts.drain()
        for listener in listeners:
            listener.close()

    refused, hung = partial(counts.supervisor.add, Count.STARTS_REFUSED), _looking(counts)
    supervisor = Supervisor(
        worker, workers, say, stopping, beside, refused=refused, hung=hung, ends=ends, over=over
    )
    supervisor.run()
    say("stopped")


def _tell_begin(bound: Sequence[str], workers: int, service: Service) -> None:
    say(
        f"listening on {' and '.join(f'http://{one}' for one in bound)}"
        f" with {workers} worker{'s' if workers > 1 else ''};"
        f" snapshot {service.store.catalog.id}, {_age(service)} old; GeoIP: {service.geo.name}"
    )


def _looking(counts: "Counts") -> Callable[[], list[int]]:
    """Return what the supervisor does every few moments.

    It counts the lines that standard error did not take, and returns the workers that hang.
    """
    from mirrorlist.records.counts import Count
    from mirrorlist.records.heartbeat import Pulse
    from mirrorlist.workers.supervisor import LOOK_SECONDS

    pulse, slot = Pulse(counts.beats, LOOK_SECONDS), counts.supervisor
    told = 0

    def look() -> list[int]:
        nonlocal told
        told, more = (lost := lost_lines()), lost - told
        slot.add(Count.MESSAGES_LOST, more)
        return pulse.hung()

    return look


def _without(others: Sequence[socket.socket], work: Callable[[int], None]) -> Callable[[int], None]:
    """Return `work` for a process that first closes sockets which are not its own.

    A client that connects there after the owner's end would wait for an answer in vain.
    """

    def alone(lifeline: int) -> None:
        for listener in others:
            listener.close()
        work(lifeline)

    return alone


def _open_log(log: Path | None, kind: str, addresses: str) -> AccessLog | None:
    # Check the log options even without --log: a wrong value is an error anyway.
    make_line = make_line_maker(kind, addresses)
    return AccessLog(str(log), make_line) if log else None


def _is_fast(door: str) -> bool:
    if door not in ("fast", "asgi"):
        raise OptionError(f"--door {door}: neither fast nor asgi")
    return door == "fast"


def _tell_status(service: Service, page: str, *, public: bool) -> None:
    service.status_page = page if public else None
    say(f"status, health and metrics on {page}")


def _await(snapshot: Path, seconds: float) -> None:
    begin = time.monotonic()
    tell = begin
    # os.path, as pathlib raises where a folder may not be looked into.
    while not os.path.exists(snapshot) and (now := time.monotonic()) < begin + seconds:
        if now >= tell:
            left = begin + seconds - now
            say(f"{snapshot} is not there yet; waiting {left:.0f} s for it (--wait)")
            tell = now + _TELL_SECONDS
        time.sleep(_LOOK_SECONDS)


def _age(service: Service) -> str:
    seconds = service.store.catalog.age(service.clock())
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"
