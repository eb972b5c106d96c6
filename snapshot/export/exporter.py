"""Exports a MirrorManager database: reads rows, applies the rules, publishes a snapshot."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from msgspec.structs import replace

from snapshot.export.carried import read_carried
from snapshot.export.database import database_file, parse_url, read_only
from snapshot.export.directories import Carried
from snapshot.export.job import Job
from snapshot.export.kept import KeptDirectories
from snapshot.export.leftout import LeftOutRows
from snapshot.export.opened import Opened
from snapshot.export.pipeline import ExportResult, Origin, check, publish_rows, silent
from snapshot.export.publish import Last
from snapshot.export.rows import Progress, Rows
from snapshot.export.session import Session
from snapshot.export.source import reading
from snapshot.export.url import URL
from snapshot.file.reader import Snapshot
from snapshot.file.writer import followed


def export(
    database: str,
    job: Job,
    last: Last | None = None,
    progress: Progress = silent,
    kept: KeptDirectories | None = None,
    opened: Opened | None = None,
) -> ExportResult:
    """Export a database to a snapshot file; after a BackendError the old file is unchanged.

    With `kept`, directories that did not change since the last export are not read again; with
    `opened`, neither is the snapshot that this process published.
    """
    opened = opened or Opened()
    place = followed(job.output)
    old = partial(opened.open, place, job.key) if job.files else None
    read_up2date = kept.read if kept else read_carried
    origin = origin_of(database, read_up2date, old, newest=job.newest)
    result = publish_rows(origin, job, last, progress, opened)
    return result._replace(said=kept.said, differed=kept.differed) if kept else result


def origin_of(
    database: str,
    read_up2date: Callable[[Session], Carried] = read_carried,
    old: Callable[[], Snapshot | None] | None = None,
    *,
    newest: bool = False,
) -> Origin:
    """Return a database as an origin of rows; raises DatabaseURLError.

    For `old` see `reading`, for `newest` see `Job`.
    """
    url = parse_url(database)

    @contextmanager
    def read(progress: Progress, left_out: LeftOutRows) -> Iterator[tuple[int, Rows]]:
        with read_only(url) as session:
            now = int(time.time())
            with reading(session, progress, left_out, read_up2date, old, newest=newest) as rows:
                yield now, rows

    return Origin("database", _files_of(url), read)


def check_files(database: str, job: Job) -> None:
    """Raise a BackendError if an export could not begin; does not connect to the database."""
    check(replace(job, output=followed(job.output)), _files_of(parse_url(database)))


def _files_of(url: URL) -> tuple[Path, ...]:
    file = database_file(url)
    return (file,) if file else ()
