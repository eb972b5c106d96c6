"""Generates mirrorlist-server's cache file of a database, by the same rules as a snapshot.

A new file replaces the old one only if both can be read and the checks for a snapshot let it:
each of the two is imported into a snapshot that nobody serves.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from msgspec.structs import replace

from snapshot.cache.importer import import_cache
from snapshot.cache.writer import encode_cache
from snapshot.export.assemble import finish
from snapshot.export.continents import built_in_continents
from snapshot.export.exporter import origin_of
from snapshot.export.job import Job
from snapshot.export.leftout import LeftOutRows
from snapshot.export.opened import Opened
from snapshot.export.pipeline import Origin, Stopwatch, read, silent
from snapshot.export.publish import lock
from snapshot.export.rows import Progress, Rows
from snapshot.file.errors import CacheError, OutputError, RefusedSnapshot
from snapshot.file.model import LeftOut
from snapshot.file.wholefile import open_regular
from snapshot.file.writer import check_output, followed, staged

# The generator of mirrorlist-server writes the field Time first: Unix seconds between 1978 and 3058
# take five bytes, of which all but the last have their highest bit set.
_TIME = re.compile(rb"(?:\x08(?:[\x80-\xff]{4}[\x01-\x7f]|[\x80-\xff]{,4}\Z))?", re.DOTALL)
_TIME_BYTES = 6
_INSTEAD = "move it away or give another --outfile (--force replaces it)"


def generate_cache(
    database: str,
    job: Job,
    progress: Progress = silent,
    *,
    peers: bool = False,
    inputs: tuple[Path, ...] = (),
) -> tuple[LeftOut, ...]:
    """Write the cache file of a database to the job's output; returns the rows left out.

    With `peers`, the further ASNs of hosts count too. `inputs` are files that must not be the
    output. After a BackendError the old file is unchanged.
    """
    job, origin = replace(job, output=followed(job.output)), origin_of(database)
    origin = origin if peers else _without_peers(origin)
    check_output(job.output, [*inputs, *origin.inputs])
    _check_cache(job)
    with lock(job.output):
        left_out = LeftOutRows()
        continents = built_in_continents()
        prepared = read(origin, job, continents, progress, left_out, Stopwatch(), Opened())
        data = finish(prepared, left_out, allow_wide=job.allow_wide)
        progress(f"writing to {job.output}", 1, 1)
        with staged(job.output, encode_cache(data, prepared.redirected)) as written:
            _check_new(written, job)
            # Another file may have been put there meanwhile.
            _check_cache(job)
    return data.report.left_out


def _without_peers(origin: Origin) -> Origin:
    """Return an origin without the ASNs that "`mirrorlist-server` ignores".

    (docs/mirrormanager.md#asns-of-hosts)
    """

    @contextmanager
    def reading(progress: Progress, left_out: LeftOutRows) -> Iterator[tuple[int, Rows]]:
        with origin.reading(progress, left_out) as (now, rows):
            yield now, rows._replace(peer_asns=[])

    return origin._replace(reading=reading)


def _check_cache(job: Job) -> None:
    """Raise OutputError if a file would be replaced that is no cache; a cut one is one."""
    if job.foreign or not job.output.exists():
        return
    try:
        with open_regular(job.output) as file:
            head = file.read(_TIME_BYTES)
    except OSError as error:
        raise OutputError(
            f"{job.output}: not replaced: whether it is a mirrorlist cache cannot be read:"
            f" {error.strerror}; {_INSTEAD}"
        ) from error
    if not _TIME.fullmatch(head):
        raise OutputError(f"{job.output}: not replaced: it is not a mirrorlist cache; {_INSTEAD}")


def _check_new(written: Path, job: Job) -> None:
    """Raise RefusedSnapshot if the new file must not replace the old one."""
    with TemporaryDirectory(prefix="generate-mirrorlist-cache-") as folder:
        trial = replace(job, output=Path(folder) / "mm.snap")
        if job.max_loss is not None:
            # There may be no old file, or one that is cut short.
            with suppress(CacheError):
                import_cache(job.output, replace(trial, max_loss=None))
        try:
            import_cache(written, trial)
        except RefusedSnapshot as error:
            raise RefusedSnapshot(f"{job.output}: not replaced: {error}") from error
