"""Exports a MirrorManager database as a snapshot: rows in, model out, file written whole."""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from snapshot.export.addresses import country_ranges, host_netblocks
from snapshot.export.asn import AsnNetblocks, check_readable
from snapshot.export.asn_file import AsnFile
from snapshot.export.content import make_content, usable_directories
from snapshot.export.continents import built_in_continents, read_continents
from snapshot.export.countries import Countries, is_own_code
from snapshot.export.database import database_file, parse_url, read_only
from snapshot.export.history import continue_history
from snapshot.export.hosts import make_host_table
from snapshot.export.leftout import LeftOutRows
from snapshot.export.publish import (
    Last,
    Published,
    check_places,
    known_names,
    last_published,
    lock,
    publish,
)
from snapshot.export.source import ContinentRow, Progress, Rows, read_rows
from snapshot.file.difference import DEFAULT_MAX_LOSS
from snapshot.file.model import Host, KnownName, LeftOut, Ranges, Report, SnapshotData
from snapshot.file.text import stripped, trimmed
from snapshot.file.writer import check_output, encode, followed


class Phase(NamedTuple):
    """A part of an export and its seconds of wall time."""

    name: str
    seconds: float


class ExportResult(NamedTuple):
    """What an export did; seconds of wall time, bytes of the file.

    The first phase, the ASN file, runs beside the second one, the database. `id` and `read` are
    those of the file in place; `changed` and `written` say whether its content is new, and whether
    it was written at all.
    """

    counts: dict[str, int]
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...]
    seconds: float
    bytes: int
    phases: tuple[Phase, ...]
    id: str
    read: int
    changed: bool
    written: bool


class Origin(NamedTuple):
    """Where rows come from: a name, the files that are read, and what reads them.

    `read` returns the time of the read, in seconds since 1970, and the rows.
    """

    name: str
    inputs: tuple[Path, ...]
    read: Callable[[Progress, LeftOutRows], tuple[int, Rows]]


def export(
    database: str,
    output: Path,
    asn: Path | AsnFile | None = None,
    country_continent: Path | None = None,
    resolve_dns: bool = True,
    progress: Progress = lambda phase, done, total: None,
    key: bytes | None = None,
    max_loss: int | None = DEFAULT_MAX_LOSS,
    refresh: int | None = None,
    last: Last | None = None,
    *,
    foreign: bool = False,
    allow_wide: bool = False,
) -> ExportResult:
    """Export a database to a snapshot file; raises a BackendError and then leaves no file.

    An `asn` that is an AsnFile is read again only if it has changed since its last export.
    `key` seals it; `max_loss`, `refresh`, `last` and `foreign` are those of `publish`. Netblocks
    that are too wide (`snapshot.export.coverage`) are left out unless `allow_wide`.
    """
    url = parse_url(database)
    file = database_file(url)

    def read(progress: Progress, left_out: LeftOutRows) -> tuple[int, Rows]:
        with read_only(url) as connection:
            return int(time.time()), read_rows(connection, progress, left_out)

    origin = Origin("database", (file,) if file else (), read)
    return publish_rows(
        origin,
        output,
        asn,
        country_continent,
        resolve_dns,
        progress,
        key,
        max_loss,
        refresh,
        last,
        foreign=foreign,
        allow_wide=allow_wide,
    )


def publish_rows(
    origin: Origin,
    output: Path,
    asn: Path | AsnFile | None,
    country_continent: Path | None,
    resolve_dns: bool,
    progress: Progress,
    key: bytes | None,
    max_loss: int | None,
    refresh: int | None = None,
    last: Last | None = None,
    *,
    foreign: bool = False,
    allow_wide: bool = False,
) -> ExportResult:
    """Read rows, apply every rule and publish the snapshot, as `export` does."""
    if isinstance(asn, Path):
        asn = AsnFile(asn)
    output = followed(output)
    # Files first: a mistyped name must not cost a whole read of the database.
    continents = _check(
        output, asn.path if asn else None, country_continent, origin.inputs, foreign=foreign
    )
    with lock(output):
        watch = _Stopwatch()
        left_out = LeftOutRows()
        # Beside the database, which lets Python wait for as long as the file takes.
        with ThreadPoolExecutor(1) as beside:
            reading = _begin(beside, asn, left_out) if asn else None
            read, rows = origin.read(progress, left_out)
            watch.lap(f"reading the {origin.name}")
            netblocks, asn_phase = reading() if reading else (None, None)
        data = make_snapshot(
            rows,
            read,
            netblocks,
            continents,
            resolve_dns,
            left_out,
            origin.name,
            allow_wide=allow_wide,
            known=known_names(output, key) if resolve_dns else None,
        )
        data = replace(data, history=continue_history(data, last_published(output, key)))
        watch.lap("applying the rules")
        content = encode(data, key=key)
        watch.lap("encoding")
        published = publish(output, content, key, max_loss, refresh, last, foreign=foreign)
        # Read back from the disk: the counts are of what a server will see.
        counts = published.snapshot.counts()
        watch.lap("checking and writing")
        phases = (*([asn_phase] if asn_phase else []), *watch.laps)
        return _result(published, counts, data.report, watch.seconds, len(content), phases)


def _result(
    published: Published,
    counts: dict[str, int],
    report: Report,
    seconds: float,
    size: int,
    phases: tuple[Phase, ...],
) -> ExportResult:
    return ExportResult(
        counts=counts,
        left_out=report.left_out,
        notes=report.notes,
        seconds=seconds,
        bytes=size,
        phases=phases,
        id=published.snapshot.id,
        read=published.snapshot.read,
        changed=published.changed,
        written=published.written,
    )


