"""Turns mirrorlist-server's cache file into a snapshot, by the rules that hold for a database."""

from pathlib import Path

from snapshot.cache.rows import read_cache
from snapshot.export.exporter import ExportResult, Origin, publish_rows
from snapshot.export.leftout import LeftOutRows
from snapshot.export.source import Progress, Rows
from snapshot.file.difference import DEFAULT_MAX_LOSS


def import_cache(
    cache: Path,
    output: Path,
    asn: Path | None = None,
    country_continent: Path | None = None,
    progress: Progress = lambda phase, done, total: None,
    key: bytes | None = None,
    max_loss: int | None = DEFAULT_MAX_LOSS,
    *,
    foreign: bool = False,
    allow_wide: bool = False,
) -> ExportResult:
    """Import a cache file to a snapshot file; as `export`, from another origin."""

    def read(progress: Progress, left_out: LeftOutRows) -> tuple[int, Rows]:
        return read_cache(cache, progress, left_out)

    origin = Origin("cache", (cache,), read)
    # mirrorlist-server's exporter has looked up the names already.
    resolve_dns = False
    return publish_rows(
        origin,
        output,
        asn,
        country_continent,
        resolve_dns,
        progress,
        key,
        max_loss,
        foreign=foreign,
        allow_wide=allow_wide,
    )
