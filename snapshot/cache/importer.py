"""Imports mirrorlist-server's cache file as a snapshot, by the same rules as a database."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec.structs import replace

from snapshot.cache.rows import read_cache
from snapshot.export.job import Job
from snapshot.export.leftout import LeftOutRows
from snapshot.export.pipeline import ExportResult, Origin, publish_rows, silent
from snapshot.export.rows import Progress, Rows


def import_cache(cache: Path, job: Job, progress: Progress = silent) -> ExportResult:
    """Import a cache file to a snapshot file, as `export` does with a database."""

    @contextmanager
    def read(progress: Progress, left_out: LeftOutRows) -> Iterator[tuple[int, Rows]]:
        yield read_cache(cache, progress, left_out)

    # HostNetblockCache: "names are resolved already" (docs/mirrormanager.md#the-cache-file).
    job = replace(job, resolve_dns=False)
    return publish_rows(Origin("cache", (cache,), read), job, progress=progress)