def check_files(
    database: str, output: Path, asn: Path | None, country_continent: Path | None
) -> None:
    """Raise a BackendError if an export could not even begin; the database is not asked."""
    file = database_file(parse_url(database))
    _check(followed(output), asn, country_continent, (file,) if file else ())


def _check(
    output: Path,
    asn: Path | None,
    country_continent: Path | None,
    inputs: tuple[Path, ...],
    *,
    foreign: bool = False,
) -> dict[str, str]:
    """Look at every file before any work; returns the continents."""
    check_output(output, [file for file in (asn, country_continent, *inputs) if file])
    if not foreign:
        check_places(output)
    if asn:
        check_readable(asn)
    return read_continents(country_continent) if country_continent else built_in_continents()


class _Stopwatch:
    """Wall time since its start, by laps."""

    def __init__(self) -> None:
        self.laps: list[Phase] = []
        self._start = self._last = time.monotonic()

    def lap(self, name: str) -> None:
        """End a phase and begin the next one."""
        now = time.monotonic()
        self.laps.append(Phase(name, now - self._last))
        self._last = now

    @property
    def seconds(self) -> float:
        """All laps together."""
        return self._last - self._start


def _begin(
    beside: ThreadPoolExecutor, asn: AsnFile, left_out: LeftOutRows
) -> Callable[[], tuple[AsnNetblocks, Phase]]:
    """Begin to read the ASN file, and return what waits for it."""
    try:
        return beside.submit(_read_asn, asn, left_out).result
    except RuntimeError:
        # The system gives no thread: then one after the other.
        return partial(_read_asn, asn, left_out)


def _read_asn(file: AsnFile, left_out: LeftOutRows) -> tuple[AsnNetblocks, Phase]:
    watch = _Stopwatch()
    netblocks = file.read(left_out)
    watch.lap("reading the ASN file")
    return netblocks, watch.laps[0]


def make_snapshot(
    rows: Rows,
    read: int,
    asn: AsnNetblocks | None,
    continents: dict[str, str],
    resolve_dns: bool,
    left_out: LeftOutRows,
    origin: str = "database",
    *,
    allow_wide: bool = False,
    known: Mapping[str, KnownName] | None = None,
) -> SnapshotData:
    """Apply every rule to the rows read at `read` (seconds since 1970, UTC).

    `known` is what DNS said before; without an `asn` no network has one.
    """
    countries, continents = _countries(rows, continents, left_out)
    usable = usable_directories(rows, left_out)
    host_table = make_host_table(rows, {row.id: row.name for row in usable}, left_out, countries)
    content = make_content(rows, usable, host_table, left_out)
    netblocks = host_netblocks(
        rows, host_table, resolve_dns, left_out, read=read, known=known, allow_wide=allow_wide
    )
    for row in sorted(rows.continents, key=lambda row: row.id):
        with left_out.row("country_continent_redirect", row.id):
            continents = {**continents, **_redirect(row, countries)}
    return SnapshotData(
        read=read,
        hosts=host_table.hosts,
        categories=host_table.categories,
        host_sets=content.host_sets,
        directories=content.directories,
        repositories=content.repositories,
        redirects=content.redirects,
        file_details=content.file_details,
        continents=continents,
        netblock_chains=netblocks.chains,
        netblock_ranges=netblocks.ranges,
        country_ranges=country_ranges(rows, left_out, countries, allow_wide),
        asn_ranges=_asn_ranges(host_table.hosts, asn, left_out),
        report=Report(rows.counts(), left_out.sorted(), origin, left_out.notes, netblocks.names),
    )


def _countries(
    rows: Rows, continents: dict[str, str], left_out: LeftOutRows
) -> tuple[Countries, dict[str, str]]:
    """The countries that there are, and a table of continents without any others."""
    redirected = (trimmed(row.country).upper() for row in rows.continents if _is_text(row.country))
    countries = Countries(filter(is_own_code, (*continents, *redirected)))
    for country in sorted(continents):
        if country not in countries:
            left_out.add("continents file", None, countries.why_not(country))
    return countries, {
        country: continent for country, continent in continents.items() if country in countries
    }


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _asn_ranges(hosts: list[Host], asn: AsnNetblocks | None, left_out: LeftOutRows) -> Ranges:
    """Which networks have an ASN that some active host has; says so if there are none."""
    having = [host for host in hosts if host.asns and not host.inactive]
    ranges = (asn or AsnNetblocks()).ranges({number for host in having for number in host.asns})
    if having and not (ranges.starts4 or ranges.starts6):
        count = "1 host has" if len(having) == 1 else f"{len(having)} hosts have"
        its = "its" if len(having) == 1 else "their"
        left_out.note(
            f"{count} an ASN; without --asn {its} tier is empty"
            if asn is None
            else f"{count} an ASN, and the ASN file has no network of {its} own: the tier is empty"
        )
    return ranges


def _redirect(row: ContinentRow, countries: Countries) -> dict[str, str]:
    country = stripped(row.country, "country").upper()
    continent = stripped(row.continent, "continent").upper()
    if len(country) != 2 or len(continent) != 2:
        raise ValueError("not a country and a continent of two letters each")
    countries.parse(country)
    if not (continent.isascii() and continent.isalpha()):
        raise ValueError(f"there is no continent {continent}")
    return {country: continent}
