"""`mirrorlist import-cache`: from mirrorlist-server's cache file to a snapshot file."""

import gc
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mirrorlist.cli.console import progress_bar, say
from mirrorlist.cli.ending import end_on
from mirrorlist.cli.export import report
from mirrorlist.cli.options import options
from mirrorlist.cli.values import FilePath
from mirrorlist.errors import OptionError
from mirrorlist.process.messages import print_trouble, stay
from mirrorlist.process.signals import Flag, do_now, release
from snapshot.file.changes import changes, mounted
from snapshot.file.errors import BackendError
from snapshot.file.seal import read_key

if TYPE_CHECKING:
    from snapshot.export.exporter import ExportResult

# What the optional part of the installation brings.
_EXTRA = "protobuf"
_PAUSE_SECONDS = 5.0


@click.command("import-cache", short_help="Write a snapshot of a mirrorlist-server's cache file.")
@click.argument("cache", type=FilePath())
@options("import-cache")
def import_cache(
    cache: Path,
    output: Path,
    asn: Path | None,
    country_continent: Path | None,
    allow_wide_netblocks: bool,
    max_loss: int,
    force: bool,
    watch: bool,
    snapshot_key: Path | None,
    json: bool,
) -> None:
    """Write a snapshot of the cache file of MirrorManager's mirrorlist-server.

    The answers are those from the database that CACHE was made of, but for what it does not
    carry: peer ASNs, further categories of a directory, names of hosts, change times.

    With --watch it stays and looks each second. Mount the directory that CACHE is in, not the
    file: who mounts a single file never sees that another one took its place.

    \b
    mirrorlist import-cache mirrorlist_cache.proto --output mm.snap --asn global_netblocks.txt
    """
    key = read_key(snapshot_key) if snapshot_key else None
    loss = None if force else max_loss
    import_file = _importer()
    files = [file for file in (cache, asn, country_continent) if file]
    end_on([signal.SIGTERM], 0 if watch else 128 + signal.SIGTERM)
    asked = _begin(files, watch)
    # Nearly all that is made lives until the end: looking for garbage is lost time.
    gc.disable()
    for _ in changes(files, asked=asked.is_set):
        asked.clear()
        try:
            with progress_bar() as steps:
                result = import_file(
                    cache,
                    output,
                    asn,
                    country_continent,
                    steps,
                    key,
                    loss,
                    foreign=force,
                    allow_wide=allow_wide_netblocks,
                )
            report(result, output, json)
        except BackendError as error:
            if not watch:
                raise
            say(f"error: {error}; what was published stays; waiting for another change")
        except Exception as error:
            if not watch:
                raise
            _survive(error, asked)
        if not watch:
            return
        gc.collect()


def _begin(files: Sequence[Path], watch: bool) -> Flag:
    """Return what tells that somebody wants an import now."""
    asked = Flag()
    if not watch:
        release()
        return asked
    stay()
    do_now("import-cache --watch", lambda _: asked.set(), say)
    for file in mounted(files):
        say(f"{file} is mounted alone: another file in its place is not seen; mount its folder")
    return asked


def _survive(error: Exception, asked: Flag) -> None:
    # No memory, no more open files, or a fault of ours: none of them ends a watch.
    print_trouble()
    say(f"error: {error!r}; what was published stays; trying again")
    time.sleep(_PAUSE_SECONDS)
    asked.set()


def _importer() -> Callable[..., "ExportResult"]:
    # Here and not above: only this command may load what makes snapshots.
    try:
        from snapshot.cache.importer import import_cache as import_file
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "google":
            raise
        raise OptionError(
            f"this needs {_EXTRA}, which is not installed: run pip install '.[{_EXTRA}]' where the"
            " source of mirrorlist is"
        ) from error
    return import_file
