"""`mirrorlist scan --watch`: stays, and scans what events name, within seconds."""

import gc
import os
import signal
import time
from collections.abc import Callable
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct, structs

from mirrorlist.cli.console import as_time, counted, say, tell
from mirrorlist.cli.ending import end_on
from mirrorlist.cli.harmless import one_line
from mirrorlist.cli.managed import manager_of
from mirrorlist.errors import OptionError
from mirrorlist.process.manager import Manager
from mirrorlist.process.messages import stay
from mirrorlist.process.signals import do_now
from mirrorlist.process.threads import Threads
from mirrorlist.settings.defaults import NOWHERE
from mirrorlist.status.signed_hook import LEAST_SECRET_BYTES
from snapshot.file.wholefile import read_text

if TYPE_CHECKING:
    from snapshot.scan.job import ScanJob, ScanResult
    from snapshot.scan.watching import Scan, Task, Told, Watching

_MOST_PATHS = 3
_MOST_PROBLEMS = 20


class WatchOptions(Struct, frozen=True):
    """What `--watch` is to do; `report` gets each scan that ended well."""

    categories: tuple[str, ...]
    config: Path
    every: float
    stale: float
    admin: str | None
    secret: bytes | None
    report: "Callable[[ScanJob, ScanResult], object] | None"


class _Turns:
    """Counts the turns of the loop, and the steps of a scan, in which other things go on too."""

    def __init__(self, threads: Threads, manager: Manager) -> None:
        self.count = 1
        self._threads, self._manager = threads, manager

    def __call__(self, *_: object) -> None:
        self.count += 1
        self._threads.again()
        self._manager.look()


def read_secret(given: str | None) -> bytes | None:
    """Return the secret of the hook, which may be in a file; raises OptionError."""
    if given is None:
        return None
    text = given
    if given[:1] == "@":
        path = Path(os.path.expanduser(given[1:]))
        try:
            text = read_text(path).partition("\n")[0].rstrip("\r")
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            raise OptionError(f"--hook-secret @{path}: cannot be read: {why}") from error
    secret = text.encode("utf-8", "surrogateescape")
    if len(secret) < LEAST_SECRET_BYTES:
        least = f"shorter than {LEAST_SECRET_BYTES} bytes"
        raise OptionError(f"--hook-secret: {least}; openssl rand -hex 32 makes one")
    return secret


def watch(job: "ScanJob", options: WatchOptions) -> None:
    """Scan categories whenever an event calls for it, until a signal; `job` has all but these."""
    for name in options.categories:
        # A wrong name ends the start. Later the file may be in the middle of a change.
        job.settings.of_category(name, job.source)
    if options.secret and options.admin == NOWHERE:
        raise OptionError("--hook-secret: with --admin none nobody can call the hook")
    stay()
    manager = manager_of()
    end_on([signal.SIGTERM, signal.SIGINT], 0)
    # Imported here: a worker must never load a database driver.
    from mirrorlist.status.scan_pages import pages, shown_on
    from mirrorlist.status.signed_hook import SignedHook
    from mirrorlist.status.told import scan_state
    from snapshot.scan.watching import Watching

    threads = Threads(say)
    turns = _Turns(threads, manager)
    scan = _scanner(job, options, turns)
    watching = Watching(
        options.categories, options.every, scan, _told, threads.start, say, each_step=turns
    )
    do_now("scan --watch", partial(_ask, watching, manager), say)
    manager.begin(scan_state(watching, lambda: turns.count))
    hook = SignedHook(options.secret, watching.ask)
    shown = pages(watching, hook, options.stale, threads)
    # Told first when the end begins.
    with shown_on(options.admin, shown, hook, threads, say), closing(manager):
        say(f"watching {', '.join(options.categories)}; all of it every {options.every:g} s")
        watching.run()


def _ask(watching: "Watching", manager: Manager, signal_name: str) -> None:
    from snapshot.scan.watching import Event

    if signal_name == "SIGHUP":
        manager.reloading()
    watching.events.put(Event(None, reason=signal_name))


def _scanner(base: "ScanJob", options: WatchOptions, turn: Callable[..., None]) -> "Scan":
    from snapshot.scan.config import read_settings
    from snapshot.scan.run import scan as run_scan

    # Nearly all objects of a scan live until its end: collection would add a tenth of the time.
    gc.disable()

    def scan(task: "Task") -> "tuple[ScanResult, str | None]":
        try:
            # Read each time, so that a changed configuration holds from the next scan on.
            settings = read_settings(options.config)
            job = structs.replace(base, settings=settings, category=task.category, paths=task.paths)
            result = run_scan(job, turn)
            if options.report:
                # The reader of the lines may have ended; the scan is done all the same.
                with suppress(BrokenPipeError):
                    options.report(job, result)
            found = settings.of_category(task.category, base.source)
            is_seen = found.type == "directory" or result.file is not None
            return result, found.url if is_seen else None
        finally:
            gc.collect()

    return scan


def _told(event: "Told") -> None:
    from snapshot.scan.watching import Failed

    task = event.task
    place = f"{task.category}: {_shown(task.paths)}" if task.paths else task.category
    if isinstance(event, Failed):
        _line(f"{place}: error: {' '.join(str(event.error).split())}; trying again")
        return
    result = event.result
    if result.unchanged:
        count = counted(len(result.problems), "problem", "problems")
        still = f"; still there: {count}; --full names them" if result.problems else ""
        _line(f"{place}: nothing has changed, {result.seconds:.2f} s{still}")
        return
    changes = result.changes
    repositories = (
        f"repositories {len(changes.repositories_added)} added,"
        f" {len(changes.repositories_moved)} moved, {len(changes.repositories_deleted)} deleted"
    )
    directories = sum(
        map(len, (changes.directories_added, changes.directories_changed,
                  changes.directories_deleted))
    )  # fmt: skip
    _line(
        f"{place}: {repositories}; directories {directories} changed;"
        f" checksums {changes.details_added} added; {result.seconds:.2f} s"
    )
    for problem in _problems(task, result)[:_MOST_PROBLEMS]:
        tell(f"  ! {one_line(problem)}")


def _problems(task: "Task", result: "ScanResult") -> list[str]:
    """Return the problems to tell: of a scan of paths, that a path is not on the primary."""
    if not task.paths:
        return result.problems
    # With all slashes that a hook may have left out, and with the topdir that it may have named.
    asked = "".join(f"/{path.strip('/')}/" for path in task.paths)
    return [one for one in result.problems if f"/{one.partition(': ')[0]}/" in asked]


def _shown(paths: tuple[str, ...]) -> str:
    more = len(paths) - _MOST_PATHS
    return ", ".join(paths[:_MOST_PATHS]) + (f" and {more} more" if more > 0 else "")


def _line(text: str) -> None:
    say(f"{as_time(int(time.time()))} {text}")
