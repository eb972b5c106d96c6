"""The process of `mirrorlist run` that keeps the snapshot: applies, probes and exports.

It is forked beside the workers, and loads the database driver that they never load.
"""

import os
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

from msgspec import Struct

from mirrorlist import __version__
from mirrorlist.cli.console import as_time, counted, progress_bar, say
from mirrorlist.cli.job_options import JobOptions
from mirrorlist.cli.packages_page import found
from mirrorlist.cli.watch import exporter
from mirrorlist.cli.watch_events import EventPrinter
from mirrorlist.process.signals import STOP, do_now
from mirrorlist.process.threads import Threads
from snapshot.file.changes import mounted
from snapshot.file.errors import BackendError

if TYPE_CHECKING:
    from snapshot.sites.config import Config
    from snapshot.sites.host_states import HostState
    from snapshot.sites.keeper import Duty
    from snapshot.watch.loop import Event

SNAPSHOT, DATABASE = "mirrors.snap", "mirrors.db"
"""The names of the files in the state directory."""
# Also without a change, so that the age of the data is that of a read.
_EVERY_SECONDS = 300.0
_PAUSE_SECONDS = 5.0


class Keeping(Struct, frozen=True):
    """What is kept: the file, the state directory, the seconds between two probes, the export."""

    file: Path
    state: Path
    interval: float
    stale: float
    options: JobOptions

    @property
    def database(self) -> str:
        """The URL of the database in the state directory."""
        return f"sqlite:///{(self.state / DATABASE).absolute()}"

    def duty(self) -> "Duty":
        """Return what the keeper is told."""
        from snapshot.sites.keeper import Duty

        agent, most = f"mirrorlist/{__version__}", self.options.max_loss
        return Duty(self.file, self.database, self.interval, agent, most)


def publish_first(keeping: Keeping) -> None:
    """Apply the file, probe and export, before there is anything to serve; raises BackendError."""
    from snapshot.export.exporter import check_files, export
    from snapshot.sites.keeper import apply_all, why_unprobed
    from snapshot.sites.load import load

    job, duty = keeping.options.job(), keeping.duty()
    check_files(keeping.database, job)
    config = load(keeping.file).config
    apply_all(duty, config)
    unprobed = why_unprobed(config)
    for line in unprobed:
        say(line)
    if not unprobed:
        _probe_first(duty, config)
    with progress_bar() as steps:
        result = export(keeping.database, job, progress=steps)
    for note in result.notes:
        say(note)


def _probe_first(duty: "Duty", config: "Config") -> None:
    from snapshot.sites.keeper import probe_all
    from snapshot.sites.told import answers_of_mirrors, trouble_of_primary

    mirrors = counted(len(config.mirror), "mirror", "mirrors")
    say(f"{duty.file.name} is applied; {mirrors} and the primary are asked before the start")
    with progress_bar() as steps:
        found = probe_all(duty, config, steps)
    for line in trouble_of_primary(found):
        say(line)
    if found.mirrors:
        say(answers_of_mirrors(found.mirrors))


def keep(keeping: Keeping, listener: socket.socket | None, lifeline: int) -> None:
    """Keep the snapshot until killed, or until the supervisor ends, which the lifeline tells.

    `listener` is where the pages of this watch are answered.
    """
    # A service manager and Ctrl-C signal all processes: this one ends with its supervisor.
    for number in STOP:
        signal.signal(number, signal.SIG_IGN)
    threads = Threads(say)
    threads.start("lifeline", partial(_end_with, lifeline))
    try:
        _keep(keeping, listener, threads)
    except BackendError as error:
        say(f"error: {error}")
        # The supervisor starts another.
        time.sleep(_PAUSE_SECONDS)


def _keep(keeping: Keeping, listener: socket.socket | None, threads: Threads) -> None:
    from mirrorlist.status.admin import Admin
    from mirrorlist.status.search import searching
    from mirrorlist.status.site_pages import SiteShown
    from mirrorlist.status.watch_pages import pages
    from snapshot.export.database import parse_url
    from snapshot.export.publish import only_watch
    from snapshot.file.writer import followed
    from snapshot.sites.database import undo_unfinished
    from snapshot.sites.drain_ends import DrainEnds
    from snapshot.sites.keeper import Applier, Prober
    from snapshot.sites.keeper_state import KeeperState
    from snapshot.watch.loop import Duty, Watch
    from snapshot.watch.probes import make_probe

    for file in mounted([keeping.file, *keeping.options.job().data_files]):
        say(f"{file} is mounted alone: its replacement will not be seen; mount its folder")
    job = keeping.options.job(refresh=int(_EVERY_SECONDS))
    state, triggers = KeeperState(), SimpleQueue[str]()
    prober = Prober(keeping.duty(), _say_timed, state)
    applier = Applier(keeping.duty(), prober, _say_timed, state)

    def now(signal_name: str) -> None:
        prober.wake()
        triggers.put(signal_name)

    do_now("keeper", now, say)
    with only_watch(followed(job.output)):
        undo_unfinished(parse_url(keeping.database))
        duty = Duty(exporter(keeping.database, job), job.data_files, _EVERY_SECONDS)
        tell = _of_changes(EventPrinter(_EVERY_SECONDS, job.output).tell)
        probe = make_probe(keeping.database)
        loop = Watch(probe, duty, tell, triggers, each_step=threads.again)
        threads.go_on("file", applier.step)
        threads.go_on("probes", prober.step)
        threads.go_on("drains", DrainEnds(keeping.database, _say_timed).step)
        if listener:
            site = SiteShown(state, partial(_mirrors, keeping.database))
            shown = pages(loop.progress, keeping.stale, threads, site, keeping.interval)
            more = [searching("/packages", partial(found, keeping.database))]
            Admin(listener, shown, more=more).start(threads)
        loop.run()


def _mirrors(database: str) -> tuple[list["HostState"], str | None]:
    """Return the mirrors of a database, and why they cannot be read."""
    from snapshot.export.database import parse_url
    from snapshot.sites.hosts import read_hosts
    from snapshot.sites.reading import read_only

    try:
        with read_only(parse_url(database)) as connection:
            return read_hosts(connection), None
    except BackendError as error:
        return [], str(error)


def _say_timed(text: str) -> None:
    say(f"{as_time(int(time.time()))} {text}")


def _of_changes(tell: "Callable[[Event], None]") -> "Callable[[Event], None]":
    """Return `tell` without the exports that changed nothing: each probe writes, and causes one."""
    from snapshot.watch.loop import UNSURE, Done
    from snapshot.watch.sqlite import NAME

    def told(event: "Event") -> None:
        asked = isinstance(event, Done) and {*event.reasons} - {NAME, UNSURE}
        if not isinstance(event, Done) or event.result.changed or asked:
            tell(event)

    return told


def _end_with(lifeline: int) -> None:
    with suppress(OSError):
        os.read(lifeline, 1)
    # At once: the database and the snapshot are whole at any moment.
    os._exit(0)
