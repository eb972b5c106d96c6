"""Turns mirrorlist-server's cache file into a snapshot, by the rules that hold for a database."""

from pathlib import Path

from msgspec.structs import replace

from snapshot.cache.rows import read_cache
from snapshot.export.exporter import ExportResult, Origin, publish_rows, silent
from snapshot.export.job import Job
from snapshot.export.leftout import LeftOutRows
from snapshot.export.source import Progress, Rows


def import_cache(cache: Path, job: Job, progress: Progress = silent) -> ExportResult:
    """Import a cache file to a snapshot file; as `export`, from another origin."""

    def read(progress: Progress, left_out: LeftOutRows) -> tuple[int, Rows]:
        return read_cache(cache, progress, left_out)

    # mirrorlist-server's exporter has looked up the names already.
    job = replace(job, resolve_dns=False)
    return publish_rows(Origin("cache", (cache,), read), job, progress=progress)
