"""Exports a MirrorManager database as a snapshot: rows in, model out, file written whole."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from snapshot.addresses import country_ranges, host_netblocks
from snapshot.asn import AsnNetblocks, check_readable, read_asn_netblocks
from snapshot.content import make_content, usable_directories
from snapshot.continents import built_in_continents, read_continents
from snapshot.database import database_file, parse_url, read_only
from snapshot.leftout import LeftOutRows
from snapshot.mirrors import make_mirrors
from snapshot.model import LeftOut, Report, SnapshotData
from snapshot.reader import Snapshot
from snapshot.source import ContinentRow, Progress, Rows, read_rows
from snapshot.text import refuse_control
from snapshot.writer import check_output, write_snapshot


class ExportResult(NamedTuple):
    """What an export did; seconds of wall time, bytes of the file."""

    counts: dict[str, int]
    left_out: tuple[LeftOut, ...]
    seconds: float
    bytes: int


def export(
    database: str,
    output: Path,
    asn: Path | None = None,
    country_continent: Path | None = None,
    resolve_dns: bool = True,
    progress: Progress = lambda phase, done, total: None,
) -> ExportResult:
    """Export a database to a snapshot file; raises a BackendError and then leaves no file."""
    started = time.monotonic()
    url = parse_url(database)
    # Files first: a mistyped name must not cost a whole read of the database.
    check_output(output, [file for file in (asn, country_continent, database_file(url)) if file])
    continents = read_continents(country_continent) if country_continent else built_in_continents()
    if asn:
        check_readable(asn)
    left_out = LeftOutRows()
    # Beside the database, which lets Python wait for as long as the file takes.
    with ThreadPoolExecutor(1) as beside:
        reading = beside.submit(read_asn_netblocks, asn, left_out) if asn else None
        with read_only(url) as connection:
            read = int(time.time())
            rows = read_rows(connection, progress, left_out)
        netblocks = reading.result() if reading else AsnNetblocks()
    data = make_snapshot(rows, read, netblocks, continents, resolve_dns, left_out)
    size = write_snapshot(data, output)
    # Read back: the counts are of what a server will see.
    counts = Snapshot(output).counts()
    return ExportResult(counts, data.report.left_out, time.monotonic() - started, size)


def make_snapshot(
    rows: Rows,
    read: int,
    asn: AsnNetblocks,
    continents: dict[str, str],
    resolve_dns: bool,
    left_out: LeftOutRows,
) -> SnapshotData:
    """Apply every rule to the rows read at `read` (seconds since 1970, UTC)."""
    usable = usable_directories(rows, left_out)
    mirrors = make_mirrors(rows, {row.id: row.name for row in usable}, left_out)
    content = make_content(rows, usable, mirrors, left_out)
    netblocks = host_netblocks(rows, mirrors, resolve_dns, left_out)
    needed = {number for host in mirrors.hosts if not host.inactive for number in host.asns}
    for row in sorted(rows.continents):
        with left_out.row("country_continent_redirect", row.id):
            continents = {**continents, **_redirect(row)}
    return SnapshotData(
        read=read,
        hosts=mirrors.hosts,
        categories=mirrors.categories,
        host_sets=content.host_sets,
        directories=content.directories,
        repositories=content.repositories,
        redirects=content.redirects,
        file_details=content.file_details,
        continents=continents,
        netblock_chains=netblocks.chains,
        netblock_ranges=netblocks.ranges,
        country_ranges=country_ranges(rows, left_out),
        asn_ranges=asn.ranges(needed),
        report=_report(rows, left_out),
    )


def _redirect(row: ContinentRow) -> dict[str, str]:
    country = refuse_control(row.country, "country").strip().upper()
    continent = refuse_control(row.continent, "continent").strip().upper()
    if len(country) != 2 or len(continent) != 2:
        raise ValueError("not a country and a continent of two letters each")
    return {country: continent}


def _report(rows: Rows, left_out: LeftOutRows) -> Report:
    return Report(rows.counts(), left_out.sorted())
