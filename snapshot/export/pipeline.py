"""From rows to a published snapshot: reads them, applies every rule, publishes.

No database driver is loaded here, because an import of a cache file needs none.
"""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from snapshot.export.asn import check_readable
from snapshot.export.asn_file import AsnFile
from snapshot.export.asn_netblocks import AsnNetblocks
from snapshot.export.assemble import Inputs, Prepared, finish, prepare
from snapshot.export.checks import get_ready
from snapshot.export.continents import built_in_continents, read_continents
from snapshot.export.history import continue_history
from snapshot.export.job import Job
from snapshot.export.leftout import LeftOutRows
from snapshot.export.opened import Opened
from snapshot.export.publish import (
    Last,
    Publication,
    check_places,
    known_names,
    last_published,
    lock,
    publish,
)
from snapshot.export.rows import Progress, Rows
from snapshot.file.errors import SnapshotError
from snapshot.file.model import LeftOut, Report
from snapshot.file.writer import check_output, encode, followed


def silent(phase: str, done: int, total: int) -> None:
    """Show no progress."""


class TimedPhase(NamedTuple):
    """A part of an export and its seconds of wall time."""

    name: str
    seconds: float


class ExportResult(NamedTuple):
    """What an export did; times are seconds of wall time, `bytes` is the size of the file.

    The first phase reads the ASN file, while the second one reads the database and applies most of
    the rules. `id` and `read` belong to the snapshot in place. `changed` says whether the content
    is new, `written` whether a file was written.
    """

    counts: dict[str, int]
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...]
    seconds: float
    bytes: int
    phases: tuple[TimedPhase, ...]
    id: str
    read: int
    changed: bool
    written: bool
    said: str | None = None
    differed: bool = False


class Origin(NamedTuple):
    """Where rows come from: a name, the files that are read, and what reads them.

    `reading` gives the time of the read, in seconds since 1970, and the rows. The largest table may
    be read while its block runs, so the block asks for it last.
    """

    name: str
    inputs: tuple[Path, ...]
    reading: Callable[[Progress, LeftOutRows], AbstractContextManager[tuple[int, Rows]]]


def publish_rows(
    origin: Origin,
    job: Job,
    last: Last | None = None,
    progress: Progress = silent,
    opened: Opened | None = None,
) -> ExportResult:
    """Read rows, apply every rule and publish the snapshot, as `export` does.

    `last` is the snapshot that this process published before, see `publish`.
    """
    job, opened = replace(job, output=followed(job.output)), opened or Opened()
    # Files are checked first, so that a mistyped name does not cost a whole read of the database.
    continents = check(job, origin.inputs)
    with lock(job.output):
        watch = Stopwatch()
        left_out = LeftOutRows()
        prepared = read(origin, job, continents, progress, left_out, watch, opened)
        data = finish(prepared, left_out, allow_wide=job.allow_wide)
        before = last_published(opened, job.output, job.key)
        data = replace(data, history=continue_history(data, before))
        watch.lap("applying the rules")
        content = encode(data, key=job.key)
        watch.lap("encoding")
        published = publish(_accepting(job, data.report, opened), content, last, opened)
        # Counted in the file that was written, which is what a server will read.
        counts = published.snapshot.counts()
        watch.lap("checking and writing")
        return _result(published, counts, data.report, len(content), watch)


def _accepting(job: Job, report: Report, opened: Opened) -> Job:
    """Return the job without the limit of losses, if a site's file took something away on purpose.

    Only once: the published snapshot says up to when losses were accepted. The limit was asked
    for when the file was applied (docs/sites.md#when-much-goes-at-once).
    """
    if report.reduced is None or job.max_loss is None:
        return job
    old = opened.open(job.output, job.key)
    with suppress(SnapshotError):
        if old is not None and old.report.reduced != report.reduced:
            # Written at once: while its content is equal and young, the old one would stay.
            return replace(job, max_loss=100, refresh=None)
    return job


def read(
    origin: Origin,
    job: Job,
    continents: dict[str, str],
    progress: Progress,
    left_out: LeftOutRows,
    watch: "Stopwatch",
    opened: Opened,
) -> Prepared:
    """Read everything, and apply rules to the rows while the database reads the largest table."""
    with origin.reading(progress, left_out) as (read, rows):
        netblocks = _read_asn(job.asn, left_out, watch) if job.asn else None
        known = known_names(opened, job.output, job.key) if job.resolve_dns else None
        inputs = Inputs(rows, read, continents, netblocks, known, origin.name)
        prepared = prepare(inputs, left_out, allow_wide=job.allow_wide)
        old = opened.open(job.output, job.key)
        if old is not None and job.max_loss is not None:
            with suppress(SnapshotError):
                get_ready(old)
        rows.up2date()
    watch.lap(f"reading the {origin.name}")
    return prepared


def _result(
    published: Publication,
    counts: dict[str, int],
    report: Report,
    size: int,
    watch: "Stopwatch",
) -> ExportResult:
    return ExportResult(
        counts=counts,
        left_out=report.left_out,
        notes=report.notes,
        seconds=watch.seconds,
        bytes=size,
        phases=tuple(watch.laps),
        id=published.snapshot.id,
        read=published.snapshot.read,
        changed=published.changed,
        written=published.written,
    )


def check(job: Job, inputs: tuple[Path, ...]) -> dict[str, str]:
    """Check every file before any work; returns the table of continents."""
    check_output(job.output, [*job.data_files, *inputs])
    if not job.foreign:
        check_places(job.output)
    if job.asn:
        check_readable(job.asn.path if isinstance(job.asn, AsnFile) else job.asn)
    file = job.country_continent
    return read_continents(file) if file else built_in_continents()


class Stopwatch:
    """Measures wall time, phase by phase."""

    def __init__(self) -> None:
        self.laps: list[TimedPhase] = []
        self._start = self._last = time.monotonic()

    def lap(self, name: str) -> None:
        """End a phase and begin the next one."""
        now = time.monotonic()
        self.laps.append(TimedPhase(name, now - self._last))
        self._last = now

    @property
    def seconds(self) -> float:
        """All laps together."""
        return self._last - self._start


def _read_asn(asn: Path | AsnFile, left_out: LeftOutRows, watch: Stopwatch) -> AsnNetblocks:
    own = Stopwatch()
    netblocks = (AsnFile(asn) if isinstance(asn, Path) else asn).read(left_out)
    own.lap("reading the ASN file")
    watch.laps += own.laps
    return netblocks
