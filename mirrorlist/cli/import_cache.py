"""`mirrorlist import-cache`: from mirrorlist-server's cache file to a snapshot file."""

import gc
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mirrorlist.cli.console import progress_bar, say
from mirrorlist.cli.ending import end_on
from mirrorlist.cli.export import report
from mirrorlist.cli.job_options import JobOptions
from mirrorlist.cli.managed import manager_of
from mirrorlist.cli.options import options
from mirrorlist.cli.pushing import pushing
from mirrorlist.cli.values import FilePath
from mirrorlist.errors import OptionError
from mirrorlist.process.manager import Manager
from mirrorlist.process.messages import print_trouble, stay
from mirrorlist.process.signals import Flag, do_now, release
from mirrorlist.process.threads import Threads
from snapshot.file.changes import changes, mounted
from snapshot.file.errors import BackendError

if TYPE_CHECKING:
    from snapshot.export.job import Job
    from snapshot.export.pipeline import ExportResult
    from snapshot.export.rows import Progress
    from snapshot.watch.progress import Progress as Imports
    from snapshot.watch.progress import Pushes

    Import = Callable[[Path, Job, Progress], ExportResult]

# The extra of pyproject.toml that brings protobuf.
_EXTRA = "protobuf"
_PAUSE_SECONDS = 5.0


@click.command("import-cache", short_help="Write a snapshot of a mirrorlist-server's cache file.")
@click.argument("cache", type=FilePath())
@options("import-cache")
def import_cache(
    cache: Path, watch: bool, json: bool, push: str | None, push_timeout: float, **given: Any
) -> None:
    """Write a snapshot of the cache file of MirrorManager's mirrorlist-server.

    Answers are the same as from the database that CACHE was made of, except for the data that a
    cache lacks: peer ASNs, further categories of a directory, names of hosts, change times.

    With --watch it keeps running and looks each second. In a container, mount the directory of
    CACHE, not the file: a file that is mounted alone never shows that it was replaced.

    \b
    mirrorlist import-cache mirrorlist_cache.proto --output mm.snap \\
        --asn global_netblocks.txt
    """
    if push and not watch:
        raise OptionError("--push: only with --watch; else write the command behind this one")
    job = JobOptions(**given).job()
    run_import = load_importer()
    files = [cache, *job.data_files]
    end_on([signal.SIGTERM], 0 if watch else 128 + signal.SIGTERM)
    manager = manager_of() if watch else Manager()
    asked = _begin(files, watch, manager)
    # Nearly all objects live until the end: garbage collection would be lost time.
    gc.disable()
    if not watch:
        _import(run_import, cache, job, json)
        return
    from mirrorlist.status.told import watch_state
    from snapshot.watch.progress import Progress as Imports

    run, imports = partial(_import, run_import, cache, job, json), Imports(time.monotonic())
    manager.begin(watch_state(imports))
    pushes = _pushing(push, push_timeout, job.output, imports.push)
    with pushes as (threads, published), closing(manager):
        for _ in changes(files, asked=partial(_turn, asked, manager)):
            asked.clear()
            result = _try_import(run, asked, imports)
            # After the first import too: a watch before may have ended too early.
            if result and (result.written or imports.exports == 1):
                published()
            threads.again()
            manager.look()
            gc.collect()


def _turn(asked: Flag, manager: Manager) -> bool:
    """Return whether a signal asks for an import now."""
    manager.look()
    return asked.is_set()


def _import(run_import: "Import", cache: Path, job: "Job", json: bool) -> "ExportResult":
    with progress_bar() as steps:
        result = run_import(cache, job, steps)
    report(result, job.output, json)
    return result


def _try_import(
    run: "Callable[[], ExportResult]", asked: Flag, imports: "Imports"
) -> "ExportResult | None":
    """Import; a failure is printed, and the watch goes on."""
    try:
        result = run()
    except BackendError as error:
        imports.fail(error, time.time())
        say(f"error: {error}; what was published stays; waiting for another change")
    except Exception as error:
        imports.fail(error, time.time())
        _survive(error, asked)
    else:
        imports.succeed(result, time.monotonic(), time.time())
        return result
    return None


@contextmanager
def _pushing(
    command: str | None, seconds: float, output: Path, progress: "Pushes"
) -> Iterator[tuple[Threads, Callable[[], object]]]:
    """Give the threads, and the function to call after each publication."""
    from snapshot.watch.push import Push

    threads = Threads(say)
    order = Push(command, seconds, output) if command else None
    with pushing(order, progress, threads, say) as published:
        yield threads, published


def _begin(files: Sequence[Path], watch: bool, manager: Manager) -> Flag:
    """Return the flag that a signal sets to ask for an import now."""
    asked = Flag()
    if not watch:
        release()
        return asked

    def ask(signal_name: str) -> None:
        if signal_name == "SIGHUP":
            manager.reloading()
        asked.set()

    stay()
    do_now("import-cache --watch", ask, say)
    for file in mounted(files):
        say(f"{file} is mounted alone: its replacement will not be seen; mount its folder")
    return asked


def _survive(error: Exception, asked: Flag) -> None:
    # No memory, no more open files, or an internal error: none of these ends a watch.
    print_trouble()
    say(f"error: {error!r}; what was published stays; trying again")
    time.sleep(_PAUSE_SECONDS)
    asked.set()


def load_importer() -> "Import":
    """Return the import of a cache file; raises OptionError without the protobuf library."""
    # Imported here: a worker must never load the modules that make snapshots.
    try:
        from snapshot.cache.importer import import_cache as run_import
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "google":
            raise
        raise OptionError(
            f"this needs {_EXTRA}, which is not installed: run pip install '.[{_EXTRA}]' where the"
            " source of mirrorlist is"
        ) from error
    return run_import
