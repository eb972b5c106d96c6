"""`mirrorlist watch`: exports a database within seconds of a change, and stays."""

import gc
import signal
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import click

from mirrorlist.cli.console import say
from mirrorlist.cli.ending import end_on
from mirrorlist.cli.job_options import JobOptions
from mirrorlist.cli.managed import manager_of
from mirrorlist.cli.options import options
from mirrorlist.cli.packages_page import found
from mirrorlist.cli.pushing import pushing
from mirrorlist.cli.watch_events import EventPrinter
from mirrorlist.process.manager import Manager
from mirrorlist.process.messages import stay
from mirrorlist.process.signals import do_now
from mirrorlist.process.threads import Threads
from mirrorlist.status.watch_hook import parse_hook
from snapshot.file.changes import mounted

if TYPE_CHECKING:
    from snapshot.export.job import Job
    from snapshot.sites.last_probe import LastProbe
    from snapshot.watch.loop import Export
    from snapshot.watch.progress import Progress


@click.command(short_help="Stay, and export the database whenever it has changed.")
@options("watch")
def watch(
    database: str,
    every: float,
    stale: float,
    hook: str | None,
    push: str | None,
    push_timeout: float,
    admin: str | None,
    **given: Any,
) -> None:
    """Export a MirrorManager database whenever something in it has changed.

    Looks at the database four times a second; nothing is installed in it or written to it.
    Changed data files, SIGUSR1, SIGHUP, a POST to --hook and --every trigger an export too. A
    snapshot that `export` would refuse is refused, and the old file stays.

    \b
    mirrorlist watch --database postgresql://mm@db/mirrormanager --output mm.snap
    curl http://127.0.0.1:3002/status
    """
    stay()
    triggers: SimpleQueue[str] = SimpleQueue()
    manager = manager_of()
    end_on([signal.SIGTERM, signal.SIGINT], 0)
    do_now("watch", partial(_ask, triggers, manager), say)
    job = JobOptions(**given).job(refresh=max(1, int(every)))
    hooked = parse_hook(hook) if hook else None
    # Imported here: a worker must never load a database driver.
    from mirrorlist.status.told import watch_state
    from mirrorlist.status.watch_pages import pages, shown_on
    from snapshot.export.exporter import check_files
    from snapshot.export.publish import only_watch
    from snapshot.file.writer import followed
    from snapshot.sites.last_probe import LastProbe
    from snapshot.watch.loop import Duty, Said, Watch
    from snapshot.watch.probes import make_probe
    from snapshot.watch.push import Push

    probe, files = make_probe(database), job.data_files
    check_files(database, job)
    duty, tell = Duty(exporter(database, job), files, every), EventPrinter(every, job.output).tell
    with only_watch(followed(job.output)):
        threads = Threads(say, lambda: loop.count_refused())
        last_probe = LastProbe(database)
        turn = partial(_turn, threads, manager, last_probe, lambda: loop.progress)
        loop: Watch = Watch(probe, duty, tell, triggers, each_step=turn)
        manager.begin(watch_state(loop.progress))
        order = Push(push, push_timeout, job.output) if push else None
        shown = pages(loop.progress, stale, threads, last_probe=last_probe)
        with (
            pushing(order, loop.progress.push, threads, lambda text: tell(Said(text))) as published,
            shown_on(admin, shown, hooked, triggers, threads, say, partial(found, database)),
            # Told first when the end begins.
            closing(manager),
        ):
            loop.published = published
            _tell_begin(probe.shown(), files, every)
            loop.run()


def _turn(
    threads: Threads, manager: Manager, probed: "LastProbe", progress: "Callable[[], Progress]"
) -> None:
    threads.again()
    manager.look()
    # Before the first export nobody knows whether the database is ours at all.
    if progress().connected and progress().exports:
        probed.look()


def _ask(triggers: "SimpleQueue[str]", manager: Manager, signal_name: str) -> None:
    if signal_name == "SIGHUP":
        manager.reloading()
    triggers.put(signal_name)


def _tell_begin(database: str, files: list[Path], every: float) -> None:
    for file in mounted(files):
        say(f"{file} is mounted alone: its replacement will not be seen")
    beside = "".join(f", {file}" for file in files)
    say(f"watching {database}{beside}; all of it every {every:g} s")


def exporter(database: str, job: "Job") -> "Export":
    """Return what exports a database again and again, and keeps what it read before."""
    from snapshot.export.exporter import export
    from snapshot.export.kept import KeptDirectories
    from snapshot.export.opened import Opened
    from snapshot.export.pipeline import ExportResult
    from snapshot.export.publish import Last

    # Nearly all objects live until the end: garbage collection would add a tenth of the time.
    gc.disable()
    kept, opened = KeptDirectories(), Opened()

    def run(last: Last | None) -> ExportResult:
        try:
            return export(database, job, last, kept=kept, opened=opened)
        finally:
            gc.collect()

    return run
