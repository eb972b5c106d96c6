"""Loads everything that a server answers from: the service, and the state of its files before."""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mirrorlist.errors import OptionError
from mirrorlist.process.messages import Say
from mirrorlist.records.accesslog import AccessLog
from mirrorlist.records.logline import make_line_maker
from mirrorlist.request.client import Trust
from mirrorlist.request.defaults import DEFAULT_TRUSTED
from mirrorlist.request.geo import NoGeo, open_geo
from mirrorlist.service import Service, Tuning
from mirrorlist.store import Store
from mirrorlist.workers.refresh import Files, look_at_files
from mirrorlist.workers.serve_settings import ServeSettings
from snapshot.file.seal import read_key

_LOOK_SECONDS = 0.1
_TELL_SECONDS = 15.0


if TYPE_CHECKING:
    # It loads numpy and datasketches, which only a server with a spool needs.
    from mirrorlist.records.spooler import Spooler

_NO_PACKAGES = "--spool: a package for statistics cannot be loaded ({}); the extra `stats` has it"


class Loaded(NamedTuple):
    """A service, the state of its files before it read them, and what writes its statistics."""

    service: Service
    files: Files
    spooler: "Spooler | None" = None


def load_service(settings: ServeSettings, say: Say) -> Loaded:
    """Load everything that answers are made from; raises the error of a file that is refused.

    `say` tells the operator when the server waits for a snapshot.
    """
    key = read_key(settings.snapshot_key) if settings.snapshot_key else None
    _await(settings.snapshot, settings.wait, say)
    trust, log = _trust(settings), _open_log(settings)
    files = look_at_files(settings.snapshot, settings.geoip)
    store, geo = Store(settings.snapshot, key), open_geo(settings.geoip)
    if isinstance(geo, NoGeo):
        say(f"warning: {geo.reason}")
    tuning = Tuning(settings.minimum, settings.reuse, settings.seed, settings.stale)
    service = Service(store, geo, trust, time.time, tuning, log)
    return Loaded(service, files, _spooler(settings, service, say))


def _spooler(settings: ServeSettings, service: Service, say: Say) -> "Spooler | None":
    if settings.spool is None:
        if settings.spool_key:
            raise OptionError("--spool-key: without --spool, no statistics are made")
        return None
    try:
        from mirrorlist.records.sitekey import site_key
        from mirrorlist.records.spooler import Spooler, prepare
        from mirrorlist.records.tally import Tally
    except ImportError as error:
        raise OptionError(_NO_PACKAGES.format(error)) from error
    prepare(settings.spool)
    service.tally = Tally(site_key(settings.spool_key, settings.spool))
    return Spooler(settings.spool, service.tally, say)


def _trust(settings: ServeSettings) -> Trust:
    trust = Trust(settings.trusted_proxy or DEFAULT_TRUSTED)
    if settings.proxy_protocol and trust.is_empty:
        raise OptionError("--proxy-protocol: with --trusted-proxy none, no peer may send it")
    return trust


def _open_log(settings: ServeSettings) -> AccessLog | None:
    # Check the log options even without --log: a wrong value is an error anyway.
    make_line = make_line_maker(settings.log_format, settings.log_addresses)
    return AccessLog(str(settings.log), make_line) if settings.log else None


def _await(snapshot: Path, seconds: float, say: Say) -> None:
    begin = time.monotonic()
    tell = begin
    # os.path, because pathlib raises if a folder on the way may not be searched.
    while not os.path.exists(snapshot) and (now := time.monotonic()) < begin + seconds:
        if now >= tell:
            left = begin + seconds - now
            say(f"{snapshot} is not there yet; waiting {left:.0f} s for it (--wait)")
            tell = now + _TELL_SECONDS
        time.sleep(_LOOK_SECONDS)
